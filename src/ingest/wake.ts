import type { Clock } from '../ports.ts';

/** A wait that somebody may end early. */
export class Wake {
  #pending = false;
  #resolve: (() => void) | null = null;

  /** Ends the current wait, or the next one if none is under way. */
  now(): void {
    if (this.#resolve) this.#resolve();
    else this.#pending = true;
  }

  /** Resolves after `ms`, at `now()`, or when the signal aborts; never rejects. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#pending || signal.aborted || ms <= 0) {
      this.#pending = false;
      return;
    }
    const stop = new AbortController();
    const woken = new Promise<void>((resolve) => (this.#resolve = resolve));
    const slept = clock.sleep(ms, AbortSignal.any([stop.signal, signal])).catch(() => undefined);
    await Promise.race([woken, slept]);
    this.#resolve = null;
    stop.abort(null);
  }
}
