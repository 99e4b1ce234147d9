import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { ConfigError, type ConfigProblem } from '../../src/config/problem.ts';

const head = `kafka: { brokers: [localhost:9092] }
catalogs: { lake: { type: rest, uri: http://localhost:8181 } }
`;

function parse(text: string, env: Record<string, string> = {}): Config {
  return parseConfig(text, { env, directory: '/etc/tabletopic', file: 'tabletopic.yaml' });
}

function problems(text: string, env: Record<string, string> = {}): readonly ConfigProblem[] {
  try {
    parse(text, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', exit: 2 });
    return (error as ConfigError).problems;
  }
  throw new Error('the configuration was accepted');
}

describe('a file with what is needed and no more', () => {
  const config = parse(`${head}tables:\n  - topic: shop.orders\n`);

  test('has the defaults of the design', () => {
    expect(config.kafka).toMatchObject({
      brokers: ['localhost:9092'],
      groupId: 'tabletopic',
      instanceId: 'auto',
      isolation: 'read_committed',
      tls: null,
      sasl: null,
    });
    expect(config.schemaRegistry).toBeNull();
    expect(config.http).toEqual({ host: '0.0.0.0', port: 8080 });
    expect(config.memory).toBe(536_870_912);
    expect(config.workers).toBeGreaterThanOrEqual(1);
    expect(config.workers).toBeLessThanOrEqual(4);
    expect(config.tables).toHaveLength(1);
    expect(config.tables[0]).toMatchObject({
      path: 'tables[0]',
      topic: 'shop.orders',
      topicPattern: null,
      table: null,
      catalog: 'lake',
      namespace: 'default',
      branch: 'main',
      commitInterval: 60_000,
      targetFileSize: 134_217_728,
      compression: 'zstd',
      compressionLevel: 1,
      startFrom: 'earliest',
      value: { format: 'auto' },
      partitionBy: [],
      metadataColumns: 'struct',
      onBadRecord: 'dead-letter',
      location: null,
      naming: { case: 'keep', replace: {} },
    });
  });
});

test('the example of the design is read', () => {
  const config = parse(`
kafka: { brokers: [localhost:9092], groupId: tabletopic }
schemaRegistry: { url: http://localhost:8081 }
catalogs:
  lake: { type: rest, uri: http://localhost:8181, warehouse: s3://lake/wh }
storage: { s3: { endpoint: http://localhost:9000, region: us-east-1, pathStyle: true } }
defaults: { catalog: lake, commitInterval: 60s, targetFileSize: 128MiB, startFrom: earliest }
tables:
  - topic: shop.orders
  - topic: shop.payments
    table: finance.payments
    value: { format: avro }
    partitionBy: [day(paid_at), "bucket(16, customer_id)"]
  - topicPattern: '^shop\\.(.+)\\.v(\\d+)$'
    table: shop.$1_v$2
http: { port: 8080 }
`);
  expect(config.tables.map((rule) => rule.table)).toEqual([null, 'finance.payments', 'shop.$1_v$2']);
  expect(config.tables[1]!.partitionBy).toEqual(['day(paid_at)', 'bucket(16, customer_id)']);
  expect(config.tables[2]!.topicPattern?.exec('shop.x.v3')?.slice(1)).toEqual(['x', '3']);
});

describe('layers', () => {
  test('a rule wins over defaults, defaults over what is built in; properties are put together', () => {
    const config = parse(`${head}
defaults: { commitInterval: 5s, compression: gzip, properties: { a: 1, b: 2 }, naming: { case: lower } }
tables:
  - topic: one
  - { topic: two, commitInterval: 1m, compression: zstd, properties: { b: three } }
`);
    expect(config.tables[0]).toMatchObject({
      commitInterval: 5000,
      compression: 'gzip',
      compressionLevel: 6,
      properties: { a: '1', b: '2' },
      naming: { case: 'lower' },
    });
    expect(config.tables[1]).toMatchObject({
      commitInterval: 60_000,
      compression: 'zstd',
      compressionLevel: 1,
      properties: { a: '1', b: 'three' },
    });
  });

  test('a row group is no larger than the file, unless it was written so', () => {
    expect(parse(`${head}tables: [{ topic: one, targetFileSize: 1MiB }]`).tables[0]!.rowGroupSize).toBe(1_048_576);
    expect(problems(`${head}tables: [{ topic: one, targetFileSize: 1MiB, rowGroupSize: 2MiB }]`)).toMatchObject([
      { path: 'tables[0].rowGroupSize' },
    ]);
  });
});

describe('the environment', () => {
  test('values, defaults, and a literal', () => {
    const config = parse(
      `kafka: { brokers: '\${BROKERS}', groupId: '$\${GROUP}', clientId: '\${CLIENT:-me}' }
catalogs: { lake: { type: rest, uri: '\${URI:-http://localhost:8181}' } }
http:
  port: \${PORT}
tables: [{ topic: one }]`,
      { BROKERS: 'a:1, b:2', PORT: '9090' },
    );
    expect(config.kafka).toMatchObject({ brokers: ['a:1', 'b:2'], groupId: '${GROUP}', clientId: 'me' });
    expect(config.http).toEqual({ host: '0.0.0.0', port: 9090 });
  });

  test('a value is never read as YAML: a password may hold anything', () => {
    const password = 'a: [b, "c" # {d';
    const config = parse(
      `kafka:
  brokers: [a:1]
  sasl:
    mechanism: plain
    username: me
    password: \${PASSWORD}
catalogs: { lake: { type: rest, uri: http://localhost:8181 } }
tables: [{ topic: one }]`,
      { PASSWORD: password },
    );
    expect(config.kafka.sasl).toEqual({ mechanism: 'plain', username: 'me', password });
  });

  test('a variable that is not set is named with its line', () => {
    expect(problems(`${head}tables:\n  - topic: \${TOPIC}\n`)).toMatchObject([
      { line: 4, reason: expect.stringContaining('${TOPIC}') as string },
    ]);
  });
});

describe('what is refused', () => {
  test('all problems at once, each with path, line, reason and remedy', () => {
    const found = problems(`kafka: { broker: [localhost:9092] }
catalogs: { lake: { type: rest } }
tables:
  - topic: a
    commitIntervall: 60s
    targetFileSize: 128
    partitionBy: [day(x), "bucket(x)"]
    compression: zsdt
`);
    expect(found.map(({ path, line }) => [path, line])).toEqual([
      ['kafka.broker', 1],
      ['kafka.brokers', 1],
      ['catalogs.lake.uri', 2],
      ['tables[0].commitIntervall', 5],
      ['tables[0].targetFileSize', 6],
      ['tables[0].compression', 8],
      ['tables[0].partitionBy[1]', 7],
    ]);
    expect(found.every(({ reason, remedy }) => reason !== '' && remedy !== '')).toBe(true);
    expect(found[0]!.reason).toContain('did you mean brokers?');
    expect(found[3]!.reason).toContain('did you mean commitInterval?');
    expect(found.find(({ path }) => path === 'tables[0].compression')!.reason).toContain('did you mean zstd?');
  });

  test('a sentence that asks does not go on with a full stop', () => {
    expect(() => parse(`${head}tables:\n  - { topic: a, branhc: b }\n`)).toThrow('did you mean branch? Known here');
  });

  test('a text that YAML cuts at its comma is said to need quotes', () => {
    const found = problems(`${head}tables:\n  - { topic: a, numbers: decimal(38, 2) }\n`);
    expect(found.map(({ remedy }) => remedy).join()).toContain('in quotes');
  });

  const rule = (text: string): string => `${head}tables:\n  - ${text}\n`;
  test.each([
    ['no topic', rule('table: x'), 'tables[0]'],
    ['topic and pattern', rule('{ topic: a, topicPattern: b }'), 'tables[0].topicPattern'],
    ['a broken pattern', rule("topicPattern: '('"), 'tables[0].topicPattern'],
    ['a group that the pattern lacks', rule("{ topicPattern: '^(a)$', table: x.$2 }"), 'tables[0].table'],
    ['a group without a pattern', rule('{ topic: a, table: x.$1 }'), 'tables[0].table'],
    ['an empty part of a name', rule('{ topic: a, table: x..y }'), 'tables[0].table'],
    ['a catalog that is not defined', rule('{ topic: a, catalog: lakes }'), 'tables[0].catalog'],
    ['avro without registry', rule('{ topic: a, value: avro }'), 'tables[0].value'],
    ['a topic name with a space', rule('topic: a b'), 'tables[0].topic'],
    ['offsets for a pattern', rule("{ topicPattern: '^a', startFrom: { offsets: { 0: 1 } } }"), 'tables[0].startFrom'],
    [
      'a start time without zone',
      rule("{ topic: a, startFrom: { timestamp: '2026-01-01T00:00:00' } }"),
      'tables[0].startFrom',
    ],
    ['one location for many tables', rule("{ topicPattern: '^a', location: s3://b/c }"), 'tables[0].location'],
    ['gzip level 12', rule('{ topic: a, compression: gzip, compressionLevel: 12 }'), 'tables[0].compressionLevel'],
    [
      'a level for snappy',
      rule('{ topic: a, compression: snappy, compressionLevel: 2 }'),
      'tables[0].compressionLevel',
    ],
    ['a commit interval above half an hour', rule('{ topic: a, commitInterval: 2h }'), 'tables[0].commitInterval'],
    ['a number without unit', rule('{ topic: a, commitInterval: 60 }'), 'tables[0].commitInterval'],
    ['a decimal that is too wide', rule('{ topic: a, numbers: "decimal(39, 2)" }'), 'tables[0].numbers'],
    ['the same topic and table twice', `${head}tables: [{ topic: a }, { topic: a }]`, 'tables[1]'],
    ['no tables', `${head}tables: []`, 'tables'],
    ['fetches above a quarter of memory', `${head}memory: 64MiB\ntables: [{ topic: a }]`, 'kafka.fetchMaxBytes'],
    [
      'a revoke timeout above the rebalance timeout',
      `kafka: { brokers: [a:1], revokeTimeout: 2m }\ncatalogs: { lake: { type: rest, uri: http://a } }\ntables: [{ topic: a }]`,
      'kafka.revokeTimeout',
    ],
    [
      'a broker without port',
      `kafka: { brokers: [a] }\ncatalogs: { lake: { type: rest, uri: http://a } }\ntables: [{ topic: a }]`,
      'kafka.brokers[0]',
    ],
    [
      'an unknown catalog type',
      `kafka: { brokers: [a:1] }\ncatalogs: { lake: { type: hive } }\ntables: [{ topic: a }]`,
      'catalogs.lake.type',
    ],
    [
      'a database that is none',
      `kafka: { brokers: [a:1] }\ncatalogs: { lake: { type: sql, uri: mysql://a, warehouse: s3://b } }\ntables: [{ topic: a }]`,
      'catalogs.lake.uri',
    ],
    [
      'token and credential',
      `kafka: { brokers: [a:1] }\ncatalogs: { lake: { type: rest, uri: http://a, token: t, credential: a:b } }\ntables: [{ topic: a }]`,
      'catalogs.lake.token',
    ],
    [
      'several catalogs and no choice',
      `kafka: { brokers: [a:1] }\ncatalogs: { a: { type: rest, uri: http://a }, b: { type: rest, uri: http://b } }\ntables: [{ topic: a }]`,
      'tables[0].catalog',
    ],
  ])('%s', (_, text, path) => {
    expect(problems(text).map((problem) => problem.path)).toContain(path);
  });

  test('a key of defaults is named where it was written', () => {
    expect(
      problems(`${head}defaults: { catalog: pond }\ntables: [{ topic: a }]`).map(({ path, line }) => [path, line]),
    ).toEqual([['defaults.catalog', 3]]);
  });

  test('text that is no YAML, with its line', () => {
    expect(problems('kafka: [')[0]).toMatchObject({ line: 1 });
    expect(problems('')).toMatchObject([{ path: '', reason: 'holds no keys' }]);
  });
});

test('forms that mean the same', () => {
  const config = parse(`kafka: { brokers: 'a:1,b:2', tls: true }
schemaRegistry: { url: http://r }
catalogs: { lake: { type: sql, uri: sqlite:./c.db, warehouse: file:./w } }
http: off
tables:
  - { topic: a, value: avro, startFrom: { timestamp: 2026-01-31T00:00:00Z } }
  - { topic: b, partitionBy: 'day(x), bucket(4, y)', startFrom: { offsets: { 0: 5, 1: 7 } } }
`);
  expect(config.http).toBeNull();
  expect(config.kafka.tls).toEqual({ rejectUnauthorized: true });
  expect(config.catalogs['lake']).toEqual({
    type: 'sql',
    uri: 'sqlite:/etc/tabletopic/c.db',
    warehouse: 'file:/etc/tabletopic/w',
    catalogName: 'lake',
  });
  expect(config.tables[0]).toMatchObject({
    value: { format: 'avro' },
    startFrom: { timestamp: 1_769_817_600_000 },
  });
  expect(config.tables[1]).toMatchObject({
    partitionBy: ['day(x)', 'bucket(4, y)'],
    startFrom: { offsets: { 0: 5, 1: 7 } },
  });
});

test('files beside the configuration file are found', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tabletopic-config-'));
  writeFileSync(join(directory, 'ca.pem'), 'PEM text');
  const file = join(directory, 'tabletopic.yaml');
  writeFileSync(file, `${head.replace('[localhost:9092]', '[a:1], tls: { ca: ca.pem }')}tables: [{ topic: a }]`);
  expect(loadConfig(file, {}).kafka.tls).toEqual({ ca: 'PEM text', rejectUnauthorized: true });
  expect(() => loadConfig(join(directory, 'none.yaml'), {})).toThrow(/none\.yaml/);
});

