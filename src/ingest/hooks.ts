import type { TabletopicError } from '../errors.ts';

/** What happens to a table, for telemetry. Counted when it is final: rows when they are committed, not when written. */
export interface IngestHooks {
  /** `digitsCut`: values that lost digits beyond microseconds (`nanos: micros`). */
  records(topic: string, records: number, bytes: number, digitsCut: number): void;
  /** Values of dropped columns that were not written (`onDropped: ignore`). */
  ignored(values: number): void;
  /** `bytes`: of the data files; `deadLetters`: how many by error code. */
  committed(content: {
    readonly rows: number;
    readonly files: number;
    readonly bytes: number;
    readonly seconds: number;
    readonly deadLetters: ReadonlyMap<string, number>;
  }): void;
  /** A checkpoint that was dropped; its offsets are read again. */
  dropped(): void;
  /** Something that the table needs failed and is tried again; null: it works again. */
  problem(error: TabletopicError | null): void;
  /** A request failed and is tried again. */
  retried(error: TabletopicError): void;
  stopped(error: TabletopicError): void;
}
