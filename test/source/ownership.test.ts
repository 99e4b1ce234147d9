import pino from 'pino';
import { expect, test } from 'vitest';
import { systemPorts } from '../../src/ports.ts';
import { Ownership } from '../../src/source/ownership.ts';
import type { TopicPartition } from '../../src/source/source.ts';

const partitions = (...numbers: number[]): TopicPartition[] => numbers.map((partition) => ({ topic: 't', partition }));

/** A member that is told to give partition 0 away, and whose `onRevoke` ends when the test says so. */
function revoking(): {
  ownership: Ownership;
  slept: number[];
  calls: string[];
  moved: Promise<boolean>;
  commit: () => void;
  wait: () => void;
} {
  const revoked = Promise.withResolvers<void>();
  const bound = Promise.withResolvers<void>();
  const slept: number[] = [];
  const calls: string[] = [];
  const ownership = new Ownership(
    {
      onAssign: (given) => Promise.resolve(void calls.push(`assign ${given.map(({ partition }) => partition).join()}`)),
      onRevoke: async (taken) => {
        calls.push(`revoke ${taken.map(({ partition }) => partition).join()}`);
        await revoked.promise;
      },
      onLost: () => Promise.resolve(),
      onFatal: () => undefined,
    },
    10_000,
    {
      ...systemPorts,
      clock: {
        ...systemPorts.clock,
        sleep: (ms) => {
          slept.push(ms);
          return bound.promise;
        },
      },
    },
    pino({ level: 'silent' }),
    new AbortController().signal,
  );
  const moved = ownership
    .moveTo(partitions(0, 1), () => true)
    .then(() => ownership.moveTo(partitions(1, 2), () => true));
  return { ownership, slept, calls, moved, commit: () => revoked.resolve(), wait: () => bound.resolve() };
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a revocation is acknowledged only after what is open was committed', async () => {
  const { ownership, calls, moved, commit } = revoking();
  await soon();
  expect(calls).toEqual(['assign 0,1', 'revoke 0']);
  expect(ownership.owned).toEqual(partitions(0, 1));
  commit();
  expect(await moved).toBe(true);
  expect(calls).toEqual(['assign 0,1', 'revoke 0', 'assign 2']);
  expect(ownership.owned).toEqual(partitions(1, 2));
});

test('one that does not end is given up after its bound', async () => {
  const { ownership, slept, moved, wait } = revoking();
  await soon();
  expect(slept.at(-1)).toBe(10_000);
  wait();
  await moved;
  expect(ownership.owned).toEqual(partitions(1, 2));
});
