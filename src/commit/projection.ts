import { TabletopicError, asTabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { Backoff } from './backoff.ts';
import { isEmptyList } from './dead-letter-list.ts';
import { readList } from './dead-letter-list-files.ts';
import {
  SOURCE_PROPERTY,
  coveredBy,
  createRequest,
  decideByRows,
  statementProperty,
  statementText,
} from './dead-letter-table.ts';
import { MAX_CHECKPOINT_AGE } from './judge.ts';
import { loadKnown } from './known.ts';
import { LetterSet } from './letter-set.ts';
import { ageOf, momentOf } from './prepare.ts';
import { planProjection } from './projection-plan.ts';
import { readReplays } from './replay.ts';
import type { Catalog, CommitRequest, LoadedTable, TableIdent } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { DeadLetterEntry, DeadLetterList } from './dead-letter-list.ts';
import type { Known } from './known.ts';
import type { LetterId } from './letter-set.ts';
import type { ProjectionChanges } from './projection-plan.ts';

export interface ProjectionOptions {
  readonly catalog: Catalog;
  readonly main: TableIdent;
  readonly target: TableIdent;
  readonly io: (table: LoadedTable) => FileIO;
  readonly ports: Ports;
}

export interface ProjectionResult {
  /** The list at the main head, which the dead-letter table now holds. */
  readonly list: DeadLetterList;
  /** Checkpoints. */
  readonly added: number;
  readonly removed: number;
}

/** `<table>_dead_letters`, beside the table. */
export function deadLetterIdent(main: TableIdent): TableIdent {
  return { namespace: main.namespace, name: `${main.name}_dead_letters` };
}

/**
 * The dead-letter table as a projection of the list at the main head, by anyone, at any time.
 *
 * Invariants (DESIGN §2, TRACES):
 * - the dead-letter table is loaded before main, and neither is ever taken from memory;
 * - what the list has and the table's own statement lacks is added, what the statement has and the list lacks is
 *   removed, in one commit that asserts the head and carries the next sequence number, and states the whole list;
 * - only where the statement is ambiguous do the checkpoint ids of the rows decide: rows that a user deletes stay deleted;
 * - rows are copied into a new data file at each attempt; no data file is ever committed twice, nor one that was begun an
 *   hour ago;
 * - removal is by row, never by file name, never inferred from missing ancestors;
 * - records that a replay of the list made rows of the main table are not in the dead-letter table; where a rollback took
 *   the replay back, they are there again (not where rows alone decide: then they would bring back what a user deleted).
 *
 * Breaks: test/commit/dead-letters.sim.test.ts, "loads its own table before main",
 * "does not bring back what a user deleted", "adds again what is gone", "does not undo a rollback", "removes by row",
 * "is not committed after a machine slept", "A5: a decoder that changes".
 */
export class DeadLetterProjection {
  readonly #options: ProjectionOptions;

  constructor(options: ProjectionOptions) {
    this.#options = options;
  }

  /**
   * Rejects where a file that is needed cannot be read (`DEAD_LETTERS_UNREADABLE`): the projection waits, not the table.
   * `signal` ends it before another attempt, not within one.
   */
  async run(signal: AbortSignal): Promise<ProjectionResult> {
    const { catalog, main, target, ports } = this.#options;
    const backoff = new Backoff(ports, 100, 5_000);
    for (;;) {
      const begunAt = momentOf(ports);
      const table = await catalog.loadTable(target, 'all');
      const source = await loadKnown({ catalog, ident: main, branch: 'main' });
      if (source === null)
        throw new TabletopicError('TABLE_NOT_FOUND', `${identText(main)} does not exist`, {
          where: { table: identText(main) },
        });
      if (table === null) {
        if (isEmptyList(source.deadLetters)) return { list: source.deadLetters, added: 0, removed: 0 };
        await this.#create(source);
        continue;
      }
      const step = await this.#step(table, source);
      if (step.request === null) return { list: source.deadLetters, added: 0, removed: 0 };
      // A machine that slept: the files of the request may have been taken for orphans.
      if (ageOf(begunAt, ports) >= MAX_CHECKPOINT_AGE) continue;
      const { outcome } = await catalog.commit(target, step.request);
      if (outcome === 'committed' && step.final)
        return { list: source.deadLetters, added: step.added, removed: step.removed };
      // Committed, an empty first snapshot: goes on at once. Conflict or unknown: all is loaded and decided anew.
      if (outcome !== 'committed') await backoff.wait(signal);
    }
  }

  async #step(table: LoadedTable, source: Known): Promise<Step> {
    const { io, ports, target } = this.#options;
    const name = identText(target);
    const { metadata } = table;
    const owner = metadata.properties?.[SOURCE_PROPERTY];
    const uuid = source.table.metadata['table-uuid'];
    if (owner !== uuid) {
      throw new TabletopicError(
        'TABLE_CHANGED',
        `${name} holds the dead letters of ${owner === undefined ? 'no table of this service' : `table ${owner}`}; the table now has UUID ${uuid}`,
        {
          where: { table: name },
          hint: 'Rename or drop the dead-letter table: it belongs to a table that was dropped or replaced. A new one is then made.',
        },
      );
    }
    const files = io(table);
    const lists = io(source.table);
    const covered = coveredBy(table);
    if (covered.kind === 'none') {
      const plan = await planProjection({
        table,
        io: files,
        sources: lists,
        ports,
        list: { inline: [], older: null },
        ...nothing,
      });
      return { request: plan, final: false, added: 0, removed: 0 };
    }
    const changes =
      covered.kind === 'rows'
        ? await rowDifference(await readList(source.deadLetters, lists), await decideByRows(table, files), lists)
        : await listDifference(source.deadLetters, covered.list, lists);
    if (isNothing(changes)) {
      return {
        request: covered.kind === 'list' && covered.anchored ? null : this.#anchor(table, source.deadLetters),
        final: true,
        added: 0,
        removed: 0,
      };
    }
    const request = await planProjection({
      table,
      io: files,
      sources: lists,
      ports,
      list: source.deadLetters,
      ...changes,
    });
    return { request, final: true, added: changes.add.length, removed: changes.remove.size };
  }

  /** States the list about the head, in a property only. */
  #anchor({ metadata }: LoadedTable, list: DeadLetterList): CommitRequest {
    const head = metadata.refs!['main']!['snapshot-id'];
    return {
      requirements: [
        { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': head },
      ],
      updates: [{ action: 'set-properties', updates: { [statementProperty]: statementText(list, head) } }],
      idempotencyKey: this.#options.ports.ids.uuid(),
    };
  }

  async #create(source: Known): Promise<void> {
    try {
      await this.#options.catalog.createTable(this.#options.target, createRequest(source.table.metadata['table-uuid']));
    } catch (error) {
      if (asTabletopicError(error).code !== 'TABLE_EXISTS') throw error;
    }
  }
}

