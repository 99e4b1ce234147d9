/**
 * Property `tabletopic.adopted`: which offsets of a topic belong to a log that is no more, because the topic was made
 * anew, moved or cut off, and the table goes on with another log under the same name. Rows of both have the same
 * positions; `verify` must know. Each entry counts only while the snapshot that it names is in the history.
 */
export interface Adopted {
  readonly snapshot: bigint;
  readonly topic: string;
  /** Of the log that ended; null where that is not known. */
  readonly id: string | null;
  readonly cluster: string | null;
  /** Offsets [first, next) of that log may be in the table. */
  readonly ended: readonly (readonly [partition: number, first: number, next: number])[];
}

export const ADOPTED = 'tabletopic.adopted';

export function encodeAdopted(entries: readonly Adopted[]): string {
  return JSON.stringify({
    v: 1,
    adopted: entries.map((entry) => ({ ...entry, snapshot: String(entry.snapshot) })),
  });
}

/** A text that this version does not know names none. */
export function decodeAdopted(text: string | undefined): readonly Adopted[] {
  if (text === undefined) return [];
  try {
    const { v, adopted } = JSON.parse(text) as {
      v?: unknown;
      adopted?: (Omit<Adopted, 'snapshot'> & { snapshot: string })[];
    };
    return v === 1 && Array.isArray(adopted)
      ? adopted.map((entry) => ({ ...entry, snapshot: BigInt(entry.snapshot) }))
      : [];
  } catch {
    return [];
  }
}
