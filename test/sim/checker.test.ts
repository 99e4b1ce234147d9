import { expect, test } from 'vitest';
import type { Happening, HappeningKind, Plan } from './plan.ts';
import { run } from './seeds.ts';
import { simulate } from './simulation.ts';

/** The checkers of the simulation catch what is planted in a table under a service that does nothing wrong. */
const quiet: Plan = {
  seed: 1,
  instances: 1,
  partitions: 2,
  isolation: 'read_committed',
  format: 'string',
  poison: 0,
  commitInterval: 1000,
  onMissingOffsets: 'stop',
  onDropped: 'stop',
  calmAt: 12_000,
  faults: [],
  happenings: [],
};

function planted(kind: HappeningKind): Plan {
  const happening: Happening = { at: 9000, kind };
  return { ...quiet, happenings: [happening] };
}

test('without faults everything is committed, and nothing is found', async () => {
  const { outcome, snapshots } = await run(quiet);
  expect(outcome).toBe('caught up');
  expect(snapshots).toBeGreaterThan(3);
});

test.each([
  ['plant duplicate', /^1: .* is there twice/],
  ['plant hole', /^2: .* is missing below the checkpoint/],
  ['plant lost file', /^4\/5: snapshot \d+ names .*, which is gone/],
  ['plant stuck', /^7: .* stands at \d+, the log ends at \d+/],
] as const)('%s', async (kind, expected) => {
  const { outcome, problems } = await simulate(planted(kind));
  expect(outcome).toBe('failed');
  expect(problems[0]).toMatch(expected);
});

test('a failure says seed, plan and what happened', async () => {
  const failing = run(planted('plant duplicate'));
  await expect(failing).rejects.toThrow(
    /seed 1: 1: .*TABLETOPIC_SEED=1 .*happening: 9\.000 plant duplicate.*i0\.1 +committed/s,
  );
});
