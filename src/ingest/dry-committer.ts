import type { Committer, TableState } from '../commit/commit.ts';
import { TabletopicError } from '../errors.ts';

/** Takes schema changes for its own view of the table and commits nothing: what would come of a change can be looked at. */
export class DryCommitter implements Committer {
  #state: TableState | null;

  constructor(committer: Committer) {
    this.#state = committer.state;
  }

  get state(): TableState | null {
    return this.#state;
  }

  load(): Promise<TableState | null> {
    return Promise.resolve(this.#state);
  }

  refresh(): Promise<TableState> {
    return Promise.resolve(this.#known());
  }

  evolve(derive: Parameters<Committer['evolve']>[0]): Promise<TableState> {
    const state = this.#known();
    const change = derive(state);
    if (change === null) return Promise.resolve(state);
    const { metadata } = state.table;
    const id = Math.max(...metadata.schemas.map((schema) => schema['schema-id'])) + 1;
    this.#state = {
      ...state,
      table: {
        ...state.table,
        metadata: {
          ...metadata,
          schemas: [...metadata.schemas, { ...change.schema, 'schema-id': id }],
          'current-schema-id': id,
          'last-column-id': Math.max(metadata['last-column-id'], change.lastColumnId),
          properties: { ...metadata.properties, 'tabletopic.fields': change.fields },
        },
      },
    };
    return Promise.resolve(this.#known());
  }

  properties(): Promise<TableState> {
    return Promise.resolve(this.#known());
  }

  create(): Promise<TableState> {
    return Promise.resolve(this.#known());
  }

  ensureOffsets(): Promise<TableState> {
    return Promise.resolve(this.#known());
  }

  prepare(): Promise<never> {
    return Promise.reject(nothingCommitted());
  }

  commit(): Promise<never> {
    return Promise.reject(nothingCommitted());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #known(): TableState {
    if (this.#state === null) throw new TabletopicError('TABLE_NOT_FOUND', 'the table does not exist');
    return this.#state;
  }
}

function nothingCommitted(): TabletopicError {
  return new TabletopicError('INTERNAL', 'a dry run was asked to commit');
}
