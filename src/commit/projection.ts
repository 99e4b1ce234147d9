import { TabletopicError, asTabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { Backoff } from './backoff.ts';
import { isEmptyList } from './dead-letter-list.ts';
import { readList } from './dead-letter-list-files.ts';
import {
  SOURCE_PROPERTY,
  coveredBy,
  createRequest,
  decideByRows,
  statementProperty,
  statementText,
} from './dead-letter-table.ts';
import { loadKnown } from './known.ts';
import { planProjection } from './projection-plan.ts';
import type { Catalog, CommitRequest, LoadedTable, TableIdent } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { DeadLetterEntry, DeadLetterList } from './dead-letter-list.ts';
import type { Known } from './known.ts';

export interface ProjectionOptions {
  readonly catalog: Catalog;
  readonly main: TableIdent;
  readonly target: TableIdent;
  readonly io: (table: LoadedTable) => FileIO;
  readonly ports: Ports;
}

export interface ProjectionResult {
  /** The list at the main head, which the dead-letter table now holds. */
  readonly list: DeadLetterList;
  /** Checkpoints. */
  readonly added: number;
  readonly removed: number;
}

/** `<table>_dead_letters`, beside the table. */
export function deadLetterIdent(main: TableIdent): TableIdent {
  return { namespace: main.namespace, name: `${main.name}_dead_letters` };
}

/**
 * The dead-letter table as a projection of the list at the main head, by anyone, at any time.
 *
 * Invariants (DESIGN §2, TRACES):
 * - the dead-letter table is loaded before main, and neither is ever taken from memory;
 * - what the list has and the table's own statement lacks is added, what the statement has and the list lacks is
 *   removed, in one commit that asserts the head and carries the next sequence number, and states the whole list;
 * - only where the statement is ambiguous do the checkpoint ids of the rows decide: rows that a user deletes stay deleted;
 * - rows are copied into a new data file at each attempt; no data file is ever committed twice;
 * - removal is by row, never by file name, never inferred from missing ancestors.
 */
export class DeadLetterProjection {
  readonly #options: ProjectionOptions;

  constructor(options: ProjectionOptions) {
    this.#options = options;
  }

  /**
   * Rejects where a file that is needed cannot be read (`DEAD_LETTERS_UNREADABLE`): the projection waits, not the table.
   * `signal` ends it before another attempt, not within one.
   */
  async run(signal: AbortSignal): Promise<ProjectionResult> {
    const { catalog, main, target, ports } = this.#options;
    const backoff = new Backoff(ports, 100, 5_000);
    for (;;) {
      const table = await catalog.loadTable(target, 'all');
      const source = await loadKnown({ catalog, ident: main, branch: 'main' });
      if (source === null)
        throw new TabletopicError('TABLE_NOT_FOUND', `${identText(main)} does not exist`, {
          where: { table: identText(main) },
        });
      if (table === null) {
        if (isEmptyList(source.deadLetters)) return { list: source.deadLetters, added: 0, removed: 0 };
        await this.#create(source);
        continue;
      }
      const step = await this.#step(table, source);
      if (step.request === null) return { list: source.deadLetters, added: 0, removed: 0 };
      const { outcome } = await catalog.commit(target, step.request);
      if (outcome === 'committed' && step.final)
        return { list: source.deadLetters, added: step.added, removed: step.removed };
      // Committed, an empty first snapshot: goes on at once. Conflict or unknown: all is loaded and decided anew.
      if (outcome !== 'committed') await backoff.wait(signal);
    }
  }

  async #step(table: LoadedTable, source: Known): Promise<Step> {
    const { io, ports, target } = this.#options;
    const name = identText(target);
    const { metadata } = table;
    const owner = metadata.properties?.[SOURCE_PROPERTY];
    const uuid = source.table.metadata['table-uuid'];
    if (owner !== uuid) {
      throw new TabletopicError(
        'TABLE_CHANGED',
        `${name} holds the dead letters of ${owner === undefined ? 'no table of this service' : `table ${owner}`}; the table now has UUID ${uuid}`,
        {
          where: { table: name },
          hint: 'Rename or drop the dead-letter table: it belongs to a table that was dropped or replaced. A new one is then made.',
        },
      );
    }
    const files = io(table);
    const lists = io(source.table);
    const covered = coveredBy(table);
    if (covered.kind === 'none') {
      const plan = await planProjection({
        table,
        io: files,
        sources: lists,
        ports,
        list: { inline: [], older: null },
        add: [],
        remove: new Set(),
      });
      return { request: plan, final: false, added: 0, removed: 0 };
    }
    const { add, remove } =
      covered.kind === 'rows'
        ? difference(await readList(source.deadLetters, lists), await decideByRows(table, files))
        : await listDifference(source.deadLetters, covered.list, lists);
    if (add.length === 0 && remove.size === 0) {
      return {
        request: covered.kind === 'list' && covered.anchored ? null : this.#anchor(table, source.deadLetters),
        final: true,
        added: 0,
        removed: 0,
      };
    }
    const request = await planProjection({
      table,
      io: files,
      sources: lists,
      ports,
      list: source.deadLetters,
      add,
      remove,
    });
    return { request, final: true, added: add.length, removed: remove.size };
  }

  /** States the list about the head, in a property only. */
  #anchor({ metadata }: LoadedTable, list: DeadLetterList): CommitRequest {
    const head = metadata.refs!['main']!['snapshot-id'];
    return {
      requirements: [
        { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': head },
      ],
      updates: [{ action: 'set-properties', updates: { [statementProperty]: statementText(list, head) } }],
      idempotencyKey: this.#options.ports.ids.uuid(),
    };
  }

  async #create(source: Known): Promise<void> {
    try {
      await this.#options.catalog.createTable(this.#options.target, createRequest(source.table.metadata['table-uuid']));
    } catch (error) {
      if (asTabletopicError(error).code !== 'TABLE_EXISTS') throw error;
    }
  }
}

interface Step {
  /** Null: nothing to do. */
  readonly request: CommitRequest | null;
  readonly final: boolean;
  readonly added: number;
  readonly removed: number;
}

interface Difference {
  readonly add: readonly DeadLetterEntry[];
  readonly remove: ReadonlySet<string>;
}

/** List files are read only where the two lists do not name the same one. */
async function listDifference(wanted: DeadLetterList, covered: DeadLetterList, io: FileIO): Promise<Difference> {
  if (wanted.older?.file === covered.older?.file)
    return difference(
      wanted.inline,
      covered.inline.map((entry) => entry.checkpointId),
    );
  const [all, had] = [await readList(wanted, io), await readList(covered, io)];
  return difference(
    all,
    had.map((entry) => entry.checkpointId),
  );
}

function difference(wanted: readonly DeadLetterEntry[], covered: Iterable<string>): Difference {
  const had = new Set(covered);
  const want = new Set(wanted.map((entry) => entry.checkpointId));
  return {
    add: wanted.filter((entry) => !had.has(entry.checkpointId)),
    remove: new Set([...had].filter((id) => !want.has(id))),
  };
}
