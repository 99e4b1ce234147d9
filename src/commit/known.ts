import { TabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { noDeadLetters } from './dead-letter-list.ts';
import { branchHead, lookupStatement, offsetsKeys } from './lookup.ts';
import { decodeStatement } from './statement.ts';
import type { Catalog, LoadedTable, TableIdent } from '../iceberg/catalog.ts';
import type { TableState } from './commit.ts';
import type { Statement } from './statement.ts';

/** What one load of the table says: its state, and how firmly the statement stands. */
export interface Known extends TableState {
  /** The statement that holds at the head; null where the branch was never ours. */
  readonly statement: Statement | null;
  /** The statement is about the head itself. Else an expiry of ancestors could take it away: it should be anchored. */
  readonly anchored: boolean;
}

export interface TableAddress {
  readonly catalog: Catalog;
  readonly ident: TableIdent;
  readonly branch: string;
}

/**
 * Loads a table with the statement at the branch's head, and all snapshots only where those that refs name do not
 * decide (or `all` is asked for). Null: the table does not exist.
 */
export async function loadKnown(address: TableAddress, snapshots: 'refs' | 'all' = 'refs'): Promise<Known | null> {
  for (const range of snapshots === 'refs' ? (['refs', 'all'] as const) : (['all'] as const)) {
    const table = await address.catalog.loadTable(address.ident, range);
    if (table === null) return null;
    const known = knownOf(table, address.branch);
    if (known !== null) return known;
  }
  throw new TabletopicError(
    'INTERNAL',
    `the catalog gave only a part of the snapshots of ${identText(address.ident)} when asked for all`,
  );
}

/**
 * Null where the loaded snapshots do not decide.
 *
 * Breaks: test/commit/traces.sim.test.ts, "does not start over by itself".
 */
export function knownOf(table: LoadedTable, branch: string): Known | null {
  const name = identText(table.ident);
  const { metadata } = table;
  if (metadata['format-version'] < 2) {
    throw new TabletopicError(
      'TABLE_UNSUPPORTED',
      `${name} has format version ${metadata['format-version']}: without sequence numbers no commit is safe`,
    );
  }
  const found = lookupStatement(table, branch, offsetsKeys);
  if (found.kind === 'partial') return null;
  if (found.kind === 'ambiguous') {
    throw new TabletopicError(
      'OFFSETS_AMBIGUOUS',
      `the history of ${name} (${branch}) breaks at snapshot ${found.missing}, and no statement of offsets is about it`,
      { where: { table: name, branch, head: found.head, missing: found.missing } },
    );
  }
  if (found.kind === 'never' && found.held) {
    throw new TabletopicError(
      'OFFSETS_AMBIGUOUS',
      `${name} (${branch}) once held offsets, and its history no longer does: it was replaced, or put back to before the first offsets; it does not start over by itself`,
      { where: { table: name, branch } },
    );
  }
  const statement = found.kind === 'found' ? read(found.text, name, found.about) : null;
  return {
    table,
    statement,
    offsets: statement?.offsets ?? null,
    deadLetters: statement?.deadLetters ?? noDeadLetters,
    anchored: found.kind === 'found' && found.anchored,
    headSnapshotId: branchHead(metadata, branch),
    lastSequenceNumber: metadata['last-sequence-number'],
  };
}

function read(text: string, table: string, about: bigint): Statement {
  try {
    return decodeStatement(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TabletopicError(
      'OFFSETS_AMBIGUOUS',
      `the offsets of ${table} at snapshot ${about} cannot be read: ${reason}`,
      { cause, where: { table, snapshot: about } },
    );
  }
}
