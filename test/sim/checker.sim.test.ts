import { expect, test } from 'vitest';
import { quiet } from './plan.ts';
import type { Happening, HappeningKind, Plan } from './plan.ts';
import { run } from './seeds.ts';
import { simulate } from './simulation.ts';

/** The checkers of the simulation catch what is planted in a table under a service that does nothing wrong. */

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
  ['plant greed', /^8: i0 holds \d+ fetched bytes, \d+ are allowed/],
  ['plant stuck', /^7: .* stands at \d+, the log ends at \d+/],
] as const)('%s', async (kind, expected) => {
  const { outcome, problems } = await simulate(planted(kind));
  expect(outcome).toBe('failed');
  expect(problems[0]).toMatch(expected);
});

test.each([
  ['plant duplicate', /the row is there again/],
  ['plant hole', /not there: \d+/],
  ['plant lost file', /is lost: the table names it/],
] as const)('verify finds it too: %s', async (kind, expected) => {
  const { verified } = await simulate(planted(kind));
  expect(verified.join('\n')).toMatch(expected);
});

/** So many dead letters that the statement's list goes on in a file. */
const dead: Plan = {
  ...quiet,
  partitions: 5,
  format: 'json',
  poison: 0.8,
  pace: 100,
  commitInterval: 200,
  calmAt: 35_000,
};

test('dead letters in list files are read too', async () => {
  const { outcome, reached } = await run(dead);
  expect(outcome).toBe('caught up');
  expect([...reached]).toContain('list file of dead letters');
  const { problems } = await simulate({ ...dead, happenings: [{ at: 34_000, kind: 'plant lost dead letters' }] });
  expect(problems[0]).toMatch(/^4: the list .* of \d+ checkpoints with dead letters is gone/);
});

test('the source of a dead letter that is lost', async () => {
  const { problems } = await simulate({
    ...dead,
    calmAt: 12_000,
    happenings: [{ at: 9000, kind: 'plant lost dead letters' }],
  });
  expect(problems[0]).toMatch(/^4: the source .* of dead letters is gone/);
});

test('rows that another writer deleted are not taken for lost, but for lost if they were not', async () => {
  const { outcome } = await run(planted('rows deleted'));
  expect(outcome).toBe('caught up');
});

test('a failure says seed, plan and what happened', async () => {
  const failing = run(planted('plant duplicate'));
  await expect(failing).rejects.toThrow(
    /seed 1: 1: .*TABLETOPIC_SEED=1 .*happening: 9\.000 plant duplicate.*i0\.1 +\[shop\.orders\] committed/s,
  );
});
