import type { ErrorCode } from '../errors.ts';

/** What the running service says about itself: `/status`, the page, the gauges and the terminal all show this. */
export interface ServiceStatus extends ServiceFacts {
  readonly ready: boolean;
  /** Why it is not ready; one sentence each. Empty when ready. */
  readonly reasons: readonly string[];
}

/** What the service knows; `withReadiness` (health.ts) judges it. Times are wall clock, ms since the epoch. */
export interface ServiceFacts {
  readonly version: string;
  readonly now: number;
  readonly startedAt: number;
  readonly uptimeSeconds: number;
  /** Not everything that is needed has been reached yet: no group has been joined. */
  readonly starting: boolean;
  /** Drain has begun: no new records are read. */
  readonly draining: boolean;
  readonly recordsRead: number;
  readonly bytesRead: number;
  /** Over the last seconds. */
  readonly recordsPerSecond: number;
  readonly bufferBytes: number;
  readonly memoryBytes: number;
  readonly dependencies: readonly DependencyStatus[];
  readonly tables: readonly TableStatus[];
  /** Topics that a rule names and that do not exist. */
  readonly missingTopics: readonly string[];
}

export interface DependencyStatus {
  /** `kafka`, `registry`, `storage`, `catalog lake`. */
  readonly name: string;
  readonly up: boolean;
  /** When it went up or down. */
  readonly since: number;
  readonly error: ErrorStatus | null;
}

export interface ErrorStatus {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly at: number;
}

/**
 * - `starting`: its offsets are being read from the table;
 * - `reading`: behind the end of its topics;
 * - `caught-up`: at the end of its topics;
 * - `retrying`: something it needs is down;
 * - `stopped`: waits for a person (`error` says for what);
 * - `idle`: no partition of it is assigned to this instance.
 */
export type TableState = 'starting' | 'reading' | 'caught-up' | 'retrying' | 'stopped' | 'idle';

export interface TableStatus {
  /** `namespace.name`. */
  readonly table: string;
  readonly catalog: string;
  readonly topics: readonly string[];
  readonly state: TableState;
  readonly error: ErrorStatus | null;
  /** Rows that this instance has committed since its start. */
  readonly rows: number;
  /** Dead letters that this instance has committed since its start. */
  readonly deadLetters: number;
  /** Partitions assigned to this instance. */
  readonly partitions: readonly PartitionStatus[];
  /** Sum over `partitions`. */
  readonly lagRecords: number;
  /** Age of the oldest record that is in a topic and not in the table; 0 when caught up; null while unknown. */
  readonly lagSeconds: number | null;
  /** Since the newest snapshot; null before the first. */
  readonly freshnessSeconds: number | null;
  /** `tabletopic.watermark`: the table is complete up to here, by record timestamps. */
  readonly watermark: number | null;
  readonly lastCommit: number | null;
  /** Decimal digits: 63-bit ids do not fit a JSON number. */
  readonly lastSnapshotId: string | null;
  readonly schemaId: number | null;
  readonly commitIntervalSeconds: number;
  /** When the oldest record that is read and not committed was read; null when there is none. */
  readonly uncommittedSince: number | null;
  readonly bufferBytes: number;
  /** Topics that are paused for the table because too many of their records are dead letters (`maxDeadLetterRate`). */
  readonly paused: readonly PausedStatus[];
  /** Schema changes that wait for approval, with partitions of this instance behind them. */
  readonly waiting: readonly WaitingStatus[];
}

export interface PausedStatus {
  readonly topic: string;
  readonly since: number;
  /** Of the record that was one too many, and is not read yet. */
  readonly code: string;
  readonly reason: string;
  readonly partition: number;
  readonly offset: number;
}

export interface WaitingStatus {
  readonly id: string;
  /** `schema 12`, or `records` where there is no schema. */
  readonly schema: string;
  /** One sentence each. */
  readonly changes: readonly string[];
  readonly since: number;
  /** `topic-partition`: what waits behind the change. */
  readonly partitions: readonly string[];
  /** What lets it through. */
  readonly command: string;
}

export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  /** Offset after the last one accounted for in the table; null while unknown. */
  readonly next: number | null;
  /** Last stable offset or high watermark, as isolation has it; null while unknown. */
  readonly end: number | null;
  readonly lag: number | null;
}
