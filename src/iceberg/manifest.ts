import type { PartitionValue } from '../columns/partition-value.ts';
import type { FileIO } from '../io/file-io.ts';
import { decimalBytes, decimalOf } from '../schema/types.ts';
import type { Schema } from '../schema/types.ts';
import { decodeAvro, encodeAvro } from './avro-file.ts';
import type { AvroFile, AvroRecordSchema } from './avro-file.ts';
import { fieldReader } from './avro-fields.ts';
import { stringifyJson } from './json.ts';
import { manifestSchema, partitionColumns } from './manifest-schema.ts';
import type { PartitionColumn } from './manifest-schema.ts';
import { EntryStatus, ManifestContent } from './manifest-types.ts';
import type { DataFile, ManifestEntry, ManifestFile } from './manifest-types.ts';
import type { PartitionSpec } from './metadata.ts';
import { PartitionSummaries } from './partition-summary.ts';
import { signExtend } from './single-value.ts';

/** What a manifest is written with; all its files follow the spec and the schema. */
export interface ManifestOptions {
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  readonly formatVersion: number;
  /** `ManifestContent`; data if left out. */
  readonly content?: number;
}

/**
 * A manifest in bytes and its entry for a manifest list. Entries whose snapshot id and sequence numbers are null inherit
 * them at each commit, so that the manifest is written once and may be tried in many commits (invariant 5).
 */
export async function encodeManifest(
  location: string,
  entries: readonly ManifestEntry[],
  options: ManifestOptions,
): Promise<{ bytes: Uint8Array; manifest: ManifestFile }> {
  const { schema, spec, formatVersion, content = ManifestContent.data } = options;
  const columns = partitionColumns(spec, schema);
  const summaries = new PartitionSummaries(columns);
  const files = [0, 0, 0];
  const rows = [0, 0, 0];
  let minSequenceNumber: number | null = null;
  for (const { status, sequenceNumber, file } of entries) {
    summaries.add(file.partition);
    files[status]!++;
    rows[status]! += file.recordCount;
    if (status !== EntryStatus.deleted && sequenceNumber !== null)
      minSequenceNumber = Math.min(minSequenceNumber ?? sequenceNumber, sequenceNumber);
  }
  const metadata = {
    schema: stringifyJson(schema),
    'partition-spec': stringifyJson(spec.fields),
    'partition-spec-id': String(spec['spec-id']),
    'format-version': String(formatVersion),
    content: content === ManifestContent.data ? 'data' : 'deletes',
  };
  const bytes = await encodeAvro(
    manifestSchema(columns, formatVersion),
    metadata,
    records(entries, columns, formatVersion),
  );
  return {
    bytes,
    manifest: {
      location,
      length: bytes.length,
      specId: spec['spec-id'],
      content,
      sequenceNumber: null,
      minSequenceNumber,
      addedSnapshotId: null,
      addedFiles: files[EntryStatus.added]!,
      existingFiles: files[EntryStatus.existing]!,
      deletedFiles: files[EntryStatus.deleted]!,
      addedRows: rows[EntryStatus.added]!,
      existingRows: rows[EntryStatus.existing]!,
      deletedRows: rows[EntryStatus.deleted]!,
      partitions: summaries.result(),
    },
  };
}

/** Encodes and stores a manifest. */
export async function writeManifest(
  io: FileIO,
  location: string,
  entries: readonly ManifestEntry[],
  options: ManifestOptions,
): Promise<ManifestFile> {
  const { bytes, manifest } = await encodeManifest(location, entries, options);
  await io.write(location, bytes);
  return manifest;
}

/**
 * Entries of a manifest with what they inherit from its manifest list entry filled in (Iceberg spec, "Sequence Number
 * Inheritance" and "First Row ID Inheritance").
 */
export async function readManifest(io: FileIO, manifest: ManifestFile): Promise<ManifestEntry[]> {
  const entries = await decodeManifest(await io.read(manifest.location), manifest.location);
  let nextRowId = manifest.content === ManifestContent.data ? (manifest.firstRowId ?? null) : null;
  return entries.map((entry) => {
    let { file } = entry;
    if (nextRowId !== null && entry.status !== EntryStatus.deleted && (file.firstRowId ?? null) === null) {
      file = { ...file, firstRowId: nextRowId };
      nextRowId += file.recordCount;
    }
    return { ...inherited(entry, manifest), file };
  });
}

function inherited(entry: ManifestEntry, manifest: ManifestFile): ManifestEntry {
  return {
    ...entry,
    snapshotId: entry.snapshotId ?? manifest.addedSnapshotId,
    sequenceNumber: entry.sequenceNumber ?? (entry.status === EntryStatus.added ? manifest.sequenceNumber : null),
    fileSequenceNumber:
      entry.fileSequenceNumber ?? (entry.status === EntryStatus.added ? manifest.sequenceNumber : null),
  };
}

