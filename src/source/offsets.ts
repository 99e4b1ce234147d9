import { listOffsetsV6, offsetForLeaderEpochV4 } from '@platformatic/kafka';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import type { Connections } from './connection.ts';
import { KafkaCode, kafkaError, partial } from './kafka-errors.ts';
import type { ClusterMetadata } from './metadata.ts';
import type { OffsetQuery, TopicPartition } from './source.ts';
import { Backoff } from './waiting.ts';

type Query = TopicPartition & { readonly at: OffsetQuery };

/** How long questions about offsets are tried again while leaders move or brokers restart. */
const patience = 30_000;

const earliest = -2n;
const latest = -1n;

/** Questions about offsets, asked of the leaders of the partitions. */
export class OffsetReader {
  readonly #connections: Connections;
  readonly #metadata: ClusterMetadata;
  readonly #ports: Ports;
  readonly #signal: AbortSignal;

  constructor(connections: Connections, metadata: ClusterMetadata, ports: Ports, signal: AbortSignal) {
    this.#connections = connections;
    this.#metadata = metadata;
    this.#ports = ports;
    this.#signal = signal;
  }

  /**
   * One offset per query. Under read_committed `latest` is the last stable offset, else the high watermark.
   * Throws `KAFKA_TOPIC_MISSING`, `KAFKA_AUTH`, or `KAFKA_UNAVAILABLE` after 30 s without an answer.
   */
  async list(queries: readonly Query[], readCommitted: boolean): Promise<number[]> {
    const found = new Map<Query, number>();
    await this.#retry(queries, async (open) => {
      for (const [leader, group] of this.#byLeader(open)) {
        // A request may name a partition once only, so the same partition twice is asked in rounds.
        for (const round of rounds(group)) await this.#listFrom(leader, round, readCommitted, found);
      }
      return open.filter((q) => !found.has(q));
    });
    const beyond = queries.filter((q) => found.get(q) === -1);
    if (beyond.length > 0) {
      const ends = await this.list(
        beyond.map((q) => ({ ...q, at: 'latest' })),
        readCommitted,
      );
      beyond.forEach((q, i) => found.set(q, ends[i]!));
    }
    return queries.map((q) => found.get(q)!);
  }

  /**
   * KIP-320: where `leaderEpoch` ends in the leader's log; where the leader has no records of it, where the largest epoch
   * below it ends; -1 where it knows neither. Throws as `list` does.
   */
  async endOfEpoch(partition: TopicPartition, leaderEpoch: number): Promise<number> {
    let end = -1;
    await this.#retry([partition], async (open) => {
      const [leader] = this.#byLeader(open).keys();
      if (leader === undefined) return open;
      const ask = [{ partitionIndex: partition.partition, currentLeaderEpoch: -1, leaderEpoch }];
      const connection = await this.#connections.get(leader, 'offsets');
      const response = await partial(
        offsetForLeaderEpochV4.api.async(connection, -1, [{ name: partition.topic, partitions: ask }]),
      );
      const answer = response.topics[0]?.partitions[0];
      if (answer === undefined || this.#again(answer.errorCode, partition)) return open;
      end = toNumber(answer.endOffset);
      return [];
    });
    return end;
  }

  async #listFrom(
    leader: number,
    queries: readonly Query[],
    readCommitted: boolean,
    found: Map<Query, number>,
  ): Promise<void> {
    const connection = await this.#connections.get(leader, 'offsets');
    const topics = [...Map.groupBy(queries, (q) => q.topic)].map(([name, group]) => ({
      name,
      partitions: group.map((q) => ({
        partitionIndex: q.partition,
        currentLeaderEpoch: -1,
        timestamp: timestampOf(q.at),
      })),
    }));
    const response = await partial(listOffsetsV6.api.async(connection, -1, readCommitted ? 1 : 0, topics));
    const asked = new Map(queries.map((query) => [nameOf(query), query]));
    for (const topic of response.topics) {
      for (const answer of topic.partitions) {
        const query = asked.get(nameOf({ topic: topic.name, partition: answer.partitionIndex }));
        if (query !== undefined && !this.#again(answer.errorCode, query)) found.set(query, toNumber(answer.offset));
      }
    }
  }

  /** True when the question should be asked again; throws when that cannot help. */
  #again(errorCode: number, { topic, partition }: TopicPartition): boolean {
    if (errorCode === 0) return false;
    if (errorCode === KafkaCode.TOPIC_AUTHORIZATION_FAILED) {
      throw new TabletopicError('KAFKA_AUTH', `topic ${topic}: this user may not read it`, {
        where: { topic, partition },
      });
    }
    return true;
  }

  #byLeader<Q extends TopicPartition>(queries: readonly Q[]): Map<number, Q[]> {
    const groups = Map.groupBy(queries, (q) => this.#metadata.topic(q.topic)?.partitions[q.partition]?.leader ?? -1);
    groups.delete(-1);
    return groups;
  }

  /** Calls `ask` with the open queries until none is left, reading metadata anew between the attempts. */
  async #retry<Q extends TopicPartition>(
    queries: readonly Q[],
    ask: (open: readonly Q[]) => Promise<readonly Q[]>,
  ): Promise<void> {
    const deadline = this.#ports.clock.monotonic() + patience;
    const backoff = new Backoff(this.#ports, 50, 2000);
    let open: readonly Q[] = queries;
    let failure: TabletopicError | null = null;
    let fresh = open.every((q) => this.#metadata.topic(q.topic)?.partitions[q.partition] !== undefined);
    let missed = 0;
    for (;;) {
      try {
        if (!fresh) {
          const answer = await this.#metadata.request([...new Set(open.map((q) => q.topic))]);
          const gone = open.find(
            (q) =>
              answer.missing.has(q.topic) || (answer.topics.get(q.topic)?.partitions.length ?? Infinity) <= q.partition,
          );
          const refused = open.find((q) => answer.refused.has(q.topic));
          if (refused !== undefined) this.#again(KafkaCode.TOPIC_AUTHORIZATION_FAILED, refused);
          // A topic made just now may not have reached the broker that answered.
          if (gone !== undefined && ++missed >= 4) {
            throw new TabletopicError(
              'KAFKA_TOPIC_MISSING',
              `partition ${gone.topic}/${gone.partition} does not exist`,
              { where: { topic: gone.topic, partition: gone.partition } },
            );
          }
        }
        open = await ask(open);
        failure = null;
      } catch (error) {
        failure = kafkaError(error, 'the leader');
        if (failure.code !== 'KAFKA_UNAVAILABLE') throw failure;
      }
      if (open.length === 0) return;
      fresh = false;
      const late = this.#ports.clock.monotonic() > deadline;
      if (late || !(await backoff.wait(this.#signal))) {
        throw (
          failure ??
          new TabletopicError('KAFKA_UNAVAILABLE', `no leader answers for ${open.map(nameOf).slice(0, 5).join(', ')}`)
        );
      }
    }
  }
}

function timestampOf(at: OffsetQuery): bigint {
  if (at === 'earliest') return earliest;
  return at === 'latest' ? latest : BigInt(Math.floor(at.timestamp));
}

function toNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new TabletopicError('INTERNAL', `offset ${value} is outside of what can be represented exactly`);
  return number;
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** Splits the queries so that each part names a partition once. */
function rounds(queries: readonly Query[]): Query[][] {
  const parts: Query[][] = [];
  const seen = new Map<string, number>();
  for (const q of queries) {
    const key = nameOf(q);
    const round = seen.get(key) ?? 0;
    seen.set(key, round + 1);
    (parts[round] ??= []).push(q);
  }
  return parts;
}
