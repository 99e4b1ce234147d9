import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { KafkaColumns, kafkaFieldIds, kafkaFields } from '../../src/columns/metadata-columns.ts';
import type { MetadataColumns } from '../../src/columns/metadata-columns.ts';
import type { NestedField, Schema, StructType } from '../../src/schema/types.ts';
import { RecordPositions } from '../../src/source/record-batch.ts';
import { breaches } from '../decode/rows.ts';
import { plainRows } from './rows.ts';
import type { Plain } from './rows.ts';

interface Sample {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly headers: readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[];
}

/** Keys and headers as they stand in a record, and their positions. */
function positionsOf(samples: readonly Sample[], timestampType: 0 | 1): RecordPositions {
  const out: number[] = [];
  const varint = (value: number): void => {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; rest > 127; rest >>>= 7) out.push((rest & 127) | 128);
    out.push(rest);
  };
  const positions = new RecordPositions();
  positions.reserve(samples.length);
  samples.forEach(({ offset, timestamp, key, headers }, i) => {
    positions.offsets[i] = offset;
    positions.timestamps[i] = timestamp;
    positions.keyStart[i] = out.length;
    positions.keyLength[i] = key ? key.length : -1;
    if (key) out.push(...key);
    positions.headersStart[i] = out.length;
    positions.headersCount[i] = headers.length;
    for (const header of headers) {
      varint(header.key.length);
      out.push(...header.key);
      varint(header.value ? header.value.length : -1);
      if (header.value) out.push(...header.value);
    }
  });
  positions.bytes = Uint8Array.from(out);
  positions.view = new DataView(positions.bytes.buffer);
  positions.count = samples.length;
  positions.timestampType = timestampType;
  return positions;
}

const number: NestedField = { id: 100, name: 'number', required: false, type: 'int' };
const schemaWith = (mode: MetadataColumns): Schema => ({
  type: 'struct',
  'schema-id': 0,
  fields: [number, ...kafkaFields(mode, 1)],
});
const bytes = fc.uint8Array({ maxLength: 40 }).map((b) => Uint8Array.from(b));
const sample: fc.Arbitrary<Sample> = fc.record({
  offset: fc.oneof(fc.nat(), fc.maxSafeNat()),
  timestamp: fc.oneof(
    fc.constant(-1),
    fc.integer({ min: 0, max: 9_007_199_254_740_991 }),
    fc.integer({ min: -4_000_000_000_000, max: -2 }),
    fc.constantFrom(4294967295, 4294967296),
  ),
  key: fc.option(bytes),
  headers: fc.array(
    fc.record({
      key: fc.string({ unit: 'grapheme', maxLength: 20 }).map((s) => Uint8Array.from(Buffer.from(s))),
      value: fc.option(bytes),
    }),
    { maxLength: 3 },
  ),
});

/** Records of one append: of many topics none has a header. */
const runs = fc.oneof(
  fc.array(sample, { maxLength: 20 }),
  fc.array(
    sample.map((s) => ({ ...s, headers: [] })),
    { maxLength: 20 },
  ),
);

test('records become rows, as a struct and flat', () => {
  fc.assert(
    fc.property(fc.array(runs, { maxLength: 5 }), fc.nat(5), fc.constantFrom(0, 1), (parts, skip, type) => {
      const samples = parts.flat();
      const positions = positionsOf(samples, type);
      const from = Math.min(skip, samples.length);
      const expected = samples.slice(from).map((s): Record<string, Plain> => ({
        topic: 'shöp',
        partition: 7,
        offset: BigInt(s.offset),
        timestamp: s.timestamp === -1 ? null : BigInt(s.timestamp) * 1000n,
        timestamp_type: type === 0 ? 'CreateTime' : 'LogAppendTime',
        key: s.key,
        headers: s.headers.map((h) => ({ key: Buffer.from(h.key).toString(), value: h.value })),
      }));
      for (const mode of ['struct', 'flat'] as const) {
        const schema = schemaWith(mode);
        const batch = new ColumnBatch(schema);
        const columns = new KafkaColumns(schema, mode);
        let end = 0;
        for (const part of parts) {
          const start = Math.max(from, end);
          end += part.length;
          if (end >= start) columns.append(batch, positions, start, end, 'shöp', 7);
        }
        for (let i = from; i < samples.length; i++) batch.columns[0]!.appendNull();
        batch.rows = samples.length - from;
        expect(breaches(batch, batch.rows)).toEqual([]);
        const rows =
          mode === 'struct'
            ? expected.map((row) => ({ _kafka: row }))
            : expected.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [`_kafka_${k}`, v])));
        expect(plainRows(batch)).toEqual(rows.map((row) => ({ number: null, ...row })));
      }
    }),
    { numRuns: 200 },
  );
});

