import type { RowGroup } from 'hyparquet';
import { type NameValues, intValues, nameValues } from './leaf-values.ts';
import { type ChunkPages, readPages } from './page-reader.ts';
import { compressors, openParquet } from './reader.ts';
import type { Leaf, LeafRequest, LeafValues, ParquetFile, RangeReader } from './reader.ts';

/** Where rows come from, by columns. A row has a position where topic is not -1 and neither of the others is NaN. */
export interface PositionBatch {
  readonly rows: number;
  /** Names of the topics of this batch; `topic` holds their indices. */
  readonly topics: readonly string[];
  readonly topic: Int32Array;
  readonly partition: Float64Array;
  readonly offset: Float64Array;
}

const FIELDS = ['topic', 'partition', 'offset'] as const;
/** Chunks that lie closer together than this, in bytes, are read at once. */
const GAP = 256 * 1024;

/**
 * The positions of all rows of a data file in the order of its rows, a batch for each row group. Reads the metadata
 * columns alone, whether a struct `_kafka` or flat; `fieldIds` are those of topic, partition and offset, for files in
 * which a column has another name than the table's. Files of any writer are read; the encodings that writers use by
 * default (plain, dictionary) take the short way.
 */
export async function* readPositions(
  read: RangeReader,
  size: number,
  fieldIds?: readonly [topic: number, partition: number, offset: number],
): AsyncGenerator<PositionBatch> {
  const file = await openParquet(read, size);
  const names = new Set(file.metadata.schema.slice(1).map((element) => element.name));
  const requests = FIELDS.map((field, i): LeafRequest => {
    const path = names.has('_kafka') ? ['_kafka', field] : [`_kafka_${field}`];
    return { fieldId: fieldIds?.[i] ?? file.fieldIdOf(path), path };
  });
  const leaves = requests.map((request) => file.leaf(request));
  for (const group of file.metadata.row_groups)
    yield (await columnar(read, group, leaves)) ?? (await byRow(file, group, requests));
}

/** Null where a column is stored in a form that only the general reader knows. */
async function columnar(
  read: RangeReader,
  group: RowGroup,
  leaves: readonly (Leaf | null)[],
): Promise<PositionBatch | null> {
  const rows = Number(group.num_rows);
  const chunks = leaves.map(
    (leaf) => group.columns.find((chunk) => chunk.meta_data?.path_in_schema.join('.') === leaf?.path)?.meta_data,
  );
  if (chunks.some((chunk) => chunk === undefined) || leaves.some((leaf) => leaf?.repeated)) return null;
  const ranges = chunks.map((chunk) => {
    const data = Number(chunk!.data_page_offset);
    const dictionary = Number(chunk!.dictionary_page_offset ?? 0);
    return {
      offset: dictionary > 0 && dictionary < data ? dictionary : data,
      length: Number(chunk!.total_compressed_size),
    };
  });
  const bytes = await readNear(read, ranges);
  const pages = chunks.map((chunk, i) =>
    readPages(
      bytes[i]!,
      { codec: chunk!.codec, type: chunk!.type, maxDefinition: leaves[i]!.maxDefinition },
      compressors,
    ),
  );
  if (pages.includes(null)) return null;
  const [topicPages, partitionPages, offsetPages] = pages as [ChunkPages, ChunkPages, ChunkPages];
  const topic: NameValues | null = nameValues(topicPages, chunks[0]!.type, rows);
  const partition = intValues(partitionPages, chunks[1]!.type, rows);
  const offset = intValues(offsetPages, chunks[2]!.type, rows);
  if (topic === null || partition === null || offset === null) return null;
  return { rows, topics: topic.names, topic: topic.index, partition, offset };
}

/** The ranges' bytes; one request where they lie close together. */
async function readNear(
  read: RangeReader,
  ranges: readonly { readonly offset: number; readonly length: number }[],
): Promise<Uint8Array[]> {
  const start = Math.min(...ranges.map(({ offset }) => offset));
  const end = Math.max(...ranges.map(({ offset, length }) => offset + length));
  const wanted = ranges.reduce((sum, { length }) => sum + length, 0);
  if (end - start > wanted + GAP) return Promise.all(ranges.map((range) => read(range)));
  const all = await read({ offset: start, length: end - start });
  return ranges.map(({ offset, length }) => all.subarray(offset - start, offset - start + length));
}

async function byRow(file: ParquetFile, group: RowGroup, requests: readonly LeafRequest[]): Promise<PositionBatch> {
  const rows = Number(group.num_rows);
  const names: string[] = [];
  const topic = new Int32Array(rows).fill(-1);
  let numbers: LeafValues[] = [];
  for await (const { columns } of file.columns(requests, [group])) {
    columns[0]?.forEach((name: unknown, i: number) => {
      if (typeof name !== 'string') return;
      const known = names.indexOf(name);
      topic[i] = known >= 0 ? known : names.push(name) - 1;
    });
    numbers = columns.slice(1);
  }
  const ints = (values: LeafValues | undefined): Float64Array =>
    values instanceof Float64Array ? values : new Float64Array(rows).fill(Number.NaN);
  return { rows, topics: names, topic, partition: ints(numbers[0]), offset: ints(numbers[1]) };
}
