import { TabletopicError } from '../errors.ts';
import { readList } from './dead-letter-list-files.ts';
import { replaysOf } from './dead-letter-list.ts';
import { readDeadLetterRows } from './dead-letter-reader.ts';
import { LetterSet } from './letter-set.ts';
import { deadLetterLocation } from './locations.ts';
import { branchHead, snapshotsById } from './lookup.ts';
import { incrementsOf, writeOwnManifest } from './prepare.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { ReplayClaim } from './checkpoint.ts';
import type { PreparedFile, TableState } from './commit.ts';
import type { DeadLetterEntry, DeadLetterList } from './dead-letter-list.ts';
import type { DeadLetterRow } from './dead-letter-schema.ts';
import type { Moment, Prepared } from './prepare.ts';
import type { Replayed } from './replayed.ts';

/**
 * Replay: dead letters that are tried again and become rows, each at most once, whatever else goes on with the table.
 *
 * The offset of a dead letter is accounted for already, and `next` stands behind it: the compare-and-swap on offsets
 * (invariant 2) cannot guard it. What guards it is the list of dead letters, which is part of the same statement:
 *
 * 1. One load of the table (the *base*: its head, its list, its last sequence number L) decides which records are dead:
 *    those of the source files that the list names, without those that a replay in the list has taken out.
 * 2. Those chosen are decoded as any record. What fails again stays dead; nothing is written about it.
 * 3. One commit to the main table adds the data file of the rows and appends to the list an entry `replay` that names
 *    them (checkpoint, topic, partition, offset): rows and list change together, or neither does. The offsets stay.
 * 4. It is a checkpoint as any other: own id, L, age, spec and schema (invariants 3 to 5), looked up by its id after an
 *    unknown outcome. In place of ranges it claims, on every attempt, that the records are dead still (`replayStands`):
 *    - the base's head is an ancestor of the branch's head: so the list at the head is the list of the base and what
 *      was appended since, for within one history nothing leaves it; and
 *    - the list holds no more replays than the base's: so none of what was appended took them.
 *    Else it is dropped, and what is dead is looked up anew. Of two replays that race one is committed, the other chooses
 *    again, and finds what the first took no longer dead. A rollback takes rows and entry back together. A process that
 *    dies leaves either both or orphans. Checkpoints of running services go on: they begin where the offsets stand, and
 *    those have not moved.
 * 5. The dead-letter table follows as a projection of the list: it loses the rows that the entry names (`projection.ts`).
 */
export interface ReplayCut {
  /** The state that the dead letters were chosen on. */
  readonly base: TableState;
  readonly files: readonly PreparedFile[];
  /** Which of them became rows: as many as the files hold. */
  readonly letters: LetterSet;
  /** The list's entries of the letters' checkpoints. */
  readonly entries: readonly DeadLetterEntry[];
  readonly schemaId: number;
  readonly specId: number;
  /** When the first file was begun: writing the manifest may be tried again for long. */
  readonly begunAt: Moment;
}

/** A checkpoint that `Committer.commit` takes. `state`: the table as it is now, with the schema that the files follow. */
export async function prepareReplay(
  cut: ReplayCut,
  state: Pick<TableState, 'table'>,
  { io, ports }: { readonly io: FileIO; readonly ports: Ports },
): Promise<Prepared> {
  const { base, files, letters, schemaId, specId } = cut;
  const { metadata } = state.table;
  const rows = files.reduce((sum, file) => sum + file.metrics.recordCount, 0);
  if (rows !== letters.size || rows === 0 || base.headSnapshotId === null)
    throw new TabletopicError('INTERNAL', `${letters.size} dead letters are replayed, the files hold ${rows} rows`);
  const id = ports.ids.uuid();
  const file = deadLetterLocation(metadata, `replay-${id}.json`);
  const taken = takenOf(letters, cut.entries);
  const [manifest] = await Promise.all([
    writeOwnManifest(id, { files, schemaId, specId }, state, io),
    io.write(file, letters.encode()),
  ]);
  return {
    id,
    cut: {
      ranges: [],
      files,
      schemaId,
      specId,
      deadLetters: [],
      watermark: null,
      // Others cannot check the claim by what a pending object says: it is never offered to them.
      derive: () => Promise.resolve('keep'),
    },
    tableUuid: base.table.metadata['table-uuid'],
    lastSequenceNumber: base.lastSequenceNumber,
    topics: {},
    ranges: [],
    schemaId,
    specId,
    manifest,
    increments: incrementsOf(files),
    watermark: null,
    deadLetters: {
      checkpointId: id,
      file,
      count: rows,
      ranges: taken.map(({ topic, partition, start, end }) => [topic, partition, start, end] as const),
      replay: true,
    },
    replay: { base: base.headSnapshotId, replays: replaysOf(base.deadLetters), taken },
    preparedAt: cut.begunAt,
    attempts: { snapshotIds: [], files: [], unknown: false, published: false },
  };
}

