import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TableReport } from '../../src/cli/status.ts';
import type { AdoptResult } from '../../src/maintain/adopt.ts';
import type { PublishResult } from '../../src/maintain/publish.ts';
import type { RollbackResult } from '../../src/maintain/rollback.ts';
import type { VerifyResult } from '../../src/maintain/verify.ts';
import { expectEveryRecordOnce } from '../real/expected.ts';
import { sums } from '../real/generator.ts';
import { python, readers } from '../real/readers.ts';
import { sharedStack } from '../real/shared.ts';
import { startStack } from '../real/stack.ts';
import { registerAvro, withId } from './registry-client.ts';
import { ServiceFiles } from './service-process.ts';

// What a person does to a table that the service writes, on real servers; engines that we did not write read the result.

const stack = sharedStack();
const files = new ServiceFiles(stack);
const catalog = { type: 'rest' as const, uri: stack.catalog.uri, s3: stack.s3 };
const kafka = new Kafka({ brokers: stack.kafka.brokers, logLevel: logLevel.NOTHING });
const admin = kafka.admin();
const columns = ['id', 'quantity', 'amount', 'active'];
const settings = (groupId: string): Readonly<Record<string, unknown>> => ({
  kafka: { brokers: stack.kafka.brokers, groupId, sessionTimeout: '10s' },
  defaults: { commitInterval: '500ms' },
});

beforeAll(() => admin.connect());
afterAll(async () => {
  await admin.disconnect();
  await readers.close();
  files.remove();
});

interface Snapshots {
  snapshots: { id: string; time: number; summary: Record<string, string> }[];
  refs: Record<string, string>;
}

async function other<T>(table: string, request: Readonly<Record<string, unknown>>): Promise<T> {
  const script = join(import.meta.dirname, 'operations.py');
  return JSON.parse(await python(script, JSON.stringify({ catalog, table, ...request }))) as T;
}

const snapshotsOf = (table: string): Promise<Snapshots> => other(table, { do: 'snapshots' });

/** Resolves when the table itself says so, whatever the service believes. */
async function untilTable(config: string, what: string, holds: (table: TableReport) => boolean): Promise<TableReport> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const { tables } = await files.json<{ tables: TableReport[] }>('status', config);
    if (holds(tables[0]!)) return tables[0]!;
    if (performance.now() > deadline) throw new Error(`not ${what}: ${JSON.stringify(tables[0])}`);
    await sleep(200);
  }
}

async function expectVerified(config: string): Promise<void> {
  for (const level of [[], ['--deep']]) {
    const { ok, tables } = await files.json<{ ok: boolean; tables: VerifyResult[] }>('verify', config, ...level);
    expect({ ok, problems: tables.flatMap(({ problems }) => problems) }).toEqual({ ok: true, problems: [] });
  }
}

