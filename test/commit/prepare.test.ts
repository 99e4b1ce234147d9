import { expect, test } from 'vitest';
import { decodeManifest } from '../../src/iceberg/manifest.ts';
import { World } from './world.ts';

test('leaves snapshot id and sequence numbers to inheritance', async () => {
  const world = new World();
  const a = await world.instance().start();
  const { manifest } = await a.prepare([3]);
  expect(manifest).toMatchObject({ sequenceNumber: null, minSequenceNumber: null, addedSnapshotId: null });
  const entries = await decodeManifest(await world.io.read(manifest!.location), manifest!.location);
  expect(entries).toHaveLength(1);
  expect(entries[0]).toMatchObject({ status: 1, snapshotId: null, sequenceNumber: null, fileSequenceNumber: null });
});

test('refuses ranges that leave out offsets', async () => {
  const world = new World();
  const a = await world.instance().start();
  const { cut } = await a.prepare([3]);
  const ranges = cut.ranges.map((range) => ({ ...range, end: 4 }));
  await expect(a.prepare([3], [], { ranges })).rejects.toThrow(/what became of t-0 0–4 does not add up/);
});

test('refuses dead letters that are counted and not given', async () => {
  const world = new World();
  const a = await world.instance().start();
  a.dead = (_, offset) => offset === 1;
  await expect(a.prepare([3], [], { deadLetters: [] })).rejects.toThrow(/count 1 dead letters, 0 were given/);
});
