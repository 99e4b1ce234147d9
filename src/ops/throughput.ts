import type { Clock } from '../ports.ts';

/** Seconds over which the rate is taken. */
const WINDOW = 5;

/** Counts what is read, and how fast over the last seconds. */
export class Throughput {
  records = 0;
  bytes = 0;
  readonly #clock: Clock;
  /** Records by second of the monotonic clock. */
  readonly #seconds = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(records: number, bytes: number): void {
    this.records += records;
    this.bytes += bytes;
    const second = this.#second();
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + records);
    for (const old of this.#seconds.keys()) if (old < second - WINDOW) this.#seconds.delete(old);
  }

  /** Records each second over the last whole seconds. */
  get rate(): number {
    const second = this.#second();
    let sum = 0;
    for (let i = 1; i <= WINDOW; i++) sum += this.#seconds.get(second - i) ?? 0;
    return sum / WINDOW;
  }

  #second(): number {
    return Math.floor(this.#clock.monotonic() / 1000);
  }
}
