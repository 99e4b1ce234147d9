import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

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

export const systemPorts: Ports = {
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep: async (ms, signal) => {
      try {
        await delay(Math.max(0, ms), undefined, signal ? { signal } : {});
      } catch (error) {
        // Node wraps the reason in an AbortError of its own.
        signal?.throwIfAborted();
        throw error;
      }
    },
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
