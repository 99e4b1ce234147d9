import avsc from 'avsc';
import * as fc from 'fast-check';

/**
 * Random Avro schemas with values, encoded by avsc, and the rows that must come of them: computed from what avsc decodes,
 * by the table of DESIGN §6, with BigInt arithmetic.
 */
export interface Sample {
  readonly schema: unknown;
  /** A value as avsc takes it, unions wrapped. */
  readonly value: fc.Arbitrary<unknown>;
  /** What avsc's value is in a column; null is null. */
  expect(value: never): unknown;
}

const longType = avsc.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

export function avscType(schema: unknown): avsc.Type {
  return avsc.Type.forSchema(withoutLogical(schema) as avsc.Schema, { wrapUnions: true, registry: { long: longType } });
}

/** avsc looks a type up in its registry only where it is a bare name. */
function withoutLogical(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutLogical);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { logicalType, ...rest } = schema as Record<string, unknown>;
  if (logicalType !== undefined && rest['type'] !== 'fixed') return rest['type'];
  return Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, key === 'symbols' ? value : withoutLogical(value)]),
  );
}

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
const buffer = (length: { minLength?: number; maxLength: number }): fc.Arbitrary<Buffer> =>
  fc.uint8Array(length).map((bytes) => Buffer.from(bytes));
const int64 = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-70n, 70n));
const int32 = fc.oneof(fc.integer(), fc.integer({ min: -70, max: 70 }));
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.string({ maxLength: 200 }));
const signed = (value: Buffer): bigint =>
  value.length === 0 ? 0n : BigInt.asIntN(8 * value.length, BigInt(`0x${hex(value)}`));
const twosComplement = (value: bigint, size: number): Buffer =>
  Buffer.from(
    BigInt.asUintN(8 * size, value)
      .toString(16)
      .padStart(2 * size, '0'),
    'hex',
  );
const floorDiv = (a: bigint, b: bigint): bigint => (a - (((a % b) + b) % b)) / b;

function leaf<T>(schema: unknown, value: fc.Arbitrary<T>, expect: (value: T) => unknown = (same) => same): Sample {
  return { schema, value, expect: expect };
}

const leaves: readonly Sample[] = [
  leaf('boolean', fc.boolean()),
  leaf('int', int32),
  leaf('long', int64),
  leaf('float', fc.float()),
  leaf('double', fc.double()),
  leaf('bytes', buffer({ maxLength: 150 }), hex),
  leaf('string', text),
  leaf({ type: 'int', logicalType: 'date' }, int32),
  leaf(
    { type: 'int', logicalType: 'time-millis' },
    fc.integer({ min: 0, max: 86_399_999 }),
    (ms) => BigInt(ms) * 1000n,
  ),
  leaf({ type: 'long', logicalType: 'time-micros' }, fc.bigInt(0n, 86_399_999_999n)),
  leaf(
    { type: 'long', logicalType: 'timestamp-millis' },
    fc.bigInt(-(2n ** 63n) / 1000n, (2n ** 63n - 1n) / 1000n),
    (ms) => ms * 1000n,
  ),
  leaf({ type: 'long', logicalType: 'local-timestamp-micros' }, int64),
  leaf({ type: 'long', logicalType: 'timestamp-nanos' }, int64, (ns) => floorDiv(ns, 1000n)),
  leaf({ type: 'string', logicalType: 'uuid' }, fc.uuid(), (uuid) => uuid.replaceAll('-', '')),
  leaf({ type: 'string', logicalType: 'no-such-type' }, text),
  ...(
    [
      [5, 2],
      [9, 0],
      [10, 3],
      [18, 18],
      [19, 4],
      [38, 10],
    ] as const
  ).map(([precision, scale]) => {
    const most = 10n ** BigInt(precision) - 1n;
    const value = fc.oneof(fc.bigInt(-most, most), fc.constantFrom(most, -most, 0n, -1n));
    return leaf(
      { type: 'bytes', logicalType: 'decimal', precision, scale },
      fc.tuple(value, fc.integer({ min: 17, max: 20 })).map(([v, size]) => twosComplement(v, size)),
      signed,
    );
  }),
];

