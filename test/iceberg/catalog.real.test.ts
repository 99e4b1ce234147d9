import { describe, expect, it } from 'vitest';
import { RestCatalog } from '../../src/iceberg/rest.ts';
import { openPostgres } from '../../src/iceberg/postgres.ts';
import { SqlCatalog } from '../../src/iceberg/sql.ts';
import { LocalFileIO } from '../../src/io/local.ts';
import { systemPorts } from '../../src/ports.ts';
import { sharedStack } from '../real/shared.ts';
import { startStack } from '../real/stack.ts';
import { catalogConformance, request } from './catalog-conformance.ts';

catalogConformance('Apache Iceberg REST', async () => {
  const { catalog } = sharedStack();
  const open = async (): Promise<RestCatalog> => {
    const made = new RestCatalog(
      'rest',
      { type: 'rest', uri: catalog.uri, warehouse: catalog.warehouse, requestTimeout: 30_000 },
      systemPorts,
    );
    await made.connect();
    return made;
  };
  const [first, second] = [await open(), await open()];
  return {
    first,
    second,
    manifestList: (table) => Promise.resolve(`${table.metadata.location}/metadata/none.avro`),
    dottedNamespaces: true,
    strictNamespaces: false,
    stop: async () => {
      await Promise.all([first.close(), second.close()]);
    },
  };
});

describe('PostgreSQL catalog', () => {
  it('is made once by instances that start at once on an empty database', async () => {
    const stack = await startStack({ postgres: true });
    const database = openPostgres(stack.postgres.url);
    const open = (): SqlCatalog =>
      new SqlCatalog('sql', {
        catalogName: 'tests',
        warehouse: `file:${stack.dir}/warehouse`,
        database: openPostgres(stack.postgres.url),
        io: new LocalFileIO(systemPorts.ids),
        ports: systemPorts,
      });
    const catalogs = Array.from({ length: 6 }, open);
    try {
      // Which of the server's complaints a loser of the race gets depends on how far the winner is: many rounds meet them all.
      for (let round = 0; round < 50; round++) {
        await database.execute('DROP TABLE IF EXISTS iceberg_tables');
        await database.execute('DROP TABLE IF EXISTS iceberg_namespace_properties');
        await Promise.all(catalogs.map((catalog) => catalog.connect()));
        await Promise.all(catalogs.map((catalog) => catalog.createNamespace([`round${round}`])));
        await Promise.all(
          catalogs.map((catalog, n) => catalog.createTable({ namespace: [`round${round}`], name: `t${n}` }, request)),
        );
        expect(await database.query('SELECT DISTINCT iceberg_type FROM iceberg_tables')).toEqual([
          { iceberg_type: 'TABLE' },
        ]);
      }
    } finally {
      await Promise.all([database.close(), ...catalogs.map((catalog) => catalog.close())]);
      await stack.stop();
    }
  });
});

catalogConformance('PostgreSQL', async () => {
  const stack = await startStack({ postgres: true });
  const open = async (): Promise<SqlCatalog> => {
    const made = new SqlCatalog('sql', {
      catalogName: 'tests',
      warehouse: `file:${stack.dir}/warehouse`,
      database: openPostgres(stack.postgres.url),
      io: new LocalFileIO(systemPorts.ids),
      ports: systemPorts,
    });
    await made.connect();
    return made;
  };
  const [first, second] = await Promise.all([open(), open()]);
  return {
    first,
    second,
    manifestList: () => Promise.resolve('file:/nowhere/list.avro'),
    dottedNamespaces: false,
    strictNamespaces: true,
    stop: async () => {
      await Promise.all([first.close(), second.close()]);
      await stack.stop();
    },
  };
});
