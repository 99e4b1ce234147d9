import { Wake } from './waiting.ts';
import type { Clock } from '../ports.ts';

/** Below this a fetch is not worth its round trip. */
const leastGrant = 256 * 1024;

/**
 * Bytes of fetched records held at once (invariant 8): asked for before a fetch, settled with what came, given back by
 * `release`. Maintained invariant: used + reserved is at most the limit, except that one fetch may always go when
 * nothing is held (a batch larger than the limit must get through), and that a limit may be lowered under what is held.
 *
 * Breaks: test/source/budget.test.ts, "then nothing until something comes back".
 */
export class ByteBudget {
  #limit = Infinity;
  #used = 0;
  #reserved = 0;
  #waiting: Wake[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get used(): number {
    return this.#used;
  }

  setLimit(bytes: number): void {
    this.#limit = bytes;
    this.#next();
  }

  /** Waits, first come first served, until something is free; grants at most `wanted` bytes. 0 when the signal aborted. */
  async reserve(wanted: number, signal: AbortSignal): Promise<number> {
    let granted = this.#waiting.length === 0 ? this.#grant(wanted) : 0;
    if (granted > 0) return granted;
    const wake = new Wake();
    this.#waiting.push(wake);
    while (granted === 0 && !signal.aborted) {
      await wake.wait(this.#clock, 60_000, signal);
      if (this.#waiting[0] === wake) granted = this.#grant(wanted);
    }
    this.#waiting = this.#waiting.filter((w) => w !== wake);
    this.#next();
    return granted;
  }

  /** Ends a reservation: `held` bytes were handed on and are given back later by `release`. */
  settle(reservation: number, held: number): void {
    this.#reserved -= reservation;
    this.#used += held;
    this.#next();
  }

  release(bytes: number): void {
    this.#used = Math.max(0, this.#used - bytes);
    this.#next();
  }

  #grant(wanted: number): number {
    const free = this.#limit - this.#used - this.#reserved;
    let granted = 0;
    if (free >= wanted) granted = wanted;
    else if (free >= leastGrant) granted = free;
    else if (this.#used + this.#reserved === 0) granted = Math.min(wanted, Math.max(this.#limit, 1));
    this.#reserved += granted;
    return granted;
  }

  #next(): void {
    this.#waiting[0]?.notify();
  }
}
