import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { createCommitter } from '../../src/commit/committer.ts';
import { TabletopicError } from '../../src/errors.ts';
import { RestCatalog } from '../../src/iceberg/rest.ts';
import { createFileIO } from '../../src/io/file-io-factory.ts';
import { createParquetWriter } from '../../src/parquet/writer.ts';
import { systemPorts } from '../../src/ports.ts';
import { readers } from '../real/readers.ts';
import { sharedStack } from '../real/shared.ts';
import { LossyProxy } from './lossy-proxy.ts';
import type { Committer, Cut, OffsetRange, OffsetsMap } from '../../src/commit/commit.ts';
import type { FileIO } from '../../src/io/file-io.ts';
import type { Schema } from '../../src/schema/types.ts';

/** Committers against a REST catalog and an object store that we did not write; the rows are counted by engines that we did not write. */

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: '_kafka_topic', required: true, type: 'string' },
    { id: 2, name: '_kafka_partition', required: true, type: 'int' },
    { id: 3, name: '_kafka_offset', required: true, type: 'long' },
  ],
};
const identity = { id: 'topic-1', cluster: 'cluster-1' };
const first: OffsetsMap = { t: { ...identity, first: [0, 0], next: [0, 0], epoch: [-1, -1], gaps: [] } };
const namespace = ['committers'];

let proxy: LossyProxy;
let io: FileIO;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  const { catalog, s3 } = sharedStack();
  proxy = await LossyProxy.open(catalog.uri);
  io = createFileIO(
    {
      s3: {
        endpoint: s3.endpoint,
        region: s3.region,
        pathStyle: true,
        accessKeyId: s3.accessKey,
        secretAccessKey: s3.secretKey,
      },
    },
    systemPorts.ids,
  );
});

afterAll(async () => {
  for (const close of closing) await close();
  await io?.close();
  await proxy?.close();
  await readers.close();
});

async function open(name: string, uri: string, outcomes: string[] = []): Promise<Committer> {
  const catalog = new RestCatalog(
    'rest',
    { type: 'rest', uri, warehouse: sharedStack().catalog.warehouse, requestTimeout: 30_000 },
    systemPorts,
  );
  await catalog.connect();
  const committer = createCommitter({
    catalog,
    ident: { namespace, name },
    branch: 'main',
    io: () => io,
    topics: () => ({ t: identity }),
    ports: systemPorts,
    logger: pino({ level: 'silent' }),
    version: '0.0.0-test',
    projectionInterval: 0,
    hooks: { attempt: (outcome) => outcomes.push(outcome) },
  });
  closing.push(async () => {
    await committer.close();
    await catalog.close();
  });
  return committer;
}

/** Writes a data file with rows [start, end) of a partition, every tenth a dead letter, and cuts. */
async function cut({ state }: Committer, partition: number, length: number): Promise<Cut> {
  const { metadata } = state!.table;
  const current = metadata.schemas.find((candidate) => candidate['schema-id'] === metadata['current-schema-id'])!;
  const start = state!.offsets!['t']!.next[partition]!;
  const deadLetters: Cut['deadLetters'][number][] = [];
  const batch = new ColumnBatch(current);
  const [topics, partitions, offsets] = batch.columns;
  for (let offset = start; offset < start + length; offset++) {
    if (offset % 10 === 9) {
      deadLetters.push({
        topic: 't',
        partition,
        offset,
        timestamp: 1_700_000_000_000,
        timestampType: 0,
        key: null,
        value: Buffer.from([1]),
        headers: [],
        code: 'DECODE_JSON',
        reason: 'by the test',
        schemaId: null,
      });
      continue;
    }
    const i = batch.rows++;
    for (const vector of batch.columns) vector.reserve(1);
    topics!.reserveBytes(1);
    topics!.bytes[i] = 't'.charCodeAt(0);
    topics!.offsets[i + 1] = i + 1;
    partitions!.i32[i] = partition;
    offsets!.i32[2 * i] = offset;
    offsets!.i32[2 * i + 1] = 0;
    for (const vector of batch.columns) vector.length++;
  }
  const location = `${metadata.location}/data/${systemPorts.ids.uuid()}.parquet`;
  const parts: Uint8Array[] = [];
  const writer = createParquetWriter(
    current,
    {
      compression: 'zstd',
      compressionLevel: 1,
      rowGroupSize: 1 << 20,
      pageSize: 1 << 16,
      dictionarySize: 0,
      fullMetrics: [3],
      metadata: {},
    },
    { write: (bytes) => void parts.push(bytes.slice()) },
  );
  writer.write(batch);
  const metrics = writer.finish();
  await io.write(location, Buffer.concat(parts));
  const range: OffsetRange = {
    topic: 't',
    partition,
    start,
    end: start + length,
    epoch: 0,
    accounted: {
      rows: length - deadLetters.length,
      deadLetters: deadLetters.length,
      aborted: 0,
      control: 0,
      absent: 0,
    },
  };
  return {
    ranges: [range],
    files: [{ location, metrics, partition: new Map() }],
    deadLetters,
    schemaId: metadata['current-schema-id'],
    specId: metadata['default-spec-id'],
    watermark: null,
  };
}

