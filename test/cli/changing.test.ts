import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import type { CliContext } from '../../src/cli/context.ts';
import type { Config } from '../../src/config/config.ts';
import type { ServiceStatus } from '../../src/ops/status.ts';
import type { Source } from '../../src/source/source.ts';
import { TOPIC, World } from '../commit/world.ts';
import { type Console, configFile, testContext } from './context.ts';

/** The commands that change a table, on the catalog and store of a world; `start`: where the topic's log begins. */
async function world(
  options: { start?: number } = {},
): Promise<{ cli: CliContext & Console; of: World; heads: bigint[] }> {
  const of = new World();
  const instance = await of.instance().start();
  const heads = [of.head()];
  for (const end of [10, 20]) {
    await instance.commitTo(end);
    heads.push(of.head());
  }
  const source = {
    connect: () => Promise.resolve({ clusterId: of.identity.cluster }),
    describeTopics: () =>
      Promise.resolve([{ name: TOPIC, id: of.identity.id, partitions: [{ partition: 0, leaderEpoch: 0 }] }]),
    listOffsets: (queries: readonly { at: string }[]) =>
      Promise.resolve(queries.map(({ at }) => (at === 'earliest' ? (options.start ?? 0) : 100))),
    close: () => Promise.resolve(),
  } as unknown as Source;
  const refuse = (): never => {
    throw new Error('not part of this test');
  };
  const connect = {
    source: () => source,
    catalog: () => of.catalog,
    fileIO: () => of.io,
    registry: () => null,
    positions: refuse,
  };
  return { cli: testContext({ connect }), of, heads };
}

const file = (): string =>
  configFile(`kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: s3://lake/w } }
tables: [{ topic: ${TOPIC}, table: shop.orders }]
`);

describe('rollback', () => {
  const rollback = (to: bigint | string, ...more: string[]): string[] => [
    'rollback',
    '-c',
    file(),
    '--table',
    'shop.orders',
    '--to',
    String(to),
    ...more,
  ];

  test('says what it did and what is read again', async () => {
    const { cli, of, heads } = await world();
    expect(await main(rollback(heads[1]!), cli)).toBe(0);
    expect(of.head()).toBe(heads[1]);
    expect(cli.out).toContain(`shop.orders (main) was put back from snapshot ${heads[2]} to ${heads[1]} of 2023-`);
    expect(cli.out).toContain('t[0] stood at 20, is read again from 10');
  });

  test('--json', async () => {
    const { cli, heads } = await world();
    expect(await main(rollback(heads[0]!, '--json'), cli)).toBe(0);
    expect(JSON.parse(cli.out)).toMatchObject({
      to: String(heads[0]),
      partitions: [{ from: 20, to: 0 }],
      warnings: [],
    });
  });

  test('a loss is refused with exit 3, accepted and named with --accept-loss', async () => {
    const { cli, of, heads } = await world({ start: 15 });
    expect(await main(rollback(heads[1]!), cli)).toBe(3);
    expect(cli.err).toContain('KAFKA_OFFSETS_DELETED');
    expect(of.head()).toBe(heads[2]);
    expect(await main(rollback(heads[1]!, '--accept-loss'), cli)).toBe(0);
    expect(cli.out).toContain('LOST t[0] offsets 10 to 14');
  });

  test.each(['yesterday', '2026-01-31 00:00', '12ab'])('--to %s is bad usage', async (to) => {
    const { cli, of, heads } = await world();
    expect(await main(rollback(to), cli)).toBe(2);
    expect(of.head()).toBe(heads[2]);
  });

  test('of a table that no rule gives is bad usage', async () => {
    const { cli } = await world();
    expect(await main(['rollback', '-c', file(), '--table', 'shop.clicks', '--to', '1'], cli)).toBe(2);
  });
});

