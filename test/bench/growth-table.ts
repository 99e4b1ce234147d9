import { newSnapshotId } from '../../src/commit/attempt.ts';
import { encodeAccounted } from '../../src/commit/accounted.ts';
import { metadataLocation } from '../../src/commit/locations.ts';
import { dataFileOf } from '../../src/commit/prepare.ts';
import {
  ACCOUNTED,
  CHECKPOINTS,
  OFFSETS,
  OFFSETS_PREV,
  checkpointProperty,
  encodeCheckpoints,
  encodeStatement,
} from '../../src/commit/statement.ts';
import { noDeadLetters } from '../../src/commit/dead-letter-list.ts';
import { encodeManifestList } from '../../src/iceberg/manifest-list.ts';
import { EntryStatus, MANIFEST_SUFFIX } from '../../src/iceberg/manifest-types.ts';
import { encodeManifest } from '../../src/iceberg/manifest.ts';
import { currentSchema, defaultSpec } from '../../src/iceberg/metadata.ts';
import { systemPorts } from '../../src/ports.ts';
import { seeded } from '../seeded.ts';
import type { OffsetRange, OffsetsMap, PreparedFile } from '../../src/commit/commit.ts';
import type { Catalog, LoadedTable, TableIdent } from '../../src/iceberg/catalog.ts';
import type { ManifestEntry, ManifestFile } from '../../src/iceberg/manifest-types.ts';
import type { Snapshot } from '../../src/iceberg/metadata.ts';
import type { FileIO } from '../../src/io/file-io.ts';
import type { Schema } from '../../src/schema/types.ts';

/** A table with a long past, made by our own writers of metadata; its data files do not exist. */

export interface Past {
  readonly snapshots: number;
  readonly files: number;
  /** Kafka partitions that the table is fed from. */
  readonly partitions: number;
  /** Partitions that go on in each commit. */
  readonly moving: number;
}

export const TOPIC = 'grown.events';
export const identity = { id: 'JnEbl0xUS3q3dqiAMTWxTA', cluster: 'Nk018hRAQFytWskYqtQduw' };
/** The catalog holds the metadata as text and as objects for each request; with 512 MiB it is at its garbage most of the time. */
export const CATALOG_HEAP_MIB = 4096;
const ROWS = 1000;
/** Manifests of one file each, as commits leave them until they are merged. */
const SMALL_MANIFESTS = 50;
/** A merged manifest grows to about this many bytes (`commit.manifest.target-size-bytes`). */
const MERGED_BYTES = 7 * 2 ** 20;
const SNAPSHOTS_IN_A_REQUEST = 250;

/** Ten columns of the usual kinds and the position. */
export const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    ...(['string', 'int', 'long'] as const).map((type, i) => ({
      id: i + 1,
      name: `_kafka_${['topic', 'partition', 'offset'][i]!}`,
      required: true,
      type,
    })),
    ...(
      [
        'long',
        'string',
        'string',
        'double',
        'int',
        'boolean',
        'timestamptz',
        'decimal(12, 2)',
        'string',
        'date',
      ] as const
    ).map((type, i) => ({ id: i + 4, name: `column_${i}`, required: false, type })),
  ],
};

/** Offsets of a topic in the middle of its life. */
export function offsetsOf(partitions: number, random = seeded(7)): OffsetsMap {
  const next = Array.from({ length: partitions }, () => 1_000_000 + Math.floor(random() * 50_000_000));
  const zeros = next.map(() => 0);
  return { [TOPIC]: { ...identity, first: zeros, next, epoch: zeros, gaps: [] } };
}

/** The ranges of one commit: `moving` partitions, from `turn` on. */
export function rangesOf(offsets: OffsetsMap, moving: number, turn: number): OffsetRange[] {
  const { next } = offsets[TOPIC]!;
  return Array.from({ length: Math.min(moving, next.length) }, (_, i) => {
    const partition = (turn * moving + i) % next.length;
    const start = next[partition]!;
    const accounted = { rows: ROWS, deadLetters: 0, aborted: 0, control: 0, absent: 0 };
    return { topic: TOPIC, partition, start, end: start + ROWS, epoch: 0, accounted };
  });
}

/** A data file of so many rows that need not exist. */
export function fileOf(location: string, rows: number): PreparedFile {
  const ids = schema.fields.map(({ id }) => id);
  const each = <T>(value: (id: number) => T): ReadonlyMap<number, T> => new Map(ids.map((id) => [id, value(id)]));
  const bytes = (): Uint8Array => crypto.getRandomValues(new Uint8Array(8));
  const size = 40_000 + Math.floor(Math.random() * 10_000);
  return {
    location,
    partition: new Map(),
    metrics: {
      recordCount: rows,
      fileSize: size,
      columnSizes: each((id) => Math.floor(size / 13) + id),
      valueCounts: each(() => rows),
      nullCounts: each(() => 0),
      nanCounts: new Map([[7, 0]]),
      lowerBounds: each(bytes),
      upperBounds: each(bytes),
      splitOffsets: [4],
    },
  };
}

