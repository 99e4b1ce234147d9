import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { gather } from '../../src/columns/gather.ts';
import { hashBytes, hashLong } from '../../src/columns/murmur3.ts';
import { Partitioner, computePartitions } from '../../src/columns/partition.ts';
import type { NestedField, PrimitiveType, Schema } from '../../src/schema/types.ts';
import { batchOf, bigEndian, plainRows } from './rows.ts';
import type { Plain } from './rows.ts';

const field = (id: number, name: string, type: NestedField['type'], required = false): NestedField => ({
  id,
  name,
  type,
  required,
});
const schemaOf = (...fields: NestedField[]): Schema => ({ type: 'struct', 'schema-id': 0, fields });

/** The transform's result for each value, by the groups' rows. */
function apply(transform: string, type: PrimitiveType, values: readonly Plain[]): unknown[] {
  const groups = computePartitions(
    batchOf(
      schemaOf(field(1, 'v', type)),
      values.map((v) => ({ v })),
    ),
    [{ fieldId: 1000, sourceId: 1, transform }],
  );
  const results: unknown[] = Array.from({ length: values.length });
  for (const group of groups) for (const row of group.rows) results[row] = group.values.get(1000);
  return results;
}

const micros = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;
const BIG = 2 ** 31 - 1;

// Iceberg spec, Appendix B: "32-bit Hash Requirements", the table of test values.
describe('hashes of the spec', () => {
  const bucket = (type: PrimitiveType, value: Plain): number => apply(`bucket[${BIG}]`, type, [value])[0] as number;
  const expected = (hash: number): number => (hash & 0x7fffffff) % BIG;

  test('its test values', () => {
    expect(bucket('int', 34)).toBe(expected(2017239379));
    expect(bucket('long', 34n)).toBe(expected(2017239379));
    expect(bucket('decimal(9, 2)', 1420n)).toBe(expected(-500754589));
    expect(bucket('decimal(18, 2)', 1420n)).toBe(expected(-500754589));
    expect(bucket('decimal(38, 2)', 1420n)).toBe(expected(-500754589));
    expect(bucket('date', 17486)).toBe(expected(-653330422));
    expect(bucket('time', 81068000000n)).toBe(expected(-662762989));
    expect(bucket('timestamp', 1510871468000000n)).toBe(expected(-2047944441));
    expect(bucket('timestamptz', 1510871468000001n)).toBe(expected(-1207196810));
    // Nanoseconds hash as their microseconds.
    expect(bucket('timestamp_ns', 1510871468000000000n)).toBe(expected(-2047944441));
    expect(bucket('timestamptz_ns', 1510871468000001001n)).toBe(expected(-1207196810));
    expect(bucket('string', 'iceberg')).toBe(expected(1210000089));
    expect(bucket('uuid', Buffer.from('f79c3e09677c4bbda4793f349cb785e7', 'hex'))).toBe(expected(1488055340));
    expect(bucket('fixed[4]', Uint8Array.of(0, 1, 2, 3))).toBe(expected(-188683207));
    expect(bucket('binary', Uint8Array.of(0, 1, 2, 3))).toBe(expected(-188683207));
  });

  test('signed results of the functions', () => {
    expect(hashLong(17486, 0)).toBe(-653330422);
    expect(hashLong(-1, -1)).toBe(hashBytes(new Uint8Array(8).fill(255), 0, 8));
    expect(hashBytes(Buffer.from('xiceberg!'), 1, 8)).toBe(1210000089);
  });
});

// Iceberg spec, "Partition Transforms" and "Truncate Transform Details".
test('bucket and truncate', () => {
  expect(apply('bucket[16]', 'long', [34n, null])).toEqual([(2017239379 & 0x7fffffff) % 16, null]);
  expect(apply('truncate[10]', 'int', [1, -1, 10, -11])).toEqual([0, -10, 10, -20]);
  expect(apply('truncate[10]', 'long', [1n, -1n, 9007199254740999n])).toEqual([0n, -10n, 9007199254740990n]);
  for (const type of ['decimal(9, 2)', 'decimal(18, 2)', 'decimal(30, 2)'] as const) {
    expect(apply('truncate[50]', type, [1065n, -1065n])).toEqual([bigEndian(1050n, 2), bigEndian(-1100n, 2)]);
  }
  expect(apply('truncate[3]', 'string', ['iceberg', 'ab', '🌍🌎🌏x'])).toEqual(['ice', 'ab', '🌍🌎🌏']);
  expect(apply('truncate[3]', 'binary', [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(1)])).toEqual([
    Uint8Array.of(1, 2, 3),
    Uint8Array.of(1),
  ]);
});

