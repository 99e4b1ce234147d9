/** What workers report of the offsets that they took: the pipeline's side of a checkpoint. */

/** What became of the offsets of a range; all together add up to `end - start`. */
export interface Accounted {
  rows: number;
  deadLetters: number;
  aborted: number;
  control: number;
  /** Compacted away, or skipped with a recorded gap. */
  absent: number;
  /** Records that another table of the topic takes (`route`); left out: none. */
  elsewhere?: number;
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
