import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import type { CheckResult } from '../../src/cli/check.ts';
import type { TableReport } from '../../src/cli/status.ts';
import type { VerifyResult } from '../../src/maintain/verify.ts';
import { readers } from '../real/readers.ts';
import { s3Client } from '../real/s3.ts';
import { scene } from './scene.ts';
import { ServiceProcess } from './service-process.ts';

// What the service and its commands say of themselves, against what is true on real servers.

const { stack, files, catalog, lake, producer } = scene();
const settings = (
  groupId: string,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> => ({
  kafka: { brokers: stack.kafka.brokers, groupId },
  defaults: { commitInterval: '500ms', inferTime: '500ms' },
  ...more,
});

/** Samples of the Prometheus text format: `name{label="value"}` → value; labels in the order of the text. */
function samples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

describe('health', () => {
  test('metrics of a table that is caught up, and of one that waits for its commit', async () => {
    const topic = 'health.clicks';
    await stack.topic.create(topic, 1);
    const messages = [
      ...[...Array(3000).keys()].map((id) => ({ value: JSON.stringify({ id }) })),
      { value: 'bad' },
      { value: '{' },
    ];
    await producer.send({ topic, messages });
    const quick = files.run(files.write('quick', [{ topic }], settings('quick')));
    const slow = files.run(
      files.write('slow', [{ topic, table: 'health.slow', commitInterval: '30m' }], settings('slow')),
    );
    await quick.until(
      'caught up',
      ({ ready, tables }) => ready && tables[0]?.state === 'caught-up' && tables[0].rows === 3000,
    );
    await slow.until('all read', ({ recordsRead }) => recordsRead === 3002);
    expect(await quick.get('/livez')).toEqual({ status: 200, text: 'ok\n' });
    expect(await quick.get('/readyz')).toEqual({ status: 200, text: 'ready\n' });
    const done = samples((await quick.get('/metrics')).text);
    const waiting = samples((await slow.get('/metrics')).text);
    const at = (metrics: Map<string, number>, name: string): number | undefined => metrics.get(`tabletopic_${name}`);
    const [own, from] = [`{table="${topic}"}`, `{topic="${topic}"}`];
    expect({
      records: at(done, `records_read_total${from}`),
      rows: at(done, `rows_committed_total${own}`),
      deadLetters: at(done, `dead_letters_total{table="${topic}",code="DECODE_JSON"}`),
      lagRecords: at(done, `lag_records{table="${topic}",topic="${topic}"}`),
      lagSeconds: at(done, `lag_seconds${own}`),
      buffered: at(done, `table_buffered_bytes${own}`),
      all: at(done, 'buffered_bytes'),
      uncommitted: at(done, `uncommitted_seconds${own}`),
      stopped: at(done, `table_stopped${own}`),
      ready: at(done, 'ready'),
      interval: at(done, `commit_interval_seconds${own}`),
      ...Object.fromEntries(
        ['kafka', 'catalog lake', 'storage'].map((name) => [name, at(done, `dependency_up{dependency="${name}"}`)]),
      ),
    }).toEqual({
      records: 3002,
      rows: 3000,
      deadLetters: 2,
      lagRecords: 0,
      lagSeconds: 0,
      buffered: 0,
      all: 0,
      uncommitted: 0,
      stopped: 0,
      ready: 1,
      interval: 0.5,
      kafka: 1,
      'catalog lake': 1,
      storage: 1,
    });
    for (const name of [
      `bytes_read_total${from}`,
      `files_committed_total${own}`,
      `file_bytes_committed_total${own}`,
      `commit_attempts_total{table="${topic}",outcome="committed"}`,
      `commit_seconds_count${own}`,
    ]) {
      expect(at(done, name), name).toBeGreaterThan(0);
    }
    for (const name of [`freshness_seconds${own}`, `seconds_since_commit${own}`, 'uptime_seconds']) {
      expect(at(done, name), name).toBeGreaterThan(0);
      expect(at(done, name), name).toBeLessThan(60);
    }
    const slowly = '{table="health.slow"}';
    expect([
      at(waiting, `lag_records{table="health.slow",topic="${topic}"}`),
      at(waiting, `rows_committed_total${slowly}`) ?? 0,
    ]).toEqual([3002, 0]);
    for (const name of [`table_buffered_bytes${slowly}`, `lag_seconds${slowly}`, `uncommitted_seconds${slowly}`])
      expect(at(waiting, name), name).toBeGreaterThan(0);
    for (const service of [quick, slow]) {
      service.child.kill('SIGTERM');
      await service.ends();
    }
    expect((await readers.duckdb({ catalog, table: 'health.slow', columns: ['id'] })).rows).toBe(3000);
  });
});

describe('check', () => {
  test('shows what would be made, changes nothing, and tells what is wrong by its exit code', async () => {
    const topic = 'check.orders';
    await stack.load({ topic, n: 1000, partitions: 2, format: 'avro' });
    const config = files.write('check', [{ topic, partitionBy: ['day(event_time)'] }], settings('check'));
    const before = await files.json<CheckResult>('check', config);
    expect(before.steps.map(({ name, ok }) => [name, ok])).toEqual([
      ['configuration', true],
      ['kafka', true],
      ['schema registry', true],
      ['catalog lake', true],
      ['storage of lake', true],
    ]);
    expect(before.tables).toEqual([
      expect.objectContaining({
        table: topic,
        exists: false,
        partitionBy: ['day(event_time)'],
        changes: [],
        warnings: [],
      }),
    ]);
    expect(before.tables[0]!.columns).toEqual(
      [
        ['id', 'long'],
        ['event_time', 'timestamptz'],
        ['user_id', 'string'],
        ['session_id', 'string'],
        ['event_type', 'string'],
        ['country', 'string'],
        ['url', 'string'],
        ['amount', 'double'],
        ['quantity', 'int'],
        ['active', 'boolean'],
      ].map(([name, type]) => ({ name, type })),
    );
    await expect(lake.schema(topic)).rejects.toThrow(/NoSuchTable/);
    const text = await new ServiceProcess(['check', '-c', config]).ends();
    expect(text).toContain(`${topic} (lake, will be created) from ${topic}`);
    expect(text).toContain('Everything that was tried works.');

    await files.run(config, '--until-caught-up').ends();
    const after = await files.json<CheckResult>('check', config);
    expect(after.tables).toEqual([
      expect.objectContaining({
        table: topic,
        exists: true,
        changes: [],
        warnings: [],
        columns: before.tables[0]!.columns,
      }),
    ]);

    const missing = await files.result(
      3,
      'check',
      files.write('check-missing', [{ topic: 'check.nowhere' }], settings('check')),
    );
    expect(missing.json).toMatchObject({
      ok: false,
      steps: expect.arrayContaining([expect.objectContaining({ name: 'topic check.nowhere', ok: false })]) as unknown,
    });
    const unreachable = await files.result(
      1,
      'check',
      files.write(
        'check-catalog',
        [{ topic }],
        settings('check', { catalogs: { lake: { type: 'rest', uri: 'http://127.0.0.1:1' } } }),
      ),
    );
    expect(unreachable.json).toMatchObject({
      ok: false,
      steps: expect.arrayContaining([
        expect.objectContaining({
          name: 'catalog lake',
          ok: false,
          error: expect.objectContaining({ code: 'CATALOG_UNAVAILABLE' }) as unknown,
        }),
      ]) as unknown,
    });
    const refused = await files.result(
      2,
      'check',
      files.write(
        'check-keys',
        [{ topic }],
        settings('check', {
          storage: {
            s3: {
              endpoint: stack.s3.endpoint,
              region: stack.s3.region,
              pathStyle: true,
              accessKeyId: 'nobody',
              secretAccessKey: 'wrong',
            },
          },
        }),
      ),
    );
    expect(refused.json).toMatchObject({
      ok: false,
      steps: expect.arrayContaining([
        expect.objectContaining({
          name: 'storage of lake',
          ok: false,
          error: expect.objectContaining({ code: 'STORAGE_AUTH' }) as unknown,
        }),
      ]) as unknown,
    });
  });
});

describe('status', () => {
  test('tells offsets, lag and rows, with and without the table', async () => {
    const topic = 'status.orders';
    await stack.load({ topic, n: 1000, partitions: 2, format: 'avro' });
    const config = files.write('status', [{ topic }], settings('status'));
    const report = async (): Promise<TableReport> =>
      (await files.json<{ tables: TableReport[] }>('status', config)).tables[0]!;
    expect(await report()).toMatchObject({
      table: topic,
      exists: false,
      rows: null,
      partitions: [0, 1].map((partition) => ({ topic, partition, next: null, end: 500 })),
    });
    await files.run(config, '--until-caught-up').ends();
    await stack.load({ topic, n: 100, start: 1000, partitions: 2, format: 'avro' });
    const found = await report();
    expect(found).toMatchObject({
      exists: true,
      rows: 1000,
      lagRecords: 100,
      deadLetters: 0,
      columns: 11,
      partitions: [0, 1].map((partition) => ({ topic, partition, next: 500, end: 550, lag: 50 })),
    });
    expect(found.freshnessSeconds).toBeLessThan(60);
    const text = await new ServiceProcess(['status', '-c', config]).ends();
    expect(text).toContain(`${topic} (lake) from ${topic}`);
    expect(text).toMatch(/rows 1[,. ]?000 in \d+ files?/);
  });
});

describe('verify', () => {
  const made = async (topic: string): Promise<string> => {
    await stack.load({ topic, n: 1000, partitions: 2, format: 'avro' });
    const config = files.write(topic, [{ topic }], settings(topic));
    await files.run(config, '--until-caught-up').ends();
    for (const level of [[], ['--deep']])
      expect(await new ServiceProcess(['verify', '-c', config, ...level]).ends()).toContain(topic);
    return config;
  };
  const verify = async (code: number, config: string): Promise<VerifyResult> =>
    ((await files.result(code, 'verify', config, '--deep')).json as { tables: VerifyResult[] }).tables[0]!;

  test('finds rows that were written again', async () => {
    const config = await made('verify.twice');
    await lake.ask('verify.twice', { do: 'append-again', rows: 10 });
    const { ok, duplicates, missing, others } = await verify(1, config);
    expect({
      ok,
      missing,
      duplicates: duplicates.reduce((sum, { count }) => sum + count, 0),
      others: others.map(({ addedRows, removedRows }) => [addedRows, removedRows]),
    }).toEqual({ ok: false, missing: [], duplicates: 10, others: [[10, 0]] });
    expect(await new ServiceProcess(['verify', '-c', config, '--deep']).ends(1)).toMatch(
      /DUPLICATE verify\.twice\[[01]\] offset/,
    );
  });

  test('lists rows that another writer removed as removed by it, and the service goes on', async () => {
    const config = await made('verify.removed');
    await lake.ask('verify.removed', { do: 'delete', filter: 'id < 10' });
    const { ok, missing, others } = await verify(0, config);
    expect({
      ok,
      missing,
      removed: others.reduce((sum, { addedRows, removedRows }) => sum + removedRows - addedRows, 0),
    }).toEqual({ ok: true, missing: [], removed: 10 });
    await stack.load({ topic: 'verify.removed', n: 100, start: 1000, partitions: 2, format: 'avro' });
    await files.run(config, '--until-caught-up').ends();
    expect((await readers.pyiceberg({ catalog, table: 'verify.removed', columns: ['id'] })).rows).toBe(1090);
    expect((await verify(0, config)).ok).toBe(true);
  });

  test('finds a data file that is gone from the store', async () => {
    const config = await made('verify.lost');
    const [lost] = await lake.ask<string[]>('verify.lost', { do: 'files' });
    const client = s3Client(stack.s3);
    await client.send(
      new DeleteObjectCommand({ Bucket: stack.s3.bucket, Key: lost!.replace(`s3://${stack.s3.bucket}/`, '') }),
    );
    client.destroy();
    const { ok, missing, problems } = await verify(1, config);
    expect(ok).toBe(false);
    expect(problems.join('\n')).toContain(lost!);
    expect(missing.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(0);
  });
});
