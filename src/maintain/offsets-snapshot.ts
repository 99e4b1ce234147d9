import { encodeAccounted } from '../commit/accounted.ts';
import type { AccountedRange } from '../commit/accounted.ts';
import { buildAttempt } from '../commit/attempt.ts';
import type { OffsetsMap } from '../commit/commit.ts';
import type { Known } from '../commit/known.ts';
import { branchHead } from '../commit/lookup.ts';
import { ACCOUNTED } from '../commit/statement.ts';
import type { CommitRequest, LoadedTable, Requirement, Update } from '../iceberg/catalog.ts';
import type { TableMetadata } from '../iceberg/metadata.ts';
import type { ChangeTarget, PlannedChange } from './change.ts';

/** What an empty snapshot states. */
export interface OffsetsStated {
  readonly offsets: OffsetsMap;
  /** What it accounts for, without rows. */
  readonly ranges: readonly AccountedRange[];
  readonly properties?: (snapshotId: bigint) => Readonly<Record<string, string>>;
}

/**
 * An empty snapshot that states offsets: on top of `base` (the branch's head, or the snapshot that it is put back to),
 * asserting the head that `table` was loaded with.
 */
export async function planOffsetsSnapshot<T>(
  { address: { branch }, io, ports }: ChangeTarget,
  table: LoadedTable,
  base: Known,
  { offsets, ranges, properties }: OffsetsStated,
  result: (snapshotId: bigint) => T,
): Promise<PlannedChange<T>> {
  const { snapshotId, request } = await buildAttempt(base, [], offsets, {
    io: io(table),
    ports,
    branch,
    listCache: new Map(),
  });
  const { requirements, updates } = adjusted(request, table.metadata, branch, ranges);
  const more: readonly Update[] = properties ? [{ action: 'set-properties', updates: properties(snapshotId) }] : [];
  return {
    request: { ...request, requirements, updates: [...updates, ...more] },
    applied: ({ snapshots }) => snapshots?.some((snapshot) => snapshot['snapshot-id'] === snapshotId) ?? false,
    result: result(snapshotId),
  };
}

function adjusted(
  { requirements, updates }: CommitRequest,
  metadata: TableMetadata,
  branch: string,
  ranges: readonly AccountedRange[],
): Pick<CommitRequest, 'requirements' | 'updates'> {
  return {
    requirements: requirements.map((requirement) =>
      requirement.type === 'assert-ref-snapshot-id' ? assertHead(metadata, branch) : requirement,
    ),
    updates: updates.map((update): Update => {
      if (update.action !== 'add-snapshot' || ranges.length === 0) return update;
      const summary = { ...update.snapshot.summary, [ACCOUNTED]: encodeAccounted(ranges) };
      return { ...update, snapshot: { ...update.snapshot, summary } };
    }),
  };
}

/** A branch that does not exist yet must still not exist. */
export function assertHead(metadata: TableMetadata, branch: string): Requirement {
  const head = metadata.refs?.[branch] === undefined && branch !== 'main' ? null : branchHead(metadata, branch);
  return { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': head };
}

/** The loaded table as if its branch stood at another snapshot. */
export function standingAt(table: LoadedTable, branch: string, snapshotId: bigint): LoadedTable {
  const { metadata } = table;
  const ref = { type: 'branch' as const, ...metadata.refs?.[branch], 'snapshot-id': snapshotId };
  return { ...table, metadata: { ...metadata, refs: { ...metadata.refs, [branch]: ref } } };
}
