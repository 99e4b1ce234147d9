import type { FileMetrics } from '../parquet/parquet.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';

import type { PartitionValue } from '../columns/partition-value.ts';
import type { DeadLetter, OffsetRange } from '../pipeline/ranges.ts';

export type { Accounted, DeadLetter, OffsetRange } from '../pipeline/ranges.ts';

/** Contract of the commit stage: offset ranges with their files in, a receipt out. See DESIGN §1–2. */

/** A Parquet file of a checkpoint. `partition` holds the partition tuple by partition field id (values as in the manifest). */
export interface PreparedFile {
  readonly location: string;
  readonly metrics: FileMetrics;
  readonly partition: ReadonlyMap<number, PartitionValue>;
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
