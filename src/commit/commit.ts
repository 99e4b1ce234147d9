import type { FileMetrics } from '../parquet/parquet.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';

/** Contract of the commit stage: offset ranges with their files in, a receipt out. See DESIGN §1–2. */

/** What became of the offsets of a range; the five add up to `end - start`. */
export interface Accounted {
  rows: number;
  deadLetters: number;
  aborted: number;
  control: number;
  /** Compacted away, or skipped with a recorded gap. */
  absent: number;
}

/** Offsets [start, end) of one partition. */
export interface OffsetRange {
  readonly topic: string;
  readonly partition: number;
  readonly start: number;
  readonly end: number;
  /** Leader epoch of the last batch in the range, or -1. */
  readonly epoch: number;
  readonly accounted: Accounted;
  /** What retention took before it was read: offsets [from, to) inside the range. */
  readonly gaps?: readonly { readonly from: number; readonly to: number; readonly reason: string }[];
}

/** A Parquet file of a checkpoint. `partition` holds the partition tuple by partition field id (values as in the manifest). */
export interface PreparedFile {
  readonly location: string;
  readonly metrics: FileMetrics;
  readonly partition: ReadonlyMap<number, PartitionValue>;
}

/** null, boolean, number (int, date, float, double), bigint (long, timestamp), string, bytes (binary, fixed, uuid, decimal unscaled big-endian). */
export type PartitionValue = null | boolean | number | bigint | string | Uint8Array;

/** A record that could not be represented, whole. */
export interface DeadLetter {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly timestampType: 0 | 1;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[];
  readonly code: string;
  readonly reason: string;
  readonly schemaId: number | null;
}

/** What was cut: input of `prepare`. All its files follow `schemaId` and `specId` of the table. */
export interface Cut {
  readonly ranges: readonly OffsetRange[];
  readonly files: readonly PreparedFile[];
  readonly schemaId: number;
  readonly specId: number;
  readonly deadLetters: readonly DeadLetter[];
  /** Estimate of completeness, ms (`tabletopic.watermark`), or null. */
  readonly watermark: number | null;
}

/** Offsets of one topic as the table states them (`tabletopic.offsets`). Arrays are indexed by partition. */
export interface TopicOffsets {
  readonly id: string;
  readonly cluster: string;
  readonly first: readonly number[];
  readonly next: readonly number[];
  readonly epoch: readonly number[];
  readonly gaps: readonly (readonly [partition: number, from: number, to: number, reason: string])[];
}

export type OffsetsMap = Readonly<Record<string, TopicOffsets>>;

/** What the committer knows of the table after its last load. */
export interface TableState {
  readonly table: LoadedTable;
  /** Null: this table never held offsets (no snapshot of ours). */
  readonly offsets: OffsetsMap | null;
  readonly headSnapshotId: bigint | null;
  readonly lastSequenceNumber: number;
}

/** Proof that a checkpoint is in the table: the only key that moves Kafka offsets (invariant 6). Minted by the committer alone. */
export interface Receipt {
  readonly checkpointId: string;
  readonly snapshotId: bigint;
  readonly ranges: readonly OffsetRange[];
  readonly state: TableState;
}

export type CommitResult =
  | { readonly kind: 'committed'; readonly receipt: Receipt }
  /** Stale, fenced or derived again: nothing of it is in the table under our name; seek to `state.offsets`. */
  | { readonly kind: 'dropped'; readonly reason: string; readonly state: TableState };
