import { TabletopicError } from '../errors.ts';
import { INLINE_ENTRIES, decodeListFile, encodeListFile, netCount } from './dead-letter-list.ts';
import type { FileIO } from '../io/file-io.ts';
import type { DeadLetterEntry, DeadLetterList, DeadLetterListFile, OlderDeadLetters } from './dead-letter-list.ts';

/** Entries that stay in the statement when the list moves its older ones to a file. */
const KEPT_INLINE = 16;
/** A list file is copied into its successor up to this many entries; a fuller one is named by it. */
const FULL_LIST_FILE = 4096;

export interface AppendedList {
  readonly list: DeadLetterList;
  /** The list file that was written, if any. */
  readonly written: string | null;
}

/**
 * The list with one more entry. When the statement is full its oldest entries go, with those of the list file so far,
 * to a new list file. One that cannot be read is named by the new one instead: it must not hold up the table.
 */
export async function appendToList(
  list: DeadLetterList,
  entry: DeadLetterEntry,
  io: FileIO,
  newFile: () => string,
): Promise<AppendedList> {
  const inline = [...list.inline, entry];
  if (inline.length <= INLINE_ENTRIES) return { list: { ...list, inline }, written: null };
  const moved = inline.splice(0, inline.length - KEPT_INLINE);
  const before = list.older === null ? null : await joinable(list.older, io);
  const content: DeadLetterListFile =
    before === null
      ? { entries: moved, older: list.older }
      : { entries: [...before.entries, ...moved], older: before.older };
  const file = newFile();
  await io.write(file, encodeListFile(content));
  const replays = moved.reduce((sum, { replay }) => sum + (replay ? 1 : 0), list.older?.replays ?? 0);
  const older: OlderDeadLetters = {
    file,
    checkpoints: (list.older?.checkpoints ?? 0) + moved.length,
    count: moved.reduce((sum, entry) => sum + netCount(entry), list.older?.count ?? 0),
    ...(replays === 0 ? {} : { replays }),
  };
  return { list: { inline, older }, written: file };
}

/** All entries of a list, oldest first. Rejects with `DEAD_LETTERS_UNREADABLE` where a list file cannot be read. */
export async function readList(list: DeadLetterList, io: FileIO): Promise<DeadLetterEntry[]> {
  const parts: (readonly DeadLetterEntry[])[] = [list.inline];
  for (let older = list.older; older !== null;) {
    const content: DeadLetterListFile = await readListFile(older, io);
    parts.push(content.entries);
    older = content.older;
  }
  return parts.reverse().flat();
}

async function joinable(older: OlderDeadLetters, io: FileIO): Promise<DeadLetterListFile | null> {
  try {
    const content = await readListFile(older, io);
    return content.entries.length < FULL_LIST_FILE ? content : null;
  } catch {
    return null;
  }
}

async function readListFile(older: OlderDeadLetters, io: FileIO): Promise<DeadLetterListFile> {
  try {
    return decodeListFile(await io.read(older.file));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TabletopicError(
      'DEAD_LETTERS_UNREADABLE',
      `the list file ${older.file} names ${older.checkpoints} checkpoints with ${older.count} dead letters and cannot be read: ${reason}`,
      { cause, where: { file: older.file } },
    );
  }
}
