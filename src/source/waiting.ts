import type { Clock, Ports } from '../ports.ts';

/** Sleeps that end early, without throwing, when the signal aborts. False when it was aborted. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch {
    return false;
  }
}

/** Waits for the task at most `ms`; false when time ran out or the signal aborted first. The task goes on by itself. */
export async function within(clock: Clock, ms: number, task: Promise<unknown>, signal?: AbortSignal): Promise<boolean> {
  const timer = new AbortController();
  const signals = signal === undefined ? timer.signal : AbortSignal.any([timer.signal, signal]);
  const late = pause(clock, ms, signals).then(() => false);
  try {
    return await Promise.race([task.then(() => true), late]);
  } finally {
    timer.abort(null);
  }
}

/** The task's result, or a rejection with the signal's reason as soon as it aborts. The task goes on by itself. */
export async function abortable<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  task.catch(() => {});
  try {
    return await Promise.race([task, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Growing waits between attempts, with jitter so that many clients do not return at once. */
export class Backoff {
  readonly #ports: Ports;
  readonly #first: number;
  readonly #most: number;
  #next: number;

  constructor(ports: Ports, first = 100, most = 5000) {
    this.#ports = ports;
    this.#first = first;
    this.#most = most;
    this.#next = first;
  }

  reset(): void {
    this.#next = this.#first;
  }

  /** Waits and doubles the next wait; false when the signal aborted. */
  async wait(signal: AbortSignal): Promise<boolean> {
    const ms = this.#next * (0.75 + this.#ports.random.next() / 2);
    this.#next = Math.min(this.#next * 2, this.#most);
    return await pause(this.#ports.clock, ms, signal);
  }
}

/** A flag that a loop waits for: a notification given while nobody waits is kept. */
export class Wake {
  #set = false;
  #waiter: (() => void) | null = null;

  notify(): void {
    if (this.#waiter === null) {
      this.#set = true;
      return;
    }
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter();
  }

  /** Waits for a notification, for `ms` at most, or until the signal aborts. One waiter at a time. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#set) {
      this.#set = false;
      return;
    }
    const notified = new Promise<void>((resolve) => {
      this.#waiter = resolve;
    });
    await within(clock, ms, notified, signal);
    this.#waiter = null;
  }
}
