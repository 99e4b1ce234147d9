import { randomBytes, randomUUID } from 'node:crypto';

/**
 * Time, randomness and ids are ports, so that whole runs can be simulated from a seed (invariant 10).
 * Nothing else in `src` asks the machine for the time or for a random number.
 *
 * Breaks: test/architecture.test.ts, "time, randomness and ids come through ports".
 */
export interface Ports {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. May run back. */
  now(): number;
  /** Milliseconds from an arbitrary start; never runs back. For durations and deadlines. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Ids {
  /** A random UUID, lower case with hyphens. */
  uuid(): string;
  /** A positive 63-bit id (Iceberg snapshot ids). */
  long(): bigint;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/** Waits are ended early all the time: that takes no error of its own, as that of `node:timers/promises` would. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(signal.reason);
    return promise;
  }
  const abort = (): void => {
    clearTimeout(timer);
    reject(signal!.reason);
  };
  const timer = setTimeout(
    () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    },
    Math.max(0, ms),
  );
  signal?.addEventListener('abort', abort, { once: true });
  return promise;
}

export const systemPorts: Ports = {
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep,
  },
  ids: {
    uuid: () => randomUUID(),
    long: () => {
      const id = randomBytes(8).readBigUInt64BE() >> 1n;
      return id === 0n ? 1n : id;
    },
  },
  random: { next: () => Math.random() },
};
