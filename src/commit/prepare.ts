import { TabletopicError } from '../errors.ts';
import { EntryStatus, FileContent, MANIFEST_SUFFIX } from '../iceberg/manifest-types.ts';
import { writeManifest } from '../iceberg/manifest.ts';
import { addsUp } from './accounted.ts';
import { writeDeadLetterFile } from './dead-letter-file.ts';
import { metadataLocation } from './locations.ts';
import type { FileIO } from '../io/file-io.ts';
import type { DataFile, ManifestFile } from '../iceberg/manifest-types.ts';
import type { Ports } from '../ports.ts';
import type { Checkpoint, Increments } from './checkpoint.ts';
import type { Cut, PreparedFile, TopicIdentity } from './commit.ts';
import type { Known } from './known.ts';

/**
 * A checkpoint whose files are written: what `commit` tries, as often as it takes.
 *
 * Invariants 3 and 5: it remembers the table's last sequence number at the cut, the topic and cluster ids and the time;
 * its manifest leaves snapshot id and sequence numbers to inheritance, so it is written once and never changes.
 *
 * Breaks: test/commit/prepare.test.ts, "leaves snapshot id", "refuses ranges that", "refuses dead letters that";
 * test/commit/committer.test.ts, "refuses a cut whose counts do not agree".
 */
export interface Prepared extends Checkpoint {
  readonly cut: Cut;
  /** What its age counts from: the first of its files was begun then or later. */
  readonly preparedAt: Moment;
  /** What has been tried so far. */
  readonly attempts: Attempts;
}

/**
 * Grows with each attempt of one checkpoint. Own files may go only when it was never published and no attempt ended
 * unknown (invariant 4).
 */
export interface Attempts {
  readonly snapshotIds: bigint[];
  /** Manifest lists, merged manifests and list files of attempts that were surely refused. */
  readonly files: string[];
  unknown: boolean;
  /** Its pending object was sent to the store: from then on others may commit it. */
  published: boolean;
}

/** Wall clock and monotonic clock, ms. The greater age counts: either clock may stand still. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

export interface PrepareContext {
  readonly io: FileIO;
  readonly ports: Ports;
  readonly version: string;
  readonly topics: Readonly<Record<string, TopicIdentity>>;
}

export async function prepareCheckpoint(cut: Cut, known: Known, context: PrepareContext): Promise<Prepared> {
  const { io, ports } = context;
  for (const range of cut.ranges) {
    if (!addsUp(range))
      throw new TabletopicError(
        'INTERNAL',
        `what became of ${range.topic}-${range.partition} ${range.start}–${range.end} does not add up`,
        { where: { topic: range.topic, partition: range.partition, offset: range.start } },
      );
  }
  const dead = cut.ranges.reduce((sum, range) => sum + range.accounted.deadLetters, 0);
  if (dead !== cut.deadLetters.length)
    throw new TabletopicError(
      'INTERNAL',
      `the ranges count ${dead} dead letters, ${cut.deadLetters.length} were given`,
    );
  const rows = cut.ranges.reduce((sum, range) => sum + range.accounted.rows, 0);
  const inFiles = cut.files.reduce((sum, file) => sum + file.metrics.recordCount, 0);
  if (rows !== inFiles)
    throw new TabletopicError('INTERNAL', `the ranges count ${rows} rows, the files hold ${inFiles}`);
  const { metadata } = known.table;
  const id = ports.ids.uuid();
  const preparedAt = cut.begunAt ?? momentOf(ports);
  const [manifest, deadLetters] = await Promise.all([
    cut.files.length === 0 ? null : writeOwnManifest(id, cut, known, io),
    cut.deadLetters.length === 0 ? null : writeDeadLetterFile(io, metadata, id, context.version, cut),
  ]);
  return {
    id,
    cut,
    tableUuid: metadata['table-uuid'],
    lastSequenceNumber: known.lastSequenceNumber,
    topics: context.topics,
    ranges: cut.ranges,
    schemaId: cut.schemaId,
    specId: cut.specId,
    manifest,
    increments: incrementsOf(cut.files),
    watermark: cut.watermark,
    deadLetters,
    preparedAt,
    attempts: { snapshotIds: [], files: [], unknown: false, published: false },
  };
}

export function momentOf({ clock }: Ports): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/** Milliseconds since then. */
export function ageOf({ wall, monotonic }: Moment, { clock }: Ports): number {
  return Math.max(clock.now() - wall, clock.monotonic() - monotonic);
}

/** Every file that was written for the checkpoint and its refused attempts. */
export function ownFiles(prepared: Prepared): string[] {
  return [
    ...prepared.cut.files.map((file) => file.location),
    ...(prepared.manifest === null ? [] : [prepared.manifest.location]),
    ...(prepared.deadLetters === null ? [] : [prepared.deadLetters.file]),
    ...prepared.attempts.files,
  ];
}

export function incrementsOf(files: readonly PreparedFile[]): Increments {
  return {
    files: files.length,
    records: files.reduce((sum, { metrics }) => sum + metrics.recordCount, 0),
    size: files.reduce((sum, { metrics }) => sum + metrics.fileSize, 0),
    partitions: [...new Set(files.map(({ partition }) => tupleText(partition)))],
  };
}

function tupleText(partition: PreparedFile['partition']): string {
  const text = (value: unknown): unknown => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  };
  return JSON.stringify([...partition].map(([id, value]) => [id, text(value)]));
}

export function writeOwnManifest(
  id: string,
  cut: Pick<Cut, 'files' | 'schemaId' | 'specId'>,
  known: Pick<Known, 'table'>,
  io: FileIO,
): Promise<ManifestFile> {
  const { metadata } = known.table;
  const schema = metadata.schemas.find((candidate) => candidate['schema-id'] === cut.schemaId);
  const spec = metadata['partition-specs'].find((candidate) => candidate['spec-id'] === cut.specId);
  if (schema === undefined || spec === undefined)
    throw new TabletopicError('INTERNAL', `the table has no schema ${cut.schemaId} or no spec ${cut.specId}`);
  const entries = cut.files.map((file) => ({
    status: EntryStatus.added,
    snapshotId: null,
    sequenceNumber: null,
    fileSequenceNumber: null,
    file: dataFileOf(file),
  }));
  return writeManifest(io, metadataLocation(metadata, `${id}${MANIFEST_SUFFIX}`), entries, {
    schema,
    spec,
    formatVersion: metadata['format-version'],
  });
}

export function dataFileOf({ location, metrics, partition }: PreparedFile): DataFile {
  return {
    content: FileContent.data,
    location,
    format: 'PARQUET',
    partition,
    recordCount: metrics.recordCount,
    fileSize: metrics.fileSize,
    columnSizes: metrics.columnSizes,
    valueCounts: metrics.valueCounts,
    nullCounts: metrics.nullCounts,
    nanCounts: metrics.nanCounts,
    lowerBounds: metrics.lowerBounds,
    upperBounds: metrics.upperBounds,
    splitOffsets: metrics.splitOffsets,
    sortOrderId: 0,
  };
}
