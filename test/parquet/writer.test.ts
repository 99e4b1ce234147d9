import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { NestedField, PrimitiveType } from '../../src/schema/types.ts';
import type { ParquetOptions } from '../../src/parquet/parquet.ts';
import { CREATED_BY } from '../../src/parquet/format.ts';
import { createParquetWriter } from '../../src/parquet/writer.ts';
import { batchOf } from '../columns/rows.ts';
import type { Plain } from '../columns/rows.ts';
import { decode, encode, metadataOf, options, schemaOf } from './files.ts';

const types: [PrimitiveType, Plain[]][] = [
  ['boolean', [true, false, true]],
  ['int', [0, -1, 2147483647, -2147483648]],
  ['long', [0n, -1n, 9223372036854775807n, -9223372036854775808n]],
  ['float', [0.5, -0, Infinity, 3.4028234663852886e38]],
  ['double', [0.1, -0, -Infinity, 5e-324]],
  ['date', [0, 20000, -719162]],
  ['time', [0n, 86399999999n]],
  ['timestamp', [0n, -1n, 1700000000123456n]],
  ['timestamptz', [0n, -1n, 1700000000123456n]],
  ['timestamp_ns', [0n, -1n, 1700000000123456789n, -(2n ** 63n)]],
  ['timestamptz_ns', [0n, -1n, 2n ** 63n - 1n]],
  ['string', ['', 'a', 'Grüße 🌍', 'x'.repeat(200)]],
  ['binary', [new Uint8Array(0), Uint8Array.of(0, 255), new Uint8Array(100).fill(7)]],
  ['uuid', [new Uint8Array(16).fill(0xab), new Uint8Array(16)]],
  ['fixed[3]', [Uint8Array.of(1, 2, 3), Uint8Array.of(255, 0, 255)]],
  ['decimal(9, 2)', [0n, -999999999n, 999999999n]],
  ['decimal(18, 2)', [0n, -999999999999999999n, 1n]],
  ['decimal(38, 10)', [0n, -(10n ** 38n) + 1n, 10n ** 38n - 1n, -1n]],
];

const field = (id: number, name: string, type: NestedField['type'], required = false): NestedField => ({
  id,
  name,
  type,
  required,
});

describe('every primitive type', () => {
  for (const [type, values] of types) {
    for (const required of [true, false]) {
      test(`${type} ${required ? 'required' : 'optional'}`, async () => {
        const schema = schemaOf(field(1, 'v', type, required));
        for (const dictionarySize of [0, 1 << 20]) {
          const rows = Array.from({ length: 3000 }, (_, i) => ({
            v: !required && i % 7 === 3 ? null : values[(i * i) % values.length]!,
          }));
          const { bytes } = encode(schema, rows, { dictionarySize }, 700);
          expect(await decode(bytes, schema)).toEqual(rows);
        }
      });
    }
  }
});

test('a type that is not known is refused, not written as bytes', () => {
  const schema = schemaOf(field(1, 'v', 'variant' as PrimitiveType));
  expect(() => encode(schema, [{ v: null }], {}, 1)).toThrow(
    expect.objectContaining({ code: 'SCHEMA_UNSUPPORTED', message: 'column v: the type variant is not written' }),
  );
});

describe('every codec', () => {
  for (const compression of ['zstd', 'snappy', 'gzip', 'none'] satisfies ParquetOptions['compression'][]) {
    test(compression, async () => {
      const schema = schemaOf(field(1, 's', 'string'), field(2, 'n', 'long', true));
      const rows = Array.from({ length: 5000 }, (_, i) => ({
        s: `value ${i % 100} ${'='.repeat(i % 50)}`,
        n: BigInt(i) * 1000003n,
      }));
      const { bytes } = encode(schema, rows, { compression, compressionLevel: 3 });
      expect(metadataOf(bytes).row_groups[0]!.columns[0]!.meta_data!.codec).toBe(
        compression === 'none' ? 'UNCOMPRESSED' : compression.toUpperCase(),
      );
      expect(await decode(bytes, schema)).toEqual(rows);
    });
  }
});