/** A named type gets a new name at each use. */
const named: readonly ((name: string) => Sample)[] = [
  (name) => leaf({ type: 'fixed', name, size: 7 }, buffer({ minLength: 7, maxLength: 7 }), hex),
  (name) =>
    leaf(
      { type: 'fixed', name, size: 5, logicalType: 'decimal', precision: 11, scale: 2 },
      fc.bigInt(-99_999_999_999n, 99_999_999_999n).map((v) => twosComplement(v, 5)),
      signed,
    ),
  (name) =>
    leaf({ type: 'enum', name, symbols: ['A', 'B', 'LONGER_SYMBOL'] }, fc.constantFrom('A', 'B', 'LONGER_SYMBOL')),
  (name) => leaf({ type: 'record', name, fields: [] }, fc.constant({}), () => true),
];

/** A record schema with 1 to 8 fields, up to 4 levels deep; names of types begin with the prefix. */
export const recordSamples = (prefix: string): fc.Arbitrary<Sample> =>
  fc.array(fc.nat(), { minLength: 40, maxLength: 400 }).map((choices) => {
    let at = 0;
    let names = 0;
    const next = (below: number): number => choices[at++ % choices.length]! % below;
    const record = (depth: number): Sample => {
      const fields = Array.from({ length: 1 + next(8) }, (_, i) => ({ name: `f${i}`, sample: any(depth + 1) }));
      return {
        schema: {
          type: 'record',
          name: `${prefix}R${names++}`,
          fields: fields.map(({ name, sample }) => ({ name, type: sample.schema })),
        },
        value: fc.record(Object.fromEntries(fields.map(({ name, sample }) => [name, sample.value]))),
        expect: (value: Record<string, never>) =>
          Object.fromEntries(fields.map(({ name, sample }) => [name, sample.expect(value[name]!)])),
      };
    };
    const any = (depth: number): Sample => {
      const choice = next(depth >= 4 ? 5 : 10);
      if (choice < 4) return leaves[next(leaves.length)]!;
      if (choice === 4) return named[next(named.length)]!(`${prefix}N${names++}`);
      if (choice === 5) return record(depth);
      if (choice === 6) {
        const items = any(depth + 1);
        return {
          schema: { type: 'array', items: items.schema },
          value: fc.array(items.value, { maxLength: 4 }),
          expect: (value: never[]) => value.map((item) => items.expect(item)),
        };
      }
      if (choice === 7) {
        const values = any(depth + 1);
        return {
          schema: { type: 'map', values: values.schema },
          value: fc.dictionary(
            fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
            values.value,
            { maxKeys: 3, noNullPrototype: true },
          ),
          expect: (value: Record<string, never>) =>
            Object.entries(value).map(([key, inner]) => [key, values.expect(inner)]),
        };
      }
      if (choice === 8) return optional(() => any(depth + 1), next(2) === 0);
      return several();
    };
    const optional = (make: () => Sample, nullFirst: boolean): Sample => {
      let inner = make();
      while (Array.isArray(inner.schema)) inner = leaves[next(leaves.length)]!;
      return {
        schema: nullFirst ? ['null', inner.schema] : [inner.schema, 'null'],
        value: fc.oneof(
          fc.constant(null),
          inner.value.map((value) => ({ [branchKey(inner.schema)]: value })),
        ),
        expect: (value: Record<string, never> | null) =>
          value === null ? null : inner.expect(Object.values(value)[0]!),
      };
    };
    /** A union of null, int, string and an enum: a struct named after the branches. */
    const several = (): Sample => {
      const symbol = `${prefix}E${names++}`;
      return {
        schema: ['int', 'null', 'string', { type: 'enum', name: symbol, symbols: ['X', 'Y'] }],
        value: fc.oneof(
          fc.constant(null),
          int32.map((int) => ({ int })),
          text.map((string) => ({ string })),
          fc.constantFrom('X', 'Y').map((value) => ({ [symbol]: value })),
        ),
        expect: (value: Record<string, unknown> | null) =>
          value && { int: null, string: null, [symbol]: null, ...value },
      };
    };
    return record(0);
  });

export const recordSample: fc.Arbitrary<Sample> = recordSamples('');

/** The key under which avsc wraps a branch. */
function branchKey(schema: unknown): string {
  if (typeof schema === 'string') return schema;
  const { type, name } = schema as { type: string; name?: string };
  return name ?? type;
}
