import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import type { FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { createParquetWriter } from '../../src/parquet/writer.ts';
import type { FileMetrics, ParquetOptions } from '../../src/parquet/parquet.ts';
import { sanitizeName } from '../../src/schema/sanitize.ts';
import { decimalOf } from '../../src/schema/types.ts';
import type { IcebergType, NestedField, Schema } from '../../src/schema/types.ts';
import { batchOf, signed } from '../columns/rows.ts';
import type { Plain } from '../columns/rows.ts';

export const options: ParquetOptions = {
  compression: 'zstd',
  compressionLevel: 1,
  rowGroupSize: 128 << 20,
  pageSize: 1 << 20,
  dictionarySize: 1 << 20,
  fullMetrics: [],
  metadata: {},
};

export function schemaOf(...fields: NestedField[]): Schema {
  return { type: 'struct', 'schema-id': 0, fields };
}

export interface Encoded {
  readonly bytes: Uint8Array;
  readonly metrics: FileMetrics;
}

/** A file from rows, in batches of `batch` rows. */
export function encode(
  schema: Schema,
  rows: readonly Record<string, Plain>[],
  changed: Partial<ParquetOptions> = {},
  batch = 1000,
): Encoded {
  const parts: Uint8Array[] = [];
  const writer = createParquetWriter(schema, { ...options, ...changed }, { write: (bytes) => parts.push(bytes) });
  for (let i = 0; i < rows.length; i += batch) writer.write(batchOf(schema, rows.slice(i, i + batch)));
  const metrics = writer.finish();
  return { bytes: Buffer.concat(parts), metrics };
}

export function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

export function metadataOf(bytes: Uint8Array): FileMetaData {
  return parquetMetadata(arrayBuffer(bytes));
}

/** All rows as an independent reader (hyparquet) sees them, in the form of `Plain`. */
export async function decode(bytes: Uint8Array, schema: Schema): Promise<Record<string, Plain>[]> {
  const file = arrayBuffer(bytes);
  const metadata = parquetMetadata(file);
  // hyparquet gives decimals as floating point and maps as objects: ask for the physical values instead.
  for (const element of metadata.schema) {
    if (element.converted_type !== 'DECIMAL' && element.converted_type !== 'MAP') continue;
    delete element.converted_type;
    delete element.logical_type;
  }
  const rows = await parquetReadObjects({
    file,
    metadata,
    compressors,
    utf8: false,
    useOffsetIndex: true,
    parsers: {
      timestampFromMicroseconds: (v) => v,
      timestampFromNanoseconds: (v) => v,
      dateFromDays: (v) => v,
      uuidFromBytes: (v: Uint8Array) => v,
    },
  });
  return rows.map((row) => struct(row, schema.fields));
}

function struct(row: Record<string, unknown>, fields: readonly NestedField[]): Record<string, Plain> {
  return Object.fromEntries(fields.map((f) => [f.name, plain(row[sanitizeName(f.name)], f.type)]));
}

function plain(value: unknown, type: IcebergType): Plain {
  if (value === null || value === undefined) return null;
  if (typeof type !== 'string') {
    if (type.type === 'struct') return struct(value as Record<string, unknown>, type.fields);
    if (type.type === 'list') return (value as unknown[]).map((item) => plain(item, type.element));
    const { key_value: pairs } = value as { key_value: { key: unknown; value: unknown }[] };
    return pairs.map((pair) => [plain(pair.key, type.key), plain(pair.value, type.value)]);
  }
  if (decimalOf(type)) return value instanceof Uint8Array ? signed(value) : BigInt(value as number | bigint);
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  return value as Plain;
}
