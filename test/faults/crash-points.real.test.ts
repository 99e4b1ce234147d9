import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServiceFiles } from '../end-to-end/service-process.ts';
import type { ServiceProcess } from '../end-to-end/service-process.ts';
import { expectEveryRecordOnce } from '../real/expected.ts';
import { sums } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import { s3Client } from '../real/s3.ts';
import { sharedStack } from '../real/shared.ts';
import { rowsAdded, snapshotFiles } from './lake-state.ts';
import type { Held, Passing, Point } from './points.ts';
import { Proxied } from './proxied.ts';

// The service's process is killed with SIGKILL at each point of a commit. Proxies between it and its servers hold the request
// at which it is killed. Started again it ends with each record once, and no snapshot names a file that is not there.

const stack = sharedStack();
const catalog = { type: 'rest' as const, uri: stack.catalog.uri, s3: stack.s3 };
const format = 'avro' as const;
/** Committed before; what is read when the crash comes. */
const [before, n] = [2000, 8000];
let proxied: Proxied;
let files: ServiceFiles;

beforeAll(async () => {
  proxied = await Proxied.open(stack);
  files = new ServiceFiles(proxied.environment);
});
afterAll(async () => {
  await readers.close();
  files.remove();
  await proxied.close();
});

const dataFile = ({ what }: Passing): boolean => /^PUT .*\/data\/.*\.parquet/.test(what);
const manifest = ({ what }: Passing): boolean => /^PUT .*\/metadata\/(?!snap-)[^/]*-m0\.avro/.test(what);
const manifestList = ({ what }: Passing): boolean => /^PUT .*\/metadata\/snap-[^/]*\.avro/.test(what);
const commit = ({ what, body }: Passing): boolean =>
  /^POST .*\/tables\/[^/]+$/.test(what) && body.includes('"add-snapshot"') && body.includes('"added-records"');
const offsetCommit = ({ what }: Passing): boolean => what === 'OffsetCommit';

interface CrashPoint {
  readonly name: string;
  readonly server: 'kafka' | 'catalog' | 's3';
  readonly at: Point;
  readonly matches: (passing: Passing) => boolean;
  /** Whether the rows are in the table when the process dies. */
  readonly applied: boolean;
  /** Whether the process was told to end first, so that this is its last commit. */
  readonly draining?: boolean;
}

const points: CrashPoint[] = [
  { name: 'before the upload of a data file', server: 's3', at: 'request', matches: dataFile, applied: false },
  { name: 'in the middle of the upload of a data file', server: 's3', at: 'half', matches: dataFile, applied: false },
  {
    name: 'a data file is stored, the answer not heard',
    server: 's3',
    at: 'answer',
    matches: dataFile,
    applied: false,
  },
  {
    name: 'data files are stored, the manifest is not',
    server: 's3',
    at: 'request',
    matches: manifest,
    applied: false,
  },
  { name: 'the manifest is stored', server: 's3', at: 'answer', matches: manifest, applied: false },
  { name: 'the manifest list is stored', server: 's3', at: 'answer', matches: manifestList, applied: false },
  { name: 'the commit is sent and does not arrive', server: 'catalog', at: 'request', matches: commit, applied: false },
  {
    name: 'the commit is applied, its answer not heard',
    server: 'catalog',
    at: 'answer',
    matches: commit,
    applied: true,
  },
  {
    name: 'before the group offsets are written',
    server: 'kafka',
    at: 'request',
    matches: offsetCommit,
    applied: true,
  },
  {
    name: 'in the middle of an upload while draining',
    server: 's3',
    at: 'half',
    matches: dataFile,
    applied: false,
    draining: true,
  },
  {
    name: 'the last commit of a drain is applied, its answer not heard',
    server: 'catalog',
    at: 'answer',
    matches: commit,
    applied: true,
    draining: true,
  },
];

interface Crashed {
  readonly held: Held;
  readonly topic: string;
  readonly config: string;
}

