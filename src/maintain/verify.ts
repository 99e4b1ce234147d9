import type { Accounted } from '../commit/commit.ts';
import { branchHead, snapshotsById } from '../commit/lookup.ts';
import { TabletopicError } from '../errors.ts';
import { type Catalog, type LoadedTable, type TableIdent, identText } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import { liveFiles } from './live-files.ts';
import { type PositionReader, verifyRows } from './verify-rows.ts';
import { verifyHistory } from './verify-history.ts';

/**
 * Proof that a table holds every offset of its topics once.
 *
 * - `metadata`: the ranges that the snapshots account for join without gap or overlap from the first offset to the next
 *   one, and their sums agree with what the snapshots added;
 * - `deep`: the rows themselves: each (topic, partition, offset) at most once, and as many in each range as accounted.
 */
export interface VerifyResult {
  readonly table: string;
  readonly branch: string;
  readonly level: 'metadata' | 'deep';
  readonly ok: boolean;
  /** False: snapshots have expired, and what they accounted for cannot be checked any more (`from` says where it begins). */
  readonly complete: boolean;
  /** Snapshots looked at. */
  readonly snapshots: number;
  /** Rows on record (`metadata`), or rows found (`deep`). */
  readonly rows: number;
  readonly duplicates: readonly Finding[];
  readonly missing: readonly Finding[];
  /** What does not agree otherwise: sums, statements, files. */
  readonly problems: readonly string[];
  /** What other writers took out or put in; not counted against the table. */
  readonly others: readonly OtherWriter[];
  readonly partitions: readonly PartitionVerified[];
}

/** Offsets [from, to) of one partition, and what is wrong with them. */
export interface Finding {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** How many of these offsets; fewer than `to - from` where metadata cannot say which. */
  readonly count: number;
  readonly reason: string;
}

export interface OtherWriter {
  readonly snapshotId: string;
  readonly operation: string;
  readonly addedRows: number;
  readonly removedRows: number;
  /** Rows that its delete files and deletion vectors take out: their data files still have them. Left out: none. */
  readonly deletes?: number;
}

export interface PartitionVerified extends Accounted {
  readonly topic: string;
  readonly partition: number;
  /** Offset from which on ranges are on record. */
  readonly from: number;
  readonly next: number;
  /** Of the rows, those that were dead letters first (`tabletopic replay`). */
  readonly replayed: number;
}

export interface VerifyTarget {
  readonly catalog: Catalog;
  readonly ident: TableIdent;
  readonly branch: string;
}

/** `readPositions` null: metadata only. `openFiles` keeps what it opens: nothing is closed here. Rejects with `TABLE_NOT_FOUND`, `TABLE_UNSUPPORTED`, and the store's errors. */
export async function verifyTable(
  { catalog, ident, branch }: VerifyTarget,
  openFiles: (table: LoadedTable) => FileIO,
  readPositions: PositionReader | null,
): Promise<VerifyResult> {
  const table = await catalog.loadTable(ident, 'all');
  const name = identText(ident);
  if (table === null)
    throw new TabletopicError('TABLE_NOT_FOUND', `${name} does not exist in catalog ${catalog.name}.`, {
      where: { table: name },
    });
  const history = verifyHistory(table, branch);
  const result: Omit<VerifyResult, 'ok'> = {
    table: name,
    branch,
    level: readPositions ? 'deep' : 'metadata',
    complete: history.complete,
    snapshots: history.snapshots,
    rows: sum(history.ranges, (range) => range.accounted.rows),
    duplicates: history.duplicates,
    missing: history.missing,
    problems: history.problems,
    others: history.others,
    partitions: history.partitions,
  };
  const head = branchHead(table.metadata, branch);
  const snapshot = head === null ? undefined : snapshotsById(table.metadata).get(head);
  if (!readPositions || !snapshot) return judged(result);
  const io = openFiles(table);
  const rows = await verifyRows(await liveFiles(io, snapshot), history, (file) => readPositions(io, file));
  return judged({
    ...result,
    rows: rows.rows,
    duplicates: [...history.duplicates, ...rows.duplicates],
    missing: [...history.missing, ...rows.missing],
    problems: [...history.problems, ...rows.problems],
    others: [...history.others, ...rows.others],
  });
}

function judged(result: Omit<VerifyResult, 'ok'>): VerifyResult {
  return {
    ...result,
    ok: result.duplicates.length === 0 && result.missing.length === 0 && result.problems.length === 0,
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
