import type { OffsetRange, OffsetsMap, TopicOffsets } from './commit.ts';

/**
 * Pure operations on the offset vector of a table.
 *
 * Invariant 2: a checkpoint applies only if each of its ranges begins exactly where the vector stands, all or nothing.
 *
 * Breaks: test/commit/vector.test.ts, "is all or nothing", "a partition that appears later at 0", "records gaps";
 * test/commit/traces.sim.test.ts, "of which one is fenced is dropped whole",
 * "the old topic’s checkpoint fits by its offsets".
 */

/** What a topic is, beside its name: a topic that was deleted and created again has another id (KIP-516). */
export interface TopicIdentity {
  /** Topic UUID. */
  readonly id: string;
  readonly cluster: string;
}

export type Applied =
  | { readonly fits: true; readonly offsets: OffsetsMap }
  | { readonly fits: false; readonly reason: string };

/** The vector after the ranges, one after another (two may join), or why one of them does not fit. */
export function applyRanges(
  offsets: OffsetsMap,
  ranges: readonly OffsetRange[],
  identities: Readonly<Record<string, TopicIdentity>>,
): Applied {
  const changed = new Map<string, { next: number[]; epoch: number[]; gaps: TopicOffsets['gaps'][number][] }>();
  for (const range of ranges) {
    const topic = offsets[range.topic];
    const where = `${range.topic}-${range.partition}`;
    if (topic === undefined || range.partition >= topic.next.length)
      return { fits: false, reason: `the table holds no offset of ${where}` };
    const identity = identities[range.topic];
    if (identity?.id !== topic.id || identity.cluster !== topic.cluster) {
      return {
        fits: false,
        reason: `${range.topic} was read as topic ${identity?.id} of cluster ${identity?.cluster}, the table is fed from topic ${topic.id} of cluster ${topic.cluster}`,
      };
    }
    let copy = changed.get(range.topic);
    if (copy === undefined) {
      copy = { next: [...topic.next], epoch: [...topic.epoch], gaps: [...topic.gaps] };
      changed.set(range.topic, copy);
    }
    if (copy.next[range.partition] !== range.start) {
      return {
        fits: false,
        reason: `${where} stands at ${copy.next[range.partition]} in the table, the range is ${range.start}–${range.end}`,
      };
    }
    copy.next[range.partition] = range.end;
    if (range.epoch >= 0) copy.epoch[range.partition] = range.epoch;
    for (const gap of range.gaps ?? []) copy.gaps.push([range.partition, gap.from, gap.to, gap.reason]);
  }
  const moved = [...changed].map(([name, copy]): [string, TopicOffsets] => [name, { ...offsets[name]!, ...copy }]);
  return { fits: true, offsets: Object.fromEntries([...Object.entries(offsets), ...moved]) };
}

/**
 * The vector with the topics and partitions that it lacks. A new topic begins as `first` says; a partition that appears
 * later in a topic that is known begins at 0, whatever `first` says. Null: nothing is lacking.
 */
export function addFirst(offsets: OffsetsMap | null, first: OffsetsMap): OffsetsMap | null {
  const result: Record<string, TopicOffsets> = { ...offsets };
  let added = offsets === null;
  for (const [name, topic] of Object.entries(first)) {
    const known = offsets?.[name];
    if (known === undefined) {
      result[name] = topic;
      added = true;
    } else if (topic.next.length > known.next.length) {
      const fill = (list: readonly number[], value: number): number[] => [
        ...list,
        ...Array<number>(topic.next.length - list.length).fill(value),
      ];
      result[name] = { ...known, first: fill(known.first, 0), next: fill(known.next, 0), epoch: fill(known.epoch, -1) };
      added = true;
    }
  }
  return added ? result : null;
}

/** The first topic that is not the one the table was fed from. */
export function changedTopic(
  offsets: OffsetsMap,
  identities: Readonly<Record<string, TopicIdentity>>,
): { topic: string; table: TopicIdentity; kafka: TopicIdentity } | null {
  for (const [topic, kafka] of Object.entries(identities)) {
    const table = offsets[topic];
    if (table !== undefined && (table.id !== kafka.id || table.cluster !== kafka.cluster)) {
      return {
        topic,
        table: { id: table.id, cluster: table.cluster },
        kafka: { id: kafka.id, cluster: kafka.cluster },
      };
    }
  }
  return null;
}
