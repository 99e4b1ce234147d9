import { type AccountedRange } from '../commit/accounted.ts';
import { moveBranch } from '../commit/attempt.ts';
import type { OffsetsMap, TopicOffsets } from '../commit/commit.ts';
import { type Known, knownOf } from '../commit/known.ts';
import { branchHead, lookupStatement, offsetsKeys } from '../commit/lookup.ts';
import { OFFSETS, checkpointProperty, encodeStatement } from '../commit/statement.ts';
import { changedTopic } from '../commit/vector.ts';
import { TabletopicError } from '../errors.ts';
import { walkAncestors } from '../iceberg/ancestry.ts';
import { type LoadedTable, identText } from '../iceberg/catalog.ts';
import type { Snapshot } from '../iceberg/metadata.ts';
import { type ChangeTarget, type PlannedChange, commitChange } from './change.ts';
import { assertHead, planOffsetsSnapshot, standingAt } from './offsets-snapshot.ts';
import type { LogBounds, TopicLog } from './topic-log.ts';
import type { OtherWriter } from './verify.ts';

/** A snapshot of the branch's history: by id, or the one that was the head at a time (ms). */
export type RollbackTo = { readonly snapshotId: bigint } | { readonly at: number };

export interface RollbackResult {
  readonly table: string;
  readonly branch: string;
  /** The head before. */
  readonly from: string;
  /** The snapshot that the branch was put back to, and its time, ms. */
  readonly to: string;
  readonly toTime: number;
  /** The head after: `to`, or an empty snapshot on top of it that records what is lost. */
  readonly head: string;
  /** Where partitions stood, and where they are read again from. */
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly from: number;
    readonly to: number;
  }[];
  /** Snapshots of other writers that are undone, newest first. */
  readonly others: readonly OtherWriter[];
  /** Offsets [from, to) that the log no longer has, given up by `acceptLoss`. */
  readonly lost: readonly Lost[];
  readonly warnings: readonly string[];
}

export interface Lost {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

export interface RollbackOptions extends ChangeTarget {
  readonly to: RollbackTo;
  readonly log: TopicLog;
  /** Goes on where the log begins, and records the gap. */
  readonly acceptLoss: boolean;
}

/** Newest snapshots that an error names. */
const named = 5;

/**
 * Puts a branch back to a snapshot of its history, and with it the offsets: the service, running or not, reads again from
 * there. The offsets at the snapshot are stated about it in the same commit, so that no later expiry takes them away.
 *
 * Rejects with `USAGE` (not a snapshot of this history), `OFFSETS_AMBIGUOUS` (no offsets are known for it),
 * `KAFKA_OFFSETS_DELETED` (records after it are gone from the log, without `acceptLoss`), `KAFKA_TOPIC_CHANGED` and
 * `KAFKA_TOPIC_MISSING`.
 *
 * Breaks: test/maintain/rollback.test.ts, "its offsets are stated about it", "is refused, with the offsets".
 */
export function rollbackTable(options: RollbackOptions): Promise<RollbackResult> {
  return commitChange(options, (table) => planRollback(table, options));
}

async function planRollback(table: LoadedTable, options: RollbackOptions): Promise<PlannedChange<RollbackResult>> {
  const {
    address: { branch },
    log,
    ports,
  } = options;
  const { metadata } = table;
  const head = branchHead(metadata, branch);
  const { ancestors } = walkAncestors(metadata, head);
  const target = choose(ancestors, options, identText(table.ident));
  const id = target['snapshot-id'];
  const base = stateAt(table, branch, target);
  const offsets = base.offsets!;
  checkTopics(offsets, log, table);
  const bounds = await boundsOf(offsets, log);
  const lost = lostRanges(offsets, bounds);
  if (lost.length > 0 && !options.acceptLoss) throw deleted(lost, table, id);

  const before = currentOffsets(table, branch);
  const undone = ancestors.slice(0, ancestors.indexOf(target));
  const others = undone.flatMap(otherWriter);
  const result: Omit<RollbackResult, 'head'> = {
    table: identText(table.ident),
    branch,
    from: String(head),
    to: String(id),
    toTime: target['timestamp-ms'],
    partitions: moves(before, offsets, lost),
    others,
    lost,
    warnings: [...warningsOf(others), ...startsAnew(before, offsets), ...aboveEnd(offsets, bounds)],
  };
  if (lost.length > 0)
    return planOffsetsSnapshot(
      options,
      table,
      base,
      { offsets: skipLost(offsets, lost), ranges: lost.map(absent) },
      (snapshotId) => ({
        ...result,
        head: String(snapshotId),
      }),
    );
  return {
    request:
      head === id
        ? null
        : {
            requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }, assertHead(metadata, branch)],
            updates: [
              moveBranch(metadata, branch, id),
              {
                action: 'set-properties',
                updates: { [checkpointProperty(branch)]: encodeStatement(base.statement!, id) },
              },
            ],
            idempotencyKey: ports.ids.uuid(),
          },
    applied: (now) => branchHead(now, branch) === id,
    result: { ...result, head: String(id) },
  };
}

