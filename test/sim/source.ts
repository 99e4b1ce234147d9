import type { Logger } from 'pino';
import { TabletopicError } from '../../src/errors.ts';
import { ByteBudget } from '../../src/source/budget.ts';
import { judge } from '../../src/source/fetch-outcome.ts';
import { KafkaCode } from '../../src/source/kafka-errors.ts';
import { Lanes } from '../../src/source/lanes.ts';
import type { LaneState } from '../../src/source/lanes.ts';
import { Ownership } from '../../src/source/ownership.ts';
import type {
  Isolation,
  Lane,
  OffsetQuery,
  Source,
  SourceHandlers,
  TopicDescription,
  TopicPartition,
} from '../../src/source/source.ts';
import { pause } from '../../src/source/waiting.ts';
import { BrokerError } from '../../src/demo/broker/error-codes.ts';
import type { FetchedPartition } from '../../src/source/fetch-codec.ts';
import type { SimBroker, SimPartition } from './broker.ts';
import type { SimGroup } from './group.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './scheduler.ts';

const HEARTBEAT = 1000;
const METADATA_REFRESH = 5000;
/** A fetch at the end of a partition waits so long for records, ms. */
const FETCH_WAIT = 2000;
const REVOKE_TIMEOUT = 4000;
/** Metadata answers that may miss a topic before its lanes stop. */
const MISSING_BOUND = 5;

export interface SimSourceOptions {
  readonly process: SimProcess;
  readonly network: Network;
  readonly broker: SimBroker;
  readonly group: SimGroup;
  readonly isolation: Isolation;
  /** What a fetch reserves, bytes, twice what it asks for: the last batch comes whole. */
  readonly fetchBytes: number;
  readonly logger: Logger;
}

/** The twin of the Kafka client: its own lanes, ownership and judgement of answers, over a broker in memory. */
export class SimSource implements Source {
  /** Bytes handed on and not given back, and how many may be. */
  outstanding = 0;
  limit = Number.POSITIVE_INFINITY;
  readonly #budget: ByteBudget;
  readonly #o: SimSourceOptions;
  readonly #lanes = new Lanes();
  readonly #closing = new AbortController();
  #handlers: SourceHandlers | null = null;
  #ownership: Ownership | null = null;
  #metadata: readonly TopicDescription[] = [];
  #names: readonly string[] = [];
  #patterns: readonly RegExp[] = [];
  #memberId: string | null = null;
  #moving: Promise<unknown> | null = null;

  constructor(options: SimSourceOptions) {
    this.#o = options;
    this.#budget = new ByteBudget(options.process.ports.clock);
  }

  async connect(): Promise<{ readonly clusterId: string }> {
    for (;;) {
      try {
        return await this.#call('kafka.connect', '', () => ({ clusterId: this.#o.broker.clusterId }));
      } catch {
        await this.#o.process.ports.clock.sleep(500);
      }
    }
  }

  async describeTopics(names: readonly string[], patterns: readonly RegExp[] = []): Promise<TopicDescription[]> {
    const topics = await this.#call('kafka.metadata', '', () => this.#o.broker.describe(names, patterns));
    this.#metadata = topics;
    return topics;
  }

