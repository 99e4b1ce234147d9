import type { CatalogConfig } from '../config/config.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { Catalog } from './catalog.ts';
import { openPostgres } from './postgres.ts';
import { RestCatalog } from './rest.ts';
import { SqlCatalog } from './sql.ts';
import { openSqlite } from './sqlite.ts';

/** The catalog of a configuration entry. A SQL catalog writes its metadata files through `io`. */
export function createCatalog(name: string, config: CatalogConfig, io: FileIO, ports: Ports): Catalog {
  if (config.type === 'rest') return new RestCatalog(name, config, ports);
  const database = config.uri.startsWith('sqlite:') ? openSqlite(config.uri, ports.clock) : openPostgres(config.uri);
  return new SqlCatalog(name, { catalogName: config.catalogName, warehouse: config.warehouse, database, io, ports });
}