interface Step {
  /** Null: nothing to do. */
  readonly request: CommitRequest | null;
  readonly final: boolean;
  readonly added: number;
  readonly removed: number;
}

const nothing: ProjectionChanges = {
  add: [],
  remove: new Set(),
  replayed: new LetterSet(),
  returned: new LetterSet(),
  returnedFrom: [],
};

function isNothing({ add, remove, replayed, returned }: ProjectionChanges): boolean {
  return add.length === 0 && remove.size === 0 && replayed.size === 0 && returned.size === 0;
}

/** List files are read only where the two lists do not name the same one. */
export async function listDifference(
  wanted: DeadLetterList,
  covered: DeadLetterList,
  io: FileIO,
): Promise<ProjectionChanges> {
  if (wanted.older?.file === covered.older?.file) {
    // A replay of the inline part may have taken records of older checkpoints.
    const older = await olderOf(wanted, covered, io);
    return difference([...older, ...wanted.inline], [...older, ...covered.inline], io);
  }
  return difference(await readList(wanted, io), await readList(covered, io), io);
}

/** The older entries that both lists share, where a replay was taken back and its records' source files are needed. */
async function olderOf(wanted: DeadLetterList, covered: DeadLetterList, io: FileIO): Promise<DeadLetterEntry[]> {
  const kept = new Set(wanted.inline.map((entry) => entry.checkpointId));
  const undone = covered.inline.some((entry) => entry.replay && !kept.has(entry.checkpointId));
  return undone ? readList({ inline: [], older: wanted.older }, io) : [];
}

async function difference(
  wanted: readonly DeadLetterEntry[],
  covered: readonly DeadLetterEntry[],
  io: FileIO,
): Promise<ProjectionChanges> {
  const had = new Set(covered.map((entry) => entry.checkpointId));
  const want = new Set(wanted.map((entry) => entry.checkpointId));
  const added = wanted.filter((entry) => !had.has(entry.checkpointId));
  const gone = covered.filter((entry) => !want.has(entry.checkpointId));
  const [taken, undone] = await Promise.all([
    readReplays(
      added.filter((entry) => entry.replay),
      io,
    ),
    readReplays(
      gone.filter((entry) => entry.replay),
      io,
    ),
  ]);
  // A record that one replay had taken and another took again after a rollback was not there, and is not there.
  const both = (letter: LetterId): boolean => had.has(letter.checkpointId) && want.has(letter.checkpointId);
  const returned = new LetterSet().addAll([...undone].filter((letter) => both(letter) && !taken.has(letter)));
  return {
    add: added.filter((entry) => !entry.replay),
    remove: new Set(gone.flatMap((entry) => (entry.replay ? [] : entry.checkpointId))),
    replayed: new LetterSet().addAll([...taken].filter((letter) => !undone.has(letter))),
    returned,
    returnedFrom: wanted.filter((entry) => returned.hasCheckpoint(entry.checkpointId)),
  };
}

/** A checkpoint of which any row is there counts as covered. */
async function rowDifference(
  wanted: readonly DeadLetterEntry[],
  covered: ReadonlySet<string>,
  io: FileIO,
): Promise<ProjectionChanges> {
  const want = new Set(wanted.map((entry) => entry.checkpointId));
  return {
    ...nothing,
    add: wanted.filter((entry) => !entry.replay && !covered.has(entry.checkpointId)),
    remove: new Set([...covered].filter((id) => !want.has(id))),
    replayed: await readReplays(
      wanted.filter((entry) => entry.replay),
      io,
    ),
  };
}
