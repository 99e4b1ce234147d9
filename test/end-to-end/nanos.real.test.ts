import { join } from 'node:path';
import avsc from 'avsc';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import type { RollbackResult } from '../../src/maintain/rollback.ts';
import type { VerifyResult } from '../../src/maintain/verify.ts';
import { reference } from '../real/formats.ts';
import { python, readers } from '../real/readers.ts';
import type { CatalogAccess } from '../real/readers.ts';
import { Lake } from './lake.ts';
import { register, registerAvro, withId } from './registry-client.ts';
import { scene } from './scene.ts';
import type { Cells } from './scene.ts';

// Tables of format v3: nanoseconds as they are, and row ids, as engines that we did not write read them.

interface Written {
  schemas: object[];
  records: { bytes: string; row: Cells }[];
}

const { stack, files, catalog, producer } = scene();

/** DuckDB 1.5 has no nanoseconds with a time zone, and does not load a table with such a column. */
async function read(
  table: string,
  columns: readonly string[],
  engines: readonly string[] = ['pyiceberg'],
  from: CatalogAccess = catalog,
): Promise<Record<string, Cells[] | string>> {
  const query = JSON.stringify({ catalog: from, table, columns, engines });
  return JSON.parse(await python('rows.py', query)) as Record<string, Cells[] | string>;
}

interface Metadata {
  'format-version': number;
  'next-row-id': number;
  snapshots: { 'snapshot-id': string; 'first-row-id': number; 'added-rows': number; 'sequence-number': number }[];
}

async function metadataOf(table: string): Promise<Metadata> {
  const [namespace, name] = table.split('.') as [string, string];
  const answer = await fetch(`${stack.catalog.uri}/v1/namespaces/${namespace}/tables/${name}`);
  // Snapshot ids have 63 bits.
  const text = (await answer.text()).replaceAll(/"snapshot-id":\s*(\d+)/g, '"snapshot-id":"$1"');
  return (JSON.parse(text) as { metadata: Metadata }).metadata;
}

const send = (topic: string, values: readonly Buffer[]): Promise<unknown> =>
  producer.send({ topic, messages: values.map((value) => ({ value })) });

async function expectVerified(config: string): Promise<void> {
  const { ok, tables } = await files.json<{ ok: boolean; tables: VerifyResult[] }>('verify', config, '--deep');
  expect({ ok, problems: tables.flatMap(({ problems }) => problems) }).toEqual({ ok: true, problems: [] });
}

const native = { formatVersion: 3, nanos: 'native' };

