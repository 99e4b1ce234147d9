import type { Config } from '../config/config.ts';
import { createCatalog } from '../iceberg/catalog-factory.ts';
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
  const io = createFileIO(config.storage, ports.ids);
  const catalog = createCatalog('lake', config.catalogs['lake']!, io, ports);
  await catalog.connect();
  try {
    const tables = [];
    let ok = true;
    for (const { topic } of config.tables) {
      const [namespace, name] = topic!.split('.') as [string, string];
      const ident = { namespace: [namespace], name };
      const loaded = await catalog.loadTable(ident, 'all');
      if (!loaded) continue;
      const result = await verifyTable({ catalog, ident, branch: 'main' }, () => io, readPositions);
      ok &&= result.ok;
      tables.push({
        table: topic!,
        rows: result.rows,
        snapshots: loaded.metadata.snapshots?.length ?? 0,
        metadataLocation: loaded.metadataLocation,
      });
    }
    return { rows: tables.reduce((sum, table) => sum + table.rows, 0), verify: ok ? 'ok' : 'failed', tables };
  } finally {
    await catalog.close();
    await io.close();
  }
}
