import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { BackfillResult } from '../../src/cli/backfill.ts';
import { ExitCode } from '../../src/errors.ts';
import type { PublishResult } from '../../src/maintain/publish.ts';
import type { RollbackResult } from '../../src/maintain/rollback.ts';
import type { VerifyResult } from '../../src/maintain/verify.ts';
import { expectEveryRecordOnce } from '../real/expected.ts';
import { sums } from '../real/generator.ts';
import { python, readers } from '../real/readers.ts';
import { sharedStack } from '../real/shared.ts';
import { ServiceFiles, ServiceProcess } from './service-process.ts';

// Old records read again, next to what the service writes, on real servers; PyIceberg and DuckDB read the result.

const stack = sharedStack();
const files = new ServiceFiles(stack);
const catalog = { type: 'rest' as const, uri: stack.catalog.uri, s3: stack.s3 };
const columns = ['id', 'quantity', 'amount', 'active'];
const format = 'avro' as const;
const settings = (groupId: string, commitInterval = '500ms'): Readonly<Record<string, unknown>> => ({
  kafka: { brokers: stack.kafka.brokers, groupId, sessionTimeout: '10s' },
  defaults: { commitInterval },
  workers: 2,
});

afterAll(async () => {
  await readers.close();
  files.remove();
});

interface Snapshot {
  id: string;
  time: number;
  summary: Record<string, string>;
}

interface Accounted {
  topics: Record<string, { partition: number[] }>;
}

async function other<T>(table: string, request: Readonly<Record<string, unknown>>): Promise<T> {
  const script = join(import.meta.dirname, 'operations.py');
  return JSON.parse(await python(script, JSON.stringify({ catalog, table, ...request }))) as T;
}

const snapshotsOf = async (table: string): Promise<Snapshot[]> =>
  (await other<{ snapshots: Snapshot[] }>(table, { do: 'snapshots' })).snapshots;

const rowsOf = async (table: string, branch: string): Promise<number> =>
  (await other<unknown[]>(table, { do: 'rows', branch, columns: ['id'] })).length;

const totalOf = ({ summary }: Snapshot): number => Number(summary['total-records'] ?? 0);

async function expectVerified(config: string, ...args: readonly string[]): Promise<void> {
  for (const level of [[], ['--deep']]) {
    const { ok, tables } = await files.json<{ ok: boolean; tables: VerifyResult[] }>(
      'verify',
      config,
      ...args,
      ...level,
    );
    expect({ ok, problems: tables.flatMap(({ problems }) => problems) }).toEqual({ ok: true, problems: [] });
  }
}

test('a new table over an old topic catches up by partitions in parallel; the older table of the topic goes on meanwhile and reads nothing again', async () => {
  const topic = 'old.orders';
  const [old, live, partitions] = [200_000, 6000, 4];
  await stack.load({ topic, n: old, partitions, format });
  const before = files.write('old', [{ topic }], settings('old', '200ms'));
  await files.run(before, '--until-caught-up').ends();
  const snapshots = (await snapshotsOf(topic)).length;

  const both = files.write('old', [{ topic }, { topic, table: 'old.again' }], settings('old', '200ms'));
  const loading = stack.load({ topic, n: live, start: old, partitions, format, rate: 1000 });
  const service = files.run(both);
  await loading;
  const rows = { [topic]: live, 'old.again': old + live };
  const { recordsRead } = await service.until('all rows in both', ({ tables }) =>
    Object.entries(rows).every(([table, count]) => tables.find((one) => one.table === table)?.rows === count),
  );
  await service.kill('SIGTERM');
  await service.ends();
  // Each table has read what it did not hold, and that once.
  expect(recordsRead).toBe(old + live + live);
  expect(service.log).not.toContain('read again');

  const own = (await snapshotsOf(topic)).slice(snapshots).filter(({ summary }) => Number(summary['added-records']) > 0);
  const again = (await snapshotsOf('old.again')).filter(({ summary }) => Number(summary['added-records']) > 0);
  const caughtUp = again.find((snapshot) => totalOf(snapshot) >= old)!;
  expect(again.indexOf(caughtUp)).toBeGreaterThan(0);
  // Commits of the older table while the new one was behind.
  expect(own.filter(({ time }) => time <= caughtUp.time).length).toBeGreaterThan(0);
  // One commit holds what several lanes read meanwhile, in files of both workers.
  const accounted = again.map(({ summary }) => ({
    lanes: new Set((JSON.parse(summary['tabletopic.accounted']!) as Accounted).topics[topic]!.partition).size,
    files: Number(summary['added-data-files']),
  }));
  expect(accounted.some((commit) => commit.lanes >= partitions && commit.files >= 2)).toBe(true);

  const expected = await sums({ n: old + live, format });
  for (const table of Object.keys(rows))
    expectEveryRecordOnce(await readers.duckdb({ catalog, table, columns }), expected, {
      topic,
      partitions,
      n: old + live,
    });
  await expectVerified(both);
});