describe('rollback', () => {
  test('by command and by another engine, of a running service and of none: nothing twice, nothing lost', async () => {
    const loaded = { topic: 'rollback.orders', partitions: 2, n: 20_000 };
    const config = files.write('rollback', [{ topic: loaded.topic }], settings('rollback'));
    await stack.topic.create(loaded.topic, loaded.partitions);
    const service = files.run(config);
    const format = 'avro' as const;
    for (const start of [0, 4000, 8000]) {
      await stack.load({ ...loaded, n: 4000, start, format });
      await service.until('what was loaded', ({ tables }) => tables.some(({ rows }) => rows === start + 4000));
    }
    // The first one with rows; the one before has only the first offsets.
    const early = (await snapshotsOf(loaded.topic)).snapshots[1]!;
    const loading = stack.load({ ...loaded, n: 8000, start: 12_000, format, rate: 2000 });

    const back = await files.json<RollbackResult>('rollback', config, '--table', loaded.topic, '--to', early.id);
    expect(back).toMatchObject({ to: early.id, head: early.id, others: [], lost: [], warnings: [] });
    expect(back.partitions.every(({ from, to }) => to < from)).toBe(true);
    await loading;
    await untilTable(
      config,
      'all rows after the command',
      (table) => table.rows === loaded.n && table.lagRecords === 0,
    );
    const expected = await sums({ n: loaded.n, format: 'avro' });
    expectEveryRecordOnce(await readers.pyiceberg({ catalog, table: loaded.topic, columns }), expected, loaded);

    // An idle service notices by itself: no new record comes.
    await other(loaded.topic, { do: 'rollback', snapshot: early.id });
    expect((await files.json<{ tables: TableReport[] }>('status', config)).tables[0]!.rows).toBeLessThan(loaded.n);
    await untilTable(
      config,
      'all rows after the other engine',
      (table) => table.rows === loaded.n && table.lagRecords === 0,
    );
    await service.kill('SIGTERM');
    await service.ends();
    expectEveryRecordOnce(await readers.duckdb({ catalog, table: loaded.topic, columns }), expected, loaded);
    await expectVerified(config);

    const time = new Date(early.time).toISOString();
    const deleted = await other<{ snapshot: string }>(loaded.topic, { do: 'delete', filter: 'id < 100' });
    const again = await files.json<RollbackResult>('rollback', config, '--table', loaded.topic, '--to', time);
    expect(again.to).toBe(early.id);
    expect(again.others.some(({ snapshotId, removedRows }) => snapshotId === deleted.snapshot && removedRows > 0)).toBe(
      true,
    );
    expect(again.warnings.join()).toContain('rows that it deleted come back');
    await files.run(config, '--until-caught-up').ends();
    expectEveryRecordOnce(await readers.pyiceberg({ catalog, table: loaded.topic, columns }), expected, loaded);
    await expectVerified(config);
  });

  test('over records that the log no longer has is refused, unless the loss is accepted; then it is on record', async () => {
    const topic = 'rollback.short';
    const config = files.write('rollback-short', [{ topic }], settings('rollback-short'));
    await stack.load({ topic, n: 1000, partitions: 1, format: 'avro' });
    await files.run(config, '--until-caught-up').ends();
    const first = (await snapshotsOf(topic)).snapshots[0]!;
    await stack.load({ topic, n: 1000, start: 1000, partitions: 1, format: 'avro' });
    await files.run(config, '--until-caught-up').ends();
    // kafkajs deletes only from topics that it has looked up.
    await admin.fetchTopicMetadata({ topics: [topic] });
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '300' }] });
    const args = ['--table', topic, '--to', first.id];
    const refused = await files.result(3, 'rollback', config, ...args);
    expect(refused.json).toMatchObject({
      error: { code: 'KAFKA_OFFSETS_DELETED', message: expect.stringContaining('0 to 299') as unknown },
    });
    expect((await readers.pyiceberg({ catalog, table: topic, columns: ['id'] })).rows).toBe(2000);
    const done = await files.json<RollbackResult>('rollback', config, ...args, '--accept-loss');
    expect(done.lost).toEqual([{ topic, partition: 0, from: 0, to: 300 }]);
    await files.run(config, '--until-caught-up').ends();
    const { kafka: positions } = await readers.pyiceberg({ catalog, table: topic, columns: ['id'] });
    expect(positions).toEqual([{ topic, partition: 0, count: 1700, distinct: 1700, min: 300, max: 1999 }]);
    await expectVerified(config);
  });
});

