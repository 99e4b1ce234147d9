import type { ErrorCode } from '../errors.ts';

/**
 * Contract of what is measured. Every event is about something that happened and will not be done again for the same
 * records: a row is counted when it is committed, not when it is written. Labels are bounded: tables, topics, and the
 * codes and outcomes named here. Gauges (lag, freshness, buffers) are read from `ServiceStatus` when they are asked for.
 */
export interface Telemetry {
  /** Fetched and parsed; records read again after a seek count again. */
  recordsRead(topic: string, records: number, bytes: number): void;
  /** Values of which digits beyond microseconds were cut (`nanos: micros`). */
  digitsCut(table: string, values: number): void;
  /** Values of columns that were dropped from the table and are not written (`onDropped: ignore`). */
  ignored(table: string, values: number): void;
  /** Rows of a committed checkpoint, with its data files and their bytes; `seconds` from the cut's last file to the receipt. */
  committed(table: string, rows: number, files: number, bytes: number, seconds: number): void;
  deadLetters(table: string, code: ErrorCode | (string & {}), count: number): void;
  /** One attempt at the catalog, or a checkpoint that was not attempted because it no longer may be. */
  commitAttempt(table: string, outcome: CommitAttemptOutcome): void;
  /** A checkpoint that will not be committed: its range is read again. */
  checkpointDropped(table: string): void;
  /** A request that failed and is tried again. */
  retried(dependency: 'kafka' | 'registry' | 'catalog' | 'storage', code: ErrorCode): void;
  rebalanced(): void;
}

export type CommitAttemptOutcome = 'committed' | 'conflict' | 'unknown' | 'dropped';
