import type pino from 'pino';
import { asTabletopicError, type TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { ByteBudget } from './budget.ts';
import type { Connections } from './connection.ts';
import type { FetchedPartition, FetchResponse } from './fetch-codec.ts';
import { judge, type Outcome } from './fetch-outcome.ts';
import type { Asked, FetchLimits } from './fetch-request.ts';
import { Fetcher, type FetcherKey } from './fetcher.ts';
import { rangeFailure, topicFailure } from './lane-failures.ts';
import { Lanes, type LaneState } from './lanes.ts';
import type { ClusterMetadata, MetadataAnswer } from './metadata.ts';
import type { OffsetReader } from './offsets.ts';
import type { Lane, SourceHandlers } from './source.ts';

/** Least time between two `onIdle` of a lane, ms. */
const idleSpacing = 1000;
type LaneHandlers = Pick<SourceHandlers, 'onFetched' | 'onIdle' | 'onLaneError'>;

export interface FetchingOptions {
  readonly connections: Connections;
  readonly metadata: ClusterMetadata;
  readonly offsets: OffsetReader;
  readonly limits: FetchLimits;
  readonly ports: Ports;
  readonly logger: pino.Logger;
  readonly signal: AbortSignal;
}

/** Reads the lanes: groups them by leader, worker and slot, and moves each by what the brokers answer. */
export class Fetching {
  readonly lanes: Lanes = new Lanes();
  readonly budget: ByteBudget;
  readonly #options: FetchingOptions;
  readonly #fetchers = new Map<string, Fetcher>();
  readonly #checks = new Set<Promise<void>>();
  #handlers: LaneHandlers | null = null;
  #served = 0;

  constructor(options: FetchingOptions) {
    this.#options = options;
    this.budget = new ByteBudget(options.ports.clock);
    options.metadata.onRefresh((answer) => this.#onRefresh(answer));
  }

  setHandlers(handlers: LaneHandlers): void {
    this.#handlers = handlers;
    this.kick();
  }

  add(lane: Lane, offset: number): void {
    this.#identify(this.lanes.add(lane, offset));
    this.kick();
  }

  /** Gives the new generation. */
  seek(lane: Lane, offset: number): number {
    const state = this.lanes.get(lane);
    const generation = state.seek(offset);
    this.#identify(state);
    this.kick();
    return generation;
  }

  /** A lane belongs to the topic that has the name now; another one of the same name later is not the same. */
  #identify(state: LaneState): void {
    state.topicId = this.#options.metadata.topic(state.lane.topic)?.id ?? null;
  }

  /** Starts the fetchers that have something to ask for. */
  kick(): void {
    const { signal } = this.#options;
    if (signal.aborted || this.#handlers === null) return;
    let unknown = false;
    for (const state of this.lanes) {
      if (state.paused || state.failed || state.busy) continue;
      const node = this.#leader(state);
      if (node < 0) unknown = true;
      else if (this.#mayAsk(state)) this.#fetcher({ node, worker: state.lane.worker, slot: state.slot }).kick(signal);
    }
    if (unknown) this.#options.metadata.refreshSoon();
  }

  async stopped(): Promise<void> {
    await Promise.all([...this.#fetchers.values()].map((f) => f.stopped()));
    await Promise.all(this.#checks);
  }

  #fetcher(key: FetcherKey): Fetcher {
    const name = `${key.node}/${key.worker}/${key.slot}`;
    let fetcher = this.#fetchers.get(name);
    if (fetcher === undefined) {
      const { connections, metadata, limits, ports, logger } = this.#options;
      const ready = (k: FetcherKey): LaneState[] => this.#ready(k);
      const deliver = (asked: readonly Asked[], response: FetchResponse): number => this.#deliver(asked, response);
      fetcher = new Fetcher(key, { connections, metadata, limits, ports, logger, budget: this.budget, ready, deliver });
      this.#fetchers.set(name, fetcher);
    }
    return fetcher;
  }

  #ready(key: FetcherKey): LaneState[] {
    const ready: LaneState[] = [];
    for (const s of this.lanes) {
      if (s.lane.worker === key.worker && s.slot === key.slot && this.#mayAsk(s) && this.#leader(s) === key.node)
        ready.push(s);
    }
    return ready;
  }

  #mayAsk(s: LaneState): boolean {
    return !s.paused && !s.failed && !s.busy && s.waitsAfterVersion < this.#options.metadata.version;
  }

  #leader(s: LaneState): number {
    return this.#options.metadata.topic(s.lane.topic)?.partitions[s.lane.partition]?.leader ?? -1;
  }

  #deliver(asked: readonly Asked[], response: FetchResponse): number {
    const { ports, metadata } = this.#options;
    const fetchedAt = ports.clock.now();
    const nothing = response.partitions.every((p) => p.records.byteLength === 0);
    const certain = asked.length === 1 && asked[0]!.state.alone && !response.throttled;
    const answers = new Map(response.partitions.map((p) => [`${p.topic}/${p.partition}`, p]));
    this.#served++;
    let held = 0;
    for (const one of asked) {
      const { state } = one;
      if (one.generation !== state.generation || !this.lanes.holds(state)) continue;
      const { topic, partition } = state.lane;
      const answer = answers.get(`${topic}/${partition}`) ?? answers.get(`${state.topicId}/${partition}`);
      // A throttled answer names no partition; any other must. An error of the whole answer means stale metadata at worst.
      if (answer === undefined) {
        if (!response.throttled) this.#apply(one, null, { kind: 'refresh' });
        continue;
      }
      held += this.#apply(one, answer, judge(one, answer, { fetchedAt, certain, nothing }));
    }
    if (response.errorCode !== 0) metadata.refreshSoon();
    return held;
  }

  /** Moves the lane; gives the bytes handed on. */
  #apply({ state, generation, offset }: Asked, answer: FetchedPartition | null, outcome: Outcome): number {
    const { metadata, ports } = this.#options;
    const handlers = this.#handlers!;
    state.alone = outcome.kind === 'later' && outcome.alone;
    switch (outcome.kind) {
      case 'records': {
        state.position = outcome.records.nextOffset;
        state.servedAt = this.#served;
        state.atLeastBytes = 0;
        if (outcome.leaderEpoch >= 0) state.fetchedEpoch = outcome.leaderEpoch;
        return this.#call(state, () => handlers.onFetched(outcome.records)) ? outcome.records.byteLength : 0;
      }
      case 'idle': {
        const now = ports.clock.monotonic();
        if (now - state.idleAt < idleSpacing) return 0;
        state.idleAt = now;
        const { highWatermark, lastStableOffset } = answer!;
        this.#call(state, () =>
          handlers.onIdle(
            state.lane,
            offset,
            highWatermark,
            lastStableOffset >= 0 ? lastStableOffset : highWatermark,
            ports.clock.now(),
          ),
        );
        return 0;
      }
      case 'later':
        state.atLeastBytes = outcome.atLeastBytes;
        return 0;
      case 'refresh':
        state.waitsAfterVersion = metadata.version;
        metadata.refreshSoon();
        return 0;
      case 'out-of-range':
        this.#checkRange(state, generation, offset);
        return 0;
      case 'error':
        this.#fail(state, outcome.error);
        return 0;
    }
  }

  #checkRange(state: LaneState, generation: number, requested: number): void {
    const { offsets, metadata } = this.#options;
    state.busy = true;
    const check = async (): Promise<void> => {
      const failure = await rangeFailure(offsets, state.lane, requested);
      state.busy = false;
      if (generation !== state.generation || !this.lanes.holds(state)) return this.kick();
      if (failure !== null) return this.#fail(state, failure);
      state.waitsAfterVersion = metadata.version;
      metadata.refreshSoon();
    };
    const running = check().finally(() => this.#checks.delete(running));
    this.#checks.add(running);
  }

  #onRefresh(answer: MetadataAnswer): void {
    const { metadata } = this.#options;
    for (const state of this.lanes) {
      if (state.failed) continue;
      const failure = topicFailure(state, metadata, answer);
      if (failure === 'again') metadata.refreshSoon();
      else if (failure !== null) this.#fail(state, failure);
    }
    this.kick();
  }

  #fail(state: LaneState, error: TabletopicError): void {
    state.failed = true;
    this.#options.logger.error({ err: error, lane: state.lane }, 'reading a partition stops');
    this.#handlers?.onLaneError(state.lane, error);
  }

  /** A handler that throws stops its lane, not the fetcher. False when it threw. */
  #call(state: LaneState, handler: () => void): boolean {
    try {
      handler();
      return true;
    } catch (error) {
      this.#fail(state, asTabletopicError(error));
      return false;
    }
  }
}