describe('adopt', () => {
  test('a topic that was deleted and made anew: stops the table, adopted it goes on, and verify tells the logs apart', async () => {
    const topic = 'adopt.orders';
    const config = files.write('adopt', [{ topic }], settings('adopt'));
    await stack.load({ topic, n: 1000, partitions: 2, format: 'avro' });
    await files.run(config, '--until-caught-up').ends();
    await admin.deleteTopics({ topics: [topic] });
    while ((await admin.listTopics()).includes(topic)) await sleep(100);
    await stack.load({ topic, n: 600, start: 1000, partitions: 2, format: 'avro' });
    const stopped = files.run(config, '--until-caught-up');
    await stopped.ends(3);
    expect(stopped.log).toContain('"code":"KAFKA_TOPIC_CHANGED"');

    expect((await files.result(2, 'adopt', config, '--table', topic)).json).toMatchObject({ error: { code: 'USAGE' } });
    const refused = await files.result(3, 'adopt', config, '--table', topic, '--offsets', 'table');
    expect(refused.json).toMatchObject({ error: { code: 'KAFKA_LOG_TRUNCATED' } });
    const adopted = await files.json<AdoptResult>('adopt', config, '--table', topic, '--offsets', 'earliest');
    expect(adopted.topics[0]!.partitions).toEqual([0, 1].map((partition) => ({ partition, from: 500, to: 0 })));
    await files.run(config, '--until-caught-up').ends();
    const reading = await readers.pyiceberg({ catalog, table: topic, columns: ['id'] });
    // Every id once, over both logs, though positions are there twice.
    expect({ rows: reading.rows, id: reading.columns['id'] }).toEqual({
      rows: 1600,
      id: { min: 0, max: 1599, sum: (1599 * 1600) / 2 },
    });
    expect(reading.kafka!.map(({ count, distinct }) => [count, distinct])).toEqual([
      [800, 500],
      [800, 500],
    ]);
    await expectVerified(config);
  });

  test('a cluster that has moved, with its offsets: stops the table, adopted it goes on where the table stands', async () => {
    const loaded = { topic: 'moved.orders', partitions: 2, n: 1600 };
    const { topic } = loaded;
    const here = files.write('moved', [{ topic }], settings('moved'));
    await stack.load({ ...loaded, n: 1000, format: 'avro' });
    await files.run(here, '--until-caught-up').ends();
    const moved = await startStack({ kafka: true });
    try {
      // A mirror that keeps offsets: the same records at the same places, and more.
      await stack.load({ ...loaded, format: 'avro', brokers: moved.kafka.brokers });
      const there = files.write('moved-there', [{ topic }], { ...settings('moved'), kafka: moved.kafka });
      const stopped = files.run(there, '--until-caught-up');
      await stopped.ends(3);
      expect(stopped.log).toContain('"code":"KAFKA_TOPIC_CHANGED"');
      const adopted = await files.json<AdoptResult>('adopt', there, '--table', topic, '--offsets', 'table');
      expect(adopted.topics[0]!.partitions).toEqual([0, 1].map((partition) => ({ partition, from: 500, to: 500 })));
      await files.run(there, '--until-caught-up').ends();
      const reading = await readers.pyiceberg({ catalog, table: topic, columns });
      expectEveryRecordOnce(reading, await sums({ n: loaded.n, format: 'avro' }), loaded);
      await expectVerified(there);
      // The old cluster is another one now.
      await files.run(here, '--until-caught-up').ends(3);
    } finally {
      await moved.stop();
    }
  });
});

describe('publish', () => {
  test('write on a branch, audit, publish; refused once main has moved, and a fresh branch is the way out', async () => {
    const topic = 'publish.orders';
    const on = (branch: string): string =>
      files.write(`publish-${branch}`, [{ topic, branch }], settings(`publish-${branch}`));
    const rows = async (): Promise<number> =>
      (await readers.pyiceberg({ catalog, table: topic, columns: ['id'] })).rows;
    const publish = (branch: string): Promise<PublishResult> => files.json('publish', on(branch), '--table', topic);
    for (const start of [0, 500]) {
      await stack.load({ topic, n: 500, start, partitions: 2, format: 'avro' });
      await files.run(on('audit'), '--until-caught-up').ends();
      expect(await rows()).toBe(start);
      expect(await other(topic, { do: 'rows', branch: 'audit', columns: ['id'] })).toHaveLength(start + 500);
      await expectVerified(on('audit'));
      expect(await publish('audit')).toMatchObject({ branch: 'audit', addedRows: 500 });
      expect(await rows()).toBe(start + 500);
    }

    await other(topic, { do: 'delete', filter: 'id < 10' });
    await stack.load({ topic, n: 500, start: 1000, partitions: 2, format: 'avro' });
    await files.run(on('audit'), '--until-caught-up').ends();
    expect((await files.result(3, 'publish', on('audit'), '--table', topic)).json).toMatchObject({
      error: { code: 'BRANCH_DIVERGED' },
    });
    await files.run(on('fresh'), '--until-caught-up').ends();
    expect(await publish('fresh')).toMatchObject({ branch: 'fresh', addedRows: 500 });
    expect(await rows()).toBe(1490);
    await expectVerified(on('main'));
  });
});

