import { TabletopicError } from '../errors.ts';
import { writeAppend } from '../iceberg/append.ts';
import { encodeAccounted } from './accounted.ts';
import { appendToList } from './dead-letter-list-files.ts';
import { snapshotsById } from './lookup.ts';
import { REPLAYED, encodeReplayed } from './replayed.ts';
import { deadLetterLocation, metadataLocation } from './locations.ts';
import {
  ACCOUNTED,
  CHECKPOINTS,
  OFFSETS,
  OFFSETS_PREV,
  WATERMARK,
  checkpointProperty,
  encodeCheckpoints,
  encodeStatement,
} from './statement.ts';
import type { Merge } from '../iceberg/merge-manifests.ts';
import type { CommitRequest, Update } from '../iceberg/catalog.ts';
import type { TableMetadata } from '../iceberg/metadata.ts';
import type { ManifestFile } from '../iceberg/manifest-types.ts';
import type { Added } from '../iceberg/snapshot.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { OffsetsMap } from './commit.ts';
import type { Known } from './known.ts';

/**
 * One attempt: its own snapshot id, manifest list and idempotency key (invariant 4).
 *
 * Breaks: test/commit/committer.test.ts, "each attempt has its own ids".
 */
export interface Attempt {
  readonly snapshotId: bigint;
  readonly request: CommitRequest;
  /** Files that only this attempt uses. */
  readonly files: readonly string[];
  readonly manifestList: readonly ManifestFile[];
  readonly manifestListLocation: string;
  /** See `WrittenAppend`. */
  readonly due: readonly (readonly ManifestFile[])[];
}

export interface AttemptContext {
  readonly io: FileIO;
  readonly ports: Ports;
  readonly branch: string;
  /** Entries of manifest lists that were read before, by location. */
  readonly listCache: Map<string, readonly ManifestFile[]>;
  /** Number of this attempt; 0 if left out. */
  readonly number?: number;
  /** See `AppendAttempt`. */
  readonly mergeLater?: boolean;
  readonly merges?: Merge[];
}

/**
 * The commit of checkpoints (none: only offsets) on a state. `offsets` is the vector after all of them, one after
 * another; the caller has judged each against the running vector.
 *
 * Invariant 2: it asserts the table's UUID, the branch head and the default spec, and beside that the schema. Sequence rule (TRACES A2): the
 * snapshot carries the loaded last sequence number + 1, so that the catalog refuses it after any other snapshot, even
 * where a rollback has put the head back.
 *
 * Breaks: test/commit/committer.test.ts, "asserts UUID, branch head", "of another branch grows from main";
 * test/commit/progress.sim.test.ts, "another default spec", "a column that somebody dropped";
 * test/commit/combining.sim.test.ts, "with all that belongs to it".
 */