  listOffsets(queries: readonly (TopicPartition & { readonly at: OffsetQuery })[]): Promise<number[]> {
    return this.#call('kafka.offsets', '', () =>
      queries.map(({ at, ...query }) => {
        const { log } = this.#partition(query);
        const end = this.#o.isolation === 'read_committed' ? log.lastStableOffset : log.end;
        if (at === 'earliest') return log.logStart;
        return at === 'latest' ? end : (log.offsetForTimestamp(at.timestamp)?.offset ?? end);
      }),
    );
  }

  endOffsetForEpoch(partition: TopicPartition, leaderEpoch: number): Promise<number> {
    return this.#call('kafka.epoch', '', () => this.#partition(partition).log.endOffsetForEpoch(leaderEpoch).endOffset);
  }

  async subscribe(names: readonly string[], patterns: readonly RegExp[], handlers: SourceHandlers): Promise<void> {
    this.#names = names;
    this.#patterns = patterns;
    this.#handlers = handlers;
    handlers.onTopics(await this.describeTopics(names, patterns));
    this.#ownership = new Ownership(
      {
        onAssign: (partitions) => handlers.onAssigned(partitions),
        onRevoke: (partitions) => handlers.onRevoked(partitions),
        onLost: (partitions) => handlers.onLost(partitions),
        onFatal: () => undefined,
      },
      REVOKE_TIMEOUT,
      this.#o.process.ports,
      this.#o.logger,
      this.#closing.signal,
    );
    void this.#heartbeats();
    void this.#refreshes();
  }

  addLane(lane: Lane, offset: number): void {
    const state = this.#lanes.add(lane, offset);
    this.#identify(state);
    void this.#fetch(state);
  }

  removeLane(lane: Lane): void {
    this.#lanes.remove(lane);
  }

  seek(lane: Lane, offset: number): number {
    const state = this.#lanes.get(lane);
    const generation = state.seek(offset);
    this.#identify(state);
    return generation;
  }

  pause(lane: Lane): void {
    this.#lanes.get(lane).paused = true;
  }

  resume(lane: Lane): void {
    this.#lanes.get(lane).paused = false;
  }

  setBudget(bytes: number): void {
    this.limit = bytes;
    this.#budget.setLimit(bytes);
  }

  /** What the budget takes to be held: nothing, once all is given back. */
  get budgeted(): number {
    return this.#budget.used;
  }

  release(bytes: number): void {
    this.outstanding -= bytes;
    this.#budget.release(bytes);
  }

  async commitOffsets(offsets: readonly (TopicPartition & { readonly offset: number })[]): Promise<void> {
    if (offsets.length > 0) await this.#call('kafka.commit', '', () => undefined).catch(() => undefined);
  }

  async close(options: { readonly leave?: boolean } = {}): Promise<void> {
    this.#closing.abort();
    const id = this.#memberId;
    if (options.leave && id !== null)
      await this.#call('kafka.leave', '', () => this.#o.group.leave(id)).catch(() => undefined);
  }

  /** Requests that fail are tried again until the contract's patience is over, as the client does. */
  #call<T>(operation: string, what: string, serve: () => T): Promise<T> {
    return this.#o.network.call(this.#o.process, operation, what, serve, ({ kind }) => {
      throw new TabletopicError('KAFKA_UNAVAILABLE', `no answer from Kafka (${kind})`);
    });
  }

  #partition({ topic, partition }: TopicPartition): SimPartition {
    const found = this.#o.broker.topics.get(topic)?.partitions[partition];
    if (!found) throw new TabletopicError('KAFKA_TOPIC_MISSING', `partition ${topic}/${partition} does not exist`);
    return found;
  }

  #identify(state: LaneState): void {
    state.topicId = this.#metadata.find(({ name }) => name === state.lane.topic)?.id ?? null;
  }

  async #heartbeats(): Promise<void> {
    const { process, group } = this.#o;
    const ownership = this.#ownership!;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        if (this.#memberId === null) {
          this.#memberId = await this.#call('kafka.join', '', () => group.join());
        }
        const id = this.#memberId;
        const assignment = await this.#call('kafka.heartbeat', '', () => group.heartbeat(id, ownership.owned));
        if (signal.aborted) return;
        if (assignment === null) {
          this.#memberId = null;
          await this.#moving;
          await ownership.lose('unknown member');
          continue;
        }
        // Heartbeats go on while a move is under way.
        this.#moving ??= ownership.moveTo(assignment, () => this.#memberId === id).finally(() => (this.#moving = null));
      } catch {
        // Tried again at the next heartbeat.
      }
      await pause(process.ports.clock, HEARTBEAT, signal);
    }
  }

  async #refreshes(): Promise<void> {
    const { process } = this.#o;
    const { signal } = this.#closing;
    let seen = JSON.stringify(this.#metadata);
    while (await pause(process.ports.clock, METADATA_REFRESH, signal)) {
      if (!(await this.#refresh()) || signal.aborted) continue;
      const now = JSON.stringify(this.#metadata);
      if (now !== seen) this.#handlers!.onTopics(this.#metadata);
      seen = now;
    }
  }

  async #refresh(): Promise<boolean> {
    try {
      await this.describeTopics(this.#names, this.#patterns);
    } catch {
      return false;
    }
    for (const state of this.#lanes) {
      if (state.failed || this.#closing.signal.aborted) continue;
      const { topic, partition } = state.lane;
      const known = this.#metadata.find(({ name }) => name === topic);
      if (!known || known.partitions.length <= partition) {
        if (++state.missing >= MISSING_BOUND)
          this.#fail(state, new TabletopicError('KAFKA_TOPIC_MISSING', `topic ${topic} does not exist`));
        continue;
      }
      state.missing = 0;
      if (state.topicId !== null && state.topicId !== known.id) {
        this.#fail(state, new TabletopicError('KAFKA_TOPIC_CHANGED', `topic ${topic} was made anew`));
        continue;
      }
      state.topicId = known.id;
    }
    return true;
  }

  async #fetch(state: LaneState): Promise<void> {
    const { process } = this.#o;
    const { clock } = process.ports;
    const { signal } = this.#closing;
    while (this.#lanes.holds(state) && !signal.aborted) {
      if (state.paused || state.failed) {
        await pause(clock, 50, signal);
        continue;
      }
      let reserved = await this.#budget.reserve(this.#o.fetchBytes, signal);
      if (reserved === 0) return;
      let held = 0;
      const asked = { state, generation: state.generation, offset: state.position, first: true };
      const { topicId, fetchedEpoch } = state;
      try {
        const answer = await this.#call(
          'kafka.fetch',
          `${state.lane.topic}/${state.lane.partition}@${asked.offset}`,
          () => this.#read(state.lane, topicId, asked.offset, fetchedEpoch),
        );
        const full = answer.records.byteLength > 0 || answer.errorCode !== 0;
        if (this.#lanes.holds(state) && asked.generation === state.generation && !signal.aborted)
          held = await this.#take(asked, answer);
        this.#budget.settle(reserved, held);
        reserved = 0;
        if (!full) await pause(clock, process.random.between(100, FETCH_WAIT), signal);
      } catch {
        this.#budget.settle(reserved, held);
        await pause(clock, 200, signal);
      }
    }
  }

  #read(lane: Lane, topicId: string | null, offset: number, fetchedEpoch: number): FetchedPartition {
    const none = {
      topic: lane.topic,
      partition: lane.partition,
      errorCode: 0,
      highWatermark: -1,
      lastStableOffset: -1,
      logStartOffset: -1,
      aborted: [],
      diverging: null,
      records: new ArrayBuffer(0),
    };
    const topic = this.#o.broker.topics.get(lane.topic);
    const partition = topic?.partitions[lane.partition];
    if (!partition || (topicId !== null && topic.id !== topicId))
      return { ...none, errorCode: KafkaCode.UNKNOWN_TOPIC_ID };
    const { log } = partition;
    const at = {
      ...none,
      highWatermark: log.end,
      lastStableOffset: log.lastStableOffset,
      logStartOffset: log.logStart,
    };
    if (fetchedEpoch >= 0) {
      const { leaderEpoch, endOffset } = log.endOffsetForEpoch(fetchedEpoch);
      if (leaderEpoch < fetchedEpoch || endOffset < offset)
        return { ...at, diverging: { epoch: leaderEpoch, endOffset } };
    }
    try {
      const { batches, aborted } = log.read(offset, this.#o.fetchBytes / 2, this.#o.isolation);
      const bytes = new Uint8Array(Buffer.concat(batches));
      return { ...at, aborted, records: bytes.buffer };
    } catch (error) {
      if (error instanceof BrokerError) return { ...at, errorCode: KafkaCode.OFFSET_OUT_OF_RANGE };
      throw error;
    }
  }

  async #take(asked: Parameters<typeof judge>[0], answer: FetchedPartition): Promise<number> {
    const { state, generation, offset } = asked;
    const { clock } = this.#o.process.ports;
    const handlers = this.#handlers!;
    const outcome = judge(asked, answer, { fetchedAt: clock.now(), certain: state.alone, nothing: true });
    state.alone = outcome.kind === 'later' && outcome.alone;
    switch (outcome.kind) {
      case 'records':
        state.position = outcome.records.nextOffset;
        if (outcome.leaderEpoch >= 0) state.fetchedEpoch = outcome.leaderEpoch;
        this.outstanding += outcome.records.byteLength;
        handlers.onFetched(outcome.records);
        return outcome.records.byteLength;
      case 'idle':
        handlers.onIdle(state.lane, offset, answer.highWatermark, answer.lastStableOffset, clock.now());
        return 0;
      case 'later':
        return 0;
      case 'refresh':
        await this.#refresh();
        await pause(clock, 300, this.#closing.signal);
        return 0;
      case 'error':
        this.#fail(state, outcome.error);
        return 0;
      case 'out-of-range': {
        const { topic, partition } = state.lane;
        const [logStart, logEnd] = await this.#call<[number, number]>('kafka.offsets', '', () => {
          const { log } = this.#partition(state.lane);
          return [log.logStart, log.end];
        });
        if (generation !== state.generation || !this.#lanes.holds(state)) return 0;
        const where = { topic, partition, requested: offset, logStart, logEnd };
        if (offset < logStart)
          this.#fail(
            state,
            new TabletopicError(
              'KAFKA_OFFSETS_DELETED',
              `offsets ${offset} to ${logStart - 1} were deleted before they were read`,
              { where },
            ),
          );
        else if (offset > logEnd)
          this.#fail(
            state,
            new TabletopicError('KAFKA_LOG_TRUNCATED', `offset ${offset} was reached, but the log ends at ${logEnd}`, {
              where,
            }),
          );
        return 0;
      }
    }
  }

  #fail(state: LaneState, error: TabletopicError): void {
    state.failed = true;
    this.#handlers?.onLaneError(state.lane, error);
  }
}
