import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { errorTable } from '../../src/errors.ts';
import { expectEveryRecordOnce } from '../real/expected.ts';
import { sums } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import type { Server } from '../real/server.ts';
import { startStack } from '../real/stack.ts';
import type { Servers, Stack } from '../real/stack.ts';
import { Lake } from './lake.ts';
import { registerAvro, withId } from './registry-client.ts';
import { ServiceFiles } from './service-process.ts';

// Servers that are down at start, that die on the way, that refuse us; and signals. The servers are this file's own.

let stack: Stack;
let files: ServiceFiles;

beforeAll(async () => {
  stack = await startStack({ kafka: true, catalog: true, registry: true });
  files = new ServiceFiles(stack);
});

/** A test that failed half-way does not take the others with it. */
afterEach(async () => {
  for (const server of Object.values(stack.servers) as Server[]) if (server.pid === undefined) await server.start();
});

afterAll(async () => {
  await readers.close();
  files.remove();
  await stack.stop();
});

const columns = ['id', 'quantity', 'amount', 'active'];
const settings = (
  groupId: string,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> => ({
  kafka: { brokers: stack.kafka.brokers, groupId, sessionTimeout: '10s' },
  defaults: { commitInterval: '500ms', inferTime: '500ms' },
  ...more,
});

interface Case {
  server: keyof Servers;
  code: keyof typeof errorTable;
  reason: RegExp;
  /** What is told first, where that differs. */
  first?: { code: keyof typeof errorTable; reason: RegExp };
}

const cases: Case[] = [
  { server: 'kafka', code: 'KAFKA_UNAVAILABLE', reason: /^kafka is down: / },
  { server: 'registry', code: 'REGISTRY_UNAVAILABLE', reason: /^registry is down: / },
  { server: 'catalog', code: 'CATALOG_UNAVAILABLE', reason: /^catalog lake is down: / },
  {
    server: 's3',
    code: 'STORAGE_UNAVAILABLE',
    reason: /^storage is down: /,
    // The catalog writes a new table's first file itself, and says so.
    first: { code: 'CATALOG_UNAVAILABLE', reason: /^catalog lake is down: .*Connection refused/ },
  },
];

/** Whether a line of the log names the code and says what to do. */
function told(log: string, code: keyof typeof errorTable): boolean {
  const lines = log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { code?: string; hint?: string; err?: { code?: string; hint?: string } });
  return lines.some(
    (line) => (line.code ?? line.err?.code) === code && ((line.hint ?? line.err?.hint)?.length ?? 0) > 0,
  );
}

describe.each(cases)('$server', ({ server, code, reason, first = { code, reason } }) => {
  test('down at start is waited for; killed on the way, nothing is lost and nothing doubled', async () => {
    const loaded = { topic: `down.${server}`, partitions: 2, n: 24_000 };
    const before = 2000;
    await stack.load({ ...loaded, n: before, format: 'avro' });
    const config = files.write(`down-${server}`, [{ topic: loaded.topic }], settings(`down-${server}`));
    await stack.server(server).kill('SIGKILL');
    const service = files.run(config);
    const down = await service.until(
      `${server} told as down`,
      ({ ready, reasons }) => !ready && reasons.some((line) => first.reason.test(line)),
    );
    expect(down.dependencies.find(({ up }) => !up)!.error).toMatchObject({
      code: first.code,
      hint: expect.stringMatching(/\w/) as unknown,
    });
    expect(await service.get('/readyz')).toMatchObject({
      status: 503,
      text: expect.stringMatching(new RegExp(first.reason, 'm')) as unknown,
    });
    expect((await service.get('/livez')).status).toBe(200);
    expect(told(service.log, first.code)).toBe(true);
    await stack.server(server).start();
    await service.until('the first rows', ({ ready, tables }) => ready && tables[0]?.rows === before);

    const loading = stack.load({
      ...loaded,
      n: loaded.n - before,
      start: before,
      format: 'avro',
      rate: 4000,
    });
    await service.until('more rows', ({ tables }) => tables[0]!.rows > before);
    await stack.server(server).kill('SIGKILL');
    // The schema is known: without the registry the records go on.
    if (server === 'registry') await service.until('more rows', ({ tables }) => tables[0]!.rows > before + 8000);
    else {
      await service.until(`${server} told as down`, ({ reasons }) => reasons.some((line) => reason.test(line)));
      expect(told(service.log, code)).toBe(true);
    }
    await stack.server(server).start();
    await loading;
    await service.until('all rows', ({ ready, tables }) => ready && tables[0]!.rows === loaded.n, 90);
    service.child.kill('SIGTERM');
    await service.ends();
    const catalog = { type: 'rest' as const, uri: stack.catalog.uri, s3: stack.s3 };
    expectEveryRecordOnce(
      await readers.pyiceberg({ catalog, table: loaded.topic, columns }),
      await sums({ n: loaded.n, format: 'avro' }),
      loaded,
    );
  });
});

