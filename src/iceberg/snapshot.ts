import type { Requirement, Update } from './catalog.ts';
import { ManifestContent } from './manifest-types.ts';
import type { ManifestFile } from './manifest-types.ts';
import { branchHead } from './ancestry.ts';
import type { Snapshot, TableMetadata } from './metadata.ts';

/** Pure building of append snapshots: no time, no ids, no I/O of its own. */

/** What a snapshot adds, for its summary. */
export interface Added {
  readonly files: number;
  readonly records: number;
  /** Bytes. */
  readonly size: number;
  /** Distinct partitions. */
  readonly partitions: number;
}

export interface AppendInput {
  readonly metadata: TableMetadata;
  readonly branch: string;
  /** Entries of the parent's manifest list, as they are or merged; empty without a parent. */
  readonly parentManifests: readonly ManifestFile[];
  /** New manifests; what they leave null is filled in. */
  readonly manifests: readonly ManifestFile[];
  readonly added: Added;
  /** Keys of our own, beside those of the spec. */
  readonly summary: Readonly<Record<string, string>>;
  readonly snapshotId: bigint;
  readonly manifestListLocation: string;
  /** The clock, ms. */
  readonly now: number;
  /** Id of the schema that the rows were written with; the table's current one if left out. */
  readonly schemaId?: number;
}

export interface AppendPlan {
  readonly snapshot: Snapshot;
  readonly parentSnapshotId: bigint | null;
  /** Entries of the manifest list: the new ones first, as Java writes them. */
  readonly manifestList: readonly ManifestFile[];
  /** Table UUID and branch head; the caller adds what else it relies on (the default spec). */
  readonly requirements: readonly Requirement[];
  readonly updates: readonly Update[];
}

/**
 * The next snapshot of a branch. Its sequence number is the table's last plus one; its timestamp never lies before the
 * table's last update, whatever the clock says.
 *
 * Breaks: test/commit/traces.sim.test.ts, "the next sequence number";
 * test/commit/progress.sim.test.ts, "a clock that runs back".
 */
export function planAppend(input: AppendInput): AppendPlan {
  const { metadata, branch, snapshotId } = input;
  const sequenceNumber = metadata['last-sequence-number'] + 1;
  const parentSnapshotId = branchHead(metadata, branch);
  const parent = metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === parentSnapshotId);
  const manifestList = [
    ...input.manifests.map((manifest) => assign(manifest, snapshotId, sequenceNumber)),
    ...input.parentManifests.map((manifest) => assign(manifest, snapshotId, sequenceNumber)),
  ];
  const rows = metadata['format-version'] >= 3 ? assignRowIds(manifestList, metadata['next-row-id'] ?? 0) : null;
  const snapshot: Snapshot = {
    'snapshot-id': snapshotId,
    ...(parentSnapshotId !== null && { 'parent-snapshot-id': parentSnapshotId }),
    'sequence-number': sequenceNumber,
    'timestamp-ms': Math.max(input.now, metadata['last-updated-ms']),
    'manifest-list': input.manifestListLocation,
    summary: summaryOf(input, parentSnapshotId === null ? null : (parent?.summary ?? {})),
    'schema-id': input.schemaId ?? metadata['current-schema-id'],
    ...(rows !== null && { 'first-row-id': metadata['next-row-id'] ?? 0, 'added-rows': rows.added }),
  };
  return {
    snapshot,
    parentSnapshotId,
    manifestList: rows?.manifests ?? manifestList,
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': parentSnapshotId },
    ],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': branch, type: 'branch', 'snapshot-id': snapshotId },
    ],
  };
}

function assign(manifest: ManifestFile, snapshotId: bigint, sequenceNumber: number): ManifestFile {
  if (manifest.sequenceNumber !== null && manifest.addedSnapshotId !== null) return manifest;
  return {
    ...manifest,
    sequenceNumber,
    minSequenceNumber: manifest.minSequenceNumber ?? sequenceNumber,
    addedSnapshotId: snapshotId,
  };
}

/** Row lineage (Iceberg spec v3, "Row Lineage"): data manifests without a first row id get one, counted on from the table's next. */
function assignRowIds(
  manifests: readonly ManifestFile[],
  nextRowId: number,
): { manifests: ManifestFile[]; added: number } {
  let next = nextRowId;
  const assigned = manifests.map((manifest) => {
    if (manifest.content !== ManifestContent.data || (manifest.firstRowId ?? null) !== null) return manifest;
    const firstRowId = next;
    next += (manifest.addedRows ?? 0) + (manifest.existingRows ?? 0);
    return { ...manifest, firstRowId };
  });
  return { manifests: assigned, added: next - nextRowId };
}

/** Totals follow the parent's and are left out where it does not state them. */
function summaryOf(
  { added, summary }: AppendInput,
  parent: Readonly<Record<string, string>> | null,
): Record<string, string> {
  const total = (key: string, increment: number): Record<string, string> => {
    const before = parent === null ? '0' : parent[key];
    return before !== undefined && /^\d+$/.test(before) ? { [key]: String(BigInt(before) + BigInt(increment)) } : {};
  };
  return {
    operation: 'append',
    ...(added.files > 0 && {
      'added-data-files': String(added.files),
      'added-records': String(added.records),
      'added-files-size': String(added.size),
    }),
    'changed-partition-count': String(added.partitions),
    ...total('total-records', added.records),
    ...total('total-files-size', added.size),
    ...total('total-data-files', added.files),
    ...total('total-delete-files', 0),
    ...total('total-position-deletes', 0),
    ...total('total-equality-deletes', 0),
    ...summary,
  };
}
