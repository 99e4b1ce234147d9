import { moveBranch } from '../commit/attempt.ts';
import { knownOf } from '../commit/known.ts';
import { OFFSETS, checkpointProperty, decodeStatement, encodeStatement, type Statement } from '../commit/statement.ts';
import { TabletopicError } from '../errors.ts';
import { branchHead, walkAncestors } from '../iceberg/ancestry.ts';
import { type LoadedTable, identText } from '../iceberg/catalog.ts';
import type { Snapshot, TableMetadata } from '../iceberg/metadata.ts';
import { type ChangeTarget, type PlannedChange, commitChange } from './change.ts';
import { assertHead } from './offsets-snapshot.ts';

const MAIN = 'main';

/** What a branch would need to be published by fast-forward. Snapshot ids are texts. */
export interface Publishing {
  /** Main's head; null: main has no snapshot. */
  readonly main: string | null;
  /** Where branch and main part; null: main has no snapshot, or none of main's is in the branch's history. */
  readonly base: string | null;
  /** Main stands at `base`, so that it can be put forward to the branch's head. */
  readonly forward: boolean;
}

export interface ForkOptions extends Pick<ChangeTarget, 'address' | 'ports'> {
  readonly topic: string;
  /** By partition: offsets that are to be read again; null: as much as the log and the history allow. */
  readonly from: ReadonlyMap<number, number> | null;
  /** By partition: where the log begins. */
  readonly logStart: ReadonlyMap<number, number>;
}

/**
 * Begins a branch at a snapshot of main whose offsets are at or before those asked for: the newest such snapshot, or,
 * where nothing is asked for, the oldest that the log can still be read on from. The branch holds main's rows up to
 * there and main's offsets of there (DESIGN §2), so whoever writes it reads again what came after, and main goes on
 * untouched. Does nothing where the branch is there already, or main has no snapshot yet.
 *
 * Rejects with `USAGE` where no snapshot of main will do, and with `OFFSETS_AMBIGUOUS`.
 */
export async function forkBranch(options: ForkOptions): Promise<void> {
  await commitChange(options, (table) => Promise.resolve(planFork(table, options)));
}

/** How the branch stands to main; of a branch that is not there yet: as one that begins where main stands. */
export function publishingOf(metadata: TableMetadata, branch: string): Publishing {
  const main = branchHead(metadata, MAIN);
  if (main === null) return { main: null, base: null, forward: true };
  const theirs = new Set(walkAncestors(metadata, main).ancestors.map((snapshot) => snapshot['snapshot-id']));
  const own = walkAncestors(metadata, branchHead(metadata, branch) ?? main).ancestors;
  const base = own.find((snapshot) => theirs.has(snapshot['snapshot-id']))?.['snapshot-id'] ?? null;
  return { main: String(main), base: base === null ? null : String(base), forward: base === main };
}

function planFork(table: LoadedTable, options: ForkOptions): PlannedChange<null> {
  const {
    address: { branch },
    ports,
  } = options;
  const { metadata } = table;
  const head = branchHead(metadata, MAIN);
  const there = (now: TableMetadata): boolean => branchHead(now, branch) !== null;
  if (there(metadata) || head === null) return { request: null, applied: there, result: null };
  const { snapshot, statement } = choose(table, walkAncestors(metadata, head).ancestors, options);
  const id = snapshot['snapshot-id'];
  return {
    request: {
      // Main may move meanwhile: a snapshot of its history stays what it is.
      requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }, assertHead(metadata, branch)],
      updates: [
        moveBranch(metadata, branch, id),
        // Stated for the branch too, so that an expiry of main's history takes nothing away.
        { action: 'set-properties', updates: { [checkpointProperty(branch)]: encodeStatement(statement, id) } },
      ],
      idempotencyKey: ports.ids.uuid(),
    },
    applied: there,
    result: null,
  };
}

interface Stated {
  readonly snapshot: Snapshot;
  readonly statement: Statement;
}

function choose(table: LoadedTable, ancestors: readonly Snapshot[], options: ForkOptions): Stated {
  const { topic, from, logStart } = options;
  const name = identText(table.ident);
  // Rejects with `OFFSETS_AMBIGUOUS` where main's own cannot be told: then nothing else can either.
  knownOf(table, MAIN);
  const stated = ancestors.flatMap((snapshot): Stated[] => {
    const text = snapshot.summary?.[OFFSETS];
    return text === undefined ? [] : [{ snapshot, statement: decodeStatement(text) }];
  });
  const nextOf = ({ statement }: Stated, partition: number): number =>
    statement.offsets[topic]?.next[partition] ?? logStart.get(partition) ?? 0;
  const within = (candidate: Stated): boolean =>
    [...logStart].every(([partition, start]) => nextOf(candidate, partition) >= start);
  const readable = stated.filter(within);
  const chosen =
    from === null
      ? readable.at(-1)
      : readable.find((candidate) => [...from].every(([partition, offset]) => nextOf(candidate, partition) <= offset));
  if (chosen) return chosen;
  const oldest = readable.at(-1);
  const at = (candidate: Stated): string =>
    [...logStart.keys()].map((partition) => `${partition}:${nextOf(candidate, partition)}`).join(', ');
  throw new TabletopicError(
    'USAGE',
    oldest === undefined
      ? `${name} has no snapshot that a branch could begin at: of those in main’s history none states offsets that the log of ${topic} still holds.`
      : `${name} has no snapshot that stood at or before these offsets: the oldest in main’s history from which ${topic} can still be read on stood at ${at(oldest)}.`,
    {
      hint: 'Begin later (--from), or read into a table of its own (--into, without --branch).',
      where: { table: name, topic },
    },
  );
}
