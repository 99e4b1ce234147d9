import { expect, test } from 'vitest';
import { quiet } from './plan.ts';
import type { Plan } from './plan.ts';
import { run } from './seeds.ts';

/** Runs that broke an invariant once, each named after what a user would have seen. */
const base: Plan = {
  ...quiet,
  commitInterval: 500,
  onDropped: 'recreate',
  calmAt: 15_000,
};

test('a partition that the group gives before its topic is described again: its owner committed nothing more', async () => {
  const { outcome } = await run({ ...base, happenings: [{ at: 6000, kind: 'partition added' }] });
  expect(outcome).toBe('caught up');
});

test('a new default partition spec: rows stood in the null partition', async () => {
  const { outcome } = await run({ ...base, happenings: [{ at: 6000, kind: 'spec changed' }] });
  expect(outcome).toBe('caught up');
});

test('a spec that changes while partitions move: files of the former spec were committed under the new one', async () => {
  const happenings = Array.from({ length: 14 }, (_, i) => ({
    at: 4000 + i * 800,
    kind: i % 3 === 0 ? ('spec changed' as const) : ('rebalance' as const),
  }));
  const { outcome } = await run({
    ...base,
    instances: 2,
    partitions: 3,
    format: 'json',
    commitInterval: 2500,
    happenings,
  });
  expect(outcome).toBe('caught up');
});

test.each(['string', 'json'] as const)(
  'a column that was dropped and may be created again: the table never committed again (%s)',
  async (format) => {
    const { outcome } = await run({ ...base, format, happenings: [{ at: 6000, kind: 'column dropped' }] });
    expect(outcome).toBe('caught up');
  },
);

test('partitions that move after retention: the new owner stopped for offsets that the table held long since', async () => {
  const { outcome } = await run({
    ...base,
    seed: 3,
    instances: 2,
    partitions: 1,
    happenings: [
      { at: 8000, kind: 'retention' },
      { at: 8300, kind: 'rebalance' },
    ],
  });
  expect(outcome).toBe('caught up');
});

test('a clock that is put back: offsets without rows waited for as long', async () => {
  const { outcome } = await run({
    ...base,
    seed: 450,
    instances: 2,
    format: 'json',
    calmAt: 19_375,
    faults: [
      { operation: 'kafka.offsets', n: 4, kind: 'delay' },
      { operation: 'kafka.heartbeat', n: 14, kind: 'delay' },
    ],
    happenings: [
      { at: 4724, kind: 'rebalance' },
      { at: 7096, kind: 'rebalance' },
      { at: 13_366, kind: 'clock jump' },
      { at: 15_435, kind: 'rebalance' },
      { at: 15_893, kind: 'rebalance' },
    ],
  });
  expect(outcome).toBe('caught up');
});

test('a table that stops while partitions are assigned: the process stayed, doing nothing', async () => {
  const { outcome } = await run({
    ...base,
    seed: 587,
    partitions: 3,
    commitInterval: 2500,
    onMissingOffsets: 'skip',
    onDropped: 'stop',
    calmAt: 37_208,
    happenings: [
      { at: 720, kind: 'partition added' },
      { at: 14_840, kind: 'clock jump' },
      { at: 29_964, kind: 'column dropped' },
    ],
  });
  expect(outcome).toBe('stopped TABLE_CHANGED');
});
