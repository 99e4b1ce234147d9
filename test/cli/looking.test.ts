import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import type { CliContext, Connectors } from '../../src/cli/context.ts';
import { TabletopicError } from '../../src/errors.ts';
import { MemoryCatalog } from '../../src/iceberg/memory.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import { systemPorts } from '../../src/ports.ts';
import type { Source } from '../../src/source/source.ts';
import { type SnapshotSpec, tableOf } from '../maintain/table.ts';
import { type Console, configFile, testContext } from './context.ts';

/** check, status and verify against a broker with the given topics and a catalog with one table. */
function world(
  options: { history?: readonly SnapshotSpec[]; topics?: readonly string[]; connect?: Partial<Connectors> } = {},
): CliContext & Console & { closed: string[] } {
  const closed: string[] = [];
  const topics = options.topics ?? ['t'];
  const source = {
    connect: () => Promise.resolve({ clusterId: 'c1' }),
    describeTopics: (names: readonly string[]) =>
      Promise.resolve(
        topics
          .filter((name) => names.includes(name))
          .map((name) => ({
            name,
            id: name,
            partitions: [
              { partition: 0, leaderEpoch: 0 },
              { partition: 1, leaderEpoch: 0 },
            ],
          })),
      ),
    listOffsets: (queries: readonly unknown[]) => Promise.resolve(queries.map(() => 25)),
    close: () => {
      closed.push('source');
      return Promise.resolve();
    },
  } as unknown as Source;
  const catalog = new MemoryCatalog(systemPorts, { name: 'lake' });
  if (options.history) {
    const { ident, metadata, metadataLocation } = tableOf(options.history);
    catalog.state.tables.set(JSON.stringify([...ident.namespace, ident.name]), {
      ident,
      metadata,
      location: metadataLocation,
      version: 1,
    });
    // The state's key is the catalog's own business: find out what it looks up.
    catalog.loadTable = (asked) =>
      Promise.resolve(
        asked.name === ident.name && asked.namespace.join('.') === ident.namespace.join('.')
          ? { ident, metadata, metadataLocation, partial: false, config: {} }
          : null,
      );
  }
  const connect: Connectors = {
    source: () => source,
    catalog: () => catalog,
    fileIO: (_config, _ports, table) => {
      const io = new MemoryFileIO(systemPorts.clock);
      if (table) void io.write(table.metadataLocation, Buffer.from('{}'));
      return io;
    },
    registry: () => null,
    positions: () => {
      throw new Error('not part of this test');
    },
    ...options.connect,
  };
  return Object.assign(testContext({ connect }), { closed });
}

const file = (more = ''): string =>
  configFile(`kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: s3://lake/w } }
${more}
tables: [{ topic: t, table: shop.orders }]
`);

const good: readonly SnapshotSpec[] = [
  {},
  {
    ranges: [
      [0, 0, 20],
      [1, 0, 25, { deadLetters: 2 }],
    ],
  },
];

describe('verify', () => {
  test('a table in order: exit 0', async () => {
    const cli = world({ history: good });
    expect(await main(['verify', '-c', file(), '--json'], cli)).toBe(0);
    expect(JSON.parse(cli.out)).toMatchObject({
      ok: true,
      tables: [{ table: 'shop.orders', level: 'metadata', rows: 43 }],
      errors: [],
    });
  });

  test('a planted hole: named, exit 1', async () => {
    const cli = world({ history: [...good, { ranges: [[0, 22, 30]] }] });
    expect(await main(['verify', '-c', file()], cli)).toBe(1);
    expect(cli.out).toContain('MISSING t[0] offsets 20 to 21');
  });

  test('a table that does not exist: exit 3; one that no rule gives: exit 2', async () => {
    expect(await main(['verify', '-c', file()], world())).toBe(3);
    expect(await main(['verify', '-c', file(), '--table', 'shop.clicks'], world())).toBe(2);
  });
});

describe('status', () => {
  test('offsets from the table, ends from the broker', async () => {
    const cli = world({ history: good });
    expect(await main(['status', '-c', file(), '--json'], cli)).toBe(0);
    expect(JSON.parse(cli.out)).toMatchObject({
      tables: [
        {
          table: 'shop.orders',
          exists: true,
          rows: 43,
          deadLetters: 2,
          lagRecords: 5,
          snapshotId: '2',
          partitions: [
            { topic: 't', partition: 0, next: 20, end: 25, lag: 5 },
            { topic: 't', partition: 1, next: 25, end: 25, lag: 0 },
          ],
        },
      ],
    });
    expect(cli.closed).toEqual(['source']);
  });

  test('without a broker the table is shown all the same', async () => {
    const source = (): Source =>
      ({
        connect: () => Promise.reject(new TabletopicError('KAFKA_AUTH', 'wrong password')),
        close: () => Promise.resolve(),
      }) as unknown as Source;
    const cli = world({ history: good, connect: { source } });
    expect(await main(['status', '-c', file()], cli)).toBe(2);
    expect(cli.out).toContain('rows 43');
    expect(cli.out).toContain('lag unknown');
    expect(cli.err).toContain('KAFKA_AUTH: wrong password');
  });

  test('a table that does not exist yet', async () => {
    const cli = world();
    expect(await main(['status', '-c', file()], cli)).toBe(0);
    expect(cli.out).toContain('does not exist yet');
  });
});

