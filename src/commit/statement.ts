import { objectOf } from './json-object.ts';
import { packNumbers, unpackNumbers } from './packed.ts';
import { decodeDeadLetterList, encodeDeadLetterList } from './dead-letter-list.ts';
import type { DeadLetterList } from './dead-letter-list.ts';
import type { OffsetsMap, TopicOffsets } from './commit.ts';

/**
 * The offsets statement: what the table holds at one immutable snapshot (DESIGN §2, schemas/offsets.schema.json).
 *
 * Invariant 1: the table is the checkpoint. The whole map and the whole list of dead-letter checkpoints of the history
 * stand in each snapshot of ours, written in the same atomic commit as the rows.
 *
 * Breaks: test/commit/committer.test.ts, "carries the whole map"; test/commit/formats.test.ts, "comes back";
 * test/commit/traces.sim.test.ts, "by the property and without an anchor", "after rollback, foreign compaction";
 * test/commit/dead-letters.sim.test.ts, "arrives whole in the dead-letter table".
 */
export interface Statement {
  readonly offsets: OffsetsMap;
  readonly deadLetters: DeadLetterList;
}

/** Summary key: the statement about the snapshot itself. */
export const OFFSETS = 'tabletopic.offsets';
/** Summary key: the statement about the snapshot's parent. */
export const OFFSETS_PREV = 'tabletopic.offsets.prev';
/** Summary key: ids of the checkpoints in the snapshot, a JSON array. */
export const CHECKPOINTS = 'tabletopic.checkpoints';
/** Summary key: what became of each range of the snapshot. */
export const ACCOUNTED = 'tabletopic.accounted';
/** Summary key: estimate of completeness, milliseconds. */
export const WATERMARK = 'tabletopic.watermark';
/** Property: the statement about the snapshot that it names. */
export const CHECKPOINT_PROPERTY = 'tabletopic.checkpoint.';
/** Property: for each field id its source path and every name it had: what renames are known by (DESIGN §6). */
export const FIELDS_PROPERTY = 'tabletopic.fields';

export function checkpointProperty(branch: string): string {
  return CHECKPOINT_PROPERTY + branch;
}

/** `about`: the snapshot that the statement is about, where it does not stand in that snapshot itself. */
export function encodeStatement(statement: Statement, about?: bigint): string {
  // Entries, because a topic may be named `__proto__`, which an assignment would take for something else.
  const topics = Object.fromEntries(
    Object.keys(statement.offsets)
      .sort()
      .map((name) => {
        const { id, cluster, first, next, epoch, gaps } = statement.offsets[name]!;
        return [
          name,
          { id, cluster, first: packNumbers(first), next: packNumbers(next), epoch: packNumbers(epoch), gaps },
        ];
      }),
  );
  const deadLetters = encodeDeadLetterList(statement.deadLetters);
  return JSON.stringify({
    v: 1,
    ...(about === undefined ? {} : { snapshot: about.toString() }),
    topics,
    ...(deadLetters === null ? {} : { deadLetters }),
  });
}

/** Throws `SyntaxError` where the text is no statement that this version knows. */
export function decodeStatement(text: string): Statement {
  const json = objectOf(JSON.parse(text), 'the statement');
  if (json['v'] !== 1)
    throw new SyntaxError(`version ${String(json['v'])} is not known to this version of the service`);
  const offsets = Object.fromEntries(
    Object.entries(objectOf(json['topics'], 'topics')).map(([name, value]) => [
      name,
      topicOf(name, objectOf(value, name)),
    ]),
  );
  return { offsets, deadLetters: decodeDeadLetterList(json['deadLetters']) };
}

/** The snapshot that a statement of a property or of `…prev` names; null where it names none. */
export function statementSubject(text: string): bigint | null {
  try {
    const snapshot = objectOf(JSON.parse(text), 'the statement')['snapshot'];
    return typeof snapshot === 'string' && /^-?\d{1,20}$/.test(snapshot) ? BigInt(snapshot) : null;
  } catch {
    return null;
  }
}

export function encodeCheckpoints(ids: readonly string[]): string {
  return JSON.stringify(ids);
}

/** The checkpoint ids of a summary; a text that is no list names none. */
export function decodeCheckpoints(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  try {
    const ids: unknown = JSON.parse(text);
    return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
  } catch {
    return [];
  }
}

function topicOf(name: string, json: Record<string, unknown>): TopicOffsets {
  const { id, cluster } = json;
  if (typeof id !== 'string' || typeof cluster !== 'string')
    throw new SyntaxError(`topic ${name} has no id or no cluster id`);
  const next = unpackNumbers(json['next']);
  const first = unpackNumbers(json['first']);
  const epoch = unpackNumbers(json['epoch']);
  if (first.length !== next.length || epoch.length !== next.length)
    throw new SyntaxError(`the lists of topic ${name} differ in length`);
  for (let p = 0; p < next.length; p++) {
    if (first[p]! < 0 || next[p]! < first[p]!)
      throw new SyntaxError(`partition ${p} of topic ${name} ends before it begins`);
  }
  return { id, cluster, first, next, epoch, gaps: gapsOf(json['gaps'] ?? []) };
}

function gapsOf(json: unknown): TopicOffsets['gaps'] {
  if (!Array.isArray(json)) throw new SyntaxError('gaps are no list');
  return json.map((gap: unknown) => {
    if (!Array.isArray(gap) || gap.length !== 4) throw new SyntaxError('a gap is not [partition, from, to, reason]');
    const [partition, from, to, reason] = gap as unknown[];
    if (![partition, from, to].every((number) => Number.isSafeInteger(number)) || typeof reason !== 'string') {
      throw new SyntaxError('a gap is not [partition, from, to, reason]');
    }
    return [partition as number, from as number, to as number, reason] as const;
  });
}
