import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parquetMetadataAsync, parquetRead, parquetReadObjects } from 'hyparquet';
import type { AsyncBuffer, Compressors, FileMetaData, RowGroup, SchemaElement } from 'hyparquet';
import { compressors as others } from 'hyparquet-compressors';

/** What a file is read with: `FileIO.read` of one location. */
export type RangeReader = (range: { readonly offset: number; readonly length: number }) => Promise<Uint8Array>;

/** A primitive column: by field id, or by path (sanitised names) in files that carry no field ids. */
export interface LeafRequest {
  readonly fieldId: number | null;
  readonly path: readonly string[];
}

/**
 * Values of a column by row. int, long, date, time and timestamps as numbers, NaN for null (exact up to 2^53); null for
 * a column that the file does not have; else values as hyparquet gives them, strings as strings, other bytes as bytes.
 */
export type LeafValues = Float64Array | readonly unknown[] | null;

export interface RowGroupColumns {
  readonly firstRow: number;
  readonly rows: number;
  /** In the order of the requests. */
  readonly columns: readonly LeafValues[];
}

/** Node's own decoders, several times faster than those in JavaScript. */
export const compressors: Compressors = {
  ...others,
  ZSTD: (input) => zstdDecompressSync(input),
  GZIP: (input) => gunzipSync(input),
};

/** Values as they are stored: a `Date` would cut microseconds. */
const parsers = {
  timestampFromMilliseconds: (value: bigint) => value * 1000n,
  timestampFromMicroseconds: (value: bigint) => value,
  timestampFromNanoseconds: (value: bigint) => value,
  dateFromDays: (value: number) => value,
  uuidFromBytes: (value: Uint8Array) => value,
};

/** Opens a Parquet file of any writer: reads its footer. `size` is the file's length in bytes. */
export async function openParquet(read: RangeReader, size: number): Promise<ParquetFile> {
  const file: AsyncBuffer = {
    byteLength: size,
    slice: async (start, end = size) => {
      const bytes = await read({ offset: start, length: end - start });
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    },
  };
  return new ParquetFile(file, await parquetMetadataAsync(file));
}

/** Reads files for maintenance and checks. Not the hot path: hyparquet makes objects. */
export class ParquetFile {
  readonly #file: AsyncBuffer;
  readonly metadata: FileMetaData;

  constructor(file: AsyncBuffer, metadata: FileMetaData) {
    this.#file = file;
    this.metadata = metadata;
  }

  get rows(): number {
    return Number(this.metadata.num_rows);
  }

  /** Field id of the leaf at this path of names, or null. */
  fieldIdOf(path: readonly string[]): number | null {
    return leavesOf(this.metadata.schema).find((leaf) => leaf.path === path.join('.'))?.fieldId ?? null;
  }

  /** The leaf that a request names; null where the file has none. */
  leaf({ fieldId, path }: LeafRequest): Leaf | null {
    const leaves = leavesOf(this.metadata.schema);
    return (
      leaves.find((leaf) => fieldId !== null && leaf.fieldId === fieldId) ??
      leaves.find((leaf) => leaf.fieldId === null && leaf.path === path.join('.')) ??
      null
    );
  }

  /** Chosen columns, one row group at a time; of all row groups, or of some. None may lie below a list or map. */
  async *columns(
    requests: readonly LeafRequest[],
    groups: readonly RowGroup[] = this.metadata.row_groups,
  ): AsyncGenerator<RowGroupColumns> {
    const found = requests.map((request) => this.leaf(request));
    let firstRow = 0;
    for (const group of groups) {
      const rows = Number(group.num_rows);
      const values = await this.#leaves(group, new Set(found.flatMap((leaf) => (leaf ? [leaf.path] : []))));
      yield { firstRow, rows, columns: found.map((leaf) => leaf && inForm(values.get(leaf.path) ?? [], leaf)) };
      firstRow += rows;
    }
  }

  /** Whole rows as objects, for small files. Binary stays bytes, times stay numbers; a null struct is `undefined`. */
  objects(): Promise<Record<string, unknown>[]> {
    return parquetReadObjects({ file: this.#file, metadata: this.metadata, compressors, parsers, utf8: false });
  }

  /** Pages of the chosen leaves alone, put together; `onPage` spares the assembly of structs row by row. */
  async #leaves(group: RowGroup, paths: ReadonlySet<string>): Promise<Map<string, unknown[]>> {
    const values = new Map<string, unknown[]>();
    const columns = group.columns.filter((chunk) => paths.has(chunk.meta_data!.path_in_schema.join('.')));
    if (columns.length === 0) return values;
    for (const chunk of columns) values.set(chunk.meta_data!.path_in_schema.join('.'), []);
    await parquetRead({
      file: this.#file,
      compressors,
      parsers,
      utf8: false,
      metadata: { ...this.metadata, num_rows: group.num_rows, row_groups: [{ ...group, columns }] },
      onPage: ({ pathInSchema, columnData }) => {
        const own = values.get(pathInSchema.join('.'))!;
        for (const value of columnData) own.push(bare(value));
      },
    });
    return values;
  }
}

export interface Leaf {
  readonly fieldId: number | null;
  /** Names joined by dots. */
  readonly path: string;
  readonly integer: boolean;
  /** Optional and repeated fields on the way, itself included. */
  readonly maxDefinition: number;
  /** It lies in a list or map. */
  readonly repeated: boolean;
}

function leavesOf(schema: readonly SchemaElement[]): Leaf[] {
  const leaves: Leaf[] = [];
  let next = 1;
  const visit = (path: readonly string[], above: Pick<Leaf, 'maxDefinition' | 'repeated'>): void => {
    const element = schema[next++]!;
    const here = [...path, element.name];
    const levels = {
      maxDefinition: above.maxDefinition + (element.repetition_type === 'REQUIRED' ? 0 : 1),
      repeated: above.repeated || element.repetition_type === 'REPEATED',
    };
    const children = element.num_children ?? 0;
    if (children === 0 && element.type !== undefined) {
      const integer = (element.type === 'INT32' || element.type === 'INT64') && element.converted_type !== 'DECIMAL';
      leaves.push({ fieldId: element.field_id ?? null, path: here.join('.'), integer, ...levels });
    }
    for (let i = 0; i < children; i++) visit(here, levels);
  };
  for (let i = schema[0]!.num_children ?? 0; i > 0; i--) visit([], { maxDefinition: 0, repeated: false });
  return leaves;
}

/** Before structs are assembled hyparquet wraps values below an optional struct in arrays, empty for null. */
function bare(value: unknown): unknown {
  return Array.isArray(value) ? bare(value[0]) : value;
}

function inForm(values: readonly unknown[], { integer }: Leaf): LeafValues {
  if (integer)
    return Float64Array.from(values, (value) => (value === null || value === undefined ? Number.NaN : Number(value)));
  return values.map((value) => value ?? null);
}
