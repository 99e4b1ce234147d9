import { TabletopicError } from '../errors.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import { applyUpdates } from './apply-updates.ts';
import { identText } from './catalog.ts';
import type { Catalog, CommitOutcome, CommitRequest, CreateTableRequest, LoadedTable, TableIdent } from './catalog.ts';
import { logPrevious } from './metadata-log.ts';
import type { TableMetadata } from './metadata.ts';
import { newMetadata } from './new-metadata.ts';
import { encodeMetadata, readMetadata } from './read-metadata.ts';
import { DuplicateKey, LostAnswer } from './sql-database.ts';
import type { SqlDatabase } from './sql-database.ts';

export interface SqlCatalogOptions {
  /** Key of this catalog's rows: other catalogs may share the tables. */
  readonly catalogName: string;
  /** Where tables land: `<warehouse>/<namespace>/<table>`. */
  readonly warehouse: string;
  readonly database: SqlDatabase;
  readonly io: FileIO;
  readonly ports: Ports;
}

const TABLES = {
  iceberg_tables: `catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
   metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5), PRIMARY KEY (catalog_name, table_namespace, table_name)`,
  iceberg_namespace_properties: `catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255),
   property_value VARCHAR(1000), PRIMARY KEY (catalog_name, namespace, property_key)`,
};

/**
 * A catalog in two SQL tables, in the layout that Java's JdbcCatalog (schema version V1) and PyIceberg's SqlCatalog share;
 * an existing V0 layout, without `iceberg_type`, is left as it is.
 *
 * Invariant: a commit is one UPDATE that names the metadata file it replaces; it changes one row or none.
 */
export class SqlCatalog implements Catalog {
  readonly name: string;
  readonly #options: SqlCatalogOptions;
  /** Last metadata by table: a file never changes, and a large one is dear to read. */
  readonly #cache = new Map<string, { readonly location: string; readonly metadata: TableMetadata }>();
  #hasType = true;

  constructor(name: string, options: SqlCatalogOptions) {
    this.name = name;
    this.#options = options;
  }

  async connect(): Promise<void> {
    const { database } = this.#options;
    const has = (table: string, column: string): Promise<boolean> =>
      database.query(`SELECT ${column} FROM ${table} WHERE 1 = 0`).then(
        () => true,
        (error: unknown) => {
          if (error instanceof TabletopicError && error.code === 'CATALOG_REFUSED') return false;
          throw error;
        },
      );
    for (const [table, columns] of Object.entries(TABLES)) {
      if (await has(table, 'catalog_name')) continue;
      await database.execute(`CREATE TABLE IF NOT EXISTS ${table} (${columns})`).catch((error: unknown) => {
        // Two processes that create the tables at once: the other was first.
        if (!(error instanceof DuplicateKey)) throw lost(error);
      });
    }
    // Asked last: before, another process may have been about to create them.
    this.#hasType = await has('iceberg_tables', 'iceberg_type');
  }