describe('fields', () => {
  test('ids count up, parents first; without a first id they are 0', () => {
    const ids: number[] = [];
    JSON.stringify(kafkaFields('struct', 10), (key, value: unknown) => {
      if (key === 'id' || key === 'element-id') ids.push(value as number);
      return value;
    });
    expect(ids.sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    expect(JSON.stringify(kafkaFields('flat'))).not.toMatch(/id":[1-9]/);
    expect(kafkaFields('off')).toEqual([]);
    expect(kafkaFields('flat', 1).map((f) => [f.name, f.required])).toEqual([
      ['_kafka_topic', false],
      ['_kafka_partition', false],
      ['_kafka_offset', false],
      ['_kafka_timestamp', false],
      ['_kafka_timestamp_type', false],
      ['_kafka_key', false],
      ['_kafka_headers', false],
    ]);
  });

  test('full metrics are for partition, offset and timestamp', () => {
    expect(kafkaFieldIds(schemaWith('struct'), 'struct')).toEqual([3, 4, 5]);
    expect(kafkaFieldIds(schemaWith('flat'), 'flat')).toEqual([2, 3, 4]);
    expect(kafkaFieldIds(schemaWith('off'), 'off')).toEqual([]);
  });
});

test('a field that someone added to the struct stays null; a table without the column is left alone', () => {
  const [kafka] = kafkaFields('struct', 1);
  const { fields } = kafka!.type as StructType;
  const schema: Schema = {
    type: 'struct',
    'schema-id': 0,
    fields: [
      {
        ...kafka!,
        type: { type: 'struct', fields: [fields[2]!, { id: 50, name: 'note', required: false, type: 'string' }] },
      },
    ],
  };
  const batch = new ColumnBatch(schema);
  const positions = positionsOf([{ offset: 5, timestamp: 1, key: null, headers: [] }], 0);
  new KafkaColumns(schema, 'struct').append(batch, positions, 0, 1, 't', 0);
  batch.rows = 1;
  expect(plainRows(batch)).toEqual([{ _kafka: { offset: 5n, note: null } }]);
  const bare: Schema = { type: 'struct', 'schema-id': 0, fields: [number] };
  const other = new ColumnBatch(bare);
  new KafkaColumns(bare, 'struct').append(other, positions, 0, 1, 't', 0);
  expect(other.columns[0]!.length).toBe(0);
});

test('headers that leave the batch are an error, not a read past it; a key that is not UTF-8 is replaced', () => {
  const schema = schemaWith('struct');
  const good: Sample = {
    offset: 1,
    timestamp: 1,
    key: null,
    headers: [{ key: Uint8Array.of(0xff, 0x41), value: Uint8Array.of(1) }],
  };
  const batch = new ColumnBatch(schema);
  new KafkaColumns(schema, 'struct').append(batch, positionsOf([good], 0), 0, 1, 't', 0);
  batch.columns[0]!.appendNull();
  batch.rows = 1;
  expect((plainRows(batch)[0]!['_kafka'] as Record<string, Plain>)['headers']).toEqual([
    { key: '\ufffdA', value: Uint8Array.of(1) },
  ]);
  for (const count of [2, 1_000_000_000]) {
    const bad = positionsOf([good], 0);
    bad.headersCount[0] = count;
    expect(() => new KafkaColumns(schema, 'struct').append(new ColumnBatch(schema), bad, 0, 1, 't', 0)).toThrow(
      expect.objectContaining({ code: 'KAFKA_CORRUPT_BATCH' }),
    );
  }
});
