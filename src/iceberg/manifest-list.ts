import type { FileIO } from '../io/file-io.ts';
import { decodeAvro, encodeAvro } from './avro-file.ts';
import { fieldReader } from './avro-fields.ts';
import { manifestListSchema } from './manifest-schema.ts';
import type { ManifestFile, PartitionSummary } from './manifest-types.ts';

export interface ManifestListOptions {
  readonly snapshotId: bigint;
  readonly parentSnapshotId: bigint | null;
  readonly sequenceNumber: number;
  readonly formatVersion: number;
  /** Format v3: first row id of the snapshot. */
  readonly firstRowId?: number | null;
}

/** Encodes a manifest list. Every entry must have its snapshot id, sequence numbers and counts. */
export async function encodeManifestList(
  manifests: readonly ManifestFile[],
  options: ManifestListOptions,
): Promise<Uint8Array> {
  const { snapshotId, parentSnapshotId, sequenceNumber, formatVersion, firstRowId } = options;
  const metadata = {
    'snapshot-id': String(snapshotId),
    'parent-snapshot-id': String(parentSnapshotId),
    'sequence-number': String(sequenceNumber),
    'format-version': String(formatVersion),
    ...(formatVersion >= 3 && { 'first-row-id': String(firstRowId ?? 0) }),
  };
  return encodeAvro(
    manifestListSchema(formatVersion),
    metadata,
    manifests.map((manifest) => ({
      manifest_path: manifest.location,
      manifest_length: manifest.length,
      partition_spec_id: manifest.specId,
      content: manifest.content,
      sequence_number: manifest.sequenceNumber,
      min_sequence_number: manifest.minSequenceNumber,
      added_snapshot_id: manifest.addedSnapshotId,
      added_files_count: manifest.addedFiles,
      existing_files_count: manifest.existingFiles,
      deleted_files_count: manifest.deletedFiles,
      added_rows_count: manifest.addedRows,
      existing_rows_count: manifest.existingRows,
      deleted_rows_count: manifest.deletedRows,
      partitions: manifest.partitions && manifest.partitions.map(avroSummary),
      key_metadata: buffer(manifest.keyMetadata),
      ...(formatVersion >= 3 && { first_row_id: manifest.firstRowId ?? null }),
    })),
  );
}

/** Reads a manifest list of any writer and format version. */
export async function readManifestList(io: FileIO, location: string): Promise<ManifestFile[]> {
  const { schema, records } = await decodeAvro(await io.read(location), location);
  const list = fieldReader(schema);
  const summary = fieldReader(list.recordOf(507, 'partitions'));
  return records.map((record) => ({
    location: list.value(record, 500, 'manifest_path') as string,
    length: list.number(record, 501, 'manifest_length')!,
    specId: list.number(record, 502, 'partition_spec_id') ?? 0,
    content: list.number(record, 517, 'content') ?? 0,
    sequenceNumber: list.number(record, 515, 'sequence_number') ?? 0,
    minSequenceNumber: list.number(record, 516, 'min_sequence_number') ?? 0,
    addedSnapshotId: list.bigint(record, 503, 'added_snapshot_id'),
    addedFiles: list.number(record, 504, 'added_files_count'),
    existingFiles: list.number(record, 505, 'existing_files_count'),
    deletedFiles: list.number(record, 506, 'deleted_files_count'),
    addedRows: list.number(record, 512, 'added_rows_count'),
    existingRows: list.number(record, 513, 'existing_rows_count'),
    deletedRows: list.number(record, 514, 'deleted_rows_count'),
    partitions:
      (list.value(record, 507, 'partitions') as Record<string, unknown>[] | null)?.map((part): PartitionSummary => ({
        containsNull: Boolean(summary.value(part, 509, 'contains_null')),
        containsNan: summary.value(part, 518, 'contains_nan') as boolean | null,
        lowerBound: summary.value(part, 510, 'lower_bound') as Uint8Array | null,
        upperBound: summary.value(part, 511, 'upper_bound') as Uint8Array | null,
      })) ?? null,
    keyMetadata: list.value(record, 519, 'key_metadata') as Uint8Array | null,
    firstRowId: list.number(record, 520, 'first_row_id'),
  }));
}

function avroSummary(summary: PartitionSummary): Record<string, unknown> {
  return {
    contains_null: summary.containsNull,
    contains_nan: summary.containsNan,
    lower_bound: buffer(summary.lowerBound),
    upper_bound: buffer(summary.upperBound),
  };
}

function buffer(bytes: Uint8Array | null | undefined): Buffer | null {
  return bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : null;
}