interface BackfillResult {
  exit: number;
  rows: number;
  seconds: number;
  partitions: { partition: number; from: number; to: number }[];
}

describe('backfill', () => {
  const topic = 'backfill.orders';
  let middle = '';

  /** 2000 records, offsets 0 to 499 of each partition before `middle`, 500 to 999 after it. */
  beforeAll(async () => {
    await stack.load({ topic, n: 1000, partitions: 2, format: 'avro' });
    await sleep(50);
    middle = new Date().toISOString();
    await sleep(50);
    await stack.load({ topic, n: 1000, start: 1000, partitions: 2, format: 'avro' });
  });

  const positions = async (table: string): Promise<unknown[]> =>
    (await readers.pyiceberg({ catalog, table, columns: ['id'] })).kafka!.map(
      ({ partition, count, distinct, min, max }) => [partition, count, distinct, min, max],
    );

  test('startFrom a time, or offsets; once: what the table holds afterwards decides', async () => {
    const tables = (extra: object): object[] => [
      { topic, table: 'backfill.from_time', startFrom: { timestamp: middle }, ...extra },
      { topic, table: 'backfill.from_offsets', startFrom: { offsets: { 0: 100, 1: 900 } }, ...extra },
      { topic, table: 'backfill.from_latest', startFrom: 'latest', ...extra },
    ];
    await files.run(files.write('from', tables({}), settings('from')), '--until-caught-up').ends();
    const config = files.write('from', tables({ startFrom: 'earliest' }), settings('from'));
    await files.run(config, '--until-caught-up').ends();
    expect(await positions('backfill.from_time')).toEqual([
      [0, 500, 500, 500, 999],
      [1, 500, 500, 500, 999],
    ]);
    expect(await positions('backfill.from_offsets')).toEqual([
      [0, 900, 900, 100, 999],
      [1, 100, 100, 900, 999],
    ]);
    expect(await positions('backfill.from_latest')).toEqual([]);
    await expectVerified(config);
  });

  test('a range of offsets or times into a table of its own, while the service goes on', async () => {
    const config = files.write('backfill', [{ topic }], settings('backfill'));
    const service = files.run(config);
    await service.until('all rows', ({ tables }) => tables[0]?.rows === 2000);
    const backfill = (...args: string[]): Promise<BackfillResult> =>
      files.json('backfill', config, '--topic', topic, ...args);
    const offsets = await backfill('--into', 'backfill.by_offset', '--from', '250', '--to', '777');
    expect(offsets.partitions).toEqual([0, 1].map((partition) => ({ partition, from: 250, to: 777 })));
    expect(await positions('backfill.by_offset')).toEqual([0, 1].map((partition) => [partition, 527, 527, 250, 776]));
    await backfill('--into', 'backfill.by_time', '--to', middle);
    expect(await positions('backfill.by_time')).toEqual([0, 1].map((partition) => [partition, 500, 500, 0, 499]));
    // Begun, it goes on where it stands.
    await backfill('--into', 'backfill.by_time', '--to', '600');
    expect(await positions('backfill.by_time')).toEqual([0, 1].map((partition) => [partition, 600, 600, 0, 599]));
    await stack.load({ topic, n: 100, start: 2000, partitions: 2, format: 'avro' });
    const { tables } = await service.until('what came meanwhile', (status) => status.tables[0]!.rows === 2100);
    expect(tables.map(({ table }) => table)).toEqual([topic]);
    await service.kill('SIGTERM');
    await service.ends();
    expect((await files.result(2, 'backfill', config, '--topic', topic, '--into', topic)).json).toMatchObject({
      error: { code: 'USAGE' },
    });
    const copies = files.write(
      'backfill-copies',
      ['by_offset', 'by_time'].map((name) => ({ topic, table: `backfill.${name}` })),
      settings('backfill'),
    );
    await expectVerified(copies);
  });

  test('no faster than asked, with progress and the time left', async () => {
    const big = 'backfill.big';
    const { value_bytes: bytes } = await stack.load({
      topic: big,
      n: 60_000,
      partitions: 2,
      format: 'avro',
      compression: 'none',
    });
    const config = files.write('backfill-rate', [{ topic: big }], settings('backfill-rate'));
    const rate = 256 << 10;
    const args = ['--topic', big, '--into', 'backfill.slow', '--rate', '256KiB'];
    const { json, log } = await files.result(0, 'backfill', config, ...args);
    const { rows, seconds } = json as BackfillResult;
    // Not on a terminal: a line of the log every ten seconds.
    expect(log).toMatch(/"done":\d+,"total":[56]\d{4},"recordsPerSecond":\d+,"secondsLeft":\d+,"msg":"progress"/);
    expect(rows).toBe(60_000);
    // One second's worth may be under way at once.
    expect(seconds).toBeGreaterThan(bytes / rate - 1);
    expect(bytes / rate).toBeGreaterThan(11);
  });
});

