import type { Ports } from '../../src/ports.ts';
import type { SeededRandom } from './random.ts';

/** A real turn of the event loop: by then every promise that could go on has gone on. */
const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export interface Event {
  time: number;
  readonly sequence: number;
  /** The process that it happens in: never, if that is dead by then; later, if that is paused. Null: outside. */
  readonly owner: SimProcess | null;
  readonly task: () => void;
  cancelled: boolean;
}

/**
 * Virtual time. One event happens at a time, in the order of time and then of being asked for, and the next only when
 * all that the last one set going stands still: a run is the same each time.
 */
export class Scheduler {
  /** Milliseconds since the start of the run. */
  now = 0;
  events = 0;
  /** Looks at the world after each event. */
  afterEach: () => void | Promise<void> = () => undefined;
  readonly #heap: Event[] = [];
  #sequence = 0;

  at(delay: number, owner: SimProcess | null, task: () => void): Event {
    const event: Event = {
      time: this.now + Math.max(0, delay),
      sequence: this.#sequence++,
      owner,
      task,
      cancelled: false,
    };
    this.#push(event);
    return event;
  }

  sleep(delay: number, owner: SimProcess | null = null): Promise<void> {
    return new Promise((resolve) => void this.at(delay, owner, resolve));
  }

  /** Runs until nothing is left, `until` is reached or `done` says so. */
  async run(until: number, done: () => boolean): Promise<void> {
    await settle();
    while (!done()) {
      const event = this.#heap[0];
      if (!event || event.time > until) {
        this.now = until;
        return;
      }
      this.#pop();
      const { owner } = event;
      if (event.cancelled || owner?.alive === false) continue;
      if (owner && owner.pausedUntil > event.time) {
        event.time = owner.pausedUntil;
        this.#push(event);
        continue;
      }
      this.now = event.time;
      this.events++;
      if (owner && ++owner.events === owner.crashAt) {
        owner.kill();
        continue;
      }
      event.task();
      await settle();
      await this.afterEach();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}

/** Wall clock at the start of every run, ms. */
export const EPOCH = 1_700_000_000_000;

/** One operating system process: what happens in it, stops for ever when it is killed and waits while it is stopped. */
export class SimProcess {
  readonly name: string;
  readonly random: SeededRandom;
  readonly ports: Ports;
  alive = true;
  pausedUntil = 0;
  events = 0;
  /** Dies instead of seeing its n-th event. */
  crashAt = Number.POSITIVE_INFINITY;
  onKill: () => void = () => undefined;

  constructor(name: string, scheduler: Scheduler, random: SeededRandom, wallOffset: () => number) {
    this.name = name;
    this.random = random;
    this.ports = {
      clock: {
        now: () => EPOCH + Math.round(scheduler.now + wallOffset()),
        monotonic: () => scheduler.now,
        sleep: (ms, signal) => this.#sleep(scheduler, ms, signal),
      },
      ids: random,
      random,
    };
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.onKill();
  }

  #sleep(scheduler: Scheduler, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const abort = (): void => {
        event.cancelled = true;
        reject(signal!.reason as Error);
      };
      const event = scheduler.at(ms, this, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}
