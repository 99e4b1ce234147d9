import { type DeadLetterList, noDeadLetters } from '../commit/dead-letter-list.ts';
import type { OffsetsMap, TopicIdentity, TopicOffsets } from '../commit/commit.ts';
import { type Known, knownOf } from '../commit/known.ts';
import { branchHead, lookupStatement, offsetsKeys } from '../commit/lookup.ts';
import { type Statement, checkpointProperty, decodeStatement } from '../commit/statement.ts';
import { TabletopicError } from '../errors.ts';
import { type LoadedTable, identText } from '../iceberg/catalog.ts';
import { ADOPTED, type Adopted, decodeAdopted, encodeAdopted } from './adopted.ts';
import { type ChangeTarget, type PlannedChange, commitChange } from './change.ts';
import { planOffsetsSnapshot } from './offsets-snapshot.ts';
import { type Lost, absent } from './rollback.ts';
import type { TopicLog } from './topic-log.ts';

/**
 * Where to go on: the log's start or end, where the table stands (or last said that it did), or an offset for each partition,
 * by its number where one topic is adopted and by `topic:partition` where several are.
 */
export type AdoptOffsets = 'earliest' | 'latest' | 'table' | ReadonlyMap<number | `${string}:${number}`, number>;

export interface AdoptOptions extends ChangeTarget {
  /** The topics that feed the table by its rule. */
  readonly topics: readonly string[];
  /** Only this one; null: those that changed. */
  readonly topic: string | null;
  /** Null: where the table stands, which is right only where the topic is the same and the cluster has another id. */
  readonly offsets: AdoptOffsets | null;
  readonly log: TopicLog;
}

export interface AdoptResult {
  readonly table: string;
  readonly branch: string;
  /** The empty snapshot that states the new ids and offsets; null: there was nothing to adopt. */
  readonly snapshotId: string | null;
  readonly topics: readonly AdoptedTopic[];
  /** Offsets of the same log that are left out, recorded as gaps. */
  readonly skipped: readonly Lost[];
}

export interface AdoptedTopic {
  readonly topic: string;
  /** What the table was fed from; null where that is not known. */
  readonly before: TopicIdentity | null;
  readonly after: TopicIdentity;
  /** `from`: where the table stood, `to`: where it goes on. */
  readonly partitions: readonly { readonly partition: number; readonly from: number | null; readonly to: number }[];
}

/**
 * Accepts a topic that was made anew, a cluster that has moved, or a log that was cut off, in an empty snapshot that states
 * the ids and offsets to go on with. Also the remedy where the table's own offsets are ambiguous.
 *
 * Rejects with `USAGE` (no such topic, offsets left out or incomplete), `KAFKA_OFFSETS_DELETED` and `KAFKA_LOG_TRUNCATED`
 * (an offset outside of the log), `KAFKA_TOPIC_MISSING`.
 */
export function adoptTopics(options: AdoptOptions): Promise<AdoptResult> {
  return commitChange(options, (table) => planAdopt(table, options));
}

async function planAdopt(table: LoadedTable, options: AdoptOptions): Promise<PlannedChange<AdoptResult>> {
  const { address, log } = options;
  const base = baseOf(table, address.branch);
  const stated = base.statement?.offsets ?? null;
  const last = stated ?? lastStated(table, address.branch)?.offsets ?? null;
  const chosen = choose(table, stated, options);
  const result = { table: identText(table.ident), branch: address.branch };
  if (chosen.length === 0)
    return { request: null, applied: () => false, result: { ...result, snapshotId: null, topics: [], skipped: [] } };

  const offsets: Record<string, TopicOffsets> = { ...stated };
  const topics: AdoptedTopic[] = [];
  const skipped: Lost[] = [];
  const ended: Omit<Adopted, 'snapshot'>[] = [];
  for (const topic of chosen) {
    const step = await adoptTopic(topic, last?.[topic] ?? null, stated !== null, chosen.length === 1, options);
    offsets[topic] = step.offsets;
    skipped.push(...step.skipped);
    if (step.ended.length > 0)
      ended.push({ topic, id: last?.[topic]?.id ?? null, cluster: last?.[topic]?.cluster ?? null, ended: step.ended });
    topics.push({
      topic,
      before: last?.[topic] ? { id: last[topic].id, cluster: last[topic].cluster } : null,
      after: log.identities[topic]!,
      partitions: step.offsets.next.map((to, partition) => ({
        partition,
        from: last?.[topic]?.next[partition] ?? null,
        to,
      })),
    });
  }
  const known = decodeAdopted(table.metadata.properties?.[ADOPTED]);
  return planOffsetsSnapshot(
    options,
    table,
    stated === null ? { ...base, deadLetters: withoutReread(base.deadLetters, offsets) } : base,
    {
      offsets,
      ranges: skipped.map(absent),
      ...(ended.length === 0
        ? {}
        : {
            properties: (snapshot: bigint) => ({
              [ADOPTED]: encodeAdopted([...known, ...ended.map((entry) => ({ ...entry, snapshot }))]),
            }),
          }),
    },
    (snapshotId): AdoptResult => ({ ...result, snapshotId: String(snapshotId), topics, skipped }),
  );
}

