import { branchHead, snapshotsById } from './lookup.ts';
import { CHECKPOINTS, decodeCheckpoints } from './statement.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';
import type { Snapshot } from '../iceberg/metadata.ts';

/**
 * Invariant 3: a checkpoint belongs to the history it was cut on, and is committed once. It may be committed only if
 * every sequence number in (L, now] is that of an existing ancestor of the branch head or of a snapshot of another ref,
 * and none of them names it. L is the table's last sequence number at the cut; a rollback never lowers it.
 *
 * Breaks: test/commit/lookup.test.ts, "A2: is stale after a rollback", "is stale where another ref holds";
 * test/commit/traces.sim.test.ts, "finds its own id".
 */
export type History =
  /** The checkpoint is in the branch's history: that is its receipt. */
  | { readonly kind: 'committed'; readonly snapshotId: bigint }
  /** Every snapshot since the cut is known, and none names the checkpoint. */
  | { readonly kind: 'intact' }
  /** Only what refs name was loaded, and that does not decide. */
  | { readonly kind: 'partial' }
  | { readonly kind: 'stale'; readonly reason: string };

export function historySince(
  table: Pick<LoadedTable, 'metadata' | 'partial'>,
  branch: string,
  since: number,
  checkpointId: string,
): History {
  const { metadata, partial } = table;
  const now = metadata['last-sequence-number'];
  if (now < since)
    return { kind: 'stale', reason: `the table's last sequence number went back from ${since} to ${now}` };
  // Whatever could hold the checkpoint was added after the cut.
  if (now === since) return { kind: 'intact' };
  const snapshots = snapshotsById(metadata);
  const covered = new Set<number>();
  const seen = new Set<bigint>();
  const walk = (head: bigint | null): Snapshot | null => {
    for (let id = head; id !== null && !seen.has(id);) {
      seen.add(id);
      const snapshot: Snapshot | undefined = snapshots.get(id);
      if (snapshot === undefined) return null;
      if (names(snapshot, checkpointId)) return snapshot;
      // Sequence numbers fall towards the root: what comes after was there at the cut.
      const sequence = snapshot['sequence-number'] ?? 0;
      if (sequence <= since) return null;
      covered.add(sequence);
      id = snapshot['parent-snapshot-id'] ?? null;
    }
    return null;
  };
  const own = walk(branchHead(metadata, branch));
  if (own !== null) return { kind: 'committed', snapshotId: own['snapshot-id'] };
  for (const ref of Object.values(metadata.refs ?? {})) {
    const other = walk(ref['snapshot-id']);
    if (other !== null)
      return partial
        ? { kind: 'partial' }
        : { kind: 'stale', reason: `snapshot ${other['snapshot-id']} of another ref holds the checkpoint` };
  }
  if (covered.size === now - since) return { kind: 'intact' };
  if (partial) return { kind: 'partial' };
  return {
    kind: 'stale',
    reason: `of the sequence numbers ${since + 1} to ${now} only ${covered.size} are in the history of a ref: the table was rolled back or expired since the cut`,
  };
}

function names(snapshot: Snapshot, checkpointId: string): boolean {
  return decodeCheckpoints(snapshot.summary?.[CHECKPOINTS]).includes(checkpointId);
}
