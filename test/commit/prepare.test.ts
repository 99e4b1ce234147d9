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