describe('nanos: native', () => {
  test('Avro: every nanosecond from 1677 to 2262, partitioned by day and bucket', async () => {
    const topic = 'nanos.avro';
    const { nanos } = JSON.parse(await reference('write_avro.py')) as { nanos: Written };
    const id = await registerAvro(stack.registry.url, `${topic}-value`, nanos.schemas[0]!);
    await stack.topic.create(topic, 1);
    const values = nanos.records.map(({ bytes }) => withId(id, Buffer.from(bytes, 'base64')));
    await send(topic, values);
    const config = files.write('nanos-avro', [
      { topic, value: { format: 'avro' }, ...native, partitionBy: ['day(at)', 'bucket(4, local)'] },
    ]);
    await files.run(config, '--until-caught-up').ends();
    expect((await new Lake(catalog).schema(topic)).columns).toMatchObject({
      at: 'timestamptz_ns',
      local: 'timestamp_ns',
    });
    const expected = nanos.records.map(({ row }) => row);
    expect(await read(topic, ['at', 'local'])).toEqual({ pyiceberg: expected });
    await expect(readers.sparkRows({ catalog, table: topic, columns: ['at'] })).rejects.toThrow(
      /unsupported type to Spark: timestamptz_ns/,
    );
    await expectVerified(config);
  });

  test('Avro without a time zone: DuckDB reads it too, and from a SQL catalog', async () => {
    const topic = 'nanos.local';
    const schema = (type: unknown): object => ({ type: 'record', name: 'Local', fields: [{ name: 'at', type }] });
    const id = await registerAvro(
      stack.registry.url,
      `${topic}-value`,
      schema({ type: 'long', logicalType: 'local-timestamp-nanos' }),
    );
    const type = avsc.Type.forSchema(schema('long') as avsc.Schema);
    await stack.topic.create(topic, 1);
    await send(
      topic,
      [0, 1, -1, 1_700_000_000_000_001].map((at) => withId(id, type.toBuffer({ at }))),
    );
    const config = files.write('nanos-local', [
      { topic, value: { format: 'avro' }, ...native, partitionBy: ['hour(at)'] },
    ]);
    await files.run(config, '--until-caught-up').ends();
    const expected = [
      't1970-01-01T00:00:00.000000000',
      't1970-01-01T00:00:00.000000001',
      't1969-12-31T23:59:59.999999999',
      't1970-01-20T16:13:20.000000001',
    ].map((at) => ({ at }));
    const engines = ['pyiceberg', 'duckdb'];
    expect(await read(topic, ['at'], engines)).toEqual({ pyiceberg: expected, duckdb: expected });
    const [uri, warehouse] = [`sqlite:${join(files.dir, 'catalog.db')}`, `file://${join(files.dir, 'warehouse')}`];
    const sqlite = files.write('nanos-sqlite', [{ topic, value: { format: 'avro' }, ...native }], {
      catalogs: { lake: { type: 'sql', uri, warehouse } },
    });
    await files.run(sqlite, '--until-caught-up').ends();
    const own = { type: 'sql' as const, name: 'lake', uri, warehouse };
    expect(await read(topic, ['at'], engines, own)).toEqual({ pyiceberg: expected, duckdb: expected });
  });

  test('Protobuf: a Timestamp to the nanosecond, a Duration as a long; what 64 bits cannot hold is a dead letter', async () => {
    const topic = 'nanos.protobuf';
    const text = `syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
      message Span { google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; }`;
    const answer = await fetch(`${stack.registry.url}/subjects/${topic}-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schemaType: 'PROTOBUF', schema: text }),
    });
    const { id } = (await answer.json()) as { id: number };
    const span = (seconds: string, nanos: number): Buffer => {
      const part = (tag: number) => (writer: protobuf.Writer) =>
        writer.uint32(tag).fork().uint32(8).int64(Number(seconds)).uint32(16).int32(nanos).ldelim();
      const writer = part(10)(protobuf.Writer.create());
      // A Duration's nanoseconds have its sign.
      if (!seconds.startsWith('-')) part(18)(writer);
      return withId(id, Buffer.concat([Buffer.of(0), writer.finish()]));
    };
    await stack.topic.create(topic, 1);
    await send(topic, [
      span('1760000000', 123_456_789),
      span('-1', 999_999_999),
      span('-9223372037', 145_224_192),
      span('-9223372037', 145_224_191),
      span('253402300799', 0),
    ]);
    const config = files.write('nanos-protobuf', [{ topic, value: { format: 'protobuf' }, ...native }]);
    await files.run(config, '--until-caught-up').ends();
    const expected = [
      { at: 't2025-10-09T08:53:20.123456789Z', took: 'i1760000000123456789' },
      { at: 't1969-12-31T23:59:59.999999999Z', took: null },
      { at: 't1677-09-21T00:12:43.145224192Z', took: null },
    ];
    expect(await read(topic, ['at', 'took'])).toEqual({ pyiceberg: expected });
    const dead = await new Lake(catalog).rows(`${topic}_dead_letters`, { columns: ['offset', 'error_code'] });
    expect(dead.sort((a, b) => Number(a['offset']) - Number(b['offset']))).toEqual([
      { offset: 3, error_code: 'VALUE_OUT_OF_RANGE' },
      { offset: 4, error_code: 'VALUE_OUT_OF_RANGE' },
    ]);
    await expectVerified(config);
  });

  test('JSON: nine digits of a second by JSON Schema and by declaration, never cut', async () => {
    const times = ['2026-01-31T23:59:59.123456789+01:00', '1969-12-31T23:59:59.999999999Z', '2026-01-31T00:00:00Z'];
    const refused = ['2300-01-01T00:00:00Z', '2026-01-31T23:59:59.1234567891Z'];
    const expected = [
      't2026-01-31T22:59:59.123456789Z',
      't1969-12-31T23:59:59.999999999Z',
      't2026-01-31T00:00:00.000000000Z',
    ].map((at) => ({ at }));
    const text = (at: string): Buffer => Buffer.from(JSON.stringify({ at }));
    const typed = 'nanos.json_schema';
    const untyped = 'nanos.json';
    const schema = { type: 'object', properties: { at: { type: 'string', format: 'date-time' } } };
    const id = await register(stack.registry.url, `${typed}-value`, schema, [], 'JSON');
    for (const topic of [typed, untyped]) await stack.topic.create(topic, 1);
    await send(
      typed,
      [...times, ...refused].map((at) => withId(id, text(at))),
    );
    await send(untyped, [...times, ...refused].map(text));
    const config = files.write('nanos-json', [
      { topic: typed, value: { format: 'json-schema' }, ...native },
      { topic: untyped, value: { format: 'json' }, formatVersion: 3, columns: { at: 'timestamptz_ns' } },
    ]);
    await files.run(config, '--until-caught-up').ends();
    for (const topic of [typed, untyped]) {
      expect(await read(topic, ['at'])).toEqual({ pyiceberg: expected });
      const dead = await new Lake(catalog).rows(`${topic}_dead_letters`, { columns: ['error_code'] });
      expect(dead).toEqual(refused.map(() => ({ error_code: 'VALUE_OUT_OF_RANGE' })));
    }
    await expectVerified(config);
  });
});

test('row ids of many commits, merged manifests and a rollback: each row has one, as Spark reads them', async () => {
  const topic = 'nanos.lineage';
  await stack.topic.create(topic, 1);
  const config = files.write('nanos-lineage', [
    {
      topic,
      value: { format: 'json' },
      formatVersion: 3,
      properties: { 'commit.manifest.min-count-to-merge': '3' },
    },
  ]);
  const ids = async (): Promise<{ n: string; id: number }[]> => {
    const rows = await readers.sparkRows({ catalog, table: topic, columns: ['n', '_row_id'] });
    return rows.map((row) => ({ n: String(row['n']), id: Number(String(row['_row_id']).slice(1)) }));
  };
  const produce = async (from: number, count: number): Promise<void> => {
    await send(
      topic,
      Array.from({ length: count }, (_, i) => Buffer.from(JSON.stringify({ n: from + i }))),
    );
    await files.run(config, '--until-caught-up').ends();
  };
  for (const [from, count] of [
    [0, 5],
    [5, 7],
    [12, 2],
    [14, 6],
    [20, 3],
  ] as const)
    await produce(from, count);
  const before = await metadataOf(topic);
  expect(before['format-version']).toBe(3);
  // Row lineage of the spec: ranges of row ids follow each other, and the table's next lies behind the last.
  let next = 0;
  for (const snapshot of before.snapshots.toSorted((a, b) => a['sequence-number'] - b['sequence-number'])) {
    expect(snapshot['first-row-id']).toBe(next);
    next += snapshot['added-rows'];
  }
  expect(before['next-row-id']).toBe(next);
  const first = await ids();
  expect(first.map(({ n }) => n)).toEqual(Array.from({ length: 23 }, (_, n) => `i${n}`));
  // Each kept the id that it got in its own commit.
  expect(first.map(({ id }) => id)).toEqual(Array.from({ length: 23 }, (_, n) => n));

  const target = before.snapshots.toSorted((a, b) => a['sequence-number'] - b['sequence-number'])[2]!;
  const id = target['snapshot-id'];
  const back = await files.json<RollbackResult>('rollback', config, '--table', topic, '--to', id);
  expect(back.to).toBe(id);
  await files.run(config, '--until-caught-up').ends();
  const again = await ids();
  expect(again.map(({ n }) => n)).toEqual(Array.from({ length: 23 }, (_, n) => `i${n}`));
  // Row ids that were once given are not given again.
  expect(new Set(again.map(({ id: rowId }) => rowId)).size).toBe(23);
  const kept = again.filter(({ id: rowId }) => rowId < before['next-row-id']);
  expect(kept).toEqual(first.slice(0, kept.length));
  expect(kept.length).toBeGreaterThan(0);
  await expectVerified(config);
});
