import type { Logger } from 'pino';
import type { PartitionValue } from '../columns/partition-value.ts';
import type { TableState } from '../commit/commit.ts';
import { createCommitter } from '../commit/committer.ts';
import type { CommitterHooks } from '../commit/committer.ts';
import type { DeadLetterSink } from '../commit/dead-letter-topic.ts';
import { dataLocation } from '../commit/locations.ts';
import type { RecentManifests } from '../commit/recent-manifests.ts';
import type { Config, TablePlan } from '../config/config.ts';
import { createCatalog } from '../iceberg/catalog-factory.ts';
import type { Catalog, LoadedTable } from '../iceberg/catalog.ts';
import { partitionPath } from './partition-path.ts';
import { createFileIO } from '../io/file-io-factory.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { TopicDescription } from '../source/source.ts';
import { version } from '../version.ts';
import { tableLayouts } from './registry-layouts.ts';
import type { RegistryLayouts } from './registry-layouts.ts';
import type { TableIngestOptions } from './table-context.ts';
import { routedSource } from './route-schema.ts';
import { Uploads } from './uploads.ts';

/** The catalogs of a configuration and the stores of their tables. */
export class CatalogSet {
  readonly #config: Config;
  readonly #ports: Ports;
  readonly #catalogs: ReadonlyMap<string, Catalog>;
  /** By catalog: tables without vended credentials share a client. */
  readonly #shared = new Map<string, FileIO>();
  readonly #vended = new Map<string, FileIO>();

  constructor(config: Config, ports: Ports) {
    this.#config = config;
    this.#ports = ports;
    const io = createFileIO(config.storage, ports.ids);
    this.#catalogs = new Map(
      Object.entries(config.catalogs).map(([name, options]) => [name, createCatalog(name, options, io, ports)]),
    );
    for (const name of this.#catalogs.keys()) this.#shared.set(name, io);
  }

  /** Those that tables use; the others are never asked. */
  async connect(each: (name: string, connect: () => Promise<void>) => Promise<void>): Promise<void> {
    const used = new Set(this.#config.tables.map((rule) => rule.catalog));
    await Promise.all(
      [...this.#catalogs].flatMap(([name, catalog]) => (used.has(name) ? each(name, () => catalog.connect()) : [])),
    );
  }

  get(name: string): Catalog {
    return this.#catalogs.get(name)!;
  }

  /** The store of a table: with what its catalog vends, renewed by loading the table again. */
  io(catalogName: string, table: LoadedTable): FileIO {
    if (Object.keys(table.config).every((key) => !key.startsWith('s3.'))) return this.#shared.get(catalogName)!;
    const key = `${catalogName} ${table.metadata['table-uuid']}`;
    const known = this.#vended.get(key);
    if (known) return known;
    const refresh = async (): Promise<Readonly<Record<string, string>>> =>
      (await this.get(catalogName).loadTable(table.ident, 'refs'))?.config ?? {};
    const io = createFileIO(this.#config.storage, this.#ports.ids, { config: table.config, refresh });
    this.#vended.set(key, io);
    return io;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#catalogs.values()].map((catalog) => catalog.close()));
    await Promise.all([...new Set([...this.#shared.values(), ...this.#vended.values()])].map((io) => io.close()));
  }
}

/** What a table needs of the catalogs: the simulator has a twin. */
export type Catalogs = Pick<CatalogSet, 'connect' | 'get' | 'io' | 'close'>;

export interface TablePartsOptions {
  readonly plan: TablePlan;
  readonly catalogs: Catalogs;
  /** Of all tables. */
  readonly manifests: RecentManifests;
  readonly registry: RegistryLayouts | null;
  readonly ports: Ports;
  readonly logger: Logger;
  readonly hooks: CommitterHooks;
  readonly topics: () => readonly TopicDescription[];
  readonly clusterId: string;
  /** For `deadLetterTopic`; null: there is none. */
  readonly deadLetterSink: (topic: string) => DeadLetterSink | null;
}

/** What a table's ingest is made of: committer, schemas and uploads. */
export function tableParts(
  options: TablePartsOptions,
): Pick<TableIngestOptions, 'committer' | 'layoutSource' | 'openUploads'> {
  const { plan, catalogs, manifests, registry, ports, logger, hooks, topics, clusterId } = options;
  const { rule } = plan;
  const committer = createCommitter({
    catalog: catalogs.get(rule.catalog),
    ident: { namespace: plan.namespace, name: plan.name },
    branch: rule.branch,
    io: (table) => manifests.around(catalogs.io(rule.catalog, table)),
    topics: () =>
      Object.fromEntries(
        topics().flatMap(({ name, id }) => (plan.topics.includes(name) ? [[name, { id, cluster: clusterId }]] : [])),
      ),
    ports,
    logger,
    version,
    hooks,
    deadLetterSink: rule.deadLetterTopic === null ? null : options.deadLetterSink(rule.deadLetterTopic),
  });
  return {
    committer,
    layoutSource: routedSource(registry?.forTable(rule) ?? tableLayouts(null, rule), plan),
    openUploads: (state, uploadHooks) =>
      new Uploads(
        catalogs.io(rule.catalog, state.table),
        (partition) => fileLocation(committer.state ?? state, partition, ports.ids.uuid()),
        uploadHooks,
      ),
  };
}

/** `<data>/<partition path>/<uuid>.parquet`. */
export function fileLocation(state: TableState, partition: ReadonlyMap<number, PartitionValue>, id: string): string {
  const { metadata } = state.table;
  const folder = partitionPath(metadata, partition);
  return dataLocation(metadata, `${folder === '' ? '' : `${folder}/`}${id}.parquet`);
}
