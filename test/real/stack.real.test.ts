import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeadBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, describe, expect, test } from 'vitest';
import { sums, values } from './generator.ts';
import { postgresBin } from './postgres.ts';
import { type CatalogAccess, type Engine, python, readers } from './readers.ts';
import { s3Client } from './s3.ts';
import { sharedStack } from './shared.ts';
import { startStack } from './stack.ts';

// The proof that the servers, the generator and the readers of the other real tests work: nothing of tabletopic runs here.

const rows = 1000;

async function checkReaders(catalog: CatalogAccess, table: string): Promise<void> {
  await python('write_sample.py', JSON.stringify({ catalog, table, rows }));
  for (const engine of readers.engines) await checkReader(engine, catalog, table);
}

async function checkReader(engine: Engine, catalog: CatalogAccess, table: string): Promise<void> {
  const reading = await readers.read(engine, { catalog, table });
  expect(reading.engine).toContain(engine);
  expect(reading.rows).toBe(rows);
  // By arithmetic from write_sample.py: id 0..999, amount id/4, price id/100, active every other.
  expect(reading.columns).toEqual({
    id: { min: 0, max: 999, sum: 499_500 },
    amount: { min: 0, max: 249.75, sum: 124_875 },
    price: { min: '0.00', max: '9.99', sum: '4995.00' },
    active: { min: false, max: true, sum: 500 },
    name: { min: 'name-000000', max: 'name-000999' },
    raw: { min: '00000000', max: '000003e7' },
    day: { min: '2026-01-01', max: '2026-01-07' },
    at: { min: '2026-01-01T00:00:00.000000Z', max: '2026-01-01T00:16:39.000000Z' },
    local_at: { min: '2026-01-01T00:00:00.000000', max: '2026-01-01T00:16:39.000000' },
  });
  const topic = 'sample';
  expect(reading.kafka).toEqual([
    { topic, partition: 0, count: 334, distinct: 334, min: 0, max: 333 },
    { topic, partition: 1, count: 333, distinct: 333, min: 0, max: 332 },
    { topic, partition: 2, count: 333, distinct: 333, min: 0, max: 332 },
  ]);
}

afterAll(() => readers.close());

describe('generator', () => {
  test.each(['json', 'avro'] as const)('loads 20,000 %s records over 4 partitions', async (format) => {
    const stack = sharedStack();
    const topic = `stack.${format}`;
    const loaded = await stack.load({ topic, n: 20_000, partitions: 4, format, compression: 'zstd' });
    expect(loaded).toMatchObject({ records: 20_000, failed: 0 });
    expect((await sums({ n: 20_000, format })).value_bytes).toBe(loaded.value_bytes);
    expect(await stack.topic.offsets(topic)).toEqual(
      [0, 1, 2, 3].map((partition) => ({ partition, low: 0, high: 5000 })),
    );
  });

  test('registers the Avro schema, and its sums are those of its values', async () => {
    const stack = sharedStack();
    await stack.load({ topic: 'stack.schema', n: 1, partitions: 1, format: 'avro' });
    const response = await fetch(`${stack.registry.url}/subjects/stack.schema-value/versions/latest`);
    const { schema } = (await response.json()) as { schema: string };
    expect((JSON.parse(schema) as { fields: { name: string }[] }).fields.map((f) => f.name)).toContain('event_time');

    const all = await values({ n: 500, start: 100, seed: 7 });
    const expected = await sums({ n: 500, start: 100, seed: 7 });
    const sum = (name: string): number => all.reduce((total, v) => total + Number(v[name]), 0);
    expect([expected.rows, expected.min_id, expected.max_id]).toEqual([500, 100, 599]);
    expect([expected.sum_id, expected.sum_quantity, expected.active]).toEqual([
      sum('id'),
      sum('quantity'),
      sum('active'),
    ]);
    expect(expected.sum_amount).toBeCloseTo(sum('amount'), 2);
  });
});

describe('readers', () => {
  test('a table in the REST catalog, on S3', async () => {
    const stack = sharedStack();
    await checkReaders({ type: 'rest', uri: stack.catalog.uri, s3: stack.s3 }, 'stack.sample');
  });

  test('a table in an SQLite catalog, in a local warehouse', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tabletopic-warehouse-'));
    try {
      await checkReaders(
        { type: 'sql', uri: `sqlite:${dir}/catalog.db`, name: 'lake', warehouse: `file://${dir}` },
        'stack.sample',
      );
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test.skipIf(postgresBin() === undefined)('a table in a PostgreSQL catalog, on S3', async () => {
    const { s3 } = sharedStack();
    const stack = await startStack({ postgres: true });
    try {
      const warehouse = `s3://${s3.bucket}/postgres`;
      await checkReaders({ type: 'sql', uri: stack.postgres.url, name: 'lake', warehouse, s3 }, 'stack.sample');
    } finally {
      await stack.stop();
    }
  });

  test('a table that is not there is an error, and the reader goes on', async () => {
    const stack = sharedStack();
    const catalog: CatalogAccess = { type: 'rest', uri: stack.catalog.uri, s3: stack.s3 };
    await expect(readers.pyiceberg({ catalog, table: 'stack.absent' })).rejects.toThrow('NoSuchTableError');
    await python('write_sample.py', JSON.stringify({ catalog, table: 'stack.after', rows: 3 }));
    expect((await readers.pyiceberg({ catalog, table: 'stack.after' })).rows).toBe(3);
  });
});

describe('servers', () => {
  test('are killed and come back on the same port with their data', async () => {
    const stack = await startStack({ kafka: true, catalog: true, registry: true });
    try {
      await stack.load({ topic: 'kept', n: 100, partitions: 2, format: 'avro' });
      await python(
        'write_sample.py',
        JSON.stringify({
          catalog: { type: 'rest', uri: stack.catalog.uri, s3: stack.s3 },
          table: 'kept.sample',
          rows: 10,
        }),
      );
      for (const name of ['kafka', 's3', 'catalog', 'registry'] as const) {
        await stack.server(name).kill('SIGKILL');
        expect(stack.server(name).pid).toBeUndefined();
        await stack.server(name).start();
      }
      expect(await stack.topic.offsets('kept')).toMatchObject([{ high: 50 }, { high: 50 }]);
      expect(await (await fetch(`${stack.registry.url}/subjects`)).json()).toEqual(['kept-value']);
      const table = await fetch(`${stack.catalog.uri}/v1/namespaces/kept/tables/sample`);
      expect(table.status).toBe(200);
    } finally {
      await stack.stop();
    }
  });

  test('buckets are made at will, and the warehouse is in the first', async () => {
    const stack = sharedStack();
    await stack.createBucket('another');
    const client = s3Client(stack.s3);
    await client.send(new HeadBucketCommand({ Bucket: 'another' }));
    const catalog: CatalogAccess = { type: 'rest', uri: stack.catalog.uri, s3: stack.s3 };
    await python('write_sample.py', JSON.stringify({ catalog, table: 'stack.placed', rows: 1 }));
    const listed = await client.send(
      new ListObjectsV2Command({ Bucket: stack.s3.bucket, Prefix: 'warehouse/stack/placed/' }),
    );
    expect(listed.KeyCount).toBeGreaterThan(3);
    client.destroy();
  });
});
