import { gunzipSync, gzipSync } from 'node:zlib';
import { TabletopicError } from '../errors.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Schema } from '../schema/types.ts';
import { parseJson, stringifyJson } from './json.ts';
import type { PartitionField, TableMetadata } from './metadata.ts';

/** Reads a metadata file, also compressed and of format v1. */
export async function readMetadata(io: FileIO, location: string): Promise<TableMetadata> {
  const bytes = await io.read(location);
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  try {
    return normalMetadata(parseJson(Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength).toString('utf8')));
  } catch (error) {
    throw new TabletopicError('CATALOG_REFUSED', `${location} is no table metadata: ${(error as Error).message}`, {
      cause: error,
      where: { location },
    });
  }
}

/** A metadata file in bytes; compressed where its name says so. */
export function encodeMetadata(metadata: TableMetadata, location: string): Uint8Array {
  const text = Buffer.from(stringifyJson(metadata));
  return location.includes('.gz.metadata.json') ? gzipSync(text) : text;
}

interface V1 {
  readonly schema?: Schema;
  readonly 'partition-spec'?: readonly PartitionField[];
}

/** Metadata as every reader here expects it: what format v1 and older writers leave out is filled in (Iceberg spec, Appendix E). */
export function normalMetadata(value: unknown): TableMetadata {
  const m = value as Partial<TableMetadata> & V1;
  if (typeof m !== 'object' || m === null || m['format-version'] === undefined)
    throw new TypeError('it has no format-version');
  const schemas = m.schemas ?? [{ 'schema-id': 0, ...m.schema } as Schema];
  const specs = m['partition-specs'] ?? [
    {
      'spec-id': 0,
      fields: (m['partition-spec'] ?? []).map((field, i) => ({ ...field, 'field-id': field['field-id'] ?? 1000 + i })),
    },
  ];
  const current = m['current-snapshot-id'] === -1n ? null : (m['current-snapshot-id'] ?? null);
  const refs = m.refs ?? {};
  return {
    ...m,
    schemas,
    'current-schema-id': m['current-schema-id'] ?? schemas[0]!['schema-id'],
    'partition-specs': specs,
    'default-spec-id': m['default-spec-id'] ?? specs[0]!['spec-id'],
    'last-partition-id':
      m['last-partition-id'] ??
      Math.max(999, ...specs.flatMap((spec) => spec.fields.map((field) => field['field-id']))),
    'sort-orders': m['sort-orders'] ?? [{ 'order-id': 0, fields: [] }],
    'default-sort-order-id': m['default-sort-order-id'] ?? 0,
    'last-sequence-number': m['last-sequence-number'] ?? 0,
    'current-snapshot-id': current,
    refs:
      current !== null && refs['main'] === undefined
        ? { ...refs, main: { 'snapshot-id': current, type: 'branch' } }
        : refs,
  } as TableMetadata;
}

/** The metadata as it comes with `?snapshots=refs`: only the snapshots that refs name. */
export function onlyRefs(metadata: TableMetadata): TableMetadata {
  const named = new Set(Object.values(metadata.refs ?? {}).map((ref) => ref['snapshot-id']));
  return {
    ...metadata,
    snapshots: (metadata.snapshots ?? []).filter((snapshot) => named.has(snapshot['snapshot-id'])),
  };
}
