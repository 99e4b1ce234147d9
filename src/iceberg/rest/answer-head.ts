import { parseJson } from '../json.ts';
import type { Update } from '../catalog.ts';
import type { Snapshot } from '../metadata.ts';
import { findSnapshots } from './answer.ts';

/** What of the metadata must stand before the list of snapshots; `next-row-id` too in format v3. */
const NEEDED = [
  'format-version',
  'table-uuid',
  'location',
  'last-sequence-number',
  'last-updated-ms',
  'last-column-id',
  'schemas',
  'current-schema-id',
  'partition-specs',
  'default-spec-id',
  'last-partition-id',
  'sort-orders',
  'default-sort-order-id',
  'properties',
  'current-snapshot-id',
  'refs',
];

interface Head {
  readonly metadata: Record<string, unknown> & {
    readonly refs: Readonly<Record<string, { readonly 'snapshot-id'?: unknown }>>;
    snapshots: readonly Snapshot[];
  };
}

/**
 * The answer to a commit from its first bytes, up to the list of snapshots; null where the rest is needed. Those that refs
 * name are known where the request itself added them, and nothing else that is used of an answer comes after the list as
 * Java's catalogs write it. So that the past of a table does not travel with each commit: of 22 MB, 1 is read.
 *
 * What refs name is checked in the answer, so that this one is as good a proof of the commit as a whole one (invariant 4).
 *
 * Breaks: test/iceberg/answer.test.ts, "asks for the rest where %s".
 */
export function parseHead(bytes: Uint8Array, updates: readonly Update[]): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findSnapshots(buffer);
  if (end < 0) return null;
  const added = updates.flatMap((update) => (update.action === 'add-snapshot' ? [update.snapshot] : []));
  let head: Head;
  try {
    head = parseJson(`${buffer.toString('utf8', 0, end)}[]}}`) as Head;
  } catch {
    return null;
  }
  const { metadata } = head;
  const needed = metadata['format-version'] === 2 ? NEEDED : [...NEEDED, 'next-row-id'];
  if (!needed.every((key) => (metadata[key] ?? null) !== null)) return null;
  const known = new Map(added.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
  const named = [...Object.values(metadata.refs).map((ref) => ref['snapshot-id']), metadata['current-snapshot-id']];
  const snapshots = Array.from(new Set(named), (id) => known.get(id as bigint));
  if (!snapshots.every((snapshot) => snapshot !== undefined)) return null;
  metadata.snapshots = snapshots;
  return head;
}