test('records of a schema that is not known yet wait for the registry; none is taken for bad', async () => {
  const topic = 'down.unknown';
  await stack.topic.create(topic, 1);
  const fields = [{ name: 'id', type: 'long' }];
  const first = await registerAvro(stack.registry.url, `${topic}-value`, { type: 'record', name: 'Item', fields });
  const second = await registerAvro(stack.registry.url, `${topic}-value`, {
    type: 'record',
    name: 'Item',
    fields: [...fields, { name: 'more', type: 'long', default: 0 }],
  });
  const producer = new Kafka({ brokers: stack.kafka.brokers, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const send = (id: number, ...longs: number[]) =>
    producer.send({ topic, messages: [{ value: withId(id, Buffer.from(longs.map((value) => value * 2))) }] });
  const service = files.run(files.write('down-unknown', [{ topic }], settings('down-unknown')));
  await send(first, 1);
  await service.until('the first row', ({ tables }) => tables[0]?.rows === 1);
  await stack.server('registry').kill('SIGKILL');
  await send(second, 2, 7);
  await send(first, 3);
  const { tables } = await service.until('registry told as down', ({ reasons }) =>
    reasons.some((line) => line.startsWith('registry is down: ')),
  );
  expect([tables[0]!.rows, tables[0]!.deadLetters]).toEqual([1, 0]);
  await stack.server('registry').start();
  const after = await service.until('all rows', ({ ready, tables: [table] }) => ready && table!.rows === 3);
  expect(after.tables[0]!.deadLetters).toBe(0);
  await producer.disconnect();
  service.child.kill('SIGTERM');
  await service.ends();
  const catalog = { type: 'rest' as const, uri: stack.catalog.uri, s3: stack.s3 };
  expect(await new Lake(catalog).rows(topic, { columns: ['id', 'more'] })).toEqual([
    { id: 1, more: null },
    { id: 2, more: 7 },
    { id: 3, more: null },
  ]);
});

describe('what does not get better by waiting ends with a remedy', () => {
  const checkRefused = async (config: string, exit: number, code: string): Promise<void> => {
    const service = files.run(config, '--until-caught-up');
    await service.ends(exit);
    expect(service.log).toContain(`"code":"${code}"`);
    expect(service.log).toMatch(/"hint":"\w/);
  };
  beforeAll(() => stack.load({ topic: 'refused.orders', n: 100, partitions: 1, format: 'avro' }));

  test('wrong keys of the object store: 2', async () => {
    const { endpoint, region, accessKey } = stack.s3;
    const storage = { s3: { endpoint, region, pathStyle: true, accessKeyId: accessKey, secretAccessKey: 'wrong' } };
    await checkRefused(
      files.write('wrong-keys', [{ topic: 'refused.orders' }], settings('wrong-keys', { storage })),
      2,
      'STORAGE_AUTH',
    );
  });

  test('a token that the catalog does not take: 2', async () => {
    const server = createServer((_, answer) => {
      answer.writeHead(401, { 'content-type': 'application/json' });
      answer.end(JSON.stringify({ error: { message: 'Not authorized', type: 'NotAuthorizedException', code: 401 } }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await checkRefused(
      files.write(
        'wrong-token',
        [{ topic: 'refused.orders' }],
        settings('wrong-token', { catalogs: { lake: { type: 'rest', uri, token: 'stale' } } }),
      ),
      2,
      'CATALOG_AUTH',
    );
    server.close();
  });

  test('a topic that does not exist: 3, after the others have caught up', async () => {
    const config = files.write(
      'missing',
      [{ topic: 'refused.orders', table: 'refused.others' }, { topic: 'refused.nowhere' }],
      settings('missing'),
    );
    await checkRefused(config, 3, 'KAFKA_TOPIC_MISSING');
    const { tables } = await files.json<{ tables: { table: string; rows: number | null; exists: boolean }[] }>(
      'status',
      config,
    );
    expect(tables.map(({ table, rows, exists }) => [table, rows, exists])).toEqual([
      ['refused.others', 100, true],
      ['refused.nowhere', null, false],
    ]);
    await checkRefused(
      files.write('missing-only', [{ topic: 'refused.nowhere' }], settings('missing-only')),
      3,
      'KAFKA_TOPIC_MISSING',
    );
  });

  test('a configuration that cannot be: 2, with the path of the key', async () => {
    const { json } = await files.result(
      2,
      'run',
      files.write('wrong-key', [{ topic: 'refused.orders', partitionedBy: ['id'] }], settings('wrong-key')),
    );
    expect(json).toMatchObject({
      error: {
        code: 'CONFIG_INVALID',
        problems: [{ path: 'tables[0].partitionedBy', remedy: expect.stringContaining('partitionBy') as unknown }],
      },
    });
  });
});

describe('signals', () => {
  const slow = (groupId: string): Readonly<Record<string, unknown>> =>
    settings(groupId, { defaults: { commitInterval: '10m' } });

  test('SIGTERM commits what was read, and ends with 0', async () => {
    await stack.load({ topic: 'signals.drain', n: 3000, partitions: 2, format: 'avro' });
    const service = files.run(files.write('drain', [{ topic: 'signals.drain' }], slow('drain')));
    await service.until('all read', ({ recordsRead }) => recordsRead === 3000);
    expect((await service.status()).tables[0]!.rows).toBe(0);
    service.child.kill('SIGTERM');
    await service.ends();
    const catalog = { type: 'rest' as const, uri: stack.catalog.uri, s3: stack.s3 };
    expect((await readers.pyiceberg({ catalog, table: 'signals.drain', columns: ['id'] })).rows).toBe(3000);
  });

  test('SIGTERM while a server is waited for ends with 0', async () => {
    const catalogs = { lake: { type: 'rest', uri: 'http://127.0.0.1:1' } };
    const waiting = [
      files.write(
        'no-broker',
        [{ topic: 'signals.drain' }],
        settings('no-broker', { kafka: { brokers: ['127.0.0.1:1'] } }),
      ),
      files.write('no-catalog', [{ topic: 'signals.drain' }], settings('no-catalog', { catalogs })),
    ];
    for (const config of waiting) {
      const service = files.run(config);
      await service.until('a server told as down', ({ reasons }) => reasons.length > 0);
      expect(await service.kill('SIGTERM')).toBe(0);
    }
  });

  test('a drain that cannot commit says so by its exit code; a second SIGTERM stops it at once', async () => {
    await stack.load({ topic: 'signals.twice', n: 3000, partitions: 2, format: 'avro' });
    const read = async (config: string) => {
      const service = files.run(config);
      await service.until('all read', ({ recordsRead }) => recordsRead === 3000);
      return service;
    };
    const patient = await read(files.write('twice', [{ topic: 'signals.twice' }], slow('twice')));
    const bounded = await read(
      files.write('bounded', [{ topic: 'signals.twice', table: 'signals.bounded' }], {
        ...slow('bounded'),
        drainTimeout: '1s',
      }),
    );
    await stack.server('catalog').kill('SIGKILL');
    for (const service of [patient, bounded]) service.child.kill('SIGTERM');
    await bounded.ends(1);
    await patient.says('"draining');
    const stopped = performance.now();
    patient.child.kill('SIGTERM');
    await patient.ends(143);
    expect(performance.now() - stopped).toBeLessThan(3000);
    await stack.server('catalog').start();
  });
});
