import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';
import type { Ports } from '../../src/ports.ts';

/**
 * Many committers in one thread, in virtual time: at every call to the catalog, the store and the clock a seeded choice
 * says who goes on. Imported before anything that takes functions from `node:zlib`.
 */

// Compression off the main thread would end whenever it ends; here it ends at once.
const atOnce =
  (act: (bytes: Buffer) => Buffer) =>
  (bytes: Buffer, done: (error: Error | null, result?: Buffer) => void): void => {
    let result: Buffer;
    try {
      result = act(bytes);
    } catch (error) {
      done(error as Error);
      return;
    }
    done(null, result);
  };
Object.assign(zlib, {
  deflateRaw: atOnce((bytes) => zlib.deflateRawSync(bytes)),
  inflateRaw: atOnce((bytes) => zlib.inflateRawSync(bytes)),
});
syncBuiltinESMExports();

/** A stream of random numbers from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Event {
  readonly time: number;
  readonly owner: Process | null;
  readonly go: () => void;
}

/** One event at a time, in the order of virtual time; the next only when all that the last one set going stands still. */
export class Interleaved {
  /** Milliseconds since the start. */
  now = 0;
  events = 0;
  readonly random: () => number;
  readonly #waiting: Event[] = [];

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  /** Resolves after a time; never where its process is dead by then. */
  after(ms: number, owner: Process | null = null): Promise<void> {
    return new Promise((go) => void this.#waiting.push({ time: this.now + ms, owner, go }));
  }

  /** Until `done`; rejects when nothing is left to happen before, or at `until` (virtual ms). */
  async run(done: () => boolean, until: number, afterEach: () => Promise<void>): Promise<void> {
    await settle();
    while (!done()) {
      let next = 0;
      for (let i = 1; i < this.#waiting.length; i++) if (this.#waiting[i]!.time < this.#waiting[next]!.time) next = i;
      const [event] = this.#waiting.splice(next, 1);
      if (event === undefined) throw new Error(`nothing goes on at ${this.now} ms`);
      if (event.owner?.alive === false) continue;
      if (event.time > until) throw new Error(`not done at ${until} ms`);
      this.now = event.time;
      this.events++;
      if (event.owner !== null && --event.owner.eventsLeft < 0) {
        event.owner.alive = false;
        continue;
      }
      event.go();
      await settle();
      await afterEach();
    }
  }
}

/** A real turn of the event loop: by then every promise that could go on has gone on. */
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export const EPOCH = 1_700_000_000_000;

/** A process of the service: what waits in it never goes on once it is dead. */
export class Process {
  alive = true;
  /** It dies before its event of this number. */
  eventsLeft = Number.POSITIVE_INFINITY;
  readonly scheduler: Interleaved;
  readonly ports: Ports;

  constructor(scheduler: Interleaved, ids: Ports['ids']) {
    this.scheduler = scheduler;
    this.ports = {
      clock: {
        now: () => EPOCH + Math.floor(scheduler.now),
        monotonic: () => scheduler.now,
        sleep: async (ms, signal) => {
          signal?.throwIfAborted();
          await scheduler.after(ms, this);
          signal?.throwIfAborted();
        },
      },
      ids,
      random: { next: scheduler.random },
    };
  }

  /** A call over the network: there, the act, and back, others may come between. */
  async call<T>(latency: number, act: () => T | Promise<T>): Promise<T> {
    await this.scheduler.after(this.scheduler.random() * latency, this);
    const result = await act();
    await this.scheduler.after(this.scheduler.random() * latency, this);
    return result;
  }
}
