import { parquetMetadata, parquetQuery, readColumnIndex, readOffsetIndex } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { expect, test } from 'vitest';
import type { NestedField } from '../../src/schema/types.ts';
import { arrayBuffer, encode, schemaOf } from './files.ts';

const field = (id: number, name: string, type: NestedField['type'], required = false): NestedField => ({
  id,
  name,
  type,
  required,
});
const schema = schemaOf(
  field(1, 'n', 'long', true),
  field(2, 's', 'string'),
  field(3, 'u', 'uuid'),
  field(4, 'nan', 'double'),
  field(5, 'l', { type: 'list', 'element-id': 6, 'element-required': true, element: 'int' }),
  field(7, 'down', 'int', true),
);
const rows = Array.from({ length: 30_000 }, (_, i) => ({
  n: BigInt(i),
  s: i < 22_000 ? null : `${'long common beginning '.repeat(4)}${i}`,
  u: new Uint8Array(16).fill(i),
  nan: i < 25_000 ? NaN : 1,
  l: Array.from({ length: i % 3 }, () => i),
  down: -i,
}));
const { bytes } = encode(schema, rows, { pageSize: 4000, compression: 'none' }, 2000);
const file = arrayBuffer(bytes);
const metadata = parquetMetadata(file);
const { columns } = metadata.row_groups[0]!;

function columnIndex(i: number): ReturnType<typeof readColumnIndex> {
  const { column_index_offset: offset, column_index_length: length, meta_data: meta } = columns[i]!;
  const element = metadata.schema.find((e) => e.name === meta!.path_in_schema.at(-1))!;
  return readColumnIndex({ view: new DataView(file, Number(offset), length), offset: 0 }, element);
}

function offsetIndex(i: number): ReturnType<typeof readOffsetIndex> {
  const { offset_index_offset: offset, offset_index_length: length } = columns[i]!;
  return readOffsetIndex({ view: new DataView(file, Number(offset), length), offset: 0 });
}

test('pages of the column index join and hold their bounds', () => {
  const index = columnIndex(0);
  const { page_locations: pages } = offsetIndex(0);
  expect(pages.length).toBeGreaterThan(3);
  expect(index.boundary_order).toBe('ASCENDING');
  expect(index.min_values).toEqual(pages.map((page) => page.first_row_index));
  expect(index.max_values).toEqual([...pages.slice(1).map((page) => page.first_row_index - 1n), 29_999n]);
  expect(columnIndex(5).boundary_order).toBe('DESCENDING');
});

test('null pages are named; long bounds are cut to 64 bytes and still enclose the values', () => {
  const index = columnIndex(1);
  const { page_locations: pages } = offsetIndex(1);
  const starts = pages.map((page) => Number(page.first_row_index));
  expect(index.null_pages).toContain(true);
  expect(index.null_pages).toContain(false);
  starts.forEach((start, p) => {
    const values = rows
      .slice(start, starts[p + 1] ?? rows.length)
      .map((row) => row.s)
      .filter((s) => s !== null)
      .sort();
    expect(index.null_pages[p]).toBe(values.length === 0);
    expect(index.null_counts![p]).toBe(BigInt((starts[p + 1] ?? rows.length) - start - values.length));
    if (values.length === 0) return;
    expect(String(index.min_values[p]) <= values[0]!).toBe(true);
    expect(String(index.max_values[p]) >= values.at(-1)!).toBe(true);
    expect(String(index.max_values[p]).length).toBeLessThanOrEqual(64);
  });
  const { statistics } = columns[1]!.meta_data!;
  expect(statistics!.is_max_value_exact).toBe(false);
  expect(statistics!.is_min_value_exact).toBe(false);
  expect(statistics!.null_count).toBe(22_000n);
});

test('no column index where a page with values has no bounds, but an offset index always', () => {
  expect(columns.map((c) => c.column_index_offset !== undefined)).toEqual([true, true, false, false, true, true]);
  expect(columns.every((c) => c.offset_index_offset !== undefined)).toBe(true);
});

test('pages of a list column begin at rows', () => {
  const { page_locations: pages } = offsetIndex(4);
  expect(pages.length).toBeGreaterThan(3);
  const index = columnIndex(4);
  pages.forEach((page, p) => {
    // The smallest element of a page is the row number of its first row that has elements.
    const first = Number(page.first_row_index);
    expect(index.min_values[p]).toBe(first % 3 === 0 ? first + 1 : first);
  });
});

test('a reader that skips pages by these indexes finds the right rows', async () => {
  const found = await parquetQuery({
    file,
    metadata,
    compressors,
    columns: ['n', 's', 'l'],
    filter: { n: { $gte: 7001n, $lt: 7004n } },
    usePageIndex: true,
    useOffsetIndex: true,
  });
  expect(found).toEqual(rows.slice(7001, 7004).map(({ n, s, l }) => ({ n, s, l })));
});

test('pages of a dictionary column have bounds of their own', () => {
  const one = schemaOf(field(1, 'kind', 'string', true));
  const values = Array.from({ length: 30_000 }, (_, i) => `kind ${(i >> 11) % 4}-${i % 3}`);
  const own = arrayBuffer(
    encode(
      one,
      values.map((kind) => ({ kind })),
      { pageSize: 4000 },
      2000,
    ).bytes,
  );
  const { schema: elements, row_groups: groups } = parquetMetadata(own);
  const chunk = groups[0]!.columns[0]!;
  expect(chunk.meta_data!.encodings).toEqual(['PLAIN_DICTIONARY', 'RLE']);
  const view = (offset: bigint, length: number): DataView => new DataView(own, Number(offset), length);
  const index = readColumnIndex(
    { view: view(chunk.column_index_offset!, chunk.column_index_length!), offset: 0 },
    elements[1]!,
  );
  const { page_locations: pages } = readOffsetIndex({
    view: view(chunk.offset_index_offset!, chunk.offset_index_length!),
    offset: 0,
  });
  expect(pages.length).toBeGreaterThan(8);
  pages.forEach((page, p) => {
    const end = Number(pages[p + 1]?.first_row_index ?? values.length);
    const sorted = values.slice(Number(page.first_row_index), end).toSorted();
    expect([index.min_values[p], index.max_values[p]]).toEqual([sorted[0], sorted.at(-1)]);
  });
});
