import { expect, test } from 'vitest';
import type { DataFile } from '../../src/iceberg/manifest-types.ts';
import type { FileIO } from '../../src/io/file-io.ts';
import { readPositions } from '../../src/maintain/positions.ts';
import type { Schema } from '../../src/schema/types.ts';
import { encode, schemaOf } from '../parquet/files.ts';
import { rowsOf } from '../parquet/position-rows.ts';

const kafka: Schema['fields'][number] = {
  id: 1,
  name: '_kafka',
  required: false,
  type: {
    type: 'struct',
    fields: [
      { id: 2, name: 'topic', required: false, type: 'string' },
      { id: 3, name: 'partition', required: false, type: 'int' },
      { id: 4, name: 'offset', required: false, type: 'long' },
      { id: 5, name: 'key', required: false, type: 'binary' },
    ],
  },
};
const amount: Schema['fields'][number] = { id: 6, name: 'amount', required: false, type: 'long' };

async function read(bytes: Uint8Array): Promise<{ positions: unknown[]; bytesRead: number }> {
  let bytesRead = 0;
  const io = {
    read: (_: string, range?: { offset: number; length?: number }) => {
      const part = bytes.subarray(range!.offset, range!.offset + range!.length!);
      bytesRead += part.length;
      return Promise.resolve(part);
    },
  } as unknown as FileIO;
  const positions: unknown[] = [];
  for await (const batch of readPositions(io, { location: 'f', format: 'PARQUET', fileSize: bytes.length } as DataFile))
    positions.push(...rowsOf(batch));
  return { positions, bytesRead };
}

test.each(['zstd', 'snappy', 'gzip', 'none'] as const)(
  'positions of a struct over several row groups and pages, %s',
  async (compression) => {
    const rows = Array.from({ length: 5000 }, (_, i) => ({
      _kafka: { topic: i % 3 === 0 ? 'a' : 'b', partition: i % 4, offset: 5_000_000_000n + BigInt(i), key: null },
      amount: BigInt(i),
    }));
    const { bytes } = encode(schemaOf(kafka, amount), rows, { compression, rowGroupSize: 4096, pageSize: 1024 }, 500);
    const { positions } = await read(bytes);
    expect(positions).toEqual(
      rows.map(({ _kafka }) => ({ topic: _kafka.topic, partition: _kafka.partition, offset: Number(_kafka.offset) })),
    );
  },
);

test('flat columns', async () => {
  const schema = schemaOf(
    { id: 1, name: '_kafka_topic', required: false, type: 'string' },
    { id: 2, name: '_kafka_partition', required: false, type: 'int' },
    { id: 3, name: '_kafka_offset', required: false, type: 'long' },
    amount,
  );
  const { bytes } = encode(schema, [{ _kafka_topic: 'a', _kafka_partition: 1, _kafka_offset: 7n, amount: 1n }]);
  expect((await read(bytes)).positions).toEqual([{ topic: 'a', partition: 1, offset: 7 }]);
});

test('rows of another writer: without the columns, or null in them', async () => {
  expect((await read(encode(schemaOf(amount), [{ amount: 1n }, { amount: 2n }]).bytes)).positions).toEqual([
    null,
    null,
  ]);
  const mixed = encode(schemaOf(kafka, amount), [
    { _kafka: null, amount: 1n },
    { _kafka: { topic: 'a', partition: 0, offset: 3n, key: null }, amount: 2n },
  ]).bytes;
  expect((await read(mixed)).positions).toEqual([null, { topic: 'a', partition: 0, offset: 3 }]);
});