describe('formats of keys and values', () => {
  const top = `kafka: { brokers: [a:1] }
catalogs: { lake: { type: sql, uri: sqlite:./c.db, warehouse: file:./w } }
`;
  const registry = 'schemaRegistry: { url: http://r }\n';

  test('keys are bytes unless a format is named; a name alone stands for the format', () => {
    const config = parse(`${top}${registry}tables:
  - { topic: a }
  - { topic: b, key: string }
  - { topic: c, key: { format: avro, schema: latest, subject: keys }, value: { format: avro, subjectNameStrategy: record } }
`);
    expect(config.tables.map(({ key }) => key && [key.format, key.schema, key.subject])).toEqual([
      null,
      ['string', 'id', null],
      ['avro', 'latest', 'keys'],
    ]);
    expect(config.tables[2]!.value).toEqual({
      format: 'avro',
      schema: 'id',
      subject: null,
      subjectNameStrategy: 'record',
      message: null,
      refresh: 30_000,
    });
  });

  test('contradictions are refused', () => {
    const wrong = (table: string, more = registry): unknown[] =>
      problems(`${top}${more}tables: [{ topic: a, ${table} }]`).map(({ path, reason }) => [path, reason]);
    expect(wrong('key: avro', '')).toEqual([['tables[0].key', 'is avro, and there is no schemaRegistry']]);
    expect(wrong('value: { format: json, schema: latest }')).toEqual([
      ['tables[0].value.schema', 'is latest, and json has no schema'],
    ]);
    expect(wrong('value: { format: avro, schema: latest, subjectNameStrategy: record }')).toEqual([
      ['tables[0].value.schema', 'is latest, and subjectNameStrategy record does not say of which subject'],
    ]);
    expect(wrong('value: { format: avro, schema: newest }')).toMatchObject([
      ['tables[0].value.schema', expect.any(String)],
    ]);
  });

  test('schema files are read at start, and what is wrong with them has its file and line', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tabletopic-schemas-'));
    mkdirSync(join(directory, 'types'));
    const order = '{"type":"record","name":"Order","namespace":"lab","fields":[{"name":"by","type":"lab.Customer"}]}';
    const customer = '{"type":"record","name":"Customer","namespace":"lab","fields":[{"name":"id","type":"long"}]}';
    writeFileSync(join(directory, 'order.avsc'), order);
    writeFileSync(join(directory, 'types', 'customer.avsc'), customer);
    writeFileSync(join(directory, 'broken.avsc'), '{"type":"record",\n "name" "X"}');
    const load = (file: string): Config =>
      parseConfig(`${top}tables: [{ topic: a, value: { format: avro, schema: { file: ${file} } } }]`, {
        env: {},
        directory,
        file: 'c.yaml',
      });
    expect(load('[order.avsc, types/customer.avsc]').tables[0]!.value.schema).toEqual({
      file: [join(directory, 'order.avsc'), join(directory, 'types', 'customer.avsc')],
      text: order,
      references: { 'types/customer.avsc': customer },
    });
    expect(() => load('order.avsc')).toThrow(/order\.avsc: .*unknown type lab\.Customer/);
    expect(() => load('broken.avsc')).toThrow(/broken\.avsc: is no JSON: .*line 2/);
    expect(() => load('none.avsc')).toThrow(/none\.avsc/);
  });

  test('a registry may have several addresses, and certificates', () => {
    const config = parse(`${top}schemaRegistry: { url: 'https://a/x,https://b', tls: { ca: '-----BEGIN' } }
tables: [{ topic: a }]
`);
    expect(config.schemaRegistry).toMatchObject({
      url: ['https://a/x', 'https://b'],
      tls: { ca: '-----BEGIN', rejectUnauthorized: true },
    });
    expect(
      problems(`${top}schemaRegistry: { url: https://a, tls: { cert: '-----BEGIN' } }\ntables: [{ topic: a }]`),
    ).toMatchObject([{ path: 'schemaRegistry.tls', reason: 'has only one of cert and key' }]);
  });
});