test('time transforms round down, also before 1970', () => {
  const times = [
    '2017-12-01T10:12:55.038Z',
    '1970-01-01T00:00:00Z',
    '1969-12-31T23:59:59.999Z',
    '1969-01-01T10:00:00Z',
    '2000-02-29T23:59:59Z',
  ];
  const values = times.map(micros);
  expect(apply('year', 'timestamptz', values)).toEqual([47, 0, -1, -1, 30]);
  expect(apply('month', 'timestamptz', values)).toEqual([575, 0, -1, -12, 361]);
  expect(apply('day', 'timestamptz', values)).toEqual([17501, 0, -1, -365, 11016]);
  expect(apply('hour', 'timestamp', values)).toEqual([420034, 0, -1, -8750, 264407]);
  expect(apply('day', 'date', [17501, -1, null])).toEqual([17501, -1, null]);
  expect(apply('month', 'date', [17501, -1])).toEqual([575, -1]);
  expect(apply('void', 'string', ['a', null])).toEqual([null, null]);
});

test('time transforms of nanoseconds are those of their microseconds, to both ends of 64 bits', () => {
  const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n];
  // 1677-09-21T00:12:43.145224192 and 2262-04-11T23:47:16.854775807.
  const values = [least, -1n, 0n, 999n, most];
  expect(apply('year', 'timestamp_ns', values)).toEqual([-293, -1, 0, 0, 292]);
  expect(apply('month', 'timestamp_ns', values)).toEqual([-3508, -1, 0, 0, 3507]);
  expect(apply('day', 'timestamptz_ns', values)).toEqual([-106752, -1, 0, 0, 106751]);
  expect(apply('hour', 'timestamptz_ns', values)).toEqual([-2562048, -1, 0, 0, 2562047]);
  expect(apply('identity', 'timestamptz_ns', values)).toEqual(values);
  fc.assert(
    fc.property(fc.bigInt({ min: least, max: most }), fc.integer({ min: 1, max: 1000 }), (nanos, width) => {
      const micros = (nanos - (((nanos % 1000n) + 1000n) % 1000n)) / 1000n;
      for (const transform of ['year', 'month', 'day', 'hour', `bucket[${width}]`])
        expect(apply(transform, 'timestamp_ns', [nanos])).toEqual(apply(transform, 'timestamp', [micros]));
    }),
  );
});

test('time transforms agree with the calendar of the language', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
      fc.integer({ min: 0, max: 999 }),
      (date, extra) => {
        const value = BigInt(date.getTime()) * 1000n + BigInt(extra);
        expect(apply('year', 'timestamp', [value])).toEqual([date.getUTCFullYear() - 1970]);
        expect(apply('month', 'timestamp', [value])).toEqual([
          (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth(),
        ]);
        expect(apply('day', 'timestamp', [value])).toEqual([Math.floor(date.getTime() / 86_400_000)]);
        expect(apply('hour', 'timestamp', [value])).toEqual([Math.floor(date.getTime() / 3_600_000)]);
      },
    ),
    { numRuns: 300 },
  );
});

test('identity keeps every kind of value', () => {
  const cases: [PrimitiveType, Plain[]][] = [
    ['boolean', [true, false, null]],
    ['int', [1, -1]],
    ['long', [2n ** 62n, -1n]],
    ['float', [0.5, NaN]],
    ['double', [0, -0, NaN]],
    ['date', [3]],
    ['timestamptz', [-5n]],
    ['string', ['', 'ä', null]],
    ['binary', [Uint8Array.of(255), new Uint8Array(0)]],
    ['uuid', [new Uint8Array(16).fill(9)]],
  ];
  for (const [type, values] of cases) expect(apply('identity', type, values)).toEqual(values);
  expect(apply('identity', 'decimal(20, 2)', [-1n, 128n])).toEqual([Uint8Array.of(255), Uint8Array.of(0, 128)]);
});