export async function buildAttempt(
  known: Known,
  checkpoints: readonly Checkpoint[],
  offsets: OffsetsMap,
  context: AttemptContext,
): Promise<Attempt> {
  const { io, ports, branch, listCache } = context;
  const {
    table: { metadata },
    headSnapshotId: parent,
  } = known;
  if (parent === null && checkpoints.length > 0)
    throw new TabletopicError('INTERNAL', 'rows are never committed to a table without a snapshot');
  requireManifestList(metadata, parent);
  const snapshotId = newSnapshotId(metadata, ports);
  let deadLetters = known.deadLetters;
  const files: string[] = [];
  for (const { deadLetters: entry } of checkpoints) {
    if (entry === null) continue;
    const appended = await appendToList(deadLetters, entry, io, () =>
      deadLetterLocation(metadata, `list-${ports.ids.uuid()}.json`),
    );
    deadLetters = appended.list;
    if (appended.written !== null) files.push(appended.written);
  }
  const statement = { offsets, deadLetters };
  const replayed = checkpoints.flatMap(({ replay }) => replay?.taken ?? []);
  const watermarks = checkpoints.flatMap((checkpoint) => checkpoint.watermark ?? []);
  const summary: Record<string, string> = {
    [OFFSETS]: encodeStatement(statement),
    ...(known.statement !== null && parent !== null
      ? { [OFFSETS_PREV]: encodeStatement(known.statement, parent) }
      : {}),
    ...(checkpoints.length > 0
      ? {
          [CHECKPOINTS]: encodeCheckpoints(checkpoints.map(({ id }) => id)),
          [ACCOUNTED]: encodeAccounted(checkpoints.flatMap(({ ranges }) => ranges)),
        }
      : {}),
    ...(replayed.length === 0 ? {} : { [REPLAYED]: encodeReplayed(replayed) }),
    ...(watermarks.length === 0 ? {} : { [WATERMARK]: String(Math.min(...watermarks)) }),
  };
  const plan = await writeAppend(io, ports.ids, {
    metadata: withBranch(metadata, branch, parent),
    branch,
    manifests: checkpoints.flatMap(({ manifest }) => manifest ?? []),
    added: addedBy(checkpoints),
    summary,
    snapshotId,
    now: ports.clock.now(),
    attempt: context.number ?? 0,
    mergeLater: context.mergeLater ?? false,
    merges: context.merges ?? [],
    metadataLocation: (name) => metadataLocation(metadata, name),
    listCache,
  });
  files.push(...plan.files);
  return {
    snapshotId,
    files,
    manifestList: plan.manifestList,
    manifestListLocation: plan.snapshot['manifest-list']!,
    due: plan.due,
    request: {
      requirements: [
        { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
        {
          type: 'assert-ref-snapshot-id',
          ref: branch,
          'snapshot-id': metadata.refs?.[branch]?.['snapshot-id'] ?? null,
        },
        { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
        // The files' field ids were looked up in this schema (invariant 5).
        ...(checkpoints.length > 0
          ? [{ type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] } as const]
          : []),
      ],
      updates: [
        { action: 'add-snapshot', snapshot: plan.snapshot },
        moveBranch(metadata, branch, snapshotId),
        { action: 'set-properties', updates: { [checkpointProperty(branch)]: encodeStatement(statement, snapshotId) } },
      ],
      idempotencyKey: ports.ids.uuid(),
    },
  };
}

/** The branch at a snapshot, with the retention that the branch has. */
export function moveBranch(metadata: TableMetadata, branch: string, snapshotId: bigint): Update {
  return {
    action: 'set-snapshot-ref',
    'ref-name': branch,
    ...metadata.refs?.[branch],
    type: 'branch',
    'snapshot-id': snapshotId,
  };
}

export function newSnapshotId(metadata: TableMetadata, ports: Ports): bigint {
  const taken = snapshotsById(metadata);
  for (;;) {
    const id = ports.ids.long();
    if (!taken.has(id)) return id;
  }
}

/** A branch that does not exist yet grows from main's head. */
function withBranch(metadata: TableMetadata, branch: string, head: bigint | null): TableMetadata {
  if (head === null || metadata.refs?.[branch] !== undefined) return metadata;
  return { ...metadata, refs: { ...metadata.refs, [branch]: { 'snapshot-id': head, type: 'branch' } } };
}

/** Without the parent's manifests the new snapshot would silently hold none of the table's rows. */
function requireManifestList(metadata: TableMetadata, head: bigint | null): void {
  if (head === null || snapshotsById(metadata).get(head)?.['manifest-list'] !== undefined) return;
  throw new TabletopicError('TABLE_UNSUPPORTED', `snapshot ${head}, the head, has no manifest list`, {
    where: { snapshot: head },
  });
}

function addedBy(checkpoints: readonly Checkpoint[]): Added {
  const sum = (count: (checkpoint: Checkpoint) => number): number =>
    checkpoints.reduce((total, checkpoint) => total + count(checkpoint), 0);
  return {
    files: sum(({ increments }) => increments.files),
    records: sum(({ increments }) => increments.records),
    size: sum(({ increments }) => increments.size),
    partitions: new Set(checkpoints.flatMap(({ increments }) => increments.partitions)).size,
  };
}
