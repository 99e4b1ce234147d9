import { expect, test } from 'vitest';
import { contend } from '../bench/contention-run.ts';
import { readers } from '../real/readers.ts';
import { sharedStack } from '../real/shared.ts';

/** A short run of `test/bench/contention.ts`; how long commits take is measured there. */

test('8 committers of one table with a checkpoint each second: few attempts, every row once, nothing is left lying', async () => {
  const { took, each, all, carried, pendingObjects, exact } = await contend(sharedStack(), {
    namespace: 'contention_of_eight',
    committers: 8,
    processes: 2,
    interval: 1000,
    duration: 15_000,
    warmUp: 5000,
  });
  await readers.close();
  expect(exact).toBe(true);
  const attempts = took.map((one) => one.attempts).sort((a, b) => a - b);
  expect(attempts[attempts.length >> 1]).toBeLessThanOrEqual(2);
  expect(attempts.at(-1)).toBeLessThanOrEqual(4);
  // Nobody starves: whatever the machine does, all go on alike.
  expect(Math.min(...each)).toBeGreaterThan(Math.max(...each) / 2);
  expect(carried.reduce((sum, count) => sum + count, 0)).toBe(all);
  expect(Math.max(...carried)).toBeGreaterThan(1);
  expect(pendingObjects.written).toBeGreaterThan(0);
  expect(pendingObjects.left).toBe(0);
}, 120_000);
