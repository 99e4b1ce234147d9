import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalFileIO } from '../../src/io/local.ts';
import { MemoryCatalog, MemoryCatalogState } from '../../src/iceberg/memory.ts';
import { SqlCatalog } from '../../src/iceberg/sql.ts';
import { openSqlite } from '../../src/iceberg/sqlite.ts';
import { systemPorts } from '../../src/ports.ts';
import { catalogConformance } from './catalog-conformance.ts';

const anyList = (): Promise<string> => Promise.resolve('file:/nowhere/list.avro');

catalogConformance('in-memory', () => {
  const state = new MemoryCatalogState();
  return Promise.resolve({
    first: new MemoryCatalog(systemPorts, { state }),
    second: new MemoryCatalog(systemPorts, { state }),
    manifestList: anyList,
    dottedNamespaces: true,
    strictNamespaces: true,
    stop: () => Promise.resolve(),
  });
});

catalogConformance('SQLite', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tabletopic-sqlite-'));
  const open = async (): Promise<SqlCatalog> => {
    const io = new LocalFileIO(systemPorts.ids);
    const catalog = new SqlCatalog('test', {
      catalogName: 'tests',
      warehouse: `file:${dir}/warehouse`,
      database: openSqlite(`sqlite:${dir}/catalog.db`, systemPorts.clock),
      io,
      ports: systemPorts,
    });
    await catalog.connect();
    return catalog;
  };
  const [first, second] = [await open(), await open()];
  return {
    first,
    second,
    manifestList: anyList,
    dottedNamespaces: false,
    strictNamespaces: true,
    stop: async () => {
      await Promise.all([first.close(), second.close()]);
      await rm(dir, { recursive: true });
    },
  };
});
