import type pino from 'pino';
import type { KafkaConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { ClassicGroup } from './classic-group.ts';
import { Connections } from './connection.ts';
import { ConsumerGroup } from './consumer-group.ts';
import { Coordinator } from './coordinator.ts';
import { Fetching } from './fetching.ts';
import { KafkaCode, kafkaError, protocolCode } from './kafka-errors.ts';
import { ManualAssignment } from './manual-assignment.ts';
import type { Membership } from './membership.ts';
import { ClusterMetadata } from './metadata.ts';
import { OffsetReader } from './offsets.ts';
import type { Lane, OffsetQuery, Source, SourceHandlers, TopicDescription, TopicPartition } from './source.ts';
import { describe, fingerprint, Subscription } from './topics.ts';
import { Backoff } from './waiting.ts';

/** How long `describeTopics` is tried again before it throws, ms. */
const patience = 30_000;
/** Attempts of an offset commit that meets a rebalance or a coordinator that moves. */
const commitAttempts = 5;

const unsettledCodes: ReadonlySet<number | null> = new Set([
  null,
  KafkaCode.COORDINATOR_LOAD_IN_PROGRESS,
  KafkaCode.COORDINATOR_NOT_AVAILABLE,
  KafkaCode.NOT_COORDINATOR,
  KafkaCode.REBALANCE_IN_PROGRESS,
  KafkaCode.ILLEGAL_GENERATION,
  KafkaCode.STALE_MEMBER_EPOCH,
]);

/**
 * The Kafka side of the service. `close` ends it for good. `assignment`: by the group, or `all` partitions of the
 * subscribed topics without a group.
 */
export function createKafkaSource(
  config: KafkaConfig,
  ports: Ports,
  logger: pino.Logger,
  assignment: 'group' | 'all' = 'group',
): Source {
  return new KafkaSource(config, ports, logger, assignment);
}

class KafkaSource implements Source {
  readonly #config: KafkaConfig;
  readonly #ports: Ports;
  readonly #logger: pino.Logger;
  readonly #closing = new AbortController();
  readonly #connections: Connections;
  readonly #metadata: ClusterMetadata;
  readonly #offsets: OffsetReader;
  readonly #fetching: Fetching;
  readonly #coordinator: Coordinator;
  readonly #assignment: 'group' | 'all';
  #subscription = new Subscription([], []);
  /** Topics of other members that this one watches as the group's leader. */
  #watched: readonly string[] = [];
  #membership: Membership | null = null;
  #handlers: SourceHandlers | null = null;
  #seen = '';
  /** Hears of health until `subscribe` brings its handlers. */
  #heardBy: SourceHandlers['onHealth'] | undefined;
  #health: { connected: boolean; error?: TabletopicError } = { connected: false };
  /** The group refused this member for good. */
  #fatal = false;
  #refreshing: Promise<void> | null = null;

  constructor(config: KafkaConfig, ports: Ports, logger: pino.Logger, assignment: 'group' | 'all') {
    this.#assignment = assignment;
    this.#config = config;
    this.#ports = ports;
    this.#logger = logger;
    const { signal } = this.#closing;
    this.#connections = new Connections(config, ports, logger);
    this.#metadata = new ClusterMetadata(this.#connections, config.metadataRefresh, ports, logger);
    this.#metadata.interest = () => this.#interest();
    this.#metadata.onHealth = (error) => this.#onHealth(error);
    this.#offsets = new OffsetReader(this.#connections, this.#metadata, ports, signal);
    const limits = {
      maxBytes: config.fetchMaxBytes,
      partitionBytes: config.fetchPartitionBytes,
      maxWait: config.fetchMaxWait,
      readCommitted: config.isolation === 'read_committed',
    };
    this.#fetching = new Fetching({
      connections: this.#connections,
      metadata: this.#metadata,
      offsets: this.#offsets,
      limits,
      ports,
      logger,
      signal,
    });
    this.#metadata.onRefresh(() => this.#onRefresh());
    this.#coordinator = new Coordinator(config, this.#connections, logger);
  }

  async connect(signal?: AbortSignal, onHealth?: SourceHandlers['onHealth']): Promise<{ readonly clusterId: string }> {
    this.#heardBy = onHealth;
    const until = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    const backoff = new Backoff(this.#ports, 200, 5000);
    for (;;) {
      try {
        await this.#metadata.request([]);
        break;
      } catch (error) {
        const failure = kafkaError(error, 'Kafka');
        if (failure.policy !== 'retry') throw failure;
        this.#logger.warn({ err: failure }, 'no broker answers; tried again');
        this.#onHealth(failure);
        if (!(await backoff.wait(until))) throw failure;
      }
    }
    this.#onHealth(null);
    this.#refreshing ??= this.#metadata.run(this.#closing.signal);
    return { clusterId: this.#metadata.clusterId };
  }

  async describeTopics(names: readonly string[], patterns: readonly RegExp[] = []): Promise<TopicDescription[]> {
    const wanted = new Subscription(names, patterns);
    const deadline = this.#ports.clock.monotonic() + patience;
    const backoff = new Backoff(this.#ports);
    for (;;) {
      try {
        const answer = await this.#metadata.request(patterns.length > 0 ? 'all' : names);
        return wanted.select(answer.topics.values()).map(describe);
      } catch (error) {
        const failure = kafkaError(error, 'Kafka');
        const late = this.#ports.clock.monotonic() > deadline;
        if (failure.policy !== 'retry' || late || !(await backoff.wait(this.#closing.signal))) throw failure;
      }
    }
  }

  async listOffsets(queries: readonly (TopicPartition & { readonly at: OffsetQuery })[]): Promise<number[]> {
    return await this.#offsets.list(queries, this.#config.isolation === 'read_committed');
  }

  async endOffsetForEpoch(partition: TopicPartition, leaderEpoch: number): Promise<number> {
    return await this.#offsets.endOfEpoch(partition, leaderEpoch);
  }

  async subscribe(names: readonly string[], patterns: readonly RegExp[], handlers: SourceHandlers): Promise<void> {
    if (this.#membership !== null) throw new TabletopicError('INTERNAL', 'subscribe was called twice');
    this.#subscription = new Subscription(names, patterns);
    this.#handlers = handlers;
    handlers.onHealth(this.#health);
    const found = await this.describeTopics(names, patterns);
    if (this.#closing.signal.aborted) return;
    this.#seen = fingerprint(this.#selected());
    handlers.onTopics(found);
    this.#fetching.setHandlers(handlers);
    if (this.#assignment === 'all') {
      const partitions = (): TopicPartition[] =>
        this.#selected().flatMap((topic) =>
          describe(topic).partitions.map(({ partition }) => ({ topic: topic.name, partition })),
        );
      this.#membership = new ManualAssignment(partitions, { onAssign: (added) => handlers.onAssigned(added) });
      this.#membership.start();
      return;
    }
    const options = {
      config: this.#config,
      coordinator: this.#coordinator,
      metadata: this.#metadata,
      ports: this.#ports,
      logger: this.#logger,
      topics: () => this.#selected().map((t) => t.name),
      watch: (topics: readonly string[]) => {
        this.#watched = topics;
      },
      handlers: {
        onAssign: (p: readonly TopicPartition[]) => handlers.onAssigned(p),
        onRevoke: (p: readonly TopicPartition[]) => handlers.onRevoked(p),
        onLost: (p: readonly TopicPartition[]) => handlers.onLost(p),
        onFatal: (error: TabletopicError) => {
          this.#logger.error({ err: error }, 'the group refuses this member');
          this.#fatal = true;
          this.#setHealth({ connected: false, error });
        },
      },
    };
    this.#membership =
      this.#config.groupProtocol === 'consumer' ? new ConsumerGroup(options) : new ClassicGroup(options);
    this.#membership.start();
  }

  addLane(lane: Lane, offset: number): void {
    this.#fetching.add(lane, offset);
  }

  removeLane(lane: Lane): void {
    this.#fetching.lanes.remove(lane);
  }

  seek(lane: Lane, offset: number): number {
    return this.#fetching.seek(lane, offset);
  }

  pause(lane: Lane): void {
    this.#fetching.lanes.get(lane).paused = true;
  }

  resume(lane: Lane): void {
    this.#fetching.lanes.get(lane).paused = false;
    this.#fetching.kick();
  }

  setBudget(bytes: number): void {
    this.#fetching.budget.setLimit(bytes);
  }

  release(bytes: number): void {
    this.#fetching.budget.release(bytes);
  }

  async commitOffsets(
    offsets: readonly (TopicPartition & {
      readonly offset: number;
      readonly leaderEpoch: number;
      readonly metadata: string;
    })[],
  ): Promise<void> {
    if (offsets.length === 0) return;
    const backoff = new Backoff(this.#ports);
    for (let attempt = 1; ; attempt++) {
      try {
        // Outside of a group Kafka takes offsets while the group is empty (generation -1).
        if (this.#membership === null) await this.#coordinator.commit({ memberId: '', generation: -1 }, offsets);
        else await this.#membership.commit(offsets);
        return;
      } catch (error) {
        const again = attempt < commitAttempts && unsettledCodes.has(protocolCode(error));
        if (!again || !(await backoff.wait(this.#closing.signal))) {
          // The table holds the offsets; the group's are a mirror for lag tools, and the next commit overwrites them.
          this.#logger.warn(
            { err: kafkaError(error, `group ${this.#config.groupId}`) },
            'cannot mirror offsets to the group',
          );
          return;
        }
      }
    }
  }

  async close(options: { readonly leave?: boolean } = {}): Promise<void> {
    const leave = options.leave ?? this.#config.instanceId === null;
    await this.#membership?.close({ leave });
    this.#closing.abort();
    await this.#connections.close();
    await Promise.all([this.#refreshing, this.#fetching.stopped()]);
  }

  #interest(): readonly string[] | 'all' {
    if (this.#subscription.patterns.length > 0) return 'all';
    return [...new Set([...this.#subscription.names, ...this.#watched, ...this.#fetching.lanes.topics()])];
  }

  #selected(): ReturnType<Subscription['select']> {
    return this.#subscription.select(this.#metadata.topics());
  }

  #onRefresh(): void {
    if (this.#membership === null) return;
    const selected = this.#selected();
    const now = fingerprint(selected);
    if (now !== this.#seen) {
      this.#seen = now;
      this.#handlers?.onTopics(selected.map(describe));
    }
    this.#membership.topicsChanged();
  }

  #onHealth(error: TabletopicError | null): void {
    // A member that the group refuses for good stays so, though brokers answer.
    if (this.#fatal) return;
    this.#setHealth(error === null ? { connected: true } : { connected: false, error });
  }

  #setHealth(state: { connected: boolean; error?: TabletopicError }): void {
    const same = state.connected === this.#health.connected && state.error?.message === this.#health.error?.message;
    this.#health = state;
    if (same) return;
    if (this.#handlers) this.#handlers.onHealth(state);
    else this.#heardBy?.(state);
  }
}
