import { RestCatalog } from '../../src/iceberg/rest.ts';
import { openPostgres } from '../../src/iceberg/postgres.ts';
import { SqlCatalog } from '../../src/iceberg/sql.ts';
import { LocalFileIO } from '../../src/io/local.ts';
import { systemPorts } from '../../src/ports.ts';
import { sharedStack } from '../real/shared.ts';
import { startStack } from '../real/stack.ts';
import { catalogConformance } from './catalog-conformance.ts';

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
