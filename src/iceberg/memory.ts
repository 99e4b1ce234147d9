import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { applyUpdates } from './apply-updates.ts';
import { identText } from './catalog.ts';
import type { Catalog, CommitOutcome, CommitRequest, CreateTableRequest, LoadedTable, TableIdent } from './catalog.ts';
import { logPrevious } from './metadata-log.ts';
import type { TableMetadata } from './metadata.ts';
import { newMetadata } from './new-metadata.ts';
import { onlyRefs } from './read-metadata.ts';

/**
 * What a test does to a commit: lose the request (`lost-request`) or the answer of an applied commit (`lost-answer`), both
 * unknown to the caller; refuse it (`conflict`); or answer that the catalog is not there (`unavailable`).
 */
export type CommitFault = 'lost-request' | 'lost-answer' | 'conflict' | 'unavailable';

export interface MemoryCatalogHooks {
  /** Called before each commit; may wait, so that other commits come between. */
  commit?(ident: TableIdent, request: CommitRequest): Promise<CommitFault | null>;
  load?(ident: TableIdent): Promise<void>;
}

/** Namespaces and tables that several in-memory catalogs share: one server with many clients. */
export class MemoryCatalogState {
  readonly namespaces: Set<string> = new Set();
  readonly tables: Map<
    string,
    { readonly ident: TableIdent; metadata: TableMetadata; location: string; version: number }
  > = new Map();
}

/** The in-memory twin of a catalog, for tests and the simulator: `applyUpdates` over a shared state. */
export class MemoryCatalog implements Catalog {
  readonly name: string;
  readonly state: MemoryCatalogState;
  readonly #ports: Ports;
  readonly #warehouse: string;
  readonly #hooks: MemoryCatalogHooks;

  constructor(
    ports: Ports,
    options: { name?: string; warehouse?: string; state?: MemoryCatalogState; hooks?: MemoryCatalogHooks } = {},
  ) {
    this.name = options.name ?? 'memory';
    this.state = options.state ?? new MemoryCatalogState();
    this.#ports = ports;
    this.#warehouse = options.warehouse ?? 'memory://warehouse';
    this.#hooks = options.hooks ?? {};
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }

  createNamespace(namespace: readonly string[]): Promise<void> {
    this.state.namespaces.add(key(namespace));
    return Promise.resolve();
  }

  listTables(namespace: readonly string[]): Promise<TableIdent[]> {
    return Promise.resolve(
      [...this.state.tables.values()]
        .map((table) => table.ident)
        .filter((ident) => key(ident.namespace) === key(namespace)),
    );
  }

  async createTable(ident: TableIdent, request: CreateTableRequest): Promise<LoadedTable> {
    if (!this.state.namespaces.has(key(ident.namespace)))
      throw new TabletopicError('CATALOG_REFUSED', `namespace ${ident.namespace.join('.')} does not exist`);
    const id = key([...ident.namespace, ident.name]);
    if (this.state.tables.has(id))
      throw new TabletopicError('TABLE_EXISTS', `table ${identText(ident)} exists already`, {
        where: { table: identText(ident) },
      });
    const location = request.location ?? `${this.#warehouse}/${[...ident.namespace, ident.name].join('/')}`;
    const metadata = newMetadata(request, this.#ports.ids.uuid(), location, this.#ports.clock.now());
    this.state.tables.set(id, { ident, metadata, location: this.#file(metadata, 0), version: 0 });
    return (await this.loadTable(ident, 'all'))!;
  }

  async loadTable(ident: TableIdent, snapshots: 'refs' | 'all'): Promise<LoadedTable | null> {
    await this.#hooks.load?.(ident);
    const table = this.state.tables.get(key([...ident.namespace, ident.name]));
    if (!table) return null;
    const metadata = snapshots === 'refs' ? onlyRefs(table.metadata) : table.metadata;
    return { ident, metadataLocation: table.location, metadata, partial: snapshots === 'refs', config: {} };
  }

  async commit(ident: TableIdent, request: CommitRequest): Promise<CommitOutcome> {
    const fault = (await this.#hooks.commit?.(ident, request)) ?? null;
    if (fault === 'unavailable')
      throw new TabletopicError('CATALOG_UNAVAILABLE', 'the catalog does not answer (by the test)');
    if (fault === 'conflict') return { outcome: 'conflict', reason: 'by the test' };
    if (fault === 'lost-request') return unknown();
    const table = this.state.tables.get(key([...ident.namespace, ident.name]));
    if (!table)
      throw new TabletopicError('TABLE_NOT_FOUND', `table ${identText(ident)} does not exist`, {
        where: { table: identText(ident) },
      });
    const applied = applyUpdates(table.metadata, request.requirements, request.updates, this.#ports.clock.now());
    if (applied.kind === 'conflict') return { outcome: 'conflict', reason: applied.reason };
    table.metadata = logPrevious(applied.metadata, table.metadata, table.location).metadata;
    table.location = this.#file(table.metadata, ++table.version);
    if (fault === 'lost-answer') return unknown();
    return {
      outcome: 'committed',
      // As a REST catalog's answer is read.
      table: { ident, metadataLocation: table.location, metadata: onlyRefs(table.metadata), partial: true, config: {} },
    };
  }

  dropTable(ident: TableIdent): Promise<void> {
    this.state.tables.delete(key([...ident.namespace, ident.name]));
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #file(metadata: TableMetadata, version: number): string {
    return `${metadata.location}/metadata/${String(version).padStart(5, '0')}-${this.#ports.ids.uuid()}.metadata.json`;
  }
}

function unknown(): CommitOutcome {
  return { outcome: 'unknown', error: new TabletopicError('COMMIT_UNKNOWN', 'the answer was lost (by the test)') };
}

const key = (levels: readonly string[]): string => JSON.stringify(levels);