describe('adopt', () => {
  const adopt = (...more: string[]): string[] => ['adopt', '-c', file(), '--table', 'shop.orders', ...more];

  test('another topic: refused without offsets (exit 2), taken with them, and told', async () => {
    const { cli, of } = await world();
    of.identity = { id: 'topic-2', cluster: 'cluster-1' };
    expect(await main(adopt(), cli)).toBe(2);
    expect(cli.err).toContain('--offsets earliest');
    expect(await main(adopt('--offsets', '{0: 7}'), cli)).toBe(0);
    expect(cli.out).toContain('t: topic topic-2 of cluster cluster-1, before topic topic-1 of cluster cluster-1');
    expect(cli.out).toContain('t[0] stood at 20, goes on at 7');
  });

  test('offsets outside of the log: exit 3', async () => {
    const { cli, of } = await world();
    of.identity = { id: 'topic-2', cluster: 'cluster-1' };
    expect(await main(adopt('--offsets', '0:101', '--json'), cli)).toBe(3);
    expect(JSON.parse(cli.out)).toMatchObject({ error: { code: 'KAFKA_LOG_TRUNCATED' } });
  });

  test.each(['soon', '0=7', '{}'])('--offsets %s is bad usage', async (offsets) => {
    const { cli } = await world();
    expect(await main(adopt('--offsets', offsets), cli)).toBe(2);
  });

  test('nothing changed', async () => {
    const { cli, of, heads } = await world();
    expect(await main(adopt(), cli)).toBe(0);
    expect(cli.out).toContain('nothing was changed');
    expect(of.head()).toBe(heads[2]);
  });
});

describe('publish', () => {
  const publish = (...more: string[]): string[] => ['publish', '-c', file(), '--table', 'shop.orders', ...more];

  test('puts main at the head of the branch', async () => {
    const { cli, of, heads } = await world();
    const audit = await of.instance({ branch: 'audit' }).start();
    await audit.commitTo(30);
    expect(of.head()).toBe(heads[2]);
    expect(await main(publish('--branch', 'audit'), cli)).toBe(0);
    expect(of.head()).toBe(of.head('audit'));
    expect(cli.out).toContain('1 snapshots, 10 rows');
  });

  test('verify looks at a branch by name, also of a table that no rule gives; one that is not there is bad usage', async () => {
    const { cli, of } = await world();
    await (await of.instance({ branch: 'audit' }).start()).commitTo(30);
    const other = configFile(`kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: s3://lake/w } }
tables: [{ topic: other }]
`);
    const verify = (...more: string[]): string[] => [
      'verify',
      '-c',
      other,
      '--table',
      'shop.orders',
      '--json',
      ...more,
    ];
    for (const [args, rows] of [
      [[], 20],
      [['--branch', 'audit'], 30],
    ] as const) {
      const fresh = { ...cli, output: { ...cli.output } };
      let out = '';
      fresh.output.stdout = (text) => (out += text);
      expect(await main(verify(...args), fresh)).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ ok: true, tables: [{ rows }] });
    }
    expect(await main(verify('--branch', 'audti'), cli)).toBe(2);
    expect(cli.out).toContain('has no branch audti');
    expect(await main(['verify', '-c', other, '--table', 'shop.nowhere'], cli)).toBe(2);
  });

  test('of a table that is written on main: bad usage', async () => {
    const { cli } = await world();
    expect(await main(publish(), cli)).toBe(2);
    expect(await main(publish('--branch', 'audit'), cli)).toBe(2);
  });
});