/** Runs the service to this point of the second commit with rows and kills it there. */
async function crash(name: string, { server, at, matches, draining }: Omit<CrashPoint, 'applied'>): Promise<Crashed> {
  const topic = `crash.${name}`;
  const config = (file: string, commitInterval: string): string =>
    files.write(file, [{ topic }], {
      kafka: { brokers: proxied.environment.kafka.brokers, groupId: topic, sessionTimeout: '10s' },
      defaults: { commitInterval },
    });
  const usual = config(name, '300ms');
  await stack.load({ topic, n: before, partitions: 2, format });
  await files.run(usual, '--until-caught-up').ends();
  await stack.load({ topic, n: n - before, start: before, partitions: 2, format });
  const standing = proxied[server].points.hold(at, matches);
  const service = files.run(draining ? config(`${name}-slow`, '30m') : usual);
  if (draining) {
    await service.until('all records read', ({ recordsRead }) => recordsRead === n - before);
    service.child.kill('SIGTERM');
  }
  const held = await Promise.race([standing, endedTooSoon(service)]);
  await service.kill('SIGKILL');
  return { held, topic, config: usual };
}

async function endedTooSoon(service: ServiceProcess): Promise<never> {
  throw new Error(`ended with ${await service.exited} before the crash\n${service.log}`);
}

async function expectAllOnce({ topic, config }: Crashed): Promise<void> {
  expectEveryRecordOnce(
    await readers.pyiceberg({ catalog, table: topic, columns: ['id', 'quantity', 'amount', 'active'] }),
    await sums({ n, format }),
    { topic, partitions: 2, n },
  );
  const state = await snapshotFiles(catalog, topic);
  expect({ missing: state.missing, rows: rowsAdded(state) }).toEqual({ missing: [], rows: n });
  expect((await files.json<{ ok: boolean }>('verify', config)).ok).toBe(true);
}

describe('killed', () => {
  test.for(points.map((point, i) => ({ ...point, i })))('$name', async ({ i, applied, ...point }) => {
    const crashed = await crash(`point${i}`, point);
    const rows = rowsAdded(await snapshotFiles(catalog, crashed.topic));
    expect(rows > before, `${rows} rows when it died`).toBe(applied);
    await files.run(crashed.config, '--until-caught-up').ends();
    await expectAllOnce(crashed);
  });

  test('the commit of the dead arrives after its successor has caught up: it is refused', async () => {
    const crashed = await crash('late', { name: 'late', server: 'catalog', at: 'request', matches: commit });
    await files.run(crashed.config, '--until-caught-up').ends();
    expect(await crashed.held.release()).toBe(409);
    await expectAllOnce(crashed);
  });

  test('the commit of the dead arrives before its successor starts: its rows count', async () => {
    const crashed = await crash('early', { name: 'early', server: 'catalog', at: 'request', matches: commit });
    expect(await crashed.held.release()).toBe(200);
    await files.run(crashed.config, '--until-caught-up').ends();
    await expectAllOnce(crashed);
  });
});

test('a file that snapshots name and the store has not is found', async () => {
  const topic = 'crash.checked';
  await stack.load({ topic, n: 10, partitions: 1, format });
  await files.run(files.write('checked', [{ topic }]), '--until-caught-up').ends();
  expect((await snapshotFiles(catalog, topic)).missing).toEqual([]);
  const store = s3Client(stack.s3);
  const at = { Bucket: stack.s3.bucket, Prefix: 'warehouse/crash/checked/data/' };
  const { Contents } = await store.send(new ListObjectsV2Command(at));
  const Key = Contents![0]!.Key!;
  await store.send(new DeleteObjectCommand({ Bucket: stack.s3.bucket, Key }));
  store.destroy();
  expect((await snapshotFiles(catalog, topic)).missing).toEqual([`s3://${stack.s3.bucket}/${Key}`]);
});
