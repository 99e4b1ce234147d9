import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { createCommitter } from '../../src/commit/committer.ts';
import { TabletopicError } from '../../src/errors.ts';
import { RestCatalog } from '../../src/iceberg/rest.ts';
import { createFileIO } from '../../src/io/file-io-factory.ts';
import { createParquetWriter } from '../../src/parquet/writer.ts';
import { systemPorts } from '../../src/ports.ts';
import { Steps } from './contention-steps.ts';
import type { Committer, Cut, OffsetsMap } from '../../src/commit/commit.ts';
import type { Catalog, TableIdent } from '../../src/iceberg/catalog.ts';
import type { FileIO } from '../../src/io/file-io.ts';
import type { Schema } from '../../src/schema/types.ts';
import type { CatalogAddress } from '../real/catalog.ts';
import type { S3Address } from '../real/s3.ts';
import type { Step, StepTotals } from './contention-steps.ts';

/** What the committers of one process are to do. */
export interface Order {
  readonly catalog: CatalogAddress;
  readonly s3: S3Address;
  readonly namespace: string;
  /** Partitions of the topic: the committers of all processes. */
  readonly partitions: number;
  /** Those of this process. */
  readonly own: readonly number[];
  /** Milliseconds. */
  readonly interval: number;
}

/** What one checkpoint took. */
export interface Took {
  /** When it was cut, wall clock, ms. */
  readonly at: number;
  /** Milliseconds from cut to committed. */
  readonly ms: number;
  readonly attempts: number;
  /** What was waited for. */
  readonly steps: readonly Step[];
}

export interface Outcome {
  readonly committers: readonly { readonly partition: number; readonly took: readonly Took[] }[];
  readonly steps: StepTotals;
  /** Seconds of this process while it committed. */
  readonly cpu: number;
}

export const ROWS = 10;
const identity = { id: 'topic-1', cluster: 'cluster-1' };

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: '_kafka_topic', required: true, type: 'string' },
    { id: 2, name: '_kafka_partition', required: true, type: 'int' },
    { id: 3, name: '_kafka_offset', required: true, type: 'long' },
  ],
};

/** One instance of the service, as far as it commits. */
class Instance {
  readonly partition: number;
  readonly took: Took[] = [];
  readonly steps = new Steps();
  readonly #order: Order;
  readonly #committer: Committer;
  readonly #io: FileIO;
  readonly #catalog: Catalog;
  #attempts = 0;

  constructor(order: Order, partition: number) {
    const { catalog, s3, namespace } = order;
    this.#order = order;
    this.partition = partition;
    this.#io = this.steps.ofStore(
      createFileIO(
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
      ),
    );
    this.#catalog = this.steps.ofCatalog(
      new RestCatalog('rest', { type: 'rest', ...catalog, requestTimeout: 30_000 }, systemPorts),
    );
    this.#committer = createCommitter({
      catalog: this.#catalog,
      ident: identOf(namespace),
      branch: 'main',
      io: () => this.#io,
      topics: () => ({ t: identity }),
      ports: systemPorts,
      logger: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }),
      version: '0.0.0-bench',
      projectionInterval: 0,
      hooks: {
        attempt: (outcome) => {
          if (outcome !== 'dropped') this.#attempts++;
        },
      },
    });
  }

  async open(): Promise<void> {
    await this.#catalog.connect();
    if ((await this.#committer.load()) !== null) return;
    const zeros = Array<number>(this.#order.partitions).fill(0);
    const first: OffsetsMap = {
      t: { ...identity, first: zeros, next: zeros, epoch: zeros.map(() => -1), gaps: [] },
    };
    await this.#committer.create({ schema, spec: { 'spec-id': 0, fields: [] }, properties: {} }, first);
  }

  /** Checkpoints at each interval, from a phase of its own on, from one wall clock time to another. */
  async run(from: number, until: number): Promise<void> {
    const { interval } = this.#order;
    let due = from + Math.random() * interval;
    while (due < until) {
      await sleep(Math.max(0, due - Date.now()));
      const cut = await this.#cut();
      const started = Date.now();
      this.#attempts = 0;
      this.steps.begin();
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
      const ms = Date.now() - started;
      this.took.push({ at: started, ms, attempts: this.#attempts, steps: this.steps.end() });
      due = Math.max(due + interval, Date.now());
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

/** The committers of one process. */
export class Committers {
  readonly #instances: readonly Instance[];

  constructor(order: Order) {
    this.#instances = order.own.map((partition) => new Instance(order, partition));
  }

  async open(): Promise<void> {
    for (const instance of this.#instances) await instance.open();
  }

  async run(from: number, until: number): Promise<Outcome> {
    const before = process.cpuUsage();
    await Promise.all(this.#instances.map((instance) => instance.run(from, until)));
    await Promise.all(this.#instances.map((instance) => instance.close()));
    const { user, system } = process.cpuUsage(before);
    return {
      committers: this.#instances.map(({ partition, took }) => ({ partition, took })),
      steps: Steps.sum(this.#instances.map(({ steps }) => steps.totals)),
      cpu: (user + system) / 1e6,
    };
  }
}

export function identOf(namespace: string): TableIdent {
  return { namespace: [namespace], name: 'contention' };
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

// A process of its own: orders come from its parent, which `contention-run.ts` makes.
if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  let committers: Committers | undefined;
  process.on('message', (message: { open: Order } | { from: number; until: number }) => {
    void (async () => {
      if ('open' in message) {
        committers = new Committers(message.open);
        await committers.open();
        process.send!({ opened: true });
      } else {
        process.send!({ outcome: await committers!.run(message.from, message.until) }, () => process.exit(0));
      }
    })().catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  process.on('disconnect', () => process.exit(1));
}