// The walk-through "A bad event: fix, roll back, replay" of deploy/runbook.md, step by step.
describe('a bad event: fix, roll back, replay', () => {
  test('dead letters of a bad schema become rows once the policy is mended; nothing else changes', async () => {
    const topic = 'walk.orders';
    await stack.topic.create(topic, 1);
    const producer = kafka.producer();
    await producer.connect();
    const subject = `${topic}-value`;
    const order = (type: string): object => ({
      type: 'record',
      name: 'Order',
      fields: [
        { name: 'id', type: 'long' },
        { name: 'amount', type },
      ],
    });
    // Written by hand: {id, amount: long}, then {id, amount: string}.
    const good = await registerAvro(stack.registry.url, subject, order('long'));
    const bad = await registerAvro(stack.registry.url, `${subject}-2`, order('string'));
    const asLong = (id: number): Buffer => withId(good, Buffer.from([id * 2, id * 2]));
    const asText = (id: number): Buffer => withId(bad, Buffer.from([id * 2, 4, ...Buffer.from(String(id))]));
    const send = (ids: readonly number[], value: (id: number) => Buffer): Promise<unknown> =>
      producer.send({ topic, messages: ids.map((id) => ({ value: value(id) })) });

    const config = files.write('walk', [{ topic, value: 'avro' }], settings('walk'));
    let service = files.run(config);
    await send([1, 2, 3], asLong);
    await service.until('the good rows', ({ tables }) => tables[0]?.rows === 3);
    const before = new Date().toISOString();
    await sleep(50);
    await send([10, 11], asText);
    await send([4, 5], asLong);
    await service.until('what follows', ({ tables }) => tables[0]!.rows === 5 && tables[0]!.deadLetters === 2);

    // 1. What is wrong, and since when.
    const letters = (): Promise<{ error_code: string; offset: number }[]> =>
      other(`${topic}_dead_letters`, { do: 'rows', branch: 'main', columns: ['error_code', 'offset'] });
    expect((await letters()).map(({ error_code }) => error_code)).toEqual([
      'SCHEMA_INCOMPATIBLE',
      'SCHEMA_INCOMPATIBLE',
    ]);
    // 2. Stop the service, mend the policy.
    await service.kill('SIGTERM');
    await service.ends();
    const mended = files.write('walk', [{ topic, value: 'avro', onIncompatible: 'new-column' }], settings('walk'));
    // 3. Put the table back to before it.
    const back = await files.json<RollbackResult>('rollback', mended, '--table', topic, '--to', before);
    expect(back).toMatchObject({ partitions: [{ from: 7, to: 3 }], warnings: [] });
    expect(await letters()).toEqual([]);
    // 4. Start it again: it reads from there.
    service = files.run(mended);
    await untilTable(mended, 'all of it', ({ rows, lagRecords }) => rows === 7 && lagRecords === 0);
    await service.kill('SIGTERM');
    await service.ends();
    const rows = await other<{ id: number }[]>(topic, { do: 'rows', branch: 'main', columns: ['id'] });
    expect(rows.map(({ id }) => id).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 10, 11]);
    expect(await letters()).toEqual([]);
    // 5. Prove it.
    await expectVerified(mended);
    await producer.disconnect();
  });
});
