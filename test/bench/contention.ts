import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { createCommitter } from '../../src/commit/committer.ts';
import { CHECKPOINTS, decodeCheckpoints } from '../../src/commit/statement.ts';
import { TabletopicError } from '../../src/errors.ts';
import { RestCatalog } from '../../src/iceberg/rest.ts';
import { createFileIO } from '../../src/io/file-io-factory.ts';
import { createParquetWriter } from '../../src/parquet/writer.ts';
import { systemPorts } from '../../src/ports.ts';
import { readers } from '../real/readers.ts';
import { startStack } from '../real/stack.ts';
import { machine } from './machine.ts';
import type { Committer, Cut, OffsetsMap } from '../../src/commit/commit.ts';
import type { FileIO } from '../../src/io/file-io.ts';
import type { Stack } from '../real/stack.ts';
import type { Schema } from '../../src/schema/types.ts';

const usage = `node test/bench/contention.ts [--committers N] [--interval MS] [--seconds N] [--warmup S] [--json]

Committers of one table, each with a partition, a catalog client and a store client of its own, cut a checkpoint of a few
rows at each interval and commit it through a real REST catalog. The first seconds, while servers and code are cold, do
not count. PyIceberg counts all rows afterwards. Exit code 1 when a
bar is missed: at most 2 attempts per checkpoint in the median and 4 at the most, p99 from cut to committed below 2 s, and
every committer as far as its time allows.`;

const { values: options } = parseArgs({
  options: {
    committers: { type: 'string', default: '16' },
    interval: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '120' },
    warmup: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  console.log(usage);
  process.exit(0);
}

const COMMITTERS = Number(options.committers);
const INTERVAL = Number(options.interval);
const DURATION = Number(options.seconds) * 1000;
const WARM_UP = Number(options.warmup) * 1000;
const ROWS = 10;

const ident = { namespace: ['bench'], name: 'contention' };
const identity = { id: 'topic-1', cluster: 'cluster-1' };
const zeros = Array<number>(COMMITTERS).fill(0);
const first: OffsetsMap = { t: { ...identity, first: zeros, next: zeros, epoch: zeros.map(() => -1), gaps: [] } };
const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: '_kafka_topic', required: true, type: 'string' },
    { id: 2, name: '_kafka_partition', required: true, type: 'int' },
    { id: 3, name: '_kafka_offset', required: true, type: 'long' },
  ],
};

/** What one checkpoint took. */
interface Took {
  /** When it was cut, as `performance.now()`. */
  readonly at: number;
  /** Milliseconds from cut to committed. */
  readonly ms: number;
  readonly attempts: number;
}

/** One instance of the service, as far as it commits. */
class Instance {
  readonly partition: number;
  readonly took: Took[] = [];
  #attempts = 0;
  readonly #committer: Committer;
  readonly #io: FileIO;
  readonly #catalog: RestCatalog;

