import pino from 'pino';
import { createCommitter } from '../../src/commit/committer.ts';
import { RecentManifests } from '../../src/commit/recent-manifests.ts';
import { RestCatalog } from '../../src/iceberg/rest.ts';
import { createFileIO } from '../../src/io/file-io-factory.ts';
import { systemPorts } from '../../src/ports.ts';
import { Steps } from './contention-steps.ts';
import { TOPIC, fileOf, grow, identity, offsetsOf, rangesOf, schema } from './growth-table.ts';
import { onRequest } from './sent-requests.mjs';
import type { Committer, Cut } from '../../src/commit/commit.ts';
import type { FileIO } from '../../src/io/file-io.ts';
import type { CatalogAddress } from '../real/catalog.ts';
import type { S3Address } from '../real/s3.ts';
import type { StepTotals } from './contention-steps.ts';
import type { Past } from './growth-table.ts';

export interface TableOrder {
  readonly catalog: CatalogAddress;
  readonly s3: S3Address;
  readonly name: string;
  readonly past: Past;
}

/** What one commit took of its process. */
export interface Commit {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Part of the wall time from a request to the catalog to the end of reading its answer. */
  readonly catalogWallMs: number;
  /** Manifests were merged in it. */
  readonly merged: boolean;
}

export interface Totals {
  readonly steps: StepTotals;
  /** Requests as they left for the servers, by server and method. */
  readonly wire: Readonly<Record<string, number>>;
  /** Bytes written to and read from the store. */
  readonly storeBytes: number;
  readonly metadataBytes: number;
}

/** The committer of one table, and what it asks of the servers. */
class TableCommits {
  readonly #order: TableOrder;
  readonly #rest: RestCatalog;
  readonly #io: FileIO;
  readonly #committer: Committer;
  readonly #steps = new Steps();
  #wire: Record<string, number> = {};
  #bytes = 0;
  #turn = 0;

  constructor(order: TableOrder) {
    this.#order = order;
    onRequest((origin, method) => this.#sent(origin, method));
    const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = order.s3;
    this.#io = createFileIO(
      { s3: { endpoint, region, pathStyle: true, accessKeyId, secretAccessKey } },
      systemPorts.ids,
    );
    this.#rest = new RestCatalog('rest', { type: 'rest', ...order.catalog, requestTimeout: 120_000 }, systemPorts);
    const counted = new RecentManifests().around(this.#steps.ofStore(this.#counted(this.#io)));
    this.#committer = createCommitter({
      catalog: this.#steps.ofCatalog(this.#rest),
      ident: this.#ident,
      branch: 'main',
      io: () => counted,
      topics: () => ({ [TOPIC]: identity }),
      ports: systemPorts,
      logger: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }),
      version: '0.0.0-bench',
      projectionInterval: 0,
    });
  }

  get #ident() {
    return { namespace: ['bench'], name: this.#order.name };
  }

  /** Makes the table and gives it its past. */
  async make(): Promise<void> {
    await this.#rest.connect();
    const { past } = this.#order;
    const request = { schema, spec: { 'spec-id': 0, fields: [] }, properties: {} };
    await this.#committer.create(request, offsetsOf(past.partitions));
    if (past.snapshots > 0) await grow(this.#rest, this.#ident, this.#io, past, offsetsOf(past.partitions));
  }

  async open(): Promise<void> {
    await this.#rest.connect();
    await this.#committer.load();
  }

  async commit(): Promise<Commit> {
    const { offsets, table } = this.#committer.state!;
    const ranges = rangesOf(offsets!, this.#order.past.moving, this.#turn++);
    const rows = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    const cut: Cut = {
      ranges,
      files: [fileOf(`${table.metadata.location}/data/${systemPorts.ids.uuid()}.parquet`, rows)],
      deadLetters: [],
      schemaId: table.metadata['current-schema-id'],
      specId: table.metadata['default-spec-id'],
      watermark: null,
    };
    const [catalogBefore, writtenBefore] = [this.#catalogMs, this.#written];
    const began = performance.now();
    const before = process.cpuUsage();
    const { kind } = await this.#committer.commit(await this.#committer.prepare(cut));
    const { user, system } = process.cpuUsage(before);
    if (kind !== 'committed') throw new Error('a checkpoint was dropped, and nobody else writes the table');
    return {
      wallMs: performance.now() - began,
      cpuMs: (user + system) / 1000,
      catalogWallMs: this.#catalogMs - catalogBefore,
      // One is that of its own file.
      merged: this.#written > writtenBefore + 1,
    };
  }

  get #catalogMs(): number {
    const steps = Object.entries(this.#steps.totals).filter(([name]) => /^(load|commit)/.test(name));
    return steps.reduce((sum, [, { ms }]) => sum + ms, 0);
  }

  get #written(): number {
    return this.#steps.totals['PUT manifest']?.count ?? 0;
  }

  #sent(origin: string, method: string): void {
    const server = new URL(this.#order.catalog.uri).origin === origin ? 'catalog' : 'store';
    const name = `${method} to the ${server}`;
    this.#wire[name] = (this.#wire[name] ?? 0) + 1;
  }

  forget(): void {
    this.#steps.clear();
    this.#wire = {};
    this.#bytes = 0;
  }

  async totals(): Promise<Totals> {
    const wire = { ...this.#wire };
    const { metadataLocation } = (await this.#rest.loadTable(this.#ident, 'refs'))!;
    const metadata = await this.#io.stat(metadataLocation);
    return { steps: this.#steps.totals, wire, storeBytes: this.#bytes, metadataBytes: metadata!.size };
  }

  #counted(io: FileIO): FileIO {
    return {
      read: async (location, range) => {
        const bytes = await io.read(location, range);
        this.#bytes += bytes.length;
        return bytes;
      },
      write: (location, bytes, options) => {
        this.#bytes += bytes.length;
        return io.write(location, bytes, options);
      },
      create: (location) => io.create(location),
      stat: (location) => io.stat(location),
      delete: (locations) => io.delete(locations),
      list: (prefix) => io.list(prefix),
      close: () => io.close(),
    };
  }
}

export type Order = { readonly make: TableOrder } | { readonly open: TableOrder } | 'commit' | 'forget' | 'totals';

// A process of its own, which does nothing else: orders come from its parent, `growth.ts`.
if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  let table: TableCommits;
  const done = async (order: Order): Promise<object> => {
    if (order === 'commit') return table.commit();
    if (order === 'totals') return table.totals();
    if (order === 'forget') table.forget();
    else if ('make' in order) await (table = new TableCommits(order.make)).make();
    else await (table = new TableCommits(order.open)).open();
    return {};
  };
  process.on('message', (order: Order) => {
    done(order).then(
      (answer) => process.send!(answer),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit(1));
}
