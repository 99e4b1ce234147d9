import { type Connection, metadataV12 } from '@platformatic/kafka';
import type pino from 'pino';
import type { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import type { Connections } from './connection.ts';
import { KafkaCode, kafkaError, partial } from './kafka-errors.ts';
import { Backoff, Wake } from './waiting.ts';

export interface TopicState {
  readonly name: string;
  /** UUID in the canonical hyphenated form (KIP-516). */
  readonly id: string;
  readonly internal: boolean;
  /** By partition number. `leader` is -1 while there is none. */
  readonly partitions: readonly { readonly leader: number; readonly leaderEpoch: number }[];
}

/** What one metadata answer says about topics. */
export interface MetadataAnswer {
  readonly topics: ReadonlyMap<string, TopicState>;
  /** Topics that were asked for and do not exist. */
  readonly missing: ReadonlySet<string>;
  /** Topics that this user may not see. */
  readonly refused: ReadonlySet<string>;
}

type Response = Awaited<ReturnType<typeof metadataV12.api.async>>;

/**
 * The cluster as last seen: brokers, topics, leaders. One background loop refreshes it, on a timer and when asked, and
 * is the one judge of whether the cluster is reachable.
 *
 * Maintained invariant: the leader epoch of a partition of one topic id never goes back, though a broker that lags
 * behind may answer with an older one (KIP-320).
 */
export class ClusterMetadata {
  readonly #connections: Connections;
  readonly #ports: Ports;
  readonly #logger: pino.Logger;
  readonly #interval: number;
  readonly #topics = new Map<string, TopicState>();
  readonly #wake = new Wake();
  readonly #listeners = new Set<(answer: MetadataAnswer) => void>();
  #requested = false;
  #version = 0;
  #clusterId = '';
  /** What the timer asks for: these topics, or all. */
  interest: () => readonly string[] | 'all' = () => [];
  onHealth: (error: TabletopicError | null) => void = () => {};

  constructor(connections: Connections, interval: number, ports: Ports, logger: pino.Logger) {
    this.#connections = connections;
    this.#interval = interval;
    this.#ports = ports;
    this.#logger = logger;
  }

  get clusterId(): string {
    return this.#clusterId;
  }

  /** Counts the refreshes of the background loop. */
  get version(): number {
    return this.#version;
  }

  topic(name: string): TopicState | undefined {
    return this.#topics.get(name);
  }

  topics(): Iterable<TopicState> {
    return this.#topics.values();
  }

  /** Called after each refresh of the background loop. */
  onRefresh(listener: (answer: MetadataAnswer) => void): void {
    this.#listeners.add(listener);
  }

  /** Asks the background loop for a refresh soon. */
  refreshSoon(): void {
    this.#requested = true;
    this.#wake.notify();
  }

  /** Asks a broker now about these topics, or all of them. Throws `KAFKA_UNAVAILABLE` or `KAFKA_AUTH`. */
  async request(names: readonly string[] | 'all'): Promise<MetadataAnswer> {
    const connection = await this.#connections.any();
    const response = await this.#ask(connection, names);
    this.#connections.setBrokers(response.brokers);
    this.#clusterId = response.clusterId ?? '';
    return this.#absorb(response, names === 'all');
  }

  /** The background loop; returns when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const failures = new Backoff(this.#ports, 200, 5000);
    const requests = new Backoff(this.#ports, 50, 2000);
    let last = -Infinity;
    while (!signal.aborted) {
      if (!this.#requested) await this.#wake.wait(this.#ports.clock, this.#interval, signal);
      if (signal.aborted) return;
      // Refreshes asked for again and again (a leader is being elected) are spaced.
      if (this.#ports.clock.monotonic() - last > 5000) requests.reset();
      else if (!(await requests.wait(signal))) return;
      this.#requested = false;
      last = this.#ports.clock.monotonic();
      try {
        const answer = await this.request(this.interest());
        this.#version++;
        failures.reset();
        this.onHealth(null);
        this.#tell(answer);
      } catch (error) {
        if (signal.aborted) return;
        const failure = kafkaError(error, 'Kafka');
        this.#logger.warn({ err: failure }, 'cannot read the cluster’s metadata');
        this.onHealth(failure);
        this.#requested = true;
        if (!(await failures.wait(signal))) return;
      }
    }
  }

  #tell(answer: MetadataAnswer): void {
    for (const listener of this.#listeners) {
      try {
        listener(answer);
      } catch (err) {
        this.#logger.error({ err }, 'what follows from new metadata failed');
      }
    }
  }

  async #ask(connection: Connection, names: readonly string[] | 'all'): Promise<Response> {
    try {
      // The second argument turns off automatic creation: asking for a topic must not make it.
      return await partial(metadataV12.api.async(connection, names === 'all' ? null : [...names], false, false));
    } catch (error) {
      const { host, port } = connection;
      this.#connections.drop(connection);
      throw kafkaError(error, `broker ${host ?? '?'}:${port ?? '?'}`);
    }
  }

  #absorb(response: Response, all: boolean): MetadataAnswer {
    const topics = new Map<string, TopicState>();
    const missing = new Set<string>();
    const refused = new Set<string>();
    for (const topic of response.topics) {
      const name = topic.name ?? '';
      if (topic.errorCode === KafkaCode.TOPIC_AUTHORIZATION_FAILED) refused.add(name);
      else if (topic.errorCode !== 0 && topic.partitions.length === 0) missing.add(name);
      else topics.set(name, this.#merge(topic, name));
    }
    if (all) for (const name of this.#topics.keys()) if (!topics.has(name)) this.#topics.delete(name);
    for (const name of missing) this.#topics.delete(name);
    for (const [name, state] of topics) this.#topics.set(name, state);
    if (refused.size > 0)
      this.#logger.warn({ topics: [...refused] }, 'topics that this user may not describe (ACL DESCRIBE or READ)');
    return { topics, missing, refused };
  }

  #merge(topic: Response['topics'][number], name: string): TopicState {
    const old = this.#topics.get(name);
    const partitions: { leader: number; leaderEpoch: number }[] = [];
    for (const p of topic.partitions) {
      const before = old?.id === topic.topicId ? old.partitions[p.partitionIndex] : undefined;
      const stale = before !== undefined && p.leaderEpoch >= 0 && p.leaderEpoch < before.leaderEpoch;
      partitions[p.partitionIndex] = stale ? before : { leader: p.leaderId, leaderEpoch: p.leaderEpoch };
    }
    for (let i = 0; i < partitions.length; i++) partitions[i] ??= { leader: -1, leaderEpoch: -1 };
    return { name, id: topic.topicId, internal: topic.isInternal, partitions };
  }
}