/** The state at the head; where its offsets are ambiguous, with none, and with the dead letters that were last stated. */
function baseOf(table: LoadedTable, branch: string): Known {
  const looked = lookupStatement(table, branch, offsetsKeys);
  const known = looked.kind === 'found' ? knownOf(table, branch) : null;
  if (known !== null) return known;
  if (looked.kind === 'never' && !looked.held)
    throw new TabletopicError(
      'USAGE',
      `${identText(table.ident)} (${branch}) never held offsets: there is nothing to adopt.`,
      {
        hint: 'The service begins such a table by `startFrom`.',
        where: { table: identText(table.ident) },
      },
    );
  return {
    table,
    statement: null,
    offsets: null,
    // Put back to before the first offsets, there were no dead letters either.
    deadLetters: (looked.kind === 'ambiguous' ? lastStated(table, branch)?.deadLetters : null) ?? noDeadLetters,
    anchored: false,
    headSnapshotId: branchHead(table.metadata, branch),
    lastSequenceNumber: table.metadata['last-sequence-number'],
  };
}

/**
 * What was last said may be of a history that is gone. Of its checkpoints those that begin where the table now goes on, or
 * later, are read again: their dead letters would be there twice.
 */
function withoutReread(list: DeadLetterList, offsets: OffsetsMap): DeadLetterList {
  return {
    ...list,
    inline: list.inline.filter(({ ranges }) =>
      ranges.every(([topic, partition, start]) => start < (offsets[topic]?.next[partition] ?? Infinity)),
    ),
  };
}

/** What the property says, whichever snapshot it is about. */
function lastStated({ metadata }: LoadedTable, branch: string): Statement | null {
  const text = metadata.properties?.[checkpointProperty(branch)];
  try {
    return text === undefined ? null : decodeStatement(text);
  } catch {
    return null;
  }
}

function choose(
  table: LoadedTable,
  stated: OffsetsMap | null,
  { topics, topic, offsets, log }: AdoptOptions,
): readonly string[] {
  const where = { table: identText(table.ident) };
  if (topic !== null && !topics.includes(topic))
    throw new TabletopicError('USAGE', `Topic ${topic} does not feed ${where.table}.`, {
      hint: `Its topics: ${topics.join(', ')}.`,
      where,
    });
  // Without known offsets every topic needs some, in one snapshot: one that it does not name would be read from its beginning.
  if (stated === null && topic !== null && topics.length > 1)
    throw new TabletopicError(
      'USAGE',
      `Where ${where.table} stands is not known of any of its topics: adopt all of them at once.`,
      {
        hint: `Leave out --topic, and say --offsets ${topics.map((name) => `${name}:0:OFFSET`).join(',')},…, or earliest, latest, table.`,
        where,
      },
    );
  const candidates =
    topic !== null ? [topic] : stated === null ? topics : topics.filter((name) => stated[name] !== undefined);
  const missing = candidates.find((name) => log.identities[name] === undefined);
  if (missing !== undefined)
    throw new TabletopicError('KAFKA_TOPIC_MISSING', `Topic ${missing} does not exist.`, {
      where: { ...where, topic: missing },
    });
  if (topic !== null || stated === null) return candidates;
  const changed = candidates.filter((name) => !sameIdentity(stated[name]!, log.identities[name]!));
  return changed.length > 0 || offsets === null || offsets === 'table' ? changed : candidates;
}

function sameIdentity(a: TopicIdentity, b: TopicIdentity): boolean {
  return a.id === b.id && a.cluster === b.cluster;
}

