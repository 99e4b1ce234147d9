import type { Ports } from '../ports.ts';

/** Waits between attempts: exponential with full jitter (a uniform part of the bound), so that losers do not collide again. */
export class Backoff {
  readonly #ports: Ports;
  readonly #base: number;
  readonly #most: number;
  #bound: number;

  /** `base` and `most`: milliseconds, bound of the first wait and of every later one. */
  constructor(ports: Ports, base: number, most: number) {
    this.#ports = ports;
    this.#base = base;
    this.#most = most;
    this.#bound = base;
  }

  reset(): void {
    this.#bound = this.#base;
  }

  /**
   * Rejects with the signal's reason when it aborts. `least`, ms: what the attempt itself took; a wait that is shorter than
   * others need for theirs only meets them again.
   */
  async wait(signal: AbortSignal, least = 0): Promise<void> {
    const bound = Math.max(this.#bound, Math.min(least, this.#most));
    const ms = least / 2 + this.#ports.random.next() * bound;
    this.#bound = Math.min(this.#most, bound * 2);
    await this.#ports.clock.sleep(Math.min(ms, this.#most), signal);
  }
}
