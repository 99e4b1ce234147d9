import { compareValues, lower, statisticsBound, upper } from './bound-values.ts';
import type { Bound } from './bounds.ts';
import type { ColumnChunk } from './column-writer.ts';
import { BoundaryOrder, CREATED_BY, Encoding, PageType } from './format.ts';
import type { DataPage } from './page.ts';
import type { FileSchema, Leaf } from './schema-elements.ts';
import { writeElements } from './schema-elements.ts';
import type { ThriftWriter } from './thrift.ts';

/** A column chunk that has been written: what the footer and the metrics need of it, without its bytes. */
export interface WrittenChunk {
  readonly leaf: Leaf;
  readonly codec: number;
  readonly encodings: readonly number[];
  readonly dictionaryPages: number;
  readonly entries: number;
  readonly nulls: number;
  readonly nans: number;
  readonly min: Bound | null;
  readonly max: Bound | null;
  readonly size: number;
  readonly rawSize: number;
  /** Of the first page, dictionary or data. */
  readonly offset: number;
  readonly dataOffset: number;
  /** In page order; bodies are gone. */
  readonly pages: readonly WrittenPage[];
}

export interface WrittenPage extends Pick<
  DataPage,
  'entries' | 'rows' | 'nulls' | 'nans' | 'min' | 'max' | 'encoding' | 'size'
> {
  readonly offset: number;
}

export interface WrittenRowGroup {
  readonly rows: number;
  readonly chunks: readonly WrittenChunk[];
}

/** Where an index stands in the file. */
export interface IndexPlace {
  readonly offset: number;
  readonly length: number;
}

/** What becomes of a chunk that begins at `offset` in the file. */
export function writtenChunk(chunk: ColumnChunk, offset: number): WrittenChunk {
  const { leaf, codec, dictionary } = chunk;
  let at = offset + (dictionary?.size ?? 0);
  const dataOffset = at;
  let rawSize = dictionary?.rawSize ?? 0;
  let entries = 0;
  let nulls = 0;
  let nans = 0;
  let min: Bound | null = null;
  let max: Bound | null = null;
  const pages: WrittenPage[] = [];
  for (const page of chunk.pages) {
    const { encoding, size } = page;
    pages.push({
      encoding,
      size,
      entries: page.entries,
      rows: page.rows,
      nulls: page.nulls,
      nans: page.nans,
      min: page.min,
      max: page.max,
      offset: at,
    });
    at += size;
    rawSize += page.rawSize;
    entries += page.entries;
    nulls += page.nulls;
    nans += page.nans;
    min = lower(leaf, min, page.min);
    max = upper(leaf, max, page.max);
  }
  const encodings = new Set<number>([Encoding.rle, ...pages.map((page) => page.encoding)]);
  return {
    leaf,
    codec,
    encodings: [...encodings].sort((a, b) => a - b),
    dictionaryPages: dictionary ? 1 : 0,
    entries,
    nulls,
    nans,
    min,
    max,
    size: at - offset,
    rawSize,
    offset,
    dataOffset,
    pages,
  };
}

/**
 * `ColumnIndex`: bounds and null count of each page; false, and nothing written, where a page with values has no bounds
 * (uuid, all NaN, a prefix that has no successor): the format then wants no index rather than a wrong one.
 */
export function writeColumnIndex(thrift: ThriftWriter, chunk: WrittenChunk): boolean {
  const none = new Uint8Array(0);
  const nullPages: boolean[] = [];
  const mins: Uint8Array[] = [];
  const maxs: Uint8Array[] = [];
  for (const page of chunk.pages) {
    const isNull = page.nulls === page.entries;
    const min = statisticsBound(chunk.leaf, page.min, 'lower');
    const max = statisticsBound(chunk.leaf, page.max, 'upper');
    if (!isNull && (!min || !max)) return false;
    nullPages.push(isNull);
    mins.push(min?.bytes ?? none);
    maxs.push(max?.bytes ?? none);
  }
  thrift.root(() => {
    thrift.bools(1, nullPages);
    thrift.binaries(2, mins);
    thrift.binaries(3, maxs);
    thrift.i32(4, boundaryOrder(chunk.leaf, nullPages, mins, maxs));
    thrift.i64s(
      5,
      chunk.pages.map((page) => page.nulls),
    );
  });
  return true;
}

/** `OffsetIndex`: where each page stands and which row it begins with. */
export function writeOffsetIndex(thrift: ThriftWriter, chunk: WrittenChunk): void {
  let row = 0;
  thrift.root(() =>
    thrift.structs(1, chunk.pages, (page) => {
      thrift.i64(1, page.offset);
      thrift.i32(2, page.size);
      thrift.i64(3, row);
      row += page.rows;
    }),
  );
}