function choose(ancestors: readonly Snapshot[], { to, address }: RollbackOptions, table: string): Snapshot {
  const found =
    'at' in to
      ? ancestors.find((snapshot) => snapshot['timestamp-ms'] <= to.at)
      : ancestors.find((snapshot) => snapshot['snapshot-id'] === to.snapshotId);
  if (found) return found;
  const known = ancestors
    .slice(0, named)
    .map((snapshot) => `${snapshot['snapshot-id']} (${new Date(snapshot['timestamp-ms']).toISOString()})`);
  throw new TabletopicError(
    'USAGE',
    'at' in to
      ? `${table} has no snapshot as old as ${new Date(to.at).toISOString()} in the history of branch ${address.branch}.`
      : `Snapshot ${to.snapshotId} is not in the history of branch ${address.branch} of ${table}.`,
    {
      hint:
        known.length === 0
          ? 'The branch has no snapshot.'
          : `The newest of its ${ancestors.length}: ${known.join(', ')}.`,
      where: { table },
    },
  );
}

/** The state at the snapshot; its offsets must be known, for without them nothing says where to read again. */
function stateAt(table: LoadedTable, branch: string, target: Snapshot): Known {
  const at = standingAt(table, branch, target['snapshot-id']);
  const known = lookupStatement(at, branch, offsetsKeys).kind === 'found' ? knownOf(at, branch) : null;
  if (known !== null) return known;
  throw new TabletopicError(
    'OFFSETS_AMBIGUOUS',
    `No offsets are known for snapshot ${target['snapshot-id']} of ${identText(table.ident)}: it is from before the first ones, or those that it had have expired.`,
    {
      hint: 'Choose a newer snapshot, or put the table back with another engine and say where to go on: `tabletopic adopt --offsets`.',
      where: { table: identText(table.ident), snapshot: target['snapshot-id'] },
    },
  );
}

function checkTopics(offsets: OffsetsMap, log: TopicLog, { ident }: LoadedTable): void {
  const changed = changedTopic(offsets, log.identities);
  if (changed !== null)
    throw new TabletopicError(
      'KAFKA_TOPIC_CHANGED',
      `At that snapshot ${identText(ident)} was fed from topic ${changed.topic} with id ${changed.table.id} of cluster ${changed.table.cluster}; Kafka now has id ${changed.kafka.id} of cluster ${changed.kafka.cluster}: its records cannot be read again.`,
      { where: { table: identText(ident), topic: changed.topic } },
    );
  const missing = Object.keys(offsets).find((topic) => log.identities[topic] === undefined);
  if (missing !== undefined)
    throw new TabletopicError(
      'KAFKA_TOPIC_MISSING',
      `Topic ${missing}, which fed the table, is gone: its records cannot be read again.`,
      {
        where: { table: identText(ident), topic: missing },
      },
    );
}

type Bounds = ReadonlyMap<string, LogBounds>;

async function boundsOf(offsets: OffsetsMap, log: TopicLog): Promise<Bounds> {
  const partitions = Object.entries(offsets).flatMap(([topic, { next }]) =>
    next.flatMap((_, partition) => (partition < (log.partitions[topic] ?? 0) ? [{ topic, partition }] : [])),
  );
  const bounds = await log.bounds(partitions);
  return new Map(partitions.map(({ topic, partition }, i) => [`${topic}[${partition}]`, bounds[i]!]));
}

function lostRanges(offsets: OffsetsMap, bounds: Bounds): Lost[] {
  return Object.entries(offsets).flatMap(([topic, { next }]) =>
    next.flatMap((from, partition) => {
      const start = bounds.get(`${topic}[${partition}]`)?.start ?? 0;
      return from < start ? [{ topic, partition, from, to: start }] : [];
    }),
  );
}

