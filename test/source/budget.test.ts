import { expect, test } from 'vitest';
import { systemPorts } from '../../src/ports.ts';
import { ByteBudget } from '../../src/source/budget.ts';

const MiB = 1 << 20;
const never = new AbortController().signal;

/** True when the promise is still open after everything that can happen by itself has happened. */
async function waits(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol();
  await new Promise((resolve) => setImmediate(resolve));
  return (await Promise.race([promise, Promise.resolve(open)])) === open;
}

test('what is asked for is granted, then the rest, then nothing until something comes back', async () => {
  const budget = new ByteBudget(systemPorts.clock);
  budget.setLimit(10 * MiB);
  expect(await budget.reserve(8 * MiB, never)).toBe(8 * MiB);
  expect(await budget.reserve(8 * MiB, never)).toBe(2 * MiB);
  const third = budget.reserve(8 * MiB, never);
  expect(await waits(third)).toBe(true);
  budget.settle(8 * MiB, 3 * MiB); // of the 8, 3 were handed on
  expect(await third).toBe(5 * MiB);
  const fourth = budget.reserve(4 * MiB, never);
  expect(await waits(fourth)).toBe(true);
  budget.release(3 * MiB);
  expect(await fourth).toBe(3 * MiB);
});

test('first come, first served', async () => {
  const budget = new ByteBudget(systemPorts.clock);
  budget.setLimit(MiB);
  await budget.reserve(MiB, never);
  const order: number[] = [];
  const later = [1, 2, 3].map((n) =>
    budget.reserve(MiB, never).then((granted) => order.push(n) && budget.settle(granted, 0)),
  );
  budget.settle(MiB, 0);
  await Promise.all(later);
  expect(order).toEqual([1, 2, 3]);
});

test('one fetch goes even above the limit when nothing is held, and close ends the wait', async () => {
  const budget = new ByteBudget(systemPorts.clock);
  budget.setLimit(1000);
  expect(await budget.reserve(MiB, never)).toBe(1000);
  budget.settle(1000, 5 * MiB); // a batch larger than the limit came whole
  const closing = new AbortController();
  const waiting = budget.reserve(MiB, closing.signal);
  expect(await waits(waiting)).toBe(true);
  closing.abort();
  expect(await waiting).toBe(0);
  budget.release(5 * MiB);
  expect(await budget.reserve(10, never)).toBe(10);
});
