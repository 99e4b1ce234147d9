import type { ManifestFile } from '../iceberg/manifest-types.ts';
import type { OffsetRange } from './commit.ts';
import type { DeadLetterEntry } from './dead-letter-list.ts';
import type { Replayed } from './replayed.ts';
import type { TopicIdentity } from './vector.ts';

/**
 * A checkpoint as far as anyone needs it to commit it: what its owner remembers and what a pending object states.
 *
 * Invariant 3: it remembers the table's last sequence number at the cut, the topic and cluster ids and the time (the age is
 * given beside it, as its owner and others know it differently). Invariant 5: its manifest was written once.
 */
export interface Checkpoint {
  readonly id: string;
  readonly tableUuid: string;
  /** L: the table's last sequence number at the cut. */
  readonly lastSequenceNumber: number;
  /** By topic name, for all topics of the ranges. */
  readonly topics: Readonly<Record<string, TopicIdentity>>;
  /** All are committed together, or none. */
  readonly ranges: readonly OffsetRange[];
  readonly schemaId: number;
  readonly specId: number;
  /** Null for a checkpoint without rows. Its snapshot id and sequence numbers are null: inherited. */
  readonly manifest: ManifestFile | null;
  readonly increments: Increments;
  /** Milliseconds, or null. */
  readonly watermark: number | null;
  readonly deadLetters: DeadLetterEntry | null;
  /** Its rows are dead letters that are tried again, and it has no ranges. */
  readonly replay?: ReplayClaim;
}

/** What must still hold for a replay to be committed: see `replay.ts`. */
export interface ReplayClaim {
  /** Head of the branch when the dead letters were chosen. */
  readonly base: bigint;
  /** Replays in the list of that head. */
  readonly replays: number;
  readonly taken: readonly Replayed[];
}

/** What a checkpoint adds to the totals of a snapshot summary. */
export interface Increments {
  readonly files: number;
  readonly records: number;
  /** Bytes. */
  readonly size: number;
  /** A text for each partition tuple that has files. */
  readonly partitions: readonly string[];
}
