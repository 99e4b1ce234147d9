import type { PartitionValue } from '../columns/partition-value.ts';
import type { CreateTableRequest, LoadedTable } from '../iceberg/catalog.ts';
import type { FileMetrics } from '../parquet/parquet.ts';
import type { DeadLetter, OffsetRange } from '../pipeline/ranges.ts';
import type { Schema } from '../schema/types.ts';
import type { DeadLetterList } from './dead-letter-list.ts';
import type { Moment, Prepared } from './prepare.ts';
import type { Receipt } from './commit-loop.ts';
import type { TopicIdentity } from './vector.ts';

export type { Accounted, DeadLetter, OffsetRange } from '../pipeline/ranges.ts';
export type { Prepared } from './prepare.ts';
export type { Receipt } from './commit-loop.ts';
export type { TopicIdentity } from './vector.ts';

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
  /**
   * Before the first of its files was begun: a machine may sleep while they are open, uploaded, or named by the manifest.
   * Left out: there are none, and the age counts from `prepare`.
   */
  readonly begunAt?: Moment;
  /** Estimate of completeness, ms (`tabletopic.watermark`), or null. */
  readonly watermark: number | null;
  /**
   * Topic and cluster ids by topic name, as they were when the ranges were read (TRACES A6); a topic that is left out
   * counts as the one that the committer's `topics` names at `prepare`.
   */
  readonly topics?: Readonly<Record<string, TopicIdentity>>;
  /**
   * Derives again after a conflict (invariant 5): whether the checkpoint still holds for the table as it now is. Left
   * out for appends, which hold wherever their ranges fit; deletes need it.
   */
  readonly derive?: (state: TableState) => Promise<'keep' | 'drop'>;
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
  /** All dead-letter checkpoints of this history. */
  readonly deadLetters: DeadLetterList;
  readonly headSnapshotId: bigint | null;
  readonly lastSequenceNumber: number;
}

export type CommitResult =
  | { readonly kind: 'committed'; readonly receipt: Receipt }
  /** Stale, fenced or derived again: nothing of it is in the table under our name; seek to `state.offsets`. */
  | { readonly kind: 'dropped'; readonly reason: string; readonly state: TableState };

/**
 * The committer of one table and branch. Its calls run one after another, except `prepare`, which only writes files and
 * may run while a checkpoint commits.
 */
export interface Committer {
  /** The last known state; null before `load` or while the table does not exist. */
  readonly state: TableState | null;
  /**
   * Loads the table and its offsets; null when the table does not exist. Rejects with `KAFKA_TOPIC_CHANGED` (a topic or
   * cluster id differs; names both sides), `OFFSETS_AMBIGUOUS`, `TABLE_CHANGED` (another UUID than before),
   * `TABLE_UNSUPPORTED`, and the catalog's own errors.
   */
  load(): Promise<TableState | null>;
  /**
   * Creates the table if it is absent and makes sure that the branch has a first snapshot that carries the offsets
   * `first`: rows are never committed to a table without a snapshot (invariant 3). Of two instances that do this at
   * once one wins, the other loads.
   */
  create(request: CreateTableRequest, first: OffsetsMap): Promise<TableState>;
  /**
   * Adds the topics and partitions that the table's offsets lack, in an empty snapshot: new topics as `first` says,
   * partitions that appear later in a known topic at 0.
   */
  ensureOffsets(first: OffsetsMap): Promise<TableState>;
  /**
   * One schema commit, asserting the current schema and the last field id; after a conflict `derive` is called again
   * with the new state. `derive` answers null when nothing is to change. `fields` goes to `tabletopic.fields`.
   */
  evolve(
    derive: (
      state: TableState,
    ) => { readonly schema: Schema; readonly lastColumnId: number; readonly fields: string } | null,
  ): Promise<TableState>;
  /** One commit of table properties, derived again on each state that is found; null: nothing is to change. */
  properties(
    derive: (
      state: TableState,
    ) => { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] } | null,
  ): Promise<TableState>;
  /** Writes the manifest and the dead-letter source file, once (invariant 5). */
  prepare(cut: Cut): Promise<Prepared>;
  /**
   * Tries until the checkpoint is committed or no longer can be. Rejects with a code of policy `retry` when the catalog
   * or the store is away, or after 20 attempts (`COMMIT_CONFLICT`, `COMMIT_UNKNOWN`), and with the signal's reason when
   * it aborts; the same checkpoint may then be given again.
   */
  commit(prepared: Prepared, signal?: AbortSignal): Promise<CommitResult>;
  /** Loads again: for the idle timer and `--until-caught-up`. Anchors the statement on a foreign head (DESIGN §2). */
  refresh(): Promise<TableState>;
  /** Ends waiting attempts and the projection of dead letters; safe to call twice. */
  close(): Promise<void>;
}