export interface FooterParts {
  readonly schema: FileSchema;
  readonly rows: number;
  readonly rowGroups: readonly WrittenRowGroup[];
  readonly columnIndexes: ReadonlyMap<WrittenChunk, IndexPlace>;
  readonly offsetIndexes: ReadonlyMap<WrittenChunk, IndexPlace>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** `FileMetaData`. */
export function writeFooter(thrift: ThriftWriter, parts: FooterParts): void {
  thrift.root(() => {
    thrift.i32(1, 1);
    writeElements(thrift, 2, parts.schema.elements);
    thrift.i64(3, parts.rows);
    thrift.structs(
      4,
      parts.rowGroups.map((group, ordinal) => ({ group, ordinal })),
      ({ group, ordinal }) => {
        thrift.structs(1, group.chunks, (chunk) => columnChunk(thrift, chunk, parts));
        thrift.i64(
          2,
          sum(group.chunks, (chunk) => chunk.rawSize),
        );
        thrift.i64(3, group.rows);
        thrift.i64(5, group.chunks[0]?.offset ?? 4);
        thrift.i64(
          6,
          sum(group.chunks, (chunk) => chunk.size),
        );
        if (ordinal < 0x8000) thrift.i16(7, ordinal);
      },
    );
    thrift.structs(5, Object.entries(parts.metadata), ([key, value]) => {
      thrift.binary(1, key);
      thrift.binary(2, value);
    });
    thrift.binary(6, CREATED_BY);
    // TypeDefinedOrder for every column; without it readers ignore min_value and max_value.
    thrift.structs(7, parts.schema.leaves, () => thrift.struct(1, () => {}));
  });
}

function columnChunk(thrift: ThriftWriter, chunk: WrittenChunk, parts: FooterParts): void {
  const columnIndex = parts.columnIndexes.get(chunk);
  const offsetIndex = parts.offsetIndexes.get(chunk);
  thrift.i64(2, chunk.offset);
  thrift.struct(3, () => {
    thrift.i32(1, chunk.leaf.physical);
    thrift.i32s(2, chunk.encodings);
    thrift.binaries(3, chunk.leaf.path);
    thrift.i32(4, chunk.codec);
    thrift.i64(5, chunk.entries);
    thrift.i64(6, chunk.rawSize);
    thrift.i64(7, chunk.size);
    thrift.i64(9, chunk.dataOffset);
    if (chunk.dictionaryPages > 0) thrift.i64(11, chunk.offset);
    statistics(thrift, chunk);
    encodingStatistics(thrift, chunk);
  });
  if (offsetIndex) {
    thrift.i64(4, offsetIndex.offset);
    thrift.i32(5, offsetIndex.length);
  }
  if (columnIndex) {
    thrift.i64(6, columnIndex.offset);
    thrift.i32(7, columnIndex.length);
  }
}

function statistics(thrift: ThriftWriter, chunk: WrittenChunk): void {
  const min = statisticsBound(chunk.leaf, chunk.min, 'lower');
  const max = statisticsBound(chunk.leaf, chunk.max, 'upper');
  thrift.struct(12, () => {
    thrift.i64(3, chunk.nulls);
    if (max) thrift.binary(5, max.bytes);
    if (min) thrift.binary(6, min.bytes);
    if (max) thrift.bool(7, max.exact);
    if (min) thrift.bool(8, min.exact);
  });
}

/** Which encodings the pages have: readers that filter by dictionary look here whether all of them use it. */
function encodingStatistics(thrift: ThriftWriter, chunk: WrittenChunk): void {
  const counts = new Map<number, number>();
  for (const page of chunk.pages) counts.set(page.encoding, (counts.get(page.encoding) ?? 0) + 1);
  const stats = [...counts].map(([encoding, count]) => ({ type: PageType.data as number, encoding, count }));
  if (chunk.dictionaryPages > 0)
    stats.unshift({ type: PageType.dictionary, encoding: Encoding.plainDictionary, count: 1 });
  thrift.structs(13, stats, (stat) => {
    thrift.i32(1, stat.type);
    thrift.i32(2, stat.encoding);
    thrift.i32(3, stat.count);
  });
}

function boundaryOrder(
  leaf: Leaf,
  nullPages: readonly boolean[],
  mins: readonly Uint8Array[],
  maxs: readonly Uint8Array[],
): number {
  let ascending = true;
  let descending = true;
  let last = -1;
  for (let i = 0; i < mins.length; i++) {
    if (nullPages[i]) continue;
    if (last >= 0) {
      const min = compareValues(leaf, mins[last]!, mins[i]!);
      const max = compareValues(leaf, maxs[last]!, maxs[i]!);
      if (min > 0 || max > 0) ascending = false;
      if (min < 0 || max < 0) descending = false;
    }
    last = i;
  }
  return ascending ? BoundaryOrder.ascending : descending ? BoundaryOrder.descending : BoundaryOrder.unordered;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}
