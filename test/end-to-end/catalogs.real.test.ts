import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectEveryRecordOnce } from '../real/expected.ts';
import { sums } from '../real/generator.ts';
import { postgresBin } from '../real/postgres.ts';
import { readers } from '../real/readers.ts';
import type { CatalogAccess } from '../real/readers.ts';
import { sharedStack } from '../real/shared.ts';
import { startStack } from '../real/stack.ts';
import type { Stack } from '../real/stack.ts';
import { Lake } from './lake.ts';
import { ServiceFiles } from './service-process.ts';

// The same service with SQL catalogs, and tables that PyIceberg made.

const stack = sharedStack();
const files = new ServiceFiles(stack);
const producer = new Kafka({ brokers: stack.kafka.brokers, logLevel: logLevel.NOTHING }).producer();
let database: Stack | undefined;

beforeAll(async () => {
  await producer.connect();
  if (postgresBin() !== undefined) database = await startStack({ postgres: true });
});
afterAll(async () => {
  await producer.disconnect();
  await readers.close();
  files.remove();
  await database?.stop();
});

interface Setting {
  name: string;
  catalog: () => { type: 'sql'; uri: string; warehouse: string; catalogName?: string };
  s3: boolean;
  skip?: boolean;
}

const settings: Setting[] = [
  {
    name: 'sqlite',
    catalog: () => ({
      type: 'sql',
      uri: `sqlite:${join(files.dir, 'catalog.db')}`,
      warehouse: `file://${join(files.dir, 'warehouse')}`,
    }),
    s3: false,
  },
  {
    name: 'postgres',
    catalog: () => ({
      type: 'sql',
      uri: database!.postgres.url,
      warehouse: `s3://${stack.s3.bucket}/sql`,
      catalogName: 'shop_lake',
    }),
    s3: true,
    skip: postgresBin() === undefined,
  },
];

describe.each(settings)('$name', ({ name, catalog, s3, skip }) => {
  const access = (): CatalogAccess => ({
    type: 'sql',
    uri: catalog().uri,
    name: catalog().catalogName ?? 'lake',
    warehouse: catalog().warehouse,
    ...(s3 ? { s3: stack.s3 } : {}),
  });
  const config = (file: string, topic: string, table: string): string =>
    files.write(`${name}-${file}`, [{ topic, table }], {
      kafka: { brokers: stack.kafka.brokers, groupId: `${name}-${file}` },
      catalogs: { lake: catalog() },
      defaults: { commitInterval: '500ms', inferTime: '500ms' },
    });

  test.skipIf(skip)('PyIceberg and DuckDB read what two instances made', async () => {
    const loaded = { topic: `sql.${name}`, partitions: 2, n: 20_000 };
    await stack.load({ ...loaded, format: 'avro' });
    const file = config('made', loaded.topic, `sql.${name}`);
    const instances = [files.run(file, '--until-caught-up'), files.run(file, '--until-caught-up')];
    for (const instance of instances) await instance.ends();
    for (const engine of ['pyiceberg', 'duckdb'] as const) {
      const reading = await readers.read(engine, {
        catalog: access(),
        table: `sql.${name}`,
        columns: ['id', 'quantity', 'amount', 'active'],
      });
      expectEveryRecordOnce(reading, await sums({ n: loaded.n, format: 'avro' }), loaded);
    }
    expect((await files.json<{ ok: boolean }>('verify', file, '--deep')).ok).toBe(true);
  });

  test.skipIf(skip)('rows go into a table that PyIceberg made', async () => {
    const topic = `sql.${name}.theirs`;
    const table = `sql.theirs_${name}`;
    const lake = new Lake(access());
    await lake.ask(table, {
      do: 'create',
      columns: [
        ['name', 'string'],
        ['id', 'long'],
      ],
    });
    await stack.topic.create(topic, 1);
    await producer.send({
      topic,
      messages: [{ value: '{"id":1,"name":"one"}' }, { value: '{"id":2,"name":"two","more":true}' }],
    });
    const file = config('theirs', topic, table);
    await files.run(file, '--until-caught-up').ends();
    expect(await lake.rows(table, { columns: ['id', 'name', 'more'] })).toEqual([
      { id: 1, name: 'one', more: null },
      { id: 2, name: 'two', more: true },
    ]);
    expect(
      (await lake.rows(table, { columns: ['_kafka'] })).map((row) => (row['_kafka'] as { offset: number }).offset),
    ).toEqual([0, 1]);
    expect((await files.json<{ ok: boolean }>('verify', file, '--deep')).ok).toBe(true);
  });
});
