import { expect, test } from 'vitest';
import { quiet } from './plan.ts';
import { run } from './seeds.ts';

/** Runs without surprises that show one invariant each at the level of a whole service. */

test('a partition that is revoked: its open checkpoint is committed before another gets it', async () => {
  const { trace } = await run({
    ...quiet,
    instances: 2,
    commitInterval: 60_000,
    happenings: [{ at: 8000, kind: 'rebalance' }],
  });
  const moved = trace.lines.slice(trace.lines.findIndex((line) => line.includes(' rebalance')));
  const given = moved.findIndex((line) => line.includes('partitions are assigned'));
  const before = moved.slice(0, given);
  expect(before.filter((line) => line.includes('partitions are revoked'))).toHaveLength(2);
  expect(before.filter((line) => line.includes('committed {'))).toHaveLength(2);
});

test('a process that dies: the next one goes on where the table stands', async () => {
  const { outcome, trace } = await run({ ...quiet, happenings: [{ at: 6000, kind: 'crash' }] });
  expect(outcome).toBe('caught up');
  expect(trace.lines.filter((line) => line.includes('checkpoint is dropped'))).toEqual([]);
});

test('a table that stops: the other one of the topic goes on', async () => {
  const { outcome, trace } = await run({
    ...quiet,
    tables: 'second',
    happenings: [{ at: 6000, kind: 'column dropped' }],
  });
  expect(outcome).toBe('stopped TABLE_CHANGED');
  const after = trace.lines.slice(trace.lines.findIndex((line) => line.includes('the table stops')));
  expect(after.filter((line) => line.includes('[shop.orders_raw] committed')).length).toBeGreaterThan(2);
});

test('Kafka’s offsets never run before the table’s', async () => {
  const { trace } = await run({ ...quiet, faults: [{ operation: 'kafka.commit', n: 1, kind: 'delay' }] });
  const lines = trace.lines.filter((line) => line.includes('kafka.commit') || line.includes('committed {'));
  expect(lines[0]).toContain('committed {');
  expect(lines[1]).toContain('kafka.commit');
});

test('a rollback while nothing new comes: what was taken back is read again', async () => {
  const { trace } = await run({
    ...quiet,
    pace: 30_000,
    calmAt: 40_000,
    happenings: [{ at: 20_000, kind: 'rollback' }],
  });
  const after = trace.lines.slice(trace.lines.findIndex((line) => line.includes(' rollback: main is put back')));
  expect(after[1]).toContain('rolled back, or written by another owner');
  expect(after[2]).toContain('committed {');
});
