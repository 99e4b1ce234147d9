import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { IcebergType, NestedField, Schema } from '../../src/schema/types.ts';
import { decimalOf } from '../../src/schema/types.ts';
import type { ParquetOptions } from '../../src/parquet/parquet.ts';
import type { Plain } from '../columns/rows.ts';
import { python } from '../real/readers.ts';
import { encode, schemaOf } from './files.ts';

const field = (id: number, name: string, type: NestedField['type'], required = false): NestedField => ({
  id,
  name,
  type,
  required,
});
const schema: Schema = schemaOf(
  field(1, 'n', 'long', true),
  field(2, 'flag', 'boolean'),
  field(3, 'small', 'int'),
  field(4, 'f', 'float'),
  field(5, 'd', 'double'),
  field(6, 'day', 'date'),
  field(7, 't', 'time'),
  field(8, 'at', 'timestamptz'),
  field(9, 'local', 'timestamp'),
  field(10, 's', 'string'),
  field(11, 'low', 'string'),
  field(12, 'bin', 'binary'),
  field(13, 'id', 'uuid'),
  field(14, 'fix', 'fixed[3]'),
  field(15, 'd9', 'decimal(9, 2)'),
  field(16, 'd18', 'decimal(18, 4)'),
  field(17, 'd38', 'decimal(38, 10)'),
  field(18, 'place', { type: 'struct', fields: [field(19, 'city', 'string', true), field(20, 'zip', 'int')] }),
  field(21, 'tags', { type: 'list', 'element-id': 22, 'element-required': false, element: 'string' }),
  field(23, 'items', {
    type: 'list',
    'element-id': 24,
    'element-required': true,
    element: {
      type: 'struct',
      fields: [
        field(25, 'sku', 'string'),
        field(26, 'sizes', { type: 'list', 'element-id': 27, 'element-required': true, element: 'int' }),
      ],
    },
  }),
  field(28, 'attributes', {
    type: 'map',
    'key-id': 29,
    key: 'string',
    'value-id': 30,
    'value-required': false,
    value: 'double',
  }),
);

const rows = Array.from({ length: 6000 }, (_, i): Record<string, Plain> => {
  const maybe = <T extends Plain>(modulus: number, value: T): T | null => (i % modulus === 0 ? null : value);
  return {
    n: BigInt(i),
    flag: maybe(3, i % 2 === 0),
    small: maybe(5, i - 3000),
    f: maybe(7, i / 8),
    d: maybe(4, i === 17 ? NaN : -i / 3),
    day: maybe(6, 18000 + (i % 400)),
    t: maybe(8, BigInt(i) * 14_000_001n),
    at: maybe(9, 1_700_000_000_000_000n + BigInt(i) * 1_000_003n),
    local: maybe(10, BigInt(i) - 3000n),
    s: maybe(11, `Grüße 🌍 ${(i * 2654435761) % 1_000_003}`),
    low: maybe(2, `kind ${i % 7}`),
    bin: maybe(12, Uint8Array.of(i & 255, i >> 8)),
    id: maybe(13, new Uint8Array(16).fill(i & 255)),
    fix: maybe(14, Uint8Array.of(i & 255, 1, 2)),
    d9: maybe(15, BigInt(i) - 3000n),
    d18: maybe(16, BigInt(i) * -(10n ** 12n)),
    d38: maybe(17, BigInt(i - 3000) * 10n ** 30n),
    place: maybe(18, { city: `city ${i % 50}`, zip: i % 4 === 0 ? null : i }),
    tags: maybe(19, [null, 'a', `t${i}`].slice(0, i % 4)),
    items: maybe(
      20,
      Array.from({ length: i % 3 }, (__, k) => ({ sku: k === 1 ? null : `sku ${i}`, sizes: k === 0 ? null : [i, k] })),
    ),
    attributes: maybe(
      21,
      [
        ['x', i / 2],
        ['y', null],
      ].slice(0, i % 3) as unknown as Plain,
    ),
  };
});