describe('check', () => {
  const registered = {
    type: 'AVRO' as const,
    text: JSON.stringify({
      type: 'record',
      name: 'Payment',
      fields: [
        { name: 'amount', type: 'double' },
        { name: 'at', type: ['null', { type: 'long', logicalType: 'time-micros' }] },
      ],
    }),
    references: {},
  };

  test('everything answers; the table and its columns; nothing is written', async () => {
    const cli = world({
      history: good,
      connect: {
        registry: () => ({
          probe: () => Promise.resolve(),
          schema: () => Promise.reject(new Error('by id')),
          subjects: () => Promise.resolve([]),
          latest: (subject) => Promise.resolve(subject === 't-value' ? { ...registered, id: 7 } : null),
        }),
      },
    });
    // The schema does not fit the table: a person should look at it before records come.
    expect(await main(['check', '-c', file('schemaRegistry: { url: http://r }'), '--json'], cli)).toBe(3);
    const result = JSON.parse(cli.out) as { steps: { name: string; ok: boolean }[]; tables: unknown[] };
    expect(result.steps.map(({ name, ok }) => [name, ok])).toEqual([
      ['configuration', true],
      ['kafka', true],
      ['schema registry', true],
      ['catalog lake', true],
      ['storage of lake', true],
    ]);
    expect(result.tables).toMatchObject([
      {
        table: 'shop.orders',
        exists: true,
        source: 'registry, subject t-value, schema 7',
        columns: [
          { name: 'amount', type: 'double' },
          { name: 'at', type: 'time' },
        ],
        changes: [
          { kind: 'addition', change: 'add column at time', needsPerson: true },
          {
            kind: 'incompatible',
            change: 'amount: the table has long, the schema double',
            outcome: 'records of this schema become dead letters',
          },
        ],
        warnings: [expect.stringContaining('Spark cannot load')],
      },
    ]);
  });

  test('a table of format v2 gets no nanoseconds, and a person is told before they come', async () => {
    const text = JSON.stringify({
      type: 'record',
      name: 'Payment',
      fields: [{ name: 'at', type: { type: 'long', logicalType: 'timestamp-nanos' } }],
    });
    const cli = world({
      history: good,
      connect: {
        registry: () => ({
          probe: () => Promise.resolve(),
          schema: () => Promise.reject(new Error('by id')),
          subjects: () => Promise.resolve([]),
          latest: (subject) => Promise.resolve(subject === 't-value' ? { ...registered, text, id: 7 } : null),
        }),
      },
    });
    const native = file('schemaRegistry: { url: http://r }\ndefaults: { formatVersion: 3, nanos: native }');
    await main(['check', '-c', native, '--json'], cli);
    expect(JSON.parse(cli.out)).toMatchObject({
      tables: [
        {
          columns: [{ name: 'at', type: 'timestamptz_ns' }],
          warnings: [expect.stringMatching(/format version 2, which has no nanoseconds \(at\)\. Upgrade the table/)],
        },
      ],
    });
  });

  test('a Protobuf schema of several messages is named, though only records say which it is', async () => {
    const text = 'syntax = "proto3"; message Paid { int64 id = 1; } message Refunded { int64 id = 1; }';
    const cli = world({
      connect: {
        registry: () => ({
          probe: () => Promise.resolve(),
          schema: () => Promise.reject(new Error('by id')),
          subjects: () => Promise.resolve([]),
          latest: (subject) =>
            Promise.resolve(subject === 't-value' ? { type: 'PROTOBUF', text, references: {}, id: 7 } : null),
        }),
      },
    });
    await main(['check', '-c', file('schemaRegistry: { url: http://r }')], cli);
    expect(cli.out).toContain('subject t-value, schema 7 has several messages (Paid, Refunded)');
  });

  test('each failure has its line and remedy; the others are tried all the same', async () => {
    const failing = {
      fileIO: () =>
        Object.assign(new MemoryFileIO(systemPorts.clock), {
          read: () => Promise.reject(new TabletopicError('STORAGE_AUTH', 'access denied')),
        }),
    };
    const cli = world({ topics: [], connect: failing });
    expect(await main(['check', '-c', file()], cli)).toBe(2);
    expect(cli.out).toMatch(/ok {5}kafka: cluster c1/);
    expect(cli.out).toMatch(/FAILED topic t: .*\n +KAFKA_TOPIC_MISSING: Create the topic/);
    expect(cli.out).toMatch(/FAILED storage of lake: access denied\n +STORAGE_AUTH/);
  });

  test('a dead-letter topic that is not there is said before the first dead letter', async () => {
    const dead = file('defaults: { deadLetterTopic: dead }');
    const cli = world({ history: good });
    expect(await main(['check', '-c', dead], cli)).toBe(3);
    expect(cli.out).toMatch(/FAILED dead-letter topic dead: .*\n +KAFKA_TOPIC_MISSING: Create the topic: it is not/);
    expect(await main(['check', '-c', dead], world({ history: good, topics: ['t', 'dead'] }))).toBe(0);
  });
});