/** Whether what a replay has chosen is dead still. Pure. */
export function replayStands(
  claim: ReplayClaim,
  { table: { metadata, partial }, deadLetters }: Pick<TableState, 'table' | 'deadLetters'>,
  branch: string,
): { readonly kind: 'stands' } | { readonly kind: 'partial' } | { readonly kind: 'void'; readonly reason: string } {
  const snapshots = snapshotsById(metadata);
  const seen = new Set<bigint>();
  let id = branchHead(metadata, branch);
  // The base may have expired: then the walk breaks exactly there.
  while (id !== null && id !== claim.base && !seen.has(id)) {
    seen.add(id);
    const snapshot = snapshots.get(id);
    if (snapshot === undefined)
      return partial ? { kind: 'partial' } : { kind: 'void', reason: `the history since ${claim.base} is broken` };
    id = snapshot['parent-snapshot-id'] ?? null;
  }
  if (id !== claim.base)
    return { kind: 'void', reason: `the table was put back to before snapshot ${claim.base}, where they were chosen` };
  const replays = replaysOf(deadLetters);
  return replays === claim.replays
    ? { kind: 'stands' }
    : { kind: 'void', reason: 'another replay was committed since they were chosen' };
}

/** The dead letters of one checkpoint that are dead by a list. */
export interface DeadCheckpoint {
  readonly entry: DeadLetterEntry;
  readonly rows: readonly DeadLetterRow[];
}

/** What is dead by a list, checkpoint by checkpoint, oldest first. `skip` rules checkpoints out by their ranges alone. */
export async function* deadByList(
  list: DeadLetterList,
  io: FileIO,
  skip: (entry: DeadLetterEntry) => boolean = () => false,
): AsyncGenerator<DeadCheckpoint> {
  const entries = await readList(list, io);
  const replayed = await readReplays(
    entries.filter(({ replay }) => replay),
    io,
  );
  for (const entry of entries) {
    if (entry.replay || skip(entry)) continue;
    const { rows } = await readDeadLetterRows(io, entry.file, `${entry.count} dead letters`);
    const dead = rows.filter((row) => !replayed.has(row));
    if (dead.length > 0) yield { entry, rows: dead };
  }
}

/** What these replays took, together. Rejects with `DEAD_LETTERS_UNREADABLE`. */
export async function readReplays(entries: readonly DeadLetterEntry[], io: FileIO): Promise<LetterSet> {
  const all = new LetterSet();
  for (const { file, count } of entries) {
    try {
      const letters = LetterSet.decode(await io.read(file));
      if (letters.size !== count) throw new SyntaxError(`it names ${letters.size} records, ${count} are listed`);
      all.addAll(letters);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TabletopicError(
        'DEAD_LETTERS_UNREADABLE',
        `${file} names ${count} dead letters that became rows and cannot be read: ${reason}`,
        { cause, where: { file } },
      );
    }
  }
  return all;
}

/** How many letters lie in which range of which checkpoint. */
function takenOf(letters: LetterSet, entries: readonly DeadLetterEntry[]): Replayed[] {
  const counted = new Map<string, { range: Omit<Replayed, 'rows'>; rows: number }>();
  const byId = new Map(entries.map((entry) => [entry.checkpointId, entry]));
  for (const { checkpointId, topic, partition, offset } of letters) {
    const range = byId
      .get(checkpointId)
      ?.ranges.find(([name, of, start, end]) => name === topic && of === partition && start <= offset && offset < end);
    if (range === undefined)
      throw new TabletopicError(
        'INTERNAL',
        `offset ${offset} of ${topic}-${partition} is in no range of ${checkpointId}`,
      );
    const key = JSON.stringify([checkpointId, ...range]);
    const found = counted.get(key);
    if (found) found.rows++;
    else counted.set(key, { range: { checkpointId, topic, partition, start: range[2], end: range[3] }, rows: 1 });
  }
  return [...counted.values()].map(({ range, rows }) => ({ ...range, rows }));
}