const folder = mkdtempSync(join(tmpdir(), 'tabletopic-parquet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Reading {
  readonly arrow: Record<string, unknown>[];
  readonly duckdb: Record<string, unknown>[];
  readonly arrowTypes: Record<string, string>;
  readonly duckdbTypes: Record<string, string>;
  readonly fieldIds: Record<string, number | null>;
  readonly statistics: {
    path: string;
    values: number;
    nulls: number;
    has: boolean;
    columnIndex: boolean;
    offsetIndex: boolean;
  }[];
}

async function read(bytes: Uint8Array, filter: string | null = null): Promise<Reading> {
  const file = join(folder, 'file.parquet');
  writeFileSync(file, bytes);
  return JSON.parse(await python('read_parquet.py', JSON.stringify({ file, filter }))) as Reading;
}

/** What the script prints for a value. */
function shown(value: Plain, type: IcebergType, maps: 'pairs' | 'object'): unknown {
  if (value === null) return null;
  if (typeof type !== 'string') {
    if (type.type === 'struct')
      return Object.fromEntries(
        type.fields.map((f) => [f.name, shown((value as Record<string, Plain>)[f.name]!, f.type, maps)]),
      );
    if (type.type === 'list') return (value as Plain[]).map((item) => shown(item, type.element, maps));
    const pairs = (value as [Plain, Plain][]).map(([k, v]) => [shown(k, type.key, maps), shown(v, type.value, maps)]);
    return maps === 'pairs' ? pairs : Object.fromEntries(pairs as [string, unknown][]);
  }
  const decimal = decimalOf(type);
  if (decimal) {
    const unscaled = value as bigint;
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(decimal.scale + 1, '0');
    return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -decimal.scale)}.${digits.slice(-decimal.scale)}`;
  }
  if (type === 'float' || type === 'double') {
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(value as number);
    return bits.toString('hex');
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
}

const expected = (own: readonly Record<string, Plain>[], maps: 'pairs' | 'object'): unknown[] =>
  own.map((row) => Object.fromEntries(schema.fields.map((f) => [f.name, shown(row[f.name] ?? null, f.type, maps)])));

for (const compression of ['zstd', 'snappy', 'gzip', 'none'] satisfies ParquetOptions['compression'][]) {
  test(`PyArrow and DuckDB read every type from ${compression} files of many pages`, async () => {
    const { bytes } = encode(schema, rows, { compression, compressionLevel: 3, pageSize: 8000, rowGroupSize: 150_000 });
    const found = await read(bytes);
    expect(found.arrow).toEqual(expected(rows, 'pairs'));
    expect(found.duckdb).toEqual(expected(rows, 'object'));
  });
}

test('types and field ids arrive, at every level', async () => {
  const found = await read(encode(schema, rows.slice(0, 10)).bytes);
  expect(Object.fromEntries(Object.entries(found.fieldIds).map(([path, id]) => [id, path]))).toMatchObject({
    1: 'n',
    19: 'place.city',
    22: 'tags.element',
    27: 'items.element.sizes.element',
    29: 'attributes.key',
    30: 'attributes.value',
  });
  expect(new Set(Object.values(found.fieldIds)).size).toBe(30);
  expect(found.arrowTypes).toMatchObject({
    at: 'timestamp[us, tz=UTC]',
    local: 'timestamp[us]',
    t: 'time64[us]',
    day: 'date32[day]',
    d38: 'decimal128(38, 10)',
    bin: 'binary',
    s: 'string',
  });
  expect(found.duckdbTypes).toMatchObject({
    at: 'TIMESTAMP WITH TIME ZONE',
    local: 'TIMESTAMP',
    t: 'TIME',
    id: 'UUID',
    d18: 'DECIMAL(18,4)',
  });
});

test('statistics prune without losing rows', async () => {
  const { bytes } = encode(schema, rows, { pageSize: 8000, rowGroupSize: 60_000 });
  const condition =
    "n >= 2999 AND n < 3050 AND low = 'kind 3' AND s > 'Grüße' AND \"at\" < '2023-11-20' AND d9 >= 0 AND place.zip > 3000";
  const wanted = rows.filter(
    (row) =>
      (row['n'] as bigint) >= 2999n &&
      (row['n'] as bigint) < 3050n &&
      row['low'] === 'kind 3' &&
      row['s'] !== null &&
      row['at'] !== null &&
      (row['at'] as bigint) < BigInt(Date.parse('2023-11-20T00:00:00Z')) * 1000n &&
      row['d9'] !== null &&
      (row['d9'] as bigint) >= 0n &&
      ((row['place'] as { zip: number | null } | null)?.zip ?? 0) > 3000,
  );
  expect(wanted.length).toBeGreaterThan(0);
  const found = await read(bytes, condition);
  expect(found.duckdb).toEqual(expected(wanted, 'object'));
  const groups = found.statistics.filter((s) => s.path === 'place.zip');
  expect(groups.length).toBeGreaterThan(2);
  expect(groups.reduce((sum, s) => sum + s.nulls, 0)).toBe(
    rows.filter((row) => ((row['place'] as { zip: number | null } | null)?.zip ?? null) === null).length,
  );
  expect(found.statistics.every((s) => s.offsetIndex && (s.path === 'id' || s.path === 'd' || s.columnIndex))).toBe(
    true,
  );
  expect(found.statistics.filter((s) => s.path === 'id').some((s) => s.has)).toBe(false);
});