/** Gives a table, which holds no rows yet, its past. */
export async function grow(
  catalog: Catalog,
  ident: TableIdent,
  io: FileIO,
  { snapshots: count, files, moving }: Past,
  before: OffsetsMap,
): Promise<void> {
  let table = (await catalog.loadTable(ident, 'all'))!;
  let offsets = before;
  let parent = table.metadata.refs!['main']!['snapshot-id'];
  let statement = { offsets, deadLetters: noDeadLetters };
  let sequence = table.metadata['last-sequence-number'];
  for (let made = 0; made < count;) {
    const added: Snapshot[] = [];
    const first = sequence;
    for (; made < count && added.length < SNAPSHOTS_IN_A_REQUEST; made++) {
      const ranges = rangesOf(offsets, moving, made);
      const topic = offsets[TOPIC]!;
      const next = [...topic.next];
      for (const { partition, end } of ranges) next[partition] = end;
      offsets = { [TOPIC]: { ...topic, next } };
      const id = newSnapshotId(table.metadata, systemPorts);
      const now = { offsets, deadLetters: noDeadLetters };
      const isHead = made === count - 1;
      const rows = ROWS * ranges.length;
      added.push({
        'snapshot-id': id,
        'parent-snapshot-id': parent,
        'sequence-number': ++sequence,
        'timestamp-ms': Math.max(Date.now(), table.metadata['last-updated-ms']),
        'manifest-list': isHead
          ? await writeList(io, table, files, id, parent, first, sequence)
          : metadataLocation(table.metadata, `snap-${id}-0-${systemPorts.ids.uuid()}.avro`),
        'schema-id': 0,
        summary: {
          operation: 'append',
          'added-data-files': '1',
          'added-records': String(rows),
          'added-files-size': '45000',
          'changed-partition-count': '1',
          'total-records': String(rows * (made + 1)),
          'total-files-size': String(45_000 * files),
          'total-data-files': String(isHead ? files : made + 1),
          'total-delete-files': '0',
          'total-position-deletes': '0',
          'total-equality-deletes': '0',
          [OFFSETS]: encodeStatement(now),
          [OFFSETS_PREV]: encodeStatement(statement, parent),
          [CHECKPOINTS]: encodeCheckpoints([systemPorts.ids.uuid()]),
          [ACCOUNTED]: encodeAccounted(ranges),
        },
      });
      statement = now;
      parent = id;
    }
    const outcome = await catalog.commit(ident, {
      requirements: [{ type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] }],
      updates: [
        ...added.map((snapshot) => ({ action: 'add-snapshot', snapshot }) as const),
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': parent },
        { action: 'set-properties', updates: { [checkpointProperty('main')]: encodeStatement(statement, parent) } },
      ],
      idempotencyKey: systemPorts.ids.uuid(),
    });
    if (outcome.outcome !== 'committed') throw new Error(`the past cannot be made: ${outcome.outcome}`);
    table = outcome.table;
  }
}

/** The head's manifests: a few merged ones and some of one file each, as a service that commits for days leaves them. */
async function writeList(
  io: FileIO,
  { metadata }: LoadedTable,
  files: number,
  snapshotId: bigint,
  parentSnapshotId: bigint,
  firstSequence: number,
  sequenceNumber: number,
): Promise<string> {
  const manifests: ManifestFile[] = [];
  let left = files;
  let each = 10_000;
  while (left > 0) {
    const small = left <= SMALL_MANIFESTS;
    const entries = Array.from({ length: small ? 1 : Math.min(each, left - SMALL_MANIFESTS) }, () =>
      entryOf(`${metadata.location}/data/${systemPorts.ids.uuid()}.parquet`, parentSnapshotId, firstSequence),
    );
    left -= entries.length;
    const location = metadataLocation(metadata, `${systemPorts.ids.uuid()}${MANIFEST_SUFFIX}`);
    const { bytes, manifest } = await encodeManifest(location, entries, {
      schema: currentSchema(metadata),
      spec: defaultSpec(metadata),
      formatVersion: metadata['format-version'],
    });
    await io.write(location, bytes);
    manifests.unshift({
      ...manifest,
      sequenceNumber: firstSequence,
      minSequenceNumber: firstSequence,
      addedSnapshotId: parentSnapshotId,
    });
    if (!small) each = Math.max(1, Math.floor((MERGED_BYTES / bytes.length) * entries.length));
  }
  const location = metadataLocation(metadata, `snap-${snapshotId}-0-${systemPorts.ids.uuid()}.avro`);
  const formatVersion = metadata['format-version'];
  await io.write(
    location,
    await encodeManifestList(manifests, { snapshotId, parentSnapshotId, sequenceNumber, formatVersion }),
  );
  return location;
}

function entryOf(location: string, snapshotId: bigint, sequenceNumber: number): ManifestEntry {
  return {
    status: EntryStatus.existing,
    snapshotId,
    sequenceNumber,
    fileSequenceNumber: sequenceNumber,
    file: dataFileOf(fileOf(location, ROWS)),
  };
}
