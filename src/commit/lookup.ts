import { CHECKPOINT_PROPERTY, OFFSETS, OFFSETS_PREV, statementSubject } from './statement.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';
import type { Snapshot, TableMetadata } from '../iceberg/metadata.ts';

/**
 * Finds the statement that holds at the head of a branch.
 *
 * Invariants (TRACES A1):
 * - every statement is about one immutable snapshot, and counts only if that snapshot is met on the walk from the head:
 *   as an existing ancestor, or as exactly the missing parent at which the walk breaks;
 * - snapshots of other writers carry no statement of their own and are walked over;
 * - a walk that ends at a null parent was never ours; one that breaks elsewhere is ambiguous, never a guess.
 *
 * Breaks: test/commit/lookup.test.ts, "A1: the property about a rolled back snapshot",
 * "snapshots of others are walked over", "the statement of a child about its parent",
 * "names another snapshot than its parent".
 */
export type Lookup =
  /** `text` holds at the head; `anchored`: it is about the head itself, so no expiry of ancestors can take it away. */
  | { readonly kind: 'found'; readonly text: string; readonly about: bigint; readonly anchored: boolean }
  /** `held`: a property says that this branch once held statements. */
  | { readonly kind: 'never'; readonly held: boolean }
  /** Only what refs name was loaded, and that does not decide: load all snapshots. */
  | { readonly kind: 'partial' }
  | { readonly kind: 'ambiguous'; readonly head: bigint; readonly missing: bigint };

/** Where statements stand: in the summary about the snapshot itself and about its parent, and in properties. */
export interface StatementKeys {
  readonly own: string;
  readonly prev: string | null;
  /** Property names begin with this, then the branch. */
  readonly property: string;
}

export const offsetsKeys: StatementKeys = { own: OFFSETS, prev: OFFSETS_PREV, property: CHECKPOINT_PROPERTY };

export function lookupStatement(
  table: Pick<LoadedTable, 'metadata' | 'partial'>,
  branch: string,
  keys: StatementKeys,
): Lookup {
  const { metadata, partial } = table;
  const head = branchHead(metadata, branch);
  const held = metadata.properties?.[keys.property + branch] !== undefined;
  if (head === null) return { kind: 'never', held };
  const snapshots = snapshotsById(metadata);
  let others: ReadonlyMap<bigint, string> | null = null;
  // Looked through only where a snapshot says nothing of itself: there are as many statements as snapshots.
  const byOthers = (id: bigint): string | undefined => (others ??= statementsOf(metadata, keys)).get(id);
  const walked = new Set<bigint>();
  for (let id: bigint | null = head; id !== null;) {
    const snapshot: Snapshot | undefined = snapshots.get(id);
    const text: string | undefined = snapshot?.summary?.[keys.own] ?? byOthers(id);
    // A parent that is only not loaded says nothing about what lies between: but a statement about the head is final.
    if (text !== undefined && (snapshot !== undefined || !partial))
      return { kind: 'found', text, about: id, anchored: id === head };
    if (partial) return { kind: 'partial' };
    if (snapshot === undefined || walked.has(id)) return { kind: 'ambiguous', head, missing: id };
    walked.add(id);
    id = snapshot['parent-snapshot-id'] ?? null;
  }
  return { kind: 'never', held };
}

/** The snapshot that a branch stands at, or null. A branch that does not exist yet stands where main does. */
export function branchHead(metadata: TableMetadata, branch: string): bigint | null {
  const ref = metadata.refs?.[branch];
  if (ref !== undefined) return ref['snapshot-id'];
  const main = metadata.refs?.['main']?.['snapshot-id'] ?? metadata['current-snapshot-id'] ?? null;
  return main === -1n ? null : main;
}

export function snapshotsById(metadata: TableMetadata): ReadonlyMap<bigint, Snapshot> {
  return new Map(metadata.snapshots?.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
}

/** Statements about snapshots by others than themselves: the properties of all branches, and `…prev` of any snapshot. */
function statementsOf(metadata: TableMetadata, keys: StatementKeys): Map<bigint, string> {
  const found = new Map<bigint, string>();
  if (keys.prev !== null) {
    for (const snapshot of metadata.snapshots ?? []) {
      const text = snapshot.summary?.[keys.prev];
      const parent = snapshot['parent-snapshot-id'] ?? null;
      if (text !== undefined && parent !== null && statementSubject(text) === parent) found.set(parent, text);
    }
  }
  for (const [name, text] of Object.entries(metadata.properties ?? {})) {
    const about = name.startsWith(keys.property) ? statementSubject(text) : null;
    if (about !== null) found.set(about, text);
  }
  return found;
}
