import type { PartitionValue } from '../columns/partition-value.ts';

/** What manifests and manifest lists hold (Iceberg spec, "Manifests" and "Manifest Lists"), free of Avro. */

export const FileContent = { data: 0, positionDeletes: 1, equalityDeletes: 2 } as const;
export const EntryStatus = { existing: 0, added: 1, deleted: 2 } as const;
export const ManifestContent = { data: 0, deletes: 1 } as const;

/** How the names of our manifests end, as those of Iceberg's own writers do; what stands before it is a UUID. */
export const MANIFEST_SUFFIX = '-m0.avro';

/** A data or delete file. Metrics are keyed by field id and null where the writer left them out. */
export interface DataFile {
  /** `FileContent`. */
  readonly content: number;
  readonly location: string;
  /** `PARQUET`, `AVRO`, `ORC`, `PUFFIN`. */
  readonly format: string;
  /** Partition tuple by partition field id. */
  readonly partition: ReadonlyMap<number, PartitionValue>;
  readonly recordCount: number;
  /** Bytes. */
  readonly fileSize: number;
  readonly columnSizes: ReadonlyMap<number, number> | null;
  readonly valueCounts: ReadonlyMap<number, number> | null;
  readonly nullCounts: ReadonlyMap<number, number> | null;
  readonly nanCounts: ReadonlyMap<number, number> | null;
  /** Single-value serialization (Iceberg spec, Appendix D). */
  readonly lowerBounds: ReadonlyMap<number, Uint8Array> | null;
  readonly upperBounds: ReadonlyMap<number, Uint8Array> | null;
  readonly splitOffsets: readonly number[] | null;
  readonly sortOrderId: number | null;
  readonly keyMetadata?: Uint8Array | null;
  readonly equalityIds?: readonly number[] | null;
  /** Format v3, and position deletes of v2: the one data file that a delete file refers to. */
  readonly referencedDataFile?: string | null;
  /** Format v3: row lineage, and place of a deletion vector in its Puffin file. */
  readonly firstRowId?: number | null;
  readonly contentOffset?: number | null;
  readonly contentSize?: number | null;
}

/** A null snapshot id or sequence number is inherited from the manifest list's entry. */
export interface ManifestEntry {
  /** `EntryStatus`. */
  readonly status: number;
  readonly snapshotId: bigint | null;
  /** Data sequence number. */
  readonly sequenceNumber: number | null;
  readonly fileSequenceNumber: number | null;
  readonly file: DataFile;
}

/** Range of one partition field over a manifest's files; bounds in single-value serialization, of the field's type. */
export interface PartitionSummary {
  readonly containsNull: boolean;
  readonly containsNan: boolean | null;
  readonly lowerBound: Uint8Array | null;
  readonly upperBound: Uint8Array | null;
}

/**
 * One entry of a manifest list. `sequenceNumber` and `addedSnapshotId` are null in a manifest that was written but not
 * committed: `planAppend` fills them in (invariant 5). `minSequenceNumber` null: all its entries inherit.
 */
export interface ManifestFile {
  readonly location: string;
  /** Bytes. */
  readonly length: number;
  readonly specId: number;
  /** `ManifestContent`. */
  readonly content: number;
  readonly sequenceNumber: number | null;
  readonly minSequenceNumber: number | null;
  readonly addedSnapshotId: bigint | null;
  /** Null in lists of format v1 whose writer did not count. */
  readonly addedFiles: number | null;
  readonly existingFiles: number | null;
  readonly deletedFiles: number | null;
  readonly addedRows: number | null;
  readonly existingRows: number | null;
  readonly deletedRows: number | null;
  readonly partitions: readonly PartitionSummary[] | null;
  readonly keyMetadata?: Uint8Array | null;
  /** Format v3. */
  readonly firstRowId?: number | null;
}
