import { Backoff } from '../commit/backoff.ts';
import type { TableAddress } from '../commit/known.ts';
import { TabletopicError } from '../errors.ts';
import { type CommitRequest, type LoadedTable, identText } from '../iceberg/catalog.ts';
import type { TableMetadata } from '../iceberg/metadata.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';

/** What a command that changes one table works with. */
export interface ChangeTarget {
  readonly address: TableAddress;
  readonly io: (table: LoadedTable) => FileIO;
  readonly ports: Ports;
}

/** A change planned on one state of the table; `request` null: there is nothing to do. */
export interface PlannedChange<T> {
  readonly request: CommitRequest | null;
  /** Whether a table that is loaded after a lost answer has the change. */
  readonly applied: (metadata: TableMetadata) => boolean;
  readonly result: T;
}

const FIRST_WAIT = 100;
const LONGEST_WAIT = 2_000;
const MOST_ATTEMPTS = 30;

/**
 * Commits a change that is planned anew on each state that is found, until it is in the table. A lost answer is looked
 * up first (invariant 4). Rejects with `TABLE_NOT_FOUND`, with `COMMIT_CONFLICT` when others keep winning, and with what
 * `plan` rejects with.
 */
export async function commitChange<T>(
  { address, ports }: Pick<ChangeTarget, 'address' | 'ports'>,
  plan: (table: LoadedTable) => Promise<PlannedChange<T>>,
): Promise<T> {
  const { catalog, ident } = address;
  const name = identText(ident);
  const backoff = new Backoff(ports, FIRST_WAIT, LONGEST_WAIT);
  const open: PlannedChange<T>[] = [];
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const table = await catalog.loadTable(ident, 'all');
    if (table === null)
      throw new TabletopicError('TABLE_NOT_FOUND', `${name} does not exist in catalog ${catalog.name}.`, {
        where: { table: name },
      });
    const landed = open.find(({ applied }) => applied(table.metadata));
    if (landed) return landed.result;
    const change = await plan(table);
    if (change.request === null) return change.result;
    const { outcome } = await catalog.commit(ident, change.request);
    if (outcome === 'committed') return change.result;
    // A resent request may be refused because it was applied the first time.
    open.push(change);
    await backoff.wait(new AbortController().signal);
  }
  throw new TabletopicError('COMMIT_CONFLICT', `${name} changed under each of ${MOST_ATTEMPTS} attempts`, {
    where: { table: name },
    hint: 'Stop the service, or whatever else writes the table, for the moment of this command.',
  });
}
