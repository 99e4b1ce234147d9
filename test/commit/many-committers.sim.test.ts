import { expect, test } from 'vitest';
import { ManyCommitters } from './many-committers.ts';
import type { Troubles } from './many-committers.ts';

/** A run takes about a second. */
const SEEDS = Math.max(1, Math.round(Number(process.env['TABLETOPIC_SEEDS'] ?? 250) / 50));
const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);

const part = (sorted: readonly number[], of: number): number => sorted[Math.floor((sorted.length - 1) * of)]!;

test('16 committers with a checkpoint each second: few attempts, nobody starves, nothing is left lying', async () => {
  const run = new ManyCommitters({ seed: 1, committers: 16, interval: 1000, end: 30 });
  const { attempts, ms, checkpoints, snapshots, objectsLeft } = await run.run(0, 60_000);
  expect(part(attempts, 0.5)).toBeLessThanOrEqual(2);
  expect(attempts.at(-1)).toBeLessThanOrEqual(4);
  expect(part(ms, 0.99)).toBeLessThan(2000);
  expect(checkpoints / snapshots).toBeGreaterThan(1);
  expect(objectsLeft).toBe(0);
});

test('a lone committer pays nothing: one attempt each, and no pending object', async () => {
  const run = new ManyCommitters({ seed: 3, committers: 1, interval: 1000, end: 60 });
  const { attempts, checkpoints, snapshots, objectsWritten } = await run.run(0, 120_000);
  expect(checkpoints).toBeGreaterThan(20);
  expect(snapshots).toBe(checkpoints);
  expect(attempts.at(-1)).toBe(1);
  expect(objectsWritten).toBe(0);
});

test.each([2, 3, 4, 5])(
  '64 committers with a checkpoint each second, none of which waits for long: seed %i',
  async (seed) => {
    const run = new ManyCommitters({ seed, committers: 64, interval: 1000, end: 8 });
    const { attempts, ms, mostCarried, objectsWritten, objectsLeft } = await run.run(0, 60_000);
    expect(part(attempts, 0.5)).toBeLessThanOrEqual(2);
    expect(attempts.at(-1)).toBeLessThanOrEqual(4);
    expect(part(ms, 0.99)).toBeLessThan(2000);
    expect(ms.at(-1)).toBeLessThan(3000);
    expect(mostCarried).toBeGreaterThan(4);
    expect(objectsWritten).toBeGreaterThan(0);
    expect(objectsLeft).toBe(0);
  },
);

test('64 committers, of which some die or are taken for dead while requests and answers are lost: all goes on', async () => {
  const troubles = { lost: 0.05, dies: 0.05, zombies: 0.05 };
  const run = new ManyCommitters({ seed: 5, committers: 64, interval: 1000, end: 8, troubles });
  const { attempts, ms } = await run.run(8000, 60_000);
  expect(part(attempts, 0.5)).toBeLessThanOrEqual(2);
  expect(part(ms, 0.99)).toBeLessThan(5000);
});

test.each<[string, Troubles]>([
  ['lost requests and answers', { lost: 0.3 }],
  ['committers that die', { dies: 0.3, lost: 0.1 }],
  ['zombies', { zombies: 0.2, lost: 0.1 }],
  ['rollbacks, half of them with an expiry', { rollbacks: 1500, lost: 0.1 }],
  ['all of it, and compactions', { lost: 0.15, dies: 0.15, zombies: 0.1, rollbacks: 2500, compactions: 1500 }],
])(`every row once, with %s: ${SEEDS} seeds`, async (_, troubles) => {
  for (const seed of seeds) {
    const run = new ManyCommitters({ seed, committers: 3 + (seed % 4), interval: 300, end: 14, troubles });
    const problem = await run.run(8000, 200_000).then(
      () => null,
      (error: Error) => error.message,
    );
    expect(problem, `seed ${seed}`).toBeNull();
  }
});
