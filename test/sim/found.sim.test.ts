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

const historyLost: Plan = {
  ...quiet,
  seed: 429,
  instances: 2,
  partitions: 3,
  format: 'json',
  poison: 0.15,
  commitInterval: 500,
  operator: true,
  calmAt: 29_903,
  happenings: [
    { at: 2726, kind: 'clock jump' },
    { at: 12_132, kind: 'log compaction' },
    { at: 14_474, kind: 'history lost' },
  ],
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

test('a backfill whose last answer is lost: its dead letters never came to their table', async () => {
  const { outcome } = await run({
    ...quiet,
    format: 'json',
    poison: 0.3,
    calmAt: 15_000,
    faults: [{ operation: 'catalog.commit', n: 20, kind: 'late' }],
    happenings: [{ at: 9000, kind: 'backfill' }],
  });
  expect(outcome).toBe('caught up');
});

test('machines that sleep for a day with a checkpoint open: its files were committed, and were orphans to others', async () => {
  const { outcome } = await run({
    ...quiet,
    seed: 798,
    partitions: 1,
    format: 'json',
    poison: 0.15,
    commitInterval: 2500,
    operator: true,
    calmAt: 22_744,
    faults: [{ operation: 'catalog.commit', n: 2, kind: 'late' }],
    happenings: [
      { at: 899, kind: 'drain' },
      { at: 2033, kind: 'column dropped' },
      { at: 3029, kind: 'publish' },
      { at: 3293, kind: 'clock of one jumps' },
      { at: 7760, kind: 'retention' },
      { at: 16_052, kind: 'night' },
    ],
  });
  expect(outcome).toBe('caught up');
});

test('machines that sleep for a day between two tries to write a manifest: its files were committed, and were gone', async () => {
  const { outcome } = await run({
    ...base,
    commitInterval: 1000,
    faults: [{ operation: 'store.write', n: 4, kind: 'late' }],
    happenings: [{ at: 5500, kind: 'night' }],
  });
  expect(outcome).toBe('caught up');
});

test('a zombie that asks for offsets that are deleted meanwhile: its table stopped, though another had gone on', async () => {
  const { outcome } = await run({
    ...quiet,
    seed: 856,
    instances: 2,
    partitions: 1,
    commitInterval: 2500,
    calmAt: 40_803,
    happenings: [
      { at: 2869, kind: 'partition added' },
      { at: 3308, kind: 'foreign snapshot' },
      { at: 3708, kind: 'night' },
      { at: 6674, kind: 'schema evolved' },
      { at: 8498, kind: 'spec changed' },
      { at: 8824, kind: 'pause' },
      { at: 18_019, kind: 'clock jump' },
      { at: 21_415, kind: 'retention' },
    ],
  });
  expect(outcome).toBe('caught up');
});

test('a question about a schema that is answered while lanes go back: what was read too early counted as absent, and was lost', async () => {
  const { outcome } = await run({
    ...quiet,
    seed: 836,
    instances: 3,
    groups: 2,
    partitions: 3,
    format: 'avro',
    tables: 'second',
    poison: 0.15,
    calmAt: 31_383,
    faults: [
      { operation: 'catalog.commit', n: 10, kind: 'lost-answer' },
      { operation: 'catalog.commit', n: 12, kind: 'late' },
      { operation: 'kafka.offsets', n: 4, kind: 'delay' },
    ],
    happenings: [
      { at: 1288, kind: 'clock of one jumps' },
      { at: 3246, kind: 'schema evolved' },
    ],
  });
  expect(outcome).toBe('caught up');
});

test('a table whose history is lost after a rollback, adopted: dead letters that were rolled back came back, and were read again', async () => {
  const { outcome } = await run(historyLost);
  expect(outcome).toBe('caught up');
});

test('a table whose history is lost, adopted with its dead letters: verify took them for a disagreement', async () => {
  const { outcome, reached } = await run({ ...historyLost, poison: 0.3 });
  expect(outcome).toBe('caught up');
  expect([...reached]).toContain('a person after OFFSETS_AMBIGUOUS');
});

test('a table of several topics whose history is lost: adopting one of them had the others read from their beginning', async () => {
  const { outcome, reached } = await run({
    ...base,
    tables: 'shared',
    operator: true,
    happenings: [{ at: 9000, kind: 'history lost' }],
  });
  expect(outcome).toBe('caught up');
  expect([...reached]).toContain('a person after OFFSETS_AMBIGUOUS');
});

test('a worker that said that a lane waits when the answer was on its way: the partition was never read again', async () => {
  const { outcome } = await run({
    seed: 27,
    instances: 1,
    groups: 1,
    partitions: 1,
    isolation: 'read_committed',
    format: 'avro',
    tables: 'routed',
    branch: 'main',
    poison: 0,
    pace: 1500,
    padding: 500,
    memory: 65536,
    commitInterval: 500,
    onMissingOffsets: 'stop',
    onDropped: 'stop',
    operator: true,
    calmAt: 21491,
    faults: [],
    happenings: [
      { at: 2090, kind: 'rollback' },
      { at: 2599, kind: 'retention' },
      { at: 4569, kind: 'outage' },
      { at: 7462, kind: 'partition added' },
      { at: 7532, kind: 'clock of one jumps' },
      { at: 10280, kind: 'rebalance' },
      { at: 12525, kind: 'crash' },
      { at: 13693, kind: 'pause' },
      { at: 15780, kind: 'spec changed' },
      { at: 16704, kind: 'pause' },
      { at: 16776, kind: 'foreign snapshot' },
    ],
  });
  expect(outcome).toBe('caught up');
});

test('a column that somebody dropped and another instance added again: its values were left out of the rows', async () => {
  const { outcome } = await run({
    ...quiet,
    seed: 1672,
    format: 'avro',
    instances: 2,
    partitions: 1,
    tables: 'shared',
    commitInterval: 500,
    onMissingOffsets: 'skip',
    onDropped: 'recreate',
    operator: true,
    calmAt: 20_597,
    faults: [{ operation: 'catalog.commit', n: 4, kind: 'lost-request' }],
    happenings: [
      { at: 6120, kind: 'schema evolved' },
      { at: 9022, kind: 'schema evolved' },
      { at: 14_392, kind: 'column dropped' },
      { at: 17_299, kind: 'rebalance' },
    ],
  });
  expect(outcome).toBe('caught up');
});

test('a column that somebody dropped, in an instance that knows the schema already: onDropped was not asked', async () => {
  const { outcome } = await run({
    ...quiet,
    seed: 1383,
    format: 'avro',
    instances: 3,
    partitions: 3,
    poison: 0.15,
    onMissingOffsets: 'skip',
    onDropped: 'stop',
    operator: true,
    calmAt: 31_194,
    happenings: [
      { at: 7345, kind: 'crash' },
      { at: 9365, kind: 'spec changed' },
      { at: 9616, kind: 'clock of one jumps' },
      { at: 10_465, kind: 'clock of one jumps' },
      { at: 10_686, kind: 'drain' },
      { at: 23_551, kind: 'retention' },
      { at: 28_157, kind: 'column dropped' },
    ],
  });
  expect(outcome).toBe('caught up');
});

test('a backfill that a signal ended before its end: whoever ran it was told that it is done', async () => {
  const { outcome } = await run({
    ...base,
    seed: 8,
    happenings: [
      { at: 9000, kind: 'backfill' },
      { at: 9080, kind: 'drain' },
    ],
  });
  expect(outcome).toBe('caught up');
});
