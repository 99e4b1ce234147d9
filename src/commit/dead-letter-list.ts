import { objectOf } from './json-object.ts';

/**
 * The list of all dead-letter checkpoints of a history (DESIGN §2, schemas/dead-letters.schema.json). It is a log: an entry
 * says that records of a checkpoint are dead, or (`replay`) that some of them became rows after all (`replay.ts`).
 *
 * Invariant: no entry ever leaves the list, neither because the dead-letter table was seen to hold it nor because its
 * snapshot expired, nor because its records were replayed. Only a rollback of the table takes entries back, with the
 * statement they stand in.
 *
 * Breaks: test/commit/dead-letters.sim.test.ts, "all of them in what it names".
 */
export interface DeadLetterList {
  /** The latest ones, oldest first; at most `INLINE_ENTRIES`. */
  readonly inline: readonly DeadLetterEntry[];
  /** Where all older ones stand; null: there are none. */
  readonly older: OlderDeadLetters | null;
}

export interface DeadLetterEntry {
  readonly checkpointId: string;
  /** The Parquet source file, or the file that names what was replayed. It never enters a table: an expiry there would delete it. */
  readonly file: string;
  /** Records in the file. */
  readonly count: number;
  /** Ranges of the checkpoint that have dead letters, or the ranges in which they were replayed. */
  readonly ranges: readonly (readonly [topic: string, partition: number, start: number, end: number])[];
  /** The records that the file names are no longer dead: this checkpoint made them rows. */
  readonly replay?: true;
}

/** A list file, its whole content with what it names in turn. Never changed once written. */
export interface OlderDeadLetters {
  readonly file: string;
  readonly checkpoints: number;
  /** Dead letters, without those that were replayed. */
  readonly count: number;
  /** How many of the entries are replays; left out: none. */
  readonly replays?: number;
}

/** Content of a list file. */
export interface DeadLetterListFile {
  readonly entries: readonly DeadLetterEntry[];
  readonly older: OlderDeadLetters | null;
}

export const INLINE_ENTRIES = 64;
export const noDeadLetters: DeadLetterList = { inline: [], older: null };

export function isEmptyList(list: DeadLetterList): boolean {
  return list.inline.length === 0 && list.older === null;
}

/** Records that are dead by the whole list. */
export function deadLetterCount({ inline, older }: DeadLetterList): number {
  return inline.reduce((sum, entry) => sum + netCount(entry), older?.count ?? 0);
}

/** What an entry adds to the number of dead letters. */
export function netCount({ count, replay }: DeadLetterEntry): number {
  return replay ? -count : count;
}

/** Replays of the whole list: along one history the number only grows. */
export function replaysOf({ inline, older }: DeadLetterList): number {
  return inline.reduce((sum, { replay }) => sum + (replay ? 1 : 0), older?.replays ?? 0);
}

/** Null for an empty list, which statements leave out. */
export function encodeDeadLetterList(list: DeadLetterList): Record<string, unknown> | null {
  if (isEmptyList(list)) return null;
  return { inline: list.inline.map(encodeDeadLetterEntry), ...(list.older === null ? {} : { older: list.older }) };
}

/** Throws `SyntaxError` where this is no list. */
export function decodeDeadLetterList(json: unknown): DeadLetterList {
  if (json === undefined) return noDeadLetters;
  const list = objectOf(json, 'deadLetters');
  return { inline: entriesOf(list['inline']), older: olderOf(list['older']) };
}

export function encodeListFile(file: DeadLetterListFile): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({
      v: 1,
      entries: file.entries.map(encodeDeadLetterEntry),
      ...(file.older === null ? {} : { older: file.older }),
    }),
  );
}

export function decodeListFile(bytes: Uint8Array): DeadLetterListFile {
  const json = objectOf(JSON.parse(new TextDecoder().decode(bytes)), 'the list file');
  if (json['v'] !== 1) throw new SyntaxError(`version ${String(json['v'])} of a list file is not known`);
  return { entries: entriesOf(json['entries']), older: olderOf(json['older']) };
}

export function encodeDeadLetterEntry(entry: DeadLetterEntry): Record<string, unknown> {
  const { checkpointId: id, file, count, ranges, replay } = entry;
  return { id, file, count, ranges, ...(replay ? { replay } : {}) };
}

function entriesOf(json: unknown): DeadLetterEntry[] {
  if (!Array.isArray(json)) throw new SyntaxError('dead-letter checkpoints are no list');
  return json.map(decodeDeadLetterEntry);
}

/** Throws `SyntaxError` where this is no entry. */
export function decodeDeadLetterEntry(json: unknown): DeadLetterEntry {
  const { id, file, count, ranges, replay } = objectOf(json, 'a dead-letter checkpoint');
  if (typeof id !== 'string' || typeof file !== 'string' || !Number.isSafeInteger(count) || !Array.isArray(ranges)) {
    throw new SyntaxError('a dead-letter checkpoint lacks id, file, count or ranges');
  }
  if (replay !== undefined && replay !== true) throw new SyntaxError('a dead-letter checkpoint is a replay or none');
  return { checkpointId: id, file, count: count as number, ranges: ranges.map(rangeOf), ...(replay ? { replay } : {}) };
}

function rangeOf(json: unknown): DeadLetterEntry['ranges'][number] {
  if (Array.isArray(json) && json.length === 4) {
    const [topic, ...numbers] = json as unknown[];
    if (typeof topic === 'string' && numbers.every((number) => Number.isSafeInteger(number))) {
      return [topic, numbers[0] as number, numbers[1] as number, numbers[2] as number];
    }
  }
  throw new SyntaxError('a range is not [topic, partition, start, end]');
}

function olderOf(json: unknown): OlderDeadLetters | null {
  if (json === undefined) return null;
  const { file, checkpoints, count, replays = 0 } = objectOf(json, 'older');
  if (![checkpoints, count, replays].every((number) => Number.isSafeInteger(number)) || typeof file !== 'string') {
    throw new SyntaxError('older lacks file, checkpoints or count');
  }
  return {
    file,
    checkpoints: checkpoints as number,
    count: count as number,
    ...(replays === 0 ? {} : { replays: replays as number }),
  };
}