describe('backfill', () => {
  const backfill = (...more: string[]): string[] => [
    'backfill',
    '-c',
    file(),
    '--topic',
    TOPIC,
    '--into',
    'shop.again',
    '--json',
    ...more,
  ];
  const service =
    (exit: number, started: Config[]): CliContext['createService'] =>
    (config) => {
      started.push(config);
      const status = {
        uptimeSeconds: 1,
        tables: [{ rows: 7, deadLetters: 0, partitions: [] }],
      } as unknown as ServiceStatus;
      return Promise.resolve({
        run: () => Promise.resolve({ exit }),
        snapshot: () => status,
        drain: () => undefined,
        stop: () => Promise.resolve(),
      });
    };

  test('runs the service on one table, from the first offset asked for, within what the log holds', async () => {
    const { cli } = await world({ start: 5 });
    const started: Config[] = [];
    const context = { ...cli, createService: service(0, started) };
    expect(await main(backfill('--from', '2', '--to', '60', '--rate', '1MiB'), context)).toBe(0);
    expect(started).toMatchObject([
      { http: null, tables: [{ topic: TOPIC, table: 'shop.again', branch: 'main', startFrom: { offsets: { 0: 5 } } }] },
    ]);
    expect(started[0]!.tables).toHaveLength(1);
  });

  test('into a branch of the live table: begins before the range, says first what publishing takes, leaves main alone', async () => {
    const { cli, of, heads } = await world();
    const started: Config[] = [];
    const context = { ...cli, createService: service(0, started) };
    const args = ['backfill', '-c', file(), '--topic', TOPIC, '--into', 'shop.orders', '--branch', 'again', '--json'];
    expect(await main([...args, '--from', '12'], context)).toBe(0);
    expect(started).toMatchObject([{ tables: [{ table: 'shop.orders', branch: 'again' }] }]);
    expect(of.head('again')).toBe(heads[1]);
    expect(of.head()).toBe(heads[2]);
    expect(cli.err).toContain(`--to ${heads[1]}`);
    expect(JSON.parse(cli.out)).toMatchObject({
      branch: 'again',
      // What is read begins where the snapshot stands.
      partitions: [{ partition: 0, from: 10, to: 100 }],
      publish: { main: String(heads[2]), base: String(heads[1]), forward: false },
    });
    expect(await main([...args, '--like', 'shop.clicks'], context)).toBe(2);
    // The branch that the service itself writes is not for backfills.
    const live = configFile(`kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: s3://lake/w } }
tables: [{ topic: ${TOPIC}, table: shop.orders, branch: again }]
`);
    expect(await main(args.with(2, live), context)).toBe(2);
  });

  test('where several tables take records of the topic, --like says whose rule decodes them', async () => {
    const { cli } = await world();
    const started: Config[] = [];
    const context = { ...cli, createService: service(0, started) };
    const two = configFile(`kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: s3://lake/w } }
tables: [{ topic: ${TOPIC}, table: shop.clicks }, { topic: ${TOPIC}, table: shop.views }]
`);
    const args = (...more: string[]): string[] => ['backfill', '-c', two, '--topic', TOPIC, ...more];
    // shop.orders is no table of the service here.
    expect(await main(args('--into', 'shop.orders', '--from', '0'), context)).toBe(2);
    expect(cli.err).toContain('--like');
    expect(await main(args('--into', 'shop.orders', '--like', 'shop.views', '--json'), context)).toBe(0);
    expect(JSON.parse(cli.out)).toMatchObject({ partitions: [{ from: 0, to: 100 }], publish: null });
    expect(started).toHaveLength(1);
  });

  test('of a topic that rules part: the others still say which records are theirs, and one table is written', async () => {
    const { cli } = await world();
    const started: [Config, string | undefined][] = [];
    const created = service(0, []);
    const context: CliContext = {
      ...cli,
      createService: (config, options) => {
        started.push([config, options.only]);
        return created(config, options);
      },
    };
    const routed = configFile(`kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: s3://lake/w } }
tables:
  - { topic: ${TOPIC}, table: shop.clicks, route: { header: { name: type, equals: click } } }
  - { topic: ${TOPIC}, table: shop.views, route: otherwise }
  - { topic: ${TOPIC}, table: shop.all }
`);
    const args = ['backfill', '-c', routed, '--topic', TOPIC, '--into', 'shop.again', '--like'];
    expect(await main([...args, 'shop.views'], context)).toBe(0);
    expect(await main([...args, 'shop.all'], context)).toBe(0);
    expect(started.map(([{ tables }, only]) => [tables.map(({ table }) => table), only])).toEqual([
      [['shop.clicks', 'shop.again'], 'shop.again'],
      [['shop.again'], 'shop.again'],
    ]);
  });

  test('ends with the exit code of its service', async () => {
    const { cli } = await world();
    expect(await main(backfill(), { ...cli, createService: service(3, []) })).toBe(3);
  });

  test.each([
    ['into the live table', ['backfill', '-c', file(), '--topic', TOPIC, '--into', 'shop.orders']],
    ['of a topic without a rule', ['backfill', '-c', file(), '--topic', 'u', '--into', 'shop.again']],
    ['with a rate without a unit', backfill('--rate', 'fast')],
    ['from no offset and no time', backfill('--from', 'monday')],
  ])('%s is bad usage', async (_, args) => {
    const { cli } = await world();
    expect(await main(args, cli)).toBe(2);
  });
});
