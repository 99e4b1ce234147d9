import { expect, test } from 'vitest';
import { missed, runSeeds } from './seeds.ts';

/** The other half of the seeds of `simulation.sim.test.ts`, which has the invariants, on another core. */
test('seeds, second half', { timeout: 3_600_000 }, async () => {
  expect(missed(await runSeeds(1, 2))).toEqual([]);
});