  async createNamespace(namespace: readonly string[]): Promise<void> {
    const { database, catalogName } = this.#options;
    if (await this.#namespaceExists(namespace)) return;
    await database
      .execute(
        `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value) VALUES (?, ?, 'exists', 'true')`,
        [catalogName, joined(namespace)],
      )
      .catch((error: unknown) => {
        if (!(error instanceof DuplicateKey)) throw lost(error);
      });
  }

  async listTables(namespace: readonly string[]): Promise<TableIdent[]> {
    const { database, catalogName } = this.#options;
    const rows = await database.query(
      `SELECT table_name FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ?${this.#onlyTables()}`,
      [catalogName, joined(namespace)],
    );
    return rows.map((row) => ({ namespace, name: String(row['table_name']) }));
  }

  async createTable(ident: TableIdent, request: CreateTableRequest): Promise<LoadedTable> {
    const { database, catalogName, warehouse, io, ports } = this.#options;
    if (!(await this.#namespaceExists(ident.namespace)))
      throw new TabletopicError('CATALOG_REFUSED', `namespace ${joined(ident.namespace)} does not exist`, {
        hint: 'Create the namespace first.',
        where: { table: identText(ident) },
      });
    if ((await this.#location(ident)) !== null) throw exists(ident);
    const location = request.location ?? [warehouse.replace(/\/+$/, ''), ...ident.namespace, ident.name].join('/');
    const metadata = newMetadata(request, ports.ids.uuid(), location, ports.clock.now());
    const file = this.#newFile(metadata, null);
    await io.write(file, encodeMetadata(metadata, file), { ifAbsent: true });
    try {
      await database.execute(
        `INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location${this.#hasType ? ', iceberg_type' : ''}) VALUES (?, ?, ?, ?${this.#hasType ? `, 'TABLE'` : ''})`,
        [catalogName, joined(ident.namespace), ident.name, file],
      );
    } catch (error) {
      if (error instanceof DuplicateKey) {
        await io.delete([file]);
        throw exists(ident);
      }
      throw lost(error);
    }
    return { ident, metadataLocation: file, metadata, partial: false, config: {} };
  }

  async loadTable(ident: TableIdent, _snapshots: 'refs' | 'all'): Promise<LoadedTable | null> {
    const location = await this.#location(ident);
    if (location === null) return null;
    return {
      ident,
      metadataLocation: location,
      metadata: await this.#metadata(ident, location),
      partial: false,
      config: {},
    };
  }

  async commit(ident: TableIdent, request: CommitRequest): Promise<CommitOutcome> {
    const { database, catalogName, io, ports } = this.#options;
    const location = await this.#location(ident);
    if (location === null)
      throw new TabletopicError(
        'TABLE_NOT_FOUND',
        `table ${identText(ident)} does not exist in catalog ${catalogName}`,
        { where: { table: identText(ident) } },
      );
    const current = await this.#metadata(ident, location);
    const applied = applyUpdates(current, request.requirements, request.updates, ports.clock.now());
    if (applied.kind === 'conflict') return { outcome: 'conflict', reason: applied.reason };
    const { metadata, expired } = logPrevious(applied.metadata, current, location);
    const file = this.#newFile(metadata, location);
    await io.write(file, encodeMetadata(metadata, file), { ifAbsent: true });
    let changed: number;
    try {
      changed = await database.execute(
        `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?${this.#onlyTables()}`,
        [file, location, catalogName, joined(ident.namespace), ident.name, location],
      );
    } catch (error) {
      // The file stays: the row may name it.
      if (error instanceof LostAnswer)
        return {
          outcome: 'unknown',
          error: new TabletopicError('COMMIT_UNKNOWN', error.message, {
            cause: error,
            where: { table: identText(ident) },
          }),
        };
      await deleteQuietly(io, [file]);
      throw error;
    }
    if (changed === 0) {
      await deleteQuietly(io, [file]);
      return { outcome: 'conflict', reason: `another writer replaced ${location}` };
    }
    this.#cache.set(identText(ident), { location: file, metadata });
    await deleteQuietly(io, expired);
    return { outcome: 'committed', table: { ident, metadataLocation: file, metadata, partial: false, config: {} } };
  }

  async dropTable(ident: TableIdent): Promise<void> {
    const { database, catalogName } = this.#options;
    this.#cache.delete(identText(ident));
    await database
      .execute(
        `DELETE FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?${this.#onlyTables()}`,
        [catalogName, joined(ident.namespace), ident.name],
      )
      .catch((error: unknown) => {
        throw lost(error);
      });
  }

  close(): Promise<void> {
    return this.#options.database.close();
  }

  async #location(ident: TableIdent): Promise<string | null> {
    const { database, catalogName } = this.#options;
    const rows = await database.query(
      `SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?${this.#onlyTables()}`,
      [catalogName, joined(ident.namespace), ident.name],
    );
    const location = rows[0]?.['metadata_location'];
    return typeof location === 'string' ? location : null;
  }

  async #metadata(ident: TableIdent, location: string): Promise<TableMetadata> {
    const cached = this.#cache.get(identText(ident));
    if (cached?.location === location) return cached.metadata;
    const metadata = await readMetadata(this.#options.io, location);
    this.#cache.set(identText(ident), { location, metadata });
    return metadata;
  }

  async #namespaceExists(namespace: readonly string[]): Promise<boolean> {
    const { database, catalogName } = this.#options;
    const name = joined(namespace);
    const tables = await database.query(
      'SELECT 1 AS found FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? LIMIT 1',
      [catalogName, name],
    );
    if (tables.length > 0) return true;
    return (
      (
        await database.query(
          'SELECT 1 AS found FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ? LIMIT 1',
          [catalogName, name],
        )
      ).length > 0
    );
  }

  /** Views stand in the same table. Rows of writers that know no types have none. */
  #onlyTables(): string {
    return this.#hasType ? ` AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)` : '';
  }

  #newFile(metadata: TableMetadata, previous: string | null): string {
    const before = previous === null ? -1 : Number.parseInt(/\/(\d+)-[^/]*$/.exec(previous)?.[1] ?? '-1', 10);
    const {
      'write.metadata.path': folder = `${metadata.location.replace(/\/+$/, '')}/metadata`,
      'write.metadata.compression-codec': codec,
    } = metadata.properties ?? {};
    return `${folder.replace(/\/+$/, '')}/${String(before + 1).padStart(5, '0')}-${this.#options.ports.ids.uuid()}${codec === 'gzip' ? '.gz' : ''}.metadata.json`;
  }
}

/** These catalogs keep a namespace as its levels with dots between, so that no level may have one. */
function joined(namespace: readonly string[]): string {
  if (namespace.length === 0 || namespace.some((level) => level === '' || level.includes('.'))) {
    throw new TabletopicError(
      'CATALOG_REFUSED',
      `a SQL catalog cannot hold the namespace ${JSON.stringify(namespace)}`,
      { hint: 'Levels must not be empty and must not contain a dot: name the table otherwise.' },
    );
  }
  return namespace.join('.');
}

function exists(ident: TableIdent): TabletopicError {
  return new TabletopicError('TABLE_EXISTS', `table ${identText(ident)} exists already`, {
    where: { table: identText(ident) },
  });
}

/** Outside commits a lost answer is one to ask again. */
function lost(error: unknown): unknown {
  return error instanceof LostAnswer
    ? new TabletopicError('CATALOG_UNAVAILABLE', error.message, { cause: error })
    : error;
}

async function deleteQuietly(io: FileIO, locations: readonly string[]): Promise<void> {
  // Left to orphan removal where the store will not.
  if (locations.length > 0) await io.delete(locations).catch(() => undefined);
}