/** Entries as they stand in the file, of any writer and format version 1 to 3. In v1 every sequence number is 0. */
export async function decodeManifest(bytes: Uint8Array, location: string): Promise<ManifestEntry[]> {
  const file = await decodeAvro(bytes, location);
  const v1 = (file.metadata.get('format-version') ?? '1') === '1';
  const read = entryReader(file);
  return file.records.map((record) => {
    const entry = read(record);
    return v1 ? { ...entry, sequenceNumber: 0, fileSequenceNumber: 0 } : entry;
  });
}

function* records(
  entries: readonly ManifestEntry[],
  columns: readonly PartitionColumn[],
  formatVersion: number,
): Generator<Record<string, unknown>> {
  for (const { status, snapshotId, sequenceNumber, fileSequenceNumber, file } of entries) {
    const partition: Record<string, unknown> = {};
    for (const column of columns)
      partition[column.name] = avroPartitionValue(file.partition.get(column.id) ?? null, column);
    yield {
      status,
      snapshot_id: snapshotId,
      sequence_number: sequenceNumber,
      file_sequence_number: fileSequenceNumber,
      data_file: {
        content: file.content,
        file_path: file.location,
        file_format: file.format,
        partition,
        record_count: file.recordCount,
        file_size_in_bytes: file.fileSize,
        column_sizes: pairs(file.columnSizes),
        value_counts: pairs(file.valueCounts),
        null_value_counts: pairs(file.nullCounts),
        nan_value_counts: pairs(file.nanCounts),
        lower_bounds: bytePairs(file.lowerBounds),
        upper_bounds: bytePairs(file.upperBounds),
        key_metadata: file.keyMetadata ? asBuffer(file.keyMetadata) : null,
        split_offsets: file.splitOffsets,
        equality_ids: file.equalityIds ?? null,
        sort_order_id: file.sortOrderId,
        referenced_data_file: file.referencedDataFile ?? null,
        ...(formatVersion >= 3 && {
          first_row_id: file.firstRowId ?? null,
          content_offset: file.contentOffset ?? null,
          content_size_in_bytes: file.contentSize ?? null,
        }),
      },
    };
  }
}

function avroPartitionValue(value: PartitionValue, { type }: PartitionColumn): unknown {
  if (!(value instanceof Uint8Array)) return value;
  const decimal = decimalOf(type);
  return asBuffer(decimal ? signExtend(value, decimalBytes(decimal.precision)) : value);
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function pairs(map: ReadonlyMap<number, number> | null): { key: number; value: number }[] | null {
  return map && Array.from(map, ([key, value]) => ({ key, value }));
}

function bytePairs(map: ReadonlyMap<number, Uint8Array> | null): { key: number; value: Buffer }[] | null {
  return map && Array.from(map, ([key, value]) => ({ key, value: asBuffer(value) }));
}

type Reader<T> = (record: Record<string, unknown>) => T;

function entryReader({ schema }: AvroFile): Reader<ManifestEntry> {
  const entry = fieldReader(schema);
  const fileSchema = entry.recordOf(2, 'data_file');
  const read = fileReader(fileSchema);
  return (record) => ({
    status: entry.number(record, 0, 'status') ?? EntryStatus.existing,
    snapshotId: entry.bigint(record, 1, 'snapshot_id'),
    sequenceNumber: entry.number(record, 3, 'sequence_number'),
    fileSequenceNumber: entry.number(record, 4, 'file_sequence_number'),
    file: read(entry.value(record, 2, 'data_file') as Record<string, unknown>),
  });
}

function fileReader(schema: AvroRecordSchema): Reader<DataFile> {
  const file = fieldReader(schema);
  const partition = fieldReader(file.recordOf(102, 'partition'));
  return (record) => ({
    content: file.number(record, 134, 'content') ?? 0,
    location: file.value(record, 100, 'file_path') as string,
    format: String(file.value(record, 101, 'file_format')).toUpperCase(),
    partition: partition.byId(file.value(record, 102, 'partition') as Record<string, unknown>) as ReadonlyMap<
      number,
      PartitionValue
    >,
    recordCount: file.number(record, 103, 'record_count')!,
    fileSize: file.number(record, 104, 'file_size_in_bytes')!,
    columnSizes: file.map<number>(record, 108, 'column_sizes'),
    valueCounts: file.map<number>(record, 109, 'value_counts'),
    nullCounts: file.map<number>(record, 110, 'null_value_counts'),
    nanCounts: file.map<number>(record, 137, 'nan_value_counts'),
    lowerBounds: file.map<Uint8Array>(record, 125, 'lower_bounds'),
    upperBounds: file.map<Uint8Array>(record, 128, 'upper_bounds'),
    keyMetadata: file.value(record, 131, 'key_metadata') as Uint8Array | null,
    splitOffsets: file.value(record, 132, 'split_offsets') as number[] | null,
    equalityIds: file.value(record, 135, 'equality_ids') as number[] | null,
    sortOrderId: file.number(record, 140, 'sort_order_id'),
    firstRowId: file.number(record, 142, 'first_row_id'),
    referencedDataFile: file.value(record, 143, 'referenced_data_file') as string | null,
    contentOffset: file.number(record, 144, 'content_offset'),
    contentSize: file.number(record, 145, 'content_size_in_bytes'),
  });
}
