import { expect, test } from 'vitest';
import { run, seedsOf } from './seeds.ts';

/** The other half of the seeds of `simulation.sim.test.ts`, which has the invariants, on another core. */
test('seeds, second half', async () => {
  const stops: string[] = [];
  const seeds = seedsOf(1, 2);
  for (const seed of seeds) {
    const { outcome } = await run(seed);
    if (outcome !== 'caught up') stops.push(`${seed} ${outcome}`);
  }
  expect(stops.length, stops.join('\n')).toBeLessThanOrEqual(Math.max(1, seeds.length * 0.2));
});