function deleted(lost: readonly Lost[], { ident }: LoadedTable, snapshotId: bigint): TabletopicError {
  const ranges = lost.map(({ topic, partition, from, to }) => `${topic}[${partition}] ${from} to ${to - 1}`);
  return new TabletopicError(
    'KAFKA_OFFSETS_DELETED',
    `After a rollback to ${snapshotId} these offsets would have to be read again, and the log no longer has them: ${ranges.join(', ')}.`,
    {
      hint: 'Choose a newer snapshot, or give them up with --accept-loss: the gap is then recorded in the table.',
      where: { table: identText(ident), snapshot: snapshotId },
    },
  );
}

/** The offsets with what is lost recorded as gaps. An epoch of records that are gone says nothing about those that follow. */
function skipLost(offsets: OffsetsMap, lost: readonly Lost[]): OffsetsMap {
  return Object.fromEntries(
    Object.entries(offsets).map(([name, topic]): [string, TopicOffsets] => {
      const own = lost.filter((range) => range.topic === name);
      const at = (partition: number): Lost | undefined => own.find((range) => range.partition === partition);
      return [
        name,
        {
          ...topic,
          next: topic.next.map((next, partition) => at(partition)?.to ?? next),
          epoch: topic.epoch.map((epoch, partition) => (at(partition) ? -1 : epoch)),
          gaps: [...topic.gaps, ...own.map(({ partition, from, to }) => [partition, from, to, 'rollback'] as const)],
        },
      ];
    }),
  );
}

export function absent({ topic, partition, from, to }: Lost): AccountedRange {
  const accounted = { rows: 0, deadLetters: 0, aborted: 0, control: 0, absent: to - from };
  return { topic, partition, start: from, end: to, accounted };
}

/** What the head states; null where that is not known, which is no reason not to go back. */
function currentOffsets(table: LoadedTable, branch: string): OffsetsMap | null {
  return lookupStatement(table, branch, offsetsKeys).kind === 'found'
    ? (knownOf(table, branch)?.offsets ?? null)
    : null;
}

function moves(before: OffsetsMap | null, after: OffsetsMap, lost: readonly Lost[]): RollbackResult['partitions'] {
  return Object.entries(after).flatMap(([topic, { next }]) =>
    next.map((to, partition) => ({
      topic,
      partition,
      from: before?.[topic]?.next[partition] ?? to,
      to: lost.find((range) => range.topic === topic && range.partition === partition)?.to ?? to,
    })),
  );
}

function otherWriter({ summary = {}, ...snapshot }: Snapshot): OtherWriter[] {
  if (summary[OFFSETS] !== undefined) return [];
  return [
    {
      snapshotId: String(snapshot['snapshot-id']),
      operation: summary['operation'] ?? 'append',
      addedRows: Number(summary['added-records'] ?? 0),
      removedRows: Number(summary['deleted-records'] ?? 0),
    },
  ];
}

function warningsOf(others: readonly OtherWriter[]): string[] {
  return others.map(({ snapshotId, operation, addedRows, removedRows }) => {
    const back = removedRows > addedRows ? '; rows that it deleted come back' : '';
    const gone = operation === 'append' && addedRows > 0 ? '; the rows that it added are gone' : '';
    return `snapshot ${snapshotId} of another writer is undone: ${operation}, ${addedRows} rows added, ${removedRows} removed${back}${gone}`;
  });
}

function startsAnew(before: OffsetsMap | null, after: OffsetsMap): string[] {
  return Object.keys(before ?? {})
    .filter((topic) => after[topic] === undefined)
    .map((topic) => `topic ${topic} did not feed the table then: it begins again by startFrom`);
}

function aboveEnd(offsets: OffsetsMap, bounds: Bounds): string[] {
  return Object.entries(offsets).flatMap(([topic, { next }]) =>
    next.flatMap((offset, partition) => {
      const end = bounds.get(`${topic}[${partition}]`)?.end;
      return end !== undefined && offset > end
        ? [
            `${topic}[${partition}] ends at ${end}, and the table then stood at ${offset}: the log was truncated; see \`tabletopic adopt\``,
          ]
        : [];
    }),
  );
}