describe('backfill', () => {
  test('ended or killed in the middle it says that it is not done, and goes on where it stood, each record once', async () => {
    const loaded = { topic: 'killed.orders', partitions: 3, n: 60_000 };
    await stack.load({ ...loaded, format, compression: 'none' });
    const config = files.write('killed', [{ topic: loaded.topic }], settings('killed'));
    const into = 'killed.again';
    const args = ['--topic', loaded.topic, '--into', into];
    let rows = 0;
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const process = new ServiceProcess(['backfill', '-c', config, ...args, '--rate', '200KiB', '--json']);
      for (;;) {
        const newest = await snapshotsOf(into).then(
          (all) => all.at(-1),
          // The table is not there yet.
          () => undefined,
        );
        if (newest && totalOf(newest) > rows) break;
        expect(process.child.exitCode).toBeNull();
      }
      await process.kill(signal);
      rows = totalOf((await snapshotsOf(into)).at(-1)!);
      expect(rows).toBeGreaterThan(0);
      expect(rows).toBeLessThan(loaded.n);
      if (signal === 'SIGKILL') continue;
      await process.ends(ExitCode.failed);
      expect(JSON.parse(process.stdout)).toMatchObject({ exit: ExitCode.failed, rows });
    }
    const result = await files.json<BackfillResult>('backfill', config, ...args);
    expect(result).toMatchObject({ exit: 0, rows: loaded.n - rows, totalRows: loaded.n, publish: null });
    const reading = await readers.pyiceberg({ catalog, table: into, columns });
    expectEveryRecordOnce(reading, await sums({ n: loaded.n, format }), loaded);
    await expectVerified(config, '--table', into);
    // It holds its range; what lies before it can never come in.
    const later = ['--topic', loaded.topic, '--into', 'killed.later'];
    await files.json('backfill', config, ...later, '--from', '500', '--to', '600');
    expect((await files.result(2, 'backfill', config, ...later, '--from', '499')).json).toMatchObject({
      error: { code: 'USAGE', message: expect.stringContaining('begins at offset 500') as unknown },
    });
  });

  test('into a branch of the live table: verified there, and taken over by main once main is put back to where it begins', async () => {
    const loaded = { topic: 'branch.orders', partitions: 2, n: 8000 };
    const { topic } = loaded;
    const config = files.write('branch', [{ topic }], settings('branch'));
    await stack.topic.create(topic, loaded.partitions);
    let service = files.run(config);
    for (const start of [0, 2000, 4000]) {
      await stack.load({ ...loaded, n: 2000, start, format });
      await service.until('what was loaded', ({ tables }) => tables.some(({ rows }) => rows === start + 2000));
    }
    const loading = stack.load({ ...loaded, n: 2000, start: 6000, format, rate: 500 });
    // The service writes main all the time.
    const range = ['--branch', 'again', '--from', '1500', '--to', '2900'];
    const process = new ServiceProcess([
      'backfill',
      '-c',
      config,
      '--json',
      '--topic',
      topic,
      '--into',
      topic,
      ...range,
    ]);
    const done = JSON.parse(await process.ends()) as BackfillResult;
    await loading;
    const base = done.publish!.base!;
    expect(done.publish!.forward).toBe(false);
    expect(process.log).toContain(`rollback -c ${config} --table ${topic} --to ${base}`);
    const begun = (await snapshotsOf(topic)).find(({ id }) => id === base)!;
    expect(done).toMatchObject({ branch: 'again', totalRows: 5800, rows: 5800 - totalOf(begun) });
    expect(done.partitions.every(({ from, to }) => from <= 1500 && to === 2900)).toBe(true);
    await expectVerified(config, '--table', topic, '--branch', 'again');
    expect(await rowsOf(topic, 'again')).toBe(5800);

    await service.until('all of it on main', ({ tables }) => tables[0]?.rows === loaded.n);
    const publish = ['--table', topic, '--branch', 'again'];
    expect((await files.result(3, 'publish', config, ...publish)).json).toMatchObject({
      error: { code: 'BRANCH_DIVERGED', hint: expect.stringContaining(base) as unknown },
    });
    await service.kill('SIGTERM');
    await service.ends();
    const back = await files.json<RollbackResult>('rollback', config, '--table', topic, '--to', base);
    expect(back).toMatchObject({ head: base, lost: [] });
    expect(await files.json<PublishResult>('publish', config, ...publish)).toMatchObject({
      from: base,
      addedRows: done.rows,
    });
    service = files.run(config);
    await service.until('what the branch had not read', ({ tables }) => tables[0]?.rows === loaded.n - 5800);
    await service.kill('SIGTERM');
    await service.ends();
    const reading = await readers.pyiceberg({ catalog, table: topic, columns });
    expectEveryRecordOnce(reading, await sums({ n: loaded.n, format }), loaded);
    await expectVerified(config);
  });

  test('into a branch of a new table: write, audit, publish, again and again', async () => {
    const topic = 'audited.orders';
    const config = files.write('audited', [{ topic }], settings('audited'));
    await stack.load({ topic, n: 2000, partitions: 2, format });
    const table = 'audited.again';
    for (const to of [400, 1000]) {
      const args = ['--topic', topic, '--into', table, '--branch', 'audit', '--to', String(to)];
      const { publish } = await files.json<BackfillResult>('backfill', config, ...args);
      expect(publish).toMatchObject({ forward: true });
      await expectVerified(config, '--table', table, '--branch', 'audit');
      const done = await files.json<PublishResult>('publish', config, '--table', table, '--branch', 'audit');
      expect(done.addedRows).toBe(to === 400 ? 800 : 1200);
    }
    expectEveryRecordOnce(await readers.duckdb({ catalog, table, columns }), await sums({ n: 2000, format }), {
      topic,
      partitions: 2,
      n: 2000,
    });
    await expectVerified(config, '--table', table);
  });

  test('of a topic that routes part between tables: the records of the named one, and no dead letters', async () => {
    const topic = 'parted.orders';
    await stack.load({ topic, n: 100, partitions: 1, format: 'json' });
    const route = (pattern: string): object => ({ field: { path: 'id', matches: pattern } });
    const config = files.write(
      'parted',
      [
        { topic, table: 'parted.even', route: route('[02468]$') },
        { topic, table: 'parted.odd', route: route('[13579]$') },
      ],
      settings('parted'),
    );
    expect((await files.result(2, 'backfill', config, '--topic', topic, '--into', 'parted.again')).json).toMatchObject({
      error: { message: expect.stringContaining('parted.even, parted.odd') as unknown },
    });
    const args = ['--topic', topic, '--into', 'parted.again', '--like', 'parted.odd'];
    expect(await files.json<BackfillResult>('backfill', config, ...args)).toMatchObject({ rows: 50, deadLetters: 0 });
    const rows = await other<{ id: number }[]>('parted.again', { do: 'rows', branch: 'main', columns: ['id'] });
    expect(rows.map(({ id }) => id % 2)).toEqual(new Array(50).fill(1));
    await expectVerified(config, '--table', 'parted.again');
  });
});
