import { expect, test } from 'vitest';
import { judge } from '../../src/commit/judge.ts';
import type { Known } from '../../src/commit/known.ts';
import { World } from './world.ts';

test('rows are not for a table without a snapshot, though the offsets fit', async () => {
  const world = new World();
  const a = await world.instance().start();
  const prepared = await a.prepare([3]);
  const known: Known = { ...a.committer.state!, statement: null, anchored: true };
  const offsets = known.offsets!;
  expect(judge(prepared, known, 'main', offsets, 0).kind).toBe('fits');
  expect(judge(prepared, { ...known, headSnapshotId: null }, 'main', offsets, 0)).toMatchObject({
    kind: 'dropped',
    reason: 'the table has no snapshot: rows are never its first',
  });
});
