import type { Config } from '../config/config.ts';
import { createCatalog } from '../iceberg/catalog-factory.ts';
import { identText } from '../iceberg/catalog.ts';
import type { Catalog, LoadedTable } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import { createFileIO } from '../io/file-io-factory.ts';
import { verifyTable } from '../maintain/verify.ts';
import { readPositions } from '../maintain/positions.ts';
import type { Ports } from '../ports.ts';

export interface DemoProof {
  readonly rows: number;
  readonly verify: 'ok' | 'failed';
  readonly tables: readonly {
    readonly table: string;
    readonly rows: number;
    readonly snapshots: number;
    readonly metadataLocation: string;
  }[];
}

/** Counts and verifies the tables (reading every row's position) through the catalog, as somebody who comes afterwards. */
export async function proveDemo(config: Config, ports: Ports): Promise<DemoProof> {
  let ok = true;
  const tables = await eachTable(config, ports, async ({ catalog, io, loaded }) => {
    const result = await verifyTable({ catalog, ident: loaded.ident, branch: 'main' }, () => io, readPositions);
    ok &&= result.ok;
    const { metadataLocation, metadata } = loaded;
    return {
      table: identText(loaded.ident),
      rows: result.rows,
      snapshots: metadata.snapshots?.length ?? 0,
      metadataLocation,
    };
  });
  return { rows: tables.reduce((sum, table) => sum + table.rows, 0), verify: ok ? 'ok' : 'failed', tables };
}

/** The tables that exist, with their newest metadata files. */
export function demoTables(config: Config, ports: Ports): Promise<{ table: string; metadataLocation: string }[]> {
  return eachTable(config, ports, ({ loaded }) =>
    Promise.resolve({ table: identText(loaded.ident), metadataLocation: loaded.metadataLocation }),
  );
}

interface OpenTable {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly loaded: LoadedTable;
}

async function eachTable<T>(config: Config, ports: Ports, look: (table: OpenTable) => Promise<T>): Promise<T[]> {
  const io = createFileIO(config.storage, ports.ids);
  const catalog = createCatalog('lake', config.catalogs['lake']!, io, ports);
  await catalog.connect();
  try {
    const seen: T[] = [];
    for (const { topic } of config.tables) {
      const [namespace, name] = topic!.split('.') as [string, string];
      const loaded = await catalog.loadTable({ namespace: [namespace], name }, 'all');
      if (loaded) seen.push(await look({ catalog, io, loaded }));
    }
    return seen;
  } finally {
    await catalog.close();
    await io.close();
  }
}