interface TopicStep {
  readonly offsets: TopicOffsets;
  readonly skipped: readonly Lost[];
  readonly ended: Adopted['ended'];
}

/**
 * @param stated whether `before` holds at the head, or is only what was last said.
 * @param alone whether this is the only topic that is adopted.
 */
async function adoptTopic(
  topic: string,
  before: TopicOffsets | null,
  stated: boolean,
  alone: boolean,
  options: AdoptOptions,
): Promise<TopicStep> {
  const { log } = options;
  const identity = log.identities[topic]!;
  const partitions = Array.from({ length: log.partitions[topic]! }, (_, partition) => ({ topic, partition }));
  const bounds = await log.bounds(partitions);
  const next = bounds.map((bound, partition) => offsetFor(topic, partition, before, bound, alone, options));
  next.forEach((offset, partition) => checkInside(topic, partition, offset, bounds[partition]!));
  const same = before !== null && stated && sameIdentity(before, identity);
  const skipped: Lost[] = [];
  const ended: (readonly [number, number, number])[] = [];
  const first = next.map((offset, partition) => {
    const stood = before?.next[partition];
    // What came before cannot be known where the table's own offsets cannot: anything up to the end of the log.
    if (!stated) ended.push([partition, 0, Math.max(stood ?? 0, offset, bounds[partition]!.end)]);
    if (stood === undefined || !stated) return offset;
    if (same && offset > stood) skipped.push({ topic, partition, from: stood, to: offset });
    if (offset === stood || (same && offset > stood)) return before!.first[partition]!;
    ended.push([partition, before!.first[partition]!, stood]);
    return offset;
  });
  // Partitions that the new topic does not have.
  if (stated)
    for (let partition = next.length; partition < (before?.next.length ?? 0); partition++)
      ended.push([partition, before!.first[partition]!, before!.next[partition]!]);
  const gaps = skipped.map(({ partition, from, to }) => [partition, from, to, 'adopt'] as const);
  return {
    offsets: {
      ...identity,
      first,
      next,
      // An epoch of another log, or of one that was cut off, says nothing.
      epoch: next.map(() => -1),
      gaps: [...(same ? before.gaps : []), ...gaps],
    },
    skipped,
    ended,
  };
}

function offsetFor(
  topic: string,
  partition: number,
  before: TopicOffsets | null,
  { start, end }: { readonly start: number; readonly end: number },
  alone: boolean,
  { offsets, log }: AdoptOptions,
): number {
  if (offsets === 'earliest') return start;
  if (offsets === 'latest') return end;
  const where = { topic, partition };
  if (typeof offsets === 'object' && offsets !== null) {
    const named = offsets.get(`${topic}:${partition}`) ?? (alone ? offsets.get(partition) : undefined);
    if (named !== undefined) return named;
    throw new TabletopicError('USAGE', `--offsets names no offset for partition ${partition} of ${topic}.`, {
      hint: alone ? 'Write 0:OFFSET,1:OFFSET,….' : 'Several topics are adopted: write TOPIC:PARTITION:OFFSET,….',
      where,
    });
  }
  if (offsets === null && before?.id !== log.identities[topic]!.id)
    throw new TabletopicError(
      'USAGE',
      `Topic ${topic} is another one than the table was fed from: say where to go on in it.`,
      {
        hint: 'Add --offsets earliest (all that it holds), latest, table (it is a copy with the same offsets) or 0:OFFSET,1:OFFSET,….',
        where,
      },
    );
  // A partition that the table does not know yet begins with its log.
  if (before !== null) return before.next[partition] ?? start;
  throw new TabletopicError('USAGE', `It is not known where the table stood in ${topic}: say where to go on.`, {
    hint: 'Add --offsets earliest, latest or 0:OFFSET,1:OFFSET,….',
    where,
  });
}

function checkInside(
  topic: string,
  partition: number,
  offset: number,
  { start, end }: { start: number; end: number },
): void {
  if (offset >= start && offset <= end) return;
  throw new TabletopicError(
    offset < start ? 'KAFKA_OFFSETS_DELETED' : 'KAFKA_LOG_TRUNCATED',
    `${topic}[${partition}] holds offsets ${start} to ${end}, and offset ${offset} is to be read next.`,
    {
      hint: 'Choose offsets that the log holds: --offsets earliest, latest or 0:OFFSET,1:OFFSET,….',
      where: { topic, partition, offset, logStart: start, logEnd: end },
    },
  );
}
