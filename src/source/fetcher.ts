import type pino from 'pino';
import type { Ports } from '../ports.ts';
import type { ByteBudget } from './budget.ts';
import type { Connections } from './connection.ts';
import type { FetchResponse } from './fetch-codec.ts';
import type { FetchConnection } from './fetch-connection.ts';
import { type Asked, buildRequest, chooseLanes, type FetchLimits, wantedBytes } from './fetch-request.ts';
import { kafkaError } from './kafka-errors.ts';
import type { LaneState } from './lanes.ts';
import type { ClusterMetadata } from './metadata.ts';
import { Backoff } from './waiting.ts';

/** After an empty answer a fetcher asks for little, so that idle ones do not hold the budget of busy ones. */
const idleReservation = 1024 * 1024;

export interface FetcherKey {
  readonly node: number;
  readonly worker: number;
  readonly slot: number;
}

export interface FetcherEnvironment {
  readonly connections: Connections;
  readonly metadata: ClusterMetadata;
  readonly budget: ByteBudget;
  readonly limits: FetchLimits;
  readonly ports: Ports;
  readonly logger: pino.Logger;
  /** Lanes of this key that may be asked for now. */
  ready(key: FetcherKey): LaneState[];
  /** Hands an answer on; gives the bytes that were delivered. Never throws. */
  deliver(asked: readonly Asked[], response: FetchResponse): number;
}

/**
 * Fetches for one broker, worker and slot over a connection of its own, one request at a time: the next goes out as soon
 * as the answer before it has been scanned, while the workers are still busy with that. Stops when it has no lanes.
 */
export class Fetcher {
  readonly key: FetcherKey;
  readonly #env: FetcherEnvironment;
  readonly #backoff: Backoff;
  #running: Promise<void> | null = null;
  #lastBytes = 1;

  constructor(key: FetcherKey, env: FetcherEnvironment) {
    this.key = key;
    this.#env = env;
    this.#backoff = new Backoff(env.ports);
  }

  /** Starts the loop unless it runs. */
  kick(signal: AbortSignal): void {
    if (this.#running !== null || signal.aborted || this.#env.ready(this.key).length === 0) return;
    this.#running = this.#loop(signal).finally(() => {
      this.#running = null;
      this.kick(signal);
    });
  }

  async stopped(): Promise<void> {
    await this.#running;
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { budget, limits } = this.#env;
    while (!signal.aborted) {
      const wanted = wantedBytes(chooseLanes(this.#env.ready(this.key)), limits);
      if (wanted === 0) return;
      const reservation = await budget.reserve(
        this.#lastBytes === 0 ? Math.min(wanted, idleReservation) : wanted,
        signal,
      );
      if (reservation === 0) return;
      let held = 0;
      let failure: unknown = null;
      try {
        held = await this.#fetch(reservation);
      } catch (error) {
        failure = error;
      }
      budget.settle(reservation, held);
      this.#lastBytes = held;
      if (failure === null) this.#backoff.reset();
      else if (!signal.aborted) await this.#failed(failure, signal);
    }
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const err = kafkaError(error, `broker ${this.key.node}`);
    this.#env.logger.warn({ err, broker: this.key.node }, 'fetch failed; tried again');
    this.#env.metadata.refreshSoon();
    await this.#backoff.wait(signal);
  }

  /** One request. The lanes may have changed while the budget was waited for, so they are chosen now. */
  async #fetch(granted: number): Promise<number> {
    const { connections } = this.#env;
    const { node, worker, slot } = this.key;
    const lanes = chooseLanes(this.#env.ready(this.key));
    if (lanes.length === 0) return 0;
    for (const state of lanes) state.busy = true;
    let answer: { asked: Asked[]; response: FetchResponse };
    try {
      const connection = await connections.fetching(node, `fetch/${worker}/${slot}`);
      answer = await this.#ask(connection, lanes, granted).catch((error: unknown) => {
        connections.drop(connection);
        throw error;
      });
    } finally {
      for (const state of lanes) state.busy = false;
    }
    return this.#env.deliver(answer.asked, answer.response);
  }

  async #ask(
    connection: FetchConnection,
    lanes: readonly LaneState[],
    granted: number,
  ): Promise<{ asked: Asked[]; response: FetchResponse }> {
    const { metadata, limits } = this.#env;
    const epochOf = (s: LaneState): number =>
      metadata.topic(s.lane.topic)?.partitions[s.lane.partition]?.leaderEpoch ?? -1;
    // Built only now: a seek while the connection was made must count.
    const { request, asked } = buildRequest(lanes, { granted, flowing: this.#lastBytes > 0 }, limits, epochOf);
    const byId = connection.takesIds && request.partitions.every((p) => p.topicId !== null);
    return { asked, response: await connection.fetch(request, byId) };
  }
}
