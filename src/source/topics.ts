import type { TopicDescription } from './source.ts';
import type { TopicState } from './metadata.ts';

/** The topics that a process reads: by name, and by patterns that are matched against all topics of the cluster. */
export class Subscription {
  readonly names: readonly string[];
  readonly patterns: readonly RegExp[];

  constructor(names: readonly string[], patterns: readonly RegExp[]) {
    this.names = names;
    this.patterns = patterns;
  }

  /** Kafka's internal topics are matched by name only, never by a pattern. */
  matches(topic: Pick<TopicState, 'name' | 'internal'>): boolean {
    return this.names.includes(topic.name) || (!topic.internal && this.patterns.some((p) => test(p, topic.name)));
  }

  /** The matching topics by name. */
  select(topics: Iterable<TopicState>): TopicState[] {
    return [...topics].filter((t) => this.matches(t)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

export function describe(topic: TopicState): TopicDescription {
  const partitions = topic.partitions.map(({ leaderEpoch }, partition) => ({ partition, leaderEpoch }));
  return { name: topic.name, id: topic.id, partitions };
}

/** What a change of the subscription looks like: topic ids and partition counts, not leaders. */
export function fingerprint(topics: readonly TopicState[]): string {
  return topics.map((t) => `${t.name}\u0000${t.id}\u0000${t.partitions.length}`).join('\u0001');
}

/** A pattern with the flag `g` or `y` keeps a position between calls; here each name is matched from its start. */
function test(pattern: RegExp, name: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(name);
}