/** Commits checkpoints of `length` offsets, as the ingest does, until the partition stands at `end`; the number of receipts. */
async function feed(committer: Committer, partition: number, end: number, length: number): Promise<number> {
  let receipts = 0;
  if ((await committer.load()) === null)
    await committer.create({ schema, spec: { 'spec-id': 0, fields: [] }, properties: {} }, first);
  else await committer.ensureOffsets(first);
  while (committer.state!.offsets!['t']!.next[partition]! < end) {
    const prepared = await committer.prepare(await cut(committer, partition, length));
    for (;;) {
      try {
        const result = await committer.commit(prepared);
        if (result.kind === 'dropped') await committer.refresh();
        else receipts++;
        break;
      } catch (error) {
        if (!(error instanceof TabletopicError) || error.policy !== 'retry') throw error;
      }
    }
  }
  return receipts;
}

async function expectExact(name: string, ends: readonly number[]): Promise<void> {
  const { catalog, s3 } = sharedStack();
  for (const engine of ['pyiceberg', 'duckdb'] as const) {
    const read = await readers[engine]({
      catalog: { type: 'rest', uri: catalog.uri, s3 },
      table: `${namespace[0]}.${name}`,
    });
    const dead = await readers[engine]({
      catalog: { type: 'rest', uri: catalog.uri, s3 },
      table: `${namespace[0]}.${name}_dead_letters`,
      columns: ['offset', 'partition', 'timestamp', 'reason'],
    });
    const rows = ends.map((end) => end - Math.floor(end / 10));
    expect(
      read
        .kafka!.map(({ partition, count, distinct }) => ({ partition, count, distinct }))
        .sort((a, b) => a.partition - b.partition),
      engine,
    ).toEqual(rows.map((count, partition) => ({ partition, count, distinct: count })));
    const deadOffsets = ends.flatMap((end) => Array.from({ length: Math.floor(end / 10) }, (_, i) => 10 * i + 9));
    expect(dead.rows, engine).toBe(deadOffsets.length);
    expect(dead.columns['offset']!.sum, engine).toBe(deadOffsets.reduce((sum, offset) => sum + offset, 0));
  }
}

test('two committers race for one table, on a partition each: every row once', async () => {
  const { uri } = sharedStack().catalog;
  const outcomes: string[] = [];
  const [a, b] = [await open('race', uri, outcomes), await open('race', uri, outcomes)];
  // A receipt for each, whether it got in by itself or was carried by the other.
  expect(await Promise.all([feed(a, 0, 400, 20), feed(b, 1, 400, 20)])).toEqual([20, 20]);
  await Promise.all([a.close(), b.close()]);
  expect(outcomes).toContain('conflict');
  await expectExact('race', [400, 400]);
});

test('two owners of the same partition, of which each takes the other for dead: every row once', async () => {
  const { uri } = sharedStack().catalog;
  const outcomes: string[] = [];
  const [a, b] = [await open('zombie', uri, outcomes), await open('zombie', uri, outcomes)];
  const receipts = await Promise.all([feed(a, 0, 300, 30), feed(b, 0, 300, 30)]);
  expect(receipts[0] + receipts[1]).toBeGreaterThanOrEqual(10);
  expect(await feed(a, 1, 100, 50)).toBe(2);
  await Promise.all([a.close(), b.close()]);
  expect(outcomes).toContain('dropped');
  const end = Math.max(a.state!.offsets!['t']!.next[0]!, b.state!.offsets!['t']!.next[0]!);
  await expectExact('zombie', [end, 100]);
});

test('lost answers and lost requests: what was applied is found, what was not is made, each row once', async () => {
  const outcomes: string[] = [];
  const committer = await open('lossy', proxy.uri, outcomes);
  let commits = 0;
  proxy.next = () =>
    (['answer', null, 'request', null, 'answer', 'answer', 'request', null, null] as const)[commits++ % 9]!;
  await feed(committer, 0, 200, 20);
  await feed(committer, 1, 100, 20);
  proxy.next = () => null;
  await committer.close();
  expect(proxy.lost.answer).toBeGreaterThan(3);
  expect(proxy.lost.request).toBeGreaterThan(1);
  expect(outcomes).toContain('unknown');
  // After the proxy is whole again, any instance makes up for what the projection missed.
  const other = await open('lossy', sharedStack().catalog.uri);
  await other.load();
  await other.close();
  await expectExact('lossy', [200, 100]);
});