describe('what compression would hardly make smaller stands as it is', () => {
  const schema = schemaOf(
    field(1, 'topic', 'string', true),
    field(2, 'late', 'string', true),
    field(3, 'n', 'int', true),
  );
  const codecs = (bytes: Uint8Array): (string | undefined)[] =>
    metadataOf(bytes).row_groups[0]!.columns.map((column) => column.meta_data!.codec);
  // Pages of a constant are a few bytes. `late` begins as one, and then each value is another.
  const rows = Array.from({ length: 30_000 }, (_, i) => ({
    topic: 'shop.orders',
    late: i < 20_000 ? 'x' : `value ${i}`,
    n: (i * 7919) % 10007,
  }));

  test('a chunk of few bytes', async () => {
    const { bytes, metrics } = encode(schema, rows.slice(0, 10), {});
    expect(codecs(bytes)).toEqual(['UNCOMPRESSED', 'UNCOMPRESSED', 'UNCOMPRESSED']);
    expect(metrics.fileSize).toBe(bytes.length);
    expect(await decode(bytes, schema)).toEqual(rows.slice(0, 10));
  });

  test('a chunk of many small pages, and not one that grows after them', async () => {
    const { bytes, metrics } = encode(schema, rows, {}, 2000);
    expect(codecs(bytes)).toEqual(['UNCOMPRESSED', 'ZSTD', 'ZSTD']);
    expect(metrics.fileSize).toBe(bytes.length);
    expect(await decode(bytes, schema)).toEqual(rows);
  });

  test('a chunk whose dictionary alone is large', async () => {
    const named = rows.map((row) => ({ ...row, topic: 'long '.repeat(400) }));
    const { bytes } = encode(schema, named, {}, 2000);
    expect(codecs(bytes)[0]).toBe('ZSTD');
    expect(await decode(bytes, schema)).toEqual(named);
  });
});

test('an empty file has a schema and no row groups', async () => {
  const schema = schemaOf(field(1, 's', 'string'));
  const { bytes, metrics } = encode(schema, []);
  expect(await decode(bytes, schema)).toEqual([]);
  expect(metrics.recordCount).toBe(0);
  expect(metrics.fileSize).toBe(bytes.length);
  expect(metrics.splitOffsets).toEqual([]);
});

test('many pages and row groups', async () => {
  const schema = schemaOf(
    field(1, 'n', 'long', true),
    field(2, 's', 'string'),
    field(3, 'low', 'string'),
    field(4, 'l', {
      type: 'list',
      'element-id': 5,
      'element-required': false,
      element: 'int',
    }),
  );
  const rows = Array.from({ length: 20_000 }, (_, i) => ({
    n: BigInt(i),
    s: `${(i * 7919) % 10007}-${i}`,
    low: i % 3 === 0 ? null : `kind ${i % 5}`,
    l: i % 4 === 0 ? null : Array.from({ length: i % 4 }, (__, k) => (k === 1 ? null : i + k)),
  }));
  const { bytes, metrics } = encode(schema, rows, { pageSize: 4096, rowGroupSize: 20_000, dictionarySize: 2000 }, 500);
  const metadata = metadataOf(bytes);
  expect(metadata.row_groups.length).toBeGreaterThan(5);
  expect(metrics.splitOffsets.map(BigInt)).toEqual(metadata.row_groups.map((group) => group.file_offset));
  expect(await decode(bytes, schema)).toEqual(rows);
});

test('a dictionary that fills up in the middle of a chunk gives way to plain pages', async () => {
  const schema = schemaOf(field(1, 's', 'string', true));
  const rows = Array.from({ length: 60_000 }, (_, i) => ({ s: i < 30_000 ? `v${i % 10}` : `long value ${i}` }));
  const { bytes } = encode(schema, rows, { dictionarySize: 4096 });
  const { encodings } = metadataOf(bytes).row_groups[0]!.columns[0]!.meta_data!;
  expect(encodings).toEqual(['PLAIN', 'PLAIN_DICTIONARY', 'RLE']);
  expect(await decode(bytes, schema)).toEqual(rows);
});

test.each([
  // Of the first 2,048 values hardly one in twenty was there before, and yet all fit.
  ['values that will meet again keep', 20_000, ['PLAIN_DICTIONARY', 'RLE']],
  ['values that never meet again give up', 2 ** 24, ['PLAIN', 'RLE']],
  ['values of which more are to come than there is room for give up', 200_000, ['PLAIN', 'RLE']],
])('%s the dictionary', async (_what, distinct, encodings) => {
  const schema = schemaOf(field(1, 's', 'string', true));
  let state = 1;
  const draw = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8;
  const rows = Array.from({ length: 60_000 }, () => ({ s: `sku-${draw() % distinct}` }));
  const { bytes } = encode(schema, rows, {});
  expect(metadataOf(bytes).row_groups[0]!.columns[0]!.meta_data!.encodings).toEqual(encodings);
  expect(await decode(bytes, schema)).toEqual(rows);
});

test('values longer than a page', async () => {
  const schema = schemaOf(field(1, 's', 'string'));
  const rows = Array.from({ length: 40 }, (_, i) => ({ s: `${i}`.repeat(5000) }));
  const { bytes } = encode(schema, rows, { pageSize: 10_000 });
  expect(await decode(bytes, schema)).toEqual(rows);
});

