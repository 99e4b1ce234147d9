import type { Snapshot, TableMetadata } from './metadata.ts';

/** Ancestors of a branch head, newest first, and where the walk ends. */
export interface Ancestry {
  readonly ancestors: readonly Snapshot[];
  /** `root`: at a snapshot without parent (or the branch is empty); `missing`: at a parent that the metadata does not hold. */
  readonly end: { readonly kind: 'root' } | { readonly kind: 'missing'; readonly snapshotId: bigint };
}

/** Head of a branch, or null where it has no snapshot. */
export function branchHead(metadata: TableMetadata, branch: string): bigint | null {
  const ref = metadata.refs?.[branch];
  if (ref) return ref['snapshot-id'];
  // Format v1 and older writers know no refs; -1 stood for "none".
  const current = branch === 'main' ? (metadata['current-snapshot-id'] ?? null) : null;
  return current === -1n ? null : current;
}

/**
 * Walks from the head over existing parents. With metadata that holds only the snapshots that refs name, the walk ends
 * early with `missing`: load all snapshots before taking that for an expiry.
 */
export function walkAncestors(metadata: TableMetadata, head: bigint | null): Ancestry {
  const snapshots = new Map(metadata.snapshots?.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
  const ancestors: Snapshot[] = [];
  const seen = new Set<bigint>();
  for (let id = head; id !== null;) {
    const snapshot = snapshots.get(id);
    // A cycle cannot be walked to its end either.
    if (!snapshot || seen.has(id)) return { ancestors, end: { kind: 'missing', snapshotId: id } };
    seen.add(id);
    ancestors.push(snapshot);
    id = snapshot['parent-snapshot-id'] ?? null;
  }
  return { ancestors, end: { kind: 'root' } };
}
