import { zstdDecompressSync } from 'node:zlib';
import { parquetMetadataAsync, parquetRead } from 'hyparquet';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { TabletopicError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest-types.ts';
import type { FileIO } from '../io/file-io.ts';
import type { PositionReader, RowPosition } from './verify-rows.ts';

/** Column paths of a position, for `metadataColumns: struct` and `flat`. */
const layouts = [
  ['_kafka.topic', '_kafka.partition', '_kafka.offset'],
  ['_kafka_topic', '_kafka_partition', '_kafka_offset'],
] as const;

const codecs = { ...compressors, ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)) };

/** Reads the three columns of a position and no others, row group by row group, from files of any writer. */
export const readPositions: PositionReader = async function* (io, file) {
  if (file.format !== 'PARQUET')
    throw new TabletopicError(
      'TABLE_UNSUPPORTED',
      `${file.location} is ${file.format}: only Parquet files can be verified.`,
      { where: { file: file.location } },
    );
  const source = asyncBuffer(io, file);
  const metadata = await parquetMetadataAsync(source);
  const paths = layouts.find((layout) => layout.every((path) => hasColumn(metadata, path)));
  let start = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    yield paths ? await readGroup(source, metadata, paths, start, rows) : Array.from({ length: rows }, () => null);
    start += rows;
  }
};

async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  paths: readonly [string, string, string],
  start: number,
  rows: number,
): Promise<(RowPosition | null)[]> {
  const values = new Map(paths.map((path) => [path, new Array<unknown>(rows)]));
  await parquetRead({
    file,
    metadata: only(metadata, new Set(paths)),
    compressors: codecs,
    rowStart: start,
    rowEnd: start + rows,
    onPage({ pathInSchema, columnData, rowStart }) {
      const column = values.get(pathInSchema.join('.'));
      if (!column) return;
      for (let i = 0; i < columnData.length; i++)
        column[rowStart - start + i] = value((columnData as ArrayLike<unknown>)[i]);
    },
  });
  const [topics, partitions, offsets] = paths.map((path) => values.get(path)!) as [unknown[], unknown[], unknown[]];
  return Array.from({ length: rows }, (_, i) => {
    const offset = offsets[i] ?? null;
    return offset === null
      ? null
      : { topic: String(topics[i]), partition: Number(partitions[i]), offset: Number(offset) };
  });
}

/** Before structs are assembled, a page with nulls has `[value]` and `[]` at each optional level. */
function value(read: unknown): unknown {
  return Array.isArray(read) ? value(read[0]) : read;
}

function hasColumn(metadata: FileMetaData, path: string): boolean {
  return metadata.row_groups.every((group) =>
    group.columns.some((column) => column.meta_data?.path_in_schema.join('.') === path),
  );
}

/** The file as if it had no other columns. */
function only(metadata: FileMetaData, paths: ReadonlySet<string>): FileMetaData {
  return {
    ...metadata,
    row_groups: metadata.row_groups.map((group) => ({
      ...group,
      columns: group.columns.filter((column) => paths.has(column.meta_data?.path_in_schema.join('.') ?? '')),
    })),
  };
}

function asyncBuffer(io: FileIO, { location, fileSize }: DataFile): AsyncBuffer {
  return {
    byteLength: fileSize,
    async slice(start, end = fileSize) {
      const bytes = await io.read(location, { offset: start, length: end - start });
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    },
  };
}
