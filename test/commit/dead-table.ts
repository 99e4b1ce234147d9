import { writeRows } from '../../src/commit/dead-letter-file.ts';
import { readDeadLetterRows } from '../../src/commit/dead-letter-reader.ts';
import { encodeManifestList } from '../../src/iceberg/manifest-list.ts';
import { writeManifest } from '../../src/iceberg/manifest.ts';
import { planAppend } from '../../src/iceberg/snapshot.ts';
import { deadIdent } from './world.ts';
import type { DeadLetterRow } from '../../src/commit/dead-letter-schema.ts';
import type { TableMetadata } from '../../src/iceberg/metadata.ts';
import type { World } from './world.ts';

/** The dead-letter table as others see and change it. */

export function deadMetadata(world: World): TableMetadata {
  return world.state.tables.get(JSON.stringify([...deadIdent.namespace, deadIdent.name]))!.metadata;
}

export function deadHead(world: World): bigint {
  return deadMetadata(world).refs!['main']!['snapshot-id'];
}

/** Rows of the head, from its manifests and files; none where there is no such table. */
export async function deadRows(world: World): Promise<DeadLetterRow[]> {
  const rows: DeadLetterRow[] = [];
  if (!world.state.tables.has(JSON.stringify([...deadIdent.namespace, deadIdent.name]))) return rows;
  for (const file of await world.files('main', deadIdent)) {
    const read = await readDeadLetterRows(world.io, file.location, 'the test');
    if (read.rows.length !== file.recordCount)
      throw new Error(`${file.location}: the manifest counts ${file.recordCount} rows, there are ${read.rows.length}`);
    rows.push(...read.rows);
  }
  return rows;
}

/** A user deletes every row. */
export async function deleteDeadRows(world: World): Promise<void> {
  await replaceRows(world, async () => []);
}

/** Another engine writes all rows into one file. */
export async function compactDead(world: World): Promise<void> {
  await replaceRows(world, () => deadRows(world));
}

async function replaceRows(world: World, change: () => Promise<readonly DeadLetterRow[]>): Promise<void> {
  const metadata = deadMetadata(world);
  const rows = await change();
  const snapshotId = world.ports.ids.long();
  const folder = `${metadata.location}/foreign`;
  const manifests = [];
  if (rows.length > 0) {
    const location = `${folder}/${snapshotId}.parquet`;
    const metrics = await writeRows(world.io, location, metadata.schemas[0]!, rows);
    const file = {
      content: 0,
      location,
      format: 'PARQUET',
      partition: new Map(),
      ...metrics,
      lowerBounds: null,
      upperBounds: null,
      sortOrderId: null,
    };
    manifests.push(
      await writeManifest(
        world.io,
        `${folder}/${snapshotId}-m.avro`,
        [{ status: 1, snapshotId: null, sequenceNumber: null, fileSequenceNumber: null, file }],
        { schema: metadata.schemas[0]!, spec: metadata['partition-specs'][0]!, formatVersion: 2 },
      ),
    );
  }
  const manifestListLocation = `${folder}/snap-${snapshotId}.avro`;
  const added = { files: rows.length > 0 ? 1 : 0, records: rows.length, size: 1, partitions: 1 };
  const plan = planAppend({
    metadata,
    branch: 'main',
    parentManifests: [],
    manifests,
    added,
    summary: { operation: 'overwrite', 'total-records': String(rows.length), 'total-data-files': String(added.files) },
    snapshotId,
    manifestListLocation,
    now: world.ports.clock.now(),
  });
  await world.io.write(
    manifestListLocation,
    await encodeManifestList(plan.manifestList, {
      snapshotId,
      parentSnapshotId: plan.parentSnapshotId,
      sequenceNumber: plan.snapshot['sequence-number']!,
      formatVersion: 2,
    }),
  );
  await world.update(plan.updates, deadIdent, plan.requirements);
}
