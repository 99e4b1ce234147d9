import { ManifestContent } from '../iceberg/manifest-types.ts';
import { addsUp } from './accounted.ts';
import { decodeDeadLetterEntry, encodeDeadLetterEntry } from './dead-letter-list.ts';
import { objectOf } from './json-object.ts';
import type { ManifestFile, PartitionSummary } from '../iceberg/manifest-types.ts';
import type { Checkpoint, Increments } from './checkpoint.ts';
import type { Accounted, OffsetRange } from './commit.ts';
import type { TopicIdentity } from './vector.ts';

/**
 * A pending object: a prepared checkpoint that its owner has published, so that whoever commits next to the table may
 * carry it (DESIGN §2, "combining commits"; schemas/pending.schema.json). It is only an offer: every committer judges it on the
 * table's state by the same rules as its own (invariants 2 and 3; TRACES A2, A4, A6, A8).
 */
export interface Pending {
  readonly branch: string;
  /** The owner's wall clock at the cut, ms. */
  readonly preparedAt: number;
  readonly checkpoint: Checkpoint;
}

export function encodePending({ branch, preparedAt, checkpoint }: Pending): Uint8Array {
  const { manifest, deadLetters } = checkpoint;
  const json = {
    v: 1,
    id: checkpoint.id,
    table: checkpoint.tableUuid,
    branch,
    lastSequenceNumber: checkpoint.lastSequenceNumber,
    preparedAt,
    topics: Object.fromEntries(
      Object.entries(checkpoint.topics).map(([name, { id, cluster }]) => [name, { id, cluster }]),
    ),
    ranges: checkpoint.ranges.map(({ topic, partition, start, end, epoch, accounted, gaps }) => ({
      topic,
      partition,
      start,
      end,
      epoch,
      accounted,
      ...(gaps === undefined ? {} : { gaps }),
    })),
    schema: checkpoint.schemaId,
    spec: checkpoint.specId,
    manifest: manifest === null ? null : manifestJson(manifest),
    increments: checkpoint.increments,
    watermark: checkpoint.watermark,
    deadLetters: deadLetters === null ? null : encodeDeadLetterEntry(deadLetters),
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** Throws `SyntaxError` where the bytes are no pending object that this version knows, or contradict themselves. */
export function decodePending(bytes: Uint8Array): Pending {
  const json = objectOf(JSON.parse(new TextDecoder().decode(bytes)), 'the pending object');
  if (json['v'] !== 1) throw new SyntaxError(`version ${String(json['v'])} of a pending object is not known`);
  const specId = integer(json['spec'], 'spec');
  const checkpoint: Checkpoint = {
    id: text(json['id'], 'id'),
    tableUuid: text(json['table'], 'table'),
    lastSequenceNumber: integer(json['lastSequenceNumber'], 'lastSequenceNumber'),
    topics: Object.fromEntries(
      Object.entries(objectOf(json['topics'], 'topics')).map(([name, value]) => [name, identityOf(value)]),
    ),
    ranges: list(json['ranges'], 'ranges').map(rangeOf),
    schemaId: integer(json['schema'], 'schema'),
    specId,
    manifest: json['manifest'] === null ? null : manifestOf(json['manifest'], specId),
    increments: incrementsOf(json['increments']),
    watermark: json['watermark'] === null ? null : integer(json['watermark'], 'watermark'),
    deadLetters: json['deadLetters'] === null ? null : decodeDeadLetterEntry(json['deadLetters']),
  };
  agrees(checkpoint);
  return {
    branch: text(json['branch'], 'branch'),
    preparedAt: number(json['preparedAt'], 'preparedAt'),
    checkpoint,
  };
}

/**
 * What is committed for others is checked as `prepare` checks its own (invariant 7).
 *
 * Breaks: test/commit/combining.sim.test.ts, "one that cannot be read".
 */
function agrees({ ranges, topics, manifest, increments, deadLetters }: Checkpoint): void {
  const sum = (key: keyof Accounted): number =>
    ranges.reduce((total, { accounted }) => total + (accounted[key] ?? 0), 0);
  if (ranges.length === 0) throw new SyntaxError('a pending object has no ranges');
  for (const range of ranges) {
    if (!addsUp(range)) throw new SyntaxError(`range ${range.start}–${range.end} does not add up`);
    if (!Object.hasOwn(topics, range.topic)) throw new SyntaxError(`the ids of topic ${range.topic} are not stated`);
  }
  const { files, records } = increments;
  if (sum('rows') !== records || (manifest?.addedRows ?? 0) !== records || (manifest?.addedFiles ?? 0) !== files)
    throw new SyntaxError('rows of ranges, manifest and increments differ');
  if (sum('deadLetters') !== (deadLetters?.count ?? 0)) throw new SyntaxError('dead letters are counted differently');
}

function manifestJson(manifest: ManifestFile): Record<string, unknown> {
  return {
    manifest_path: manifest.location,
    manifest_length: manifest.length,
    added_files_count: manifest.addedFiles,
    added_rows_count: manifest.addedRows,
    partitions:
      manifest.partitions?.map((field) => ({
        contains_null: field.containsNull,
        contains_nan: field.containsNan,
        lower_bound: base64(field.lowerBound),
        upper_bound: base64(field.upperBound),
      })) ?? null,
  };
}

/** What is not stated is the same for every prepared manifest: only added data files, everything else inherited. */
function manifestOf(value: unknown, specId: number): ManifestFile {
  const json = objectOf(value, 'manifest');
  return {
    location: text(json['manifest_path'], 'manifest_path'),
    length: integer(json['manifest_length'], 'manifest_length'),
    specId,
    content: ManifestContent.data,
    sequenceNumber: null,
    minSequenceNumber: null,
    addedSnapshotId: null,
    addedFiles: integer(json['added_files_count'], 'added_files_count'),
    existingFiles: 0,
    deletedFiles: 0,
    addedRows: integer(json['added_rows_count'], 'added_rows_count'),
    existingRows: 0,
    deletedRows: 0,
    partitions: json['partitions'] === null ? null : list(json['partitions'], 'partitions').map(summaryOf),
  };
}

function summaryOf(value: unknown): PartitionSummary {
  const json = objectOf(value, 'a partition summary');
  const nan = json['contains_nan'];
  return {
    containsNull: json['contains_null'] === true,
    containsNan: typeof nan === 'boolean' ? nan : null,
    lowerBound: bytesOf(json['lower_bound']),
    upperBound: bytesOf(json['upper_bound']),
  };
}

function rangeOf(value: unknown): OffsetRange {
  const json = objectOf(value, 'a range');
  const accounted = objectOf(json['accounted'], 'accounted');
  const range: OffsetRange = {
    topic: text(json['topic'], 'topic'),
    partition: integer(json['partition'], 'partition'),
    start: integer(json['start'], 'start'),
    end: integer(json['end'], 'end'),
    epoch: number(json['epoch'], 'epoch'),
    accounted: {
      rows: integer(accounted['rows'], 'rows'),
      deadLetters: integer(accounted['deadLetters'], 'deadLetters'),
      aborted: integer(accounted['aborted'], 'aborted'),
      control: integer(accounted['control'], 'control'),
      absent: integer(accounted['absent'], 'absent'),
      ...(accounted['elsewhere'] === undefined ? {} : { elsewhere: integer(accounted['elsewhere'], 'elsewhere') }),
    },
  };
  if (json['gaps'] === undefined) return range;
  const gaps = list(json['gaps'], 'gaps').map((gap) => {
    const { from, to, reason } = objectOf(gap, 'a gap');
    return { from: integer(from, 'from'), to: integer(to, 'to'), reason: text(reason, 'reason') };
  });
  return { ...range, gaps };
}

function incrementsOf(value: unknown): Increments {
  const json = objectOf(value, 'increments');
  return {
    files: integer(json['files'], 'files'),
    records: integer(json['records'], 'records'),
    size: integer(json['size'], 'size'),
    partitions: list(json['partitions'], 'partitions').map((partition) => text(partition, 'a partition')),
  };
}

function identityOf(value: unknown): TopicIdentity {
  const { id, cluster } = objectOf(value, 'a topic');
  return { id: text(id, 'topic id'), cluster: text(cluster, 'cluster') };
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new SyntaxError(`${what} is no text`);
  return value;
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number') throw new SyntaxError(`${what} is no number`);
  return value;
}

/** A safe integer from 0 on. */
function integer(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new SyntaxError(`${what} is no count`);
  return value as number;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new SyntaxError(`${what} is no list`);
  return value;
}

function base64(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('base64');
}

function bytesOf(value: unknown): Uint8Array | null {
  return typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : null;
}