  constructor(stack: Stack, partition: number) {
    const { catalog, s3 } = stack;
    this.partition = partition;
    this.#io = createFileIO(
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
    this.#catalog = new RestCatalog(
      'rest',
      { type: 'rest', uri: catalog.uri, warehouse: catalog.warehouse, requestTimeout: 30_000 },
      systemPorts,
    );
    this.#committer = createCommitter({
      catalog: this.#catalog,
      ident,
      branch: 'main',
      io: () => this.#io,
      topics: () => ({ t: identity }),
      ports: systemPorts,
      logger: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }),
      version: '0.0.0-bench',
      projectionInterval: 0,
      hooks: { attempt: (outcome) => void (outcome === 'dropped' || this.#attempts++) },
    });
  }

  async open(): Promise<void> {
    await this.#catalog.connect();
    if ((await this.#committer.load()) === null)
      await this.#committer.create({ schema, spec: { 'spec-id': 0, fields: [] }, properties: {} }, first);
  }

  /** Checkpoints at each interval, from a phase of its own on, until the time is over. */
  async run(until: number): Promise<void> {
    let due = performance.now() + Math.random() * INTERVAL;
    while (due < until) {
      await sleep(Math.max(0, due - performance.now()));
      const cut = await this.#cut();
      const started = performance.now();
      this.#attempts = 0;
      const prepared = await this.#committer.prepare(cut);
      for (;;) {
        try {
          const { kind } = await this.#committer.commit(prepared);
          if (kind === 'dropped') throw new Error('a checkpoint was dropped, and nobody else writes the partition');
          break;
        } catch (error) {
          if (!(error instanceof TabletopicError) || error.policy !== 'retry') throw error;
        }
      }
      this.took.push({ at: started, ms: performance.now() - started, attempts: this.#attempts });
      due = Math.max(due + INTERVAL, performance.now());
    }
  }

  async close(): Promise<void> {
    await this.#committer.close();
    await this.#catalog.close();
    await this.#io.close();
  }

  async #cut(): Promise<Cut> {
    const { metadata } = this.#committer.state!.table;
    const start = this.took.length * ROWS;
    const location = `${metadata.location}/data/${systemPorts.ids.uuid()}.parquet`;
    const { bytes, metrics } = encode(metadata.schemas[0]!, this.partition, start);
    await this.#io.write(location, bytes);
    return {
      ranges: [
        {
          topic: 't',
          partition: this.partition,
          start,
          end: start + ROWS,
          epoch: 0,
          accounted: { rows: ROWS, deadLetters: 0, aborted: 0, control: 0, absent: 0 },
        },
      ],
      files: [{ location, metrics, partition: new Map() }],
      deadLetters: [],
      schemaId: metadata['current-schema-id'],
      specId: metadata['default-spec-id'],
      watermark: null,
    };
  }
}

function encode(
  of: Schema,
  partition: number,
  start: number,
): { bytes: Uint8Array; metrics: Cut['files'][number]['metrics'] } {
  const batch = new ColumnBatch(of);
  const [topics, partitions, offsets] = batch.columns;
  for (let offset = start; offset < start + ROWS; offset++) {
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
  const parts: Uint8Array[] = [];
  const writer = createParquetWriter(
    of,
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
  return { bytes: Buffer.concat(parts), metrics };
}

const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;

const stack = await startStack({ catalog: true });
try {
  const instances = Array.from({ length: COMMITTERS }, (_, partition) => new Instance(stack, partition));
  await instances[0]!.open();
  for (const instance of instances.slice(1)) await instance.open();
  const cpu = process.cpuUsage();
  const counts = performance.now() + WARM_UP;
  const until = counts + DURATION;
  await Promise.all(instances.map((instance) => instance.run(until)));
  const { user, system } = process.cpuUsage(cpu);
  await Promise.all(instances.map((instance) => instance.close()));

  const catalog = new RestCatalog('rest', { type: 'rest', ...stack.catalog, requestTimeout: 30_000 }, systemPorts);
  await catalog.connect();
  const { metadata } = (await catalog.loadTable(ident, 'all'))!;
  await catalog.close();
  const carried = (metadata.snapshots ?? [])
    .map((snapshot) => decodeCheckpoints(snapshot.summary?.[CHECKPOINTS]).length)
    .filter((count) => count > 0);
  const reading = await readers.pyiceberg({
    catalog: { type: 'rest', uri: stack.catalog.uri, s3: stack.s3 },
    table: 'bench.contention',
  });
  const all = instances.flatMap((instance) => instance.took);
  const took = all.filter((one) => one.at >= counts);
  const ms = took.map((one) => one.ms).sort((a, b) => a - b);
  const attempts = took.map((one) => one.attempts).sort((a, b) => a - b);
  const each = instances.map((instance) => instance.took.filter((one) => one.at >= counts).length);
  const result = {
    committers: COMMITTERS,
    intervalMs: INTERVAL,
    seconds: DURATION / 1000,
    checkpoints: took.length,
    snapshots: carried.length,
    checkpointsPerSnapshot: { mean: all.length / carried.length, max: Math.max(...carried) },
    attempts: { median: at(attempts, 0.5), p99: at(attempts, 0.99), max: attempts.at(-1)! },
    cutToCommittedMs: {
      p50: Math.round(at(ms, 0.5)),
      p99: Math.round(at(ms, 0.99)),
      max: Math.round(ms.at(-1)!),
    },
    checkpointsOfOneCommitter: { min: Math.min(...each), max: Math.max(...each), due: Math.floor(DURATION / INTERVAL) },
    cpuSeconds: Math.round((user + system) / 1e5) / 10,
  };
  const exact =
    reading.rows === all.length * ROWS &&
    reading.kafka!.length === COMMITTERS &&
    reading.kafka!.every(
      ({ partition, count, distinct }) => count === distinct && count === instances[partition]!.took.length * ROWS,
    );
  const missed = [
    ...(exact ? [] : ['rows are missing or twice']),
    ...(result.attempts.median > 2 ? ['attempts in the median'] : []),
    ...(result.attempts.max > 4 ? ['most attempts'] : []),
    ...(result.cutToCommittedMs.p99 >= 2000 ? ['p99 from cut to committed'] : []),
    ...(result.checkpointsOfOneCommitter.min < 0.9 * result.checkpointsOfOneCommitter.due - 1 ? ['starvation'] : []),
  ];
  console.log(options.json ? JSON.stringify({ machine: machine(), ...result, missed }) : `${machine()}\n`, result, {
    missed,
  });
  if (missed.length > 0) process.exitCode = 1;
} finally {
  await readers.close();
  await stack.stop();
}