describe('groups', () => {
  const schema = schemaOf(
    field(1, 'day', 'date'),
    field(2, 'place', { type: 'struct', fields: [field(3, 'country', 'string')] }),
    field(4, 'list', {
      type: 'list',
      'element-id': 5,
      'element-required': false,
      element: { type: 'struct', fields: [field(6, 'x', 'string'), field(7, 'ok', 'boolean')] },
    }),
    field(8, 'm', {
      type: 'map',
      'key-id': 9,
      key: 'string',
      'value-id': 10,
      'value-required': false,
      value: 'double',
    }),
    field(11, 'f', 'fixed[3]'),
    field(12, 'n', 'long'),
  );
  const spec = [
    { fieldId: 1000, sourceId: 1, transform: 'identity' },
    { fieldId: 1001, sourceId: 3, transform: 'truncate[1]' },
  ];
  const rowArb = fc.record({
    day: fc.option(fc.integer({ min: 0, max: 2 })),
    place: fc.option(fc.record({ country: fc.option(fc.constantFrom('DE', 'DK', 'FR')) })),
    list: fc.option(
      fc.array(fc.option(fc.record({ x: fc.option(fc.string()), ok: fc.option(fc.boolean()) })), { maxLength: 3 }),
    ),
    m: fc.option(fc.array(fc.tuple(fc.string(), fc.option(fc.double())), { maxLength: 3 })),
    f: fc.option(fc.uint8Array({ minLength: 3, maxLength: 3 }).map((b) => Uint8Array.from(b))),
    n: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  }) as unknown as fc.Arbitrary<Record<string, Plain>>;

  test('each row is in the group of its tuple, gathered rows are the rows', () => {
    fc.assert(
      fc.property(fc.array(rowArb, { maxLength: 40 }), fc.array(rowArb, { maxLength: 40 }), (first, second) => {
        const partitioner = new Partitioner(schema, spec);
        const keys = new Map<number, string>();
        for (const rows of [first, second]) {
          const batch = batchOf(schema, rows);
          const groups = partitioner.split(batch);
          expect(groups.flatMap((group) => [...group.rows]).sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
          const tuples = new Set<string>();
          for (const group of groups) {
            const tuple = JSON.stringify([...group.values]);
            expect(keys.get(group.key) ?? tuple).toBe(tuple);
            keys.set(group.key, tuple);
            tuples.add(tuple);
            const own = [...group.rows].map((row) => rows[row]!);
            for (const row of own) {
              const country = (row['place'] as { country: string | null } | null)?.country ?? null;
              expect(tuple).toBe(
                JSON.stringify([
                  [1000, row['day']],
                  [1001, country?.[0] ?? null],
                ]),
              );
            }
            const to = batchOf(schema, rows.slice(0, 3));
            gather(batch, group.rows, to);
            expect(plainRows(to)).toEqual([
              ...plainRows(batchOf(schema, rows.slice(0, 3))),
              ...plainRows(batchOf(schema, own)),
            ]);
          }
          expect(tuples.size).toBe(groups.length);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a spec that cannot be followed is refused', () => {
    const make = (transform: string, sourceId: number) => () =>
      new Partitioner(schema, [{ fieldId: 1000, sourceId, transform }]);
    expect(make('day', 3)).toThrow(/transform day does not apply to a column of type string/);
    expect(make('identity', 6)).toThrow(/no source column 6 outside lists and maps/);
    expect(make('zorder', 1)).toThrow(/zorder is unknown/);
    expect(make('bucket[0]', 1)).toThrow(/unknown/);
    expect(make('identity', 2)).toThrow(/does not apply to a column of type struct/);
    expect(make('void', 99)).not.toThrow();
  });

  test('memory stays bounded over many tuples', () => {
    const one = schemaOf(field(1, 'n', 'int'));
    const partitioner = new Partitioner(one, [{ fieldId: 1000, sourceId: 1, transform: 'identity' }]);
    const batch = new ColumnBatch(one);
    const seen = new Set<number>();
    for (let from = 0; from < 80_000; from += 40_000) {
      batch.clear();
      batch.columns[0]!.reserve(40_000);
      for (let i = 0; i < 40_000; i++) batch.columns[0]!.i32[i] = from + i;
      batch.columns[0]!.validity!.fill(0xff, 0, 5000);
      batch.columns[0]!.length = batch.rows = 40_000;
      for (const group of partitioner.split(batch)) seen.add(group.key);
    }
    expect(seen.size).toBe(80_000);
    batch.truncate(8);
    // Forgotten by now: a new number, the right value.
    const [again] = partitioner.split(batch);
    expect(again!.key).toBe(80_000);
    expect([...again!.values]).toEqual([[1000, 40_000]]);
  });
});
