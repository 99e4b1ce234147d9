import { expect, test } from 'vitest';
import { kafkaFields } from '../../src/columns/metadata-columns.ts';
import { readPositions } from '../../src/parquet/positions.ts';
import { openParquet } from '../../src/parquet/reader.ts';
import type { NestedField } from '../../src/schema/types.ts';
import type { Plain } from '../columns/rows.ts';
import { encode, schemaOf } from './files.ts';
import { rowsOf } from './position-rows.ts';

const field = (id: number, name: string, type: NestedField['type'], required = false): NestedField => ({
  id,
  name,
  type,
  required,
});

/** Reads from memory and keeps what was asked for. */
function reading(bytes: Uint8Array): {
  read: (range: { offset: number; length: number }) => Promise<Uint8Array>;
  asked: number[];
} {
  const asked: number[] = [];
  return {
    asked,
    read: ({ offset, length }) => {
      asked.push(length);
      return Promise.resolve(bytes.subarray(offset, offset + length));
    },
  };
}

const payload = field(100, 'payload', 'string');
const rows = Array.from({ length: 5000 }, (_, i): Record<string, Plain> => ({
  payload: `${(i * 2654435761) % 1_000_003}`.repeat(8),
  _kafka:
    i % 10 === 9
      ? null
      : {
          topic: 'orders',
          partition: i % 3,
          offset: BigInt(i),
          timestamp: i % 2 ? null : 1_700_000_000_000_000n,
          timestamp_type: 'CreateTime',
          key: null,
          headers: [],
        },
}));

test('positions of a file of several row groups, by reading only their columns', async () => {
  const { bytes } = encode(
    schemaOf(payload, ...kafkaFields('struct', 1)),
    rows,
    { rowGroupSize: 20_000, pageSize: 4000 },
    500,
  );
  const { read, asked } = reading(bytes);
  const groups: unknown[][] = [];
  for await (const positions of readPositions(read, bytes.length)) groups.push(rowsOf(positions));
  expect(groups.length).toBeGreaterThan(2);
  expect(groups.flat()).toEqual(
    rows.map((row, i) => (row['_kafka'] === null ? null : { topic: 'orders', partition: i % 3, offset: i })),
  );
  // The footer is read with 512 KiB at most; the column `payload` is most of the file and is left alone.
  expect(asked.slice(1).reduce((sum, length) => sum + length, 0)).toBeLessThan(bytes.length / 2);
});

test('positions of flat columns, also under other names by field id, and of a file without them', async () => {
  const flat = rows.map((row) => ({
    payload: row['payload']!,
    ...Object.fromEntries(Object.entries((row['_kafka'] ?? {}) as object).map(([k, v]) => [`_kafka_${k}`, v as Plain])),
  }));
  const fields = kafkaFields('flat', 1);
  const { bytes } = encode(schemaOf(payload, ...fields), flat);
  const expected = rows.map((row, i) =>
    row['_kafka'] === null ? null : { topic: 'orders', partition: i % 3, offset: i },
  );
  const all = async (file: Uint8Array, ids?: readonly [number, number, number]): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const positions of readPositions(reading(file).read, file.length, ids)) found.push(...rowsOf(positions));
    return found;
  };
  expect(await all(bytes)).toEqual(expected);
  const renamed = encode(
    schemaOf(payload, ...fields.map((f) => ({ ...f, name: `x${f.name}` }))),
    flat.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k === 'payload' ? k : `x${k}`, v]))),
  );
  expect(await all(renamed.bytes, [1, 2, 3])).toEqual(expected);
  expect(await all(encode(schemaOf(payload), rows.slice(0, 3)).bytes)).toEqual([null, null, null]);
});

test('columns by field id: integers as numbers, what a file lacks as null', async () => {
  const schema = schemaOf(
    field(1, 'n', 'long'),
    field(2, 's', { type: 'struct', fields: [field(3, 'at', 'timestamptz'), field(4, 'text', 'string')] }),
    field(5, 'b', 'binary'),
  );
  const { bytes } = encode(
    schema,
    [
      { n: -5n, s: { at: 1_700_000_000_123_456n, text: 'ä' }, b: Uint8Array.of(255) },
      { n: null, s: null, b: null },
    ],
    { compression: 'snappy' },
  );
  const file = await openParquet(reading(bytes).read, bytes.length);
  expect(file.rows).toBe(2);
  const groups = [];
  for await (const group of file.columns([1, 3, 4, 9].map((fieldId) => ({ fieldId, path: [] })))) groups.push(group);
  expect(groups).toEqual([
    {
      firstRow: 0,
      rows: 2,
      columns: [Float64Array.of(-5, NaN), Float64Array.of(1_700_000_000_123_456, NaN), ['ä', null], null],
    },
  ]);
  expect(await file.objects()).toEqual([
    { n: -5n, s: { at: 1_700_000_000_123_456n, text: 'ä' }, b: Uint8Array.of(255) },
    { n: null, s: undefined, b: null },
  ]);
});
