import type { TopicIdentity } from '../commit/commit.ts';
import type { Source, TopicDescription, TopicPartition } from '../source/source.ts';

/** What Kafka says of the topics of a table now. */
export interface TopicLog {
  /** By topic; a topic that does not exist is left out. */
  readonly identities: Readonly<Record<string, TopicIdentity>>;
  /** Partition count by topic. */
  readonly partitions: Readonly<Record<string, number>>;
  /** Log start and end of partitions that exist. */
  bounds(partitions: readonly TopicPartition[]): Promise<readonly LogBounds[]>;
}

export interface LogBounds {
  readonly start: number;
  readonly end: number;
}

export function topicLog(
  source: Pick<Source, 'listOffsets'>,
  topics: readonly TopicDescription[],
  clusterId: string,
): TopicLog {
  return {
    identities: Object.fromEntries(topics.map(({ name, id }) => [name, { id, cluster: clusterId }])),
    partitions: Object.fromEntries(
      topics.map(({ name, partitions }) => [name, Math.max(-1, ...partitions.map(({ partition }) => partition)) + 1]),
    ),
    async bounds(partitions) {
      if (partitions.length === 0) return [];
      const at = (end: 'earliest' | 'latest'): Promise<number[]> =>
        source.listOffsets(partitions.map(({ topic, partition }) => ({ topic, partition, at: end })));
      const [starts, ends] = [await at('earliest'), await at('latest')];
      return partitions.map((_, i) => ({ start: starts[i]!, end: ends[i]! }));
    },
  };
}