test('the footer says what Iceberg readers look for', () => {
  const schema = schemaOf(
    field(1, 'order-id', 'long', true),
    field(2, 'at', 'timestamptz'),
    field(3, 'local', 'timestamp'),
    field(4, 'amount', 'decimal(38, 2)'),
    field(5, 'tags', { type: 'list', 'element-id': 6, 'element-required': true, element: 'string' }),
    field(7, 'attributes', {
      type: 'map',
      'key-id': 8,
      key: 'string',
      'value-id': 9,
      'value-required': false,
      value: { type: 'struct', fields: [field(10, '1st', 'int')] },
    }),
    field(11, 'id', 'uuid'),
    field(12, 't', 'time'),
  );
  const { bytes } = encode(schema, [{ 'order-id': 1n, tags: ['a'], attributes: [] }], {
    metadata: { 'tabletopic.checkpoint': 'c1' },
  });
  const metadata = metadataOf(bytes);
  const shown = metadata.schema.map(
    ({ name, field_id: id, repetition_type: rep, type, type_length: length, converted_type: converted }) => [
      name,
      id,
      rep,
      type ?? null,
      length ?? null,
      converted ?? null,
    ],
  );
  expect(shown).toEqual([
    ['table', undefined, undefined, null, null, null],
    ['order_x2Did', 1, 'REQUIRED', 'INT64', null, null],
    ['at', 2, 'OPTIONAL', 'INT64', null, 'TIMESTAMP_MICROS'],
    ['local', 3, 'OPTIONAL', 'INT64', null, null],
    ['amount', 4, 'OPTIONAL', 'FIXED_LEN_BYTE_ARRAY', 16, 'DECIMAL'],
    ['tags', 5, 'OPTIONAL', null, null, 'LIST'],
    ['list', undefined, 'REPEATED', null, null, null],
    ['element', 6, 'REQUIRED', 'BYTE_ARRAY', null, 'UTF8'],
    ['attributes', 7, 'OPTIONAL', null, null, 'MAP'],
    ['key_value', undefined, 'REPEATED', null, null, null],
    ['key', 8, 'REQUIRED', 'BYTE_ARRAY', null, 'UTF8'],
    ['value', 9, 'OPTIONAL', null, null, null],
    ['_1st', 10, 'OPTIONAL', 'INT32', null, null],
    ['id', 11, 'OPTIONAL', 'FIXED_LEN_BYTE_ARRAY', 16, null],
    ['t', 12, 'OPTIONAL', 'INT64', null, null],
  ]);
  const logical = Object.fromEntries(
    metadata.schema.filter((e) => e.logical_type).map((e) => [e.name, e.logical_type]),
  );
  expect(logical['at']).toEqual({ type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' });
  expect(logical['local']).toEqual({ type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' });
  expect(logical['amount']).toEqual({ type: 'DECIMAL', precision: 38, scale: 2 });
  expect(logical['id']).toEqual({ type: 'UUID' });
  expect(logical['t']).toEqual({ type: 'TIME', isAdjustedToUTC: false, unit: 'MICROS' });
  expect(logical['tags']).toEqual({ type: 'LIST' });
  expect(metadata.created_by).toMatch(/^tabletopic version \d+\.\d+\.\d+$/);
  const pairs = Object.fromEntries(metadata.key_value_metadata!.map((pair) => [pair.key, pair.value]));
  expect(JSON.parse(pairs['iceberg.schema']!)).toEqual(schema);
  expect(pairs['tabletopic.checkpoint']).toBe('c1');
});

test('an open file holds a bounded buffer, whatever went through it', () => {
  const schema = schemaOf(field(1, 'n', 'long', true), field(2, 's', 'string'), field(3, 'low', 'string'));
  const handedOver: number[] = [];
  const limits = { ...options, rowGroupSize: 100_000, pageSize: 20_000, dictionarySize: 20_000 };
  const writer = createParquetWriter(schema, limits, { write: (bytes) => handedOver.push(bytes.length) });
  let seed = 1;
  const next = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0);
  let most = 0;
  for (let i = 0; i < 60; i++) {
    writer.write(
      batchOf(
        schema,
        Array.from({ length: 500 }, (_, k) => ({
          n: BigInt(next()),
          s: `${next()}${next()}${next()}`,
          low: `kind ${k % 9}`,
        })),
      ),
    );
    most = Math.max(most, writer.bufferedBytes);
    expect(writer.size).toBeGreaterThanOrEqual(handedOver.reduce((sum, n) => sum + n, 0));
  }
  const estimate = writer.size;
  const { fileSize } = writer.finish();
  expect(fileSize).toBe(handedOver.reduce((sum, n) => sum + n, 0));
  expect(fileSize).toBeGreaterThan(4 * 100_000);
  expect(Math.abs(estimate / fileSize - 1)).toBeLessThan(0.2);
  // A row group, and for each column a page and a dictionary with their tables.
  expect(most).toBeLessThan(100_000 + 3 * 10 * 20_000);
  expect(writer.bufferedBytes).toBe(0);
});

test('the writer names the version of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(CREATED_BY).toBe(`tabletopic version ${version}`);
});
