import { ServiceFiles } from '../end-to-end/service-process.ts';
import type { ServiceProcess } from '../end-to-end/service-process.ts';
import type { ServiceStatus } from '../../src/ops/status.ts';
import { sums } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import type { CatalogAccess } from '../real/readers.ts';
import type { Server } from '../real/server.ts';
import { startStack } from '../real/stack.ts';
import type { Environment, Stack } from '../real/stack.ts';
import { snapshotFiles } from './lake-state.ts';
import { judge } from './outcome.ts';
import type { Found, Outcome } from './outcome.ts';

/** A fault scenario on real servers. `times`: how often the fault is to happen. */
export interface Scenario {
  readonly name: string;
  /** In the test of continuous integration. */
  readonly few: number;
  /** In `npm run test:faults`. */
  readonly many: number;
  run(lab: Lab, times: number): Promise<Outcome[]>;
}

/** Seconds after which the group gives up a silent member, in both protocols: the least that the broker is told to allow. */
export const SESSION_SECONDS = 6;
export const PARTITIONS = 4;
const CHUNK = 1000;

/** Real servers, which scenarios may kill, and what all scenarios do with them. */
export class Lab {
  readonly stack: Stack;
  readonly files: ServiceFiles;
  readonly #loadings: Loading[] = [];

  constructor(stack: Stack) {
    this.stack = stack;
    this.files = new ServiceFiles(stack);
  }

  static async open(): Promise<Lab> {
    const config = {
      'group.consumer.min.session.timeout.ms': '1000',
      'group.consumer.session.timeout.ms': String(SESSION_SECONDS * 1000),
      'group.consumer.min.heartbeat.interval.ms': '100',
      'group.consumer.heartbeat.interval.ms': '1000',
    };
    return new Lab(await startStack({ kafka: { config }, catalog: true, registry: true }));
  }

  async close(): Promise<void> {
    await readers.close();
    this.files.remove();
    await this.stack.stop();
  }

  /** After a scenario that failed half-way: its servers run again, and nothing is loaded any more. */
  async mend(): Promise<void> {
    for (const server of Object.values(this.stack.servers) as Server[])
      if (server.pid === undefined) await server.start();
    await Promise.allSettled(this.#loadings.splice(0).map((loading) => loading.stop()));
  }

  get catalog(): CatalogAccess {
    return { type: 'rest', uri: this.stack.catalog.uri, s3: this.stack.s3 };
  }

  /** A configuration of one table with commits each half second; `kafka` and `defaults` are put over it. */
  config(
    name: string,
    topic: string,
    more: { kafka?: object; defaults?: object; through?: Environment; timeouts?: boolean } = {},
  ): string {
    const servers = more.through ?? this.stack;
    const kafka = { brokers: servers.kafka.brokers, groupId: topic, sessionTimeout: `${SESSION_SECONDS}s` };
    const { uri, warehouse } = servers.catalog;
    const { s3 } = servers;
    return this.files.write(name, [{ topic }], {
      kafka: { ...kafka, ...more.kafka },
      catalogs: { lake: { type: 'rest', uri, warehouse, ...(more.timeouts ? { requestTimeout: '2s' } : {}) } },
      storage: {
        s3: {
          endpoint: s3.endpoint,
          region: s3.region,
          pathStyle: true,
          accessKeyId: s3.accessKey,
          secretAccessKey: s3.secretKey,
        },
      },
      defaults: { commitInterval: '500ms', ...more.defaults },
    });
  }

  /** Starts to load records into a new topic, for as long as the scenario takes. */
  async load(topic: string): Promise<Loading> {
    await this.stack.topic.create(topic, PARTITIONS);
    const loading = new Loading(this.stack, topic);
    this.#loadings.push(loading);
    return loading;
  }

  /** Lets a service catch up and reads the table with an engine that is not ours. */
  async judge(config: string, loading: Loading): Promise<Found> {
    await this.files.run(config, '--until-caught-up').ends();
    return this.read(loading);
  }

  async read({ topic, records: n }: Loading): Promise<Found> {
    const reading = await readers.pyiceberg({
      catalog: this.catalog,
      table: topic,
      columns: ['id', 'quantity', 'amount', 'active'],
    });
    const { missing } = await snapshotFiles(this.catalog, topic);
    return judge(reading, { topic, partitions: PARTITIONS, n }, await sums({ n, format: 'avro' }), missing);
  }
}

/** Records that keep coming, a thousand in about each second, until `stop`. */
export class Loading {
  readonly topic: string;
  /** How many the topic has, when it has stopped. */
  records = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(stack: Stack, topic: string) {
    this.topic = topic;
    this.#done = this.#run(stack);
    // Told by `stop`.
    this.#done.catch(() => undefined);
  }

  async #run(stack: Stack): Promise<void> {
    const chunk = { topic: this.topic, n: CHUNK, partitions: PARTITIONS, format: 'avro' as const, rate: CHUNK };
    while (!this.#stopped) {
      const loaded = await stack.load({ ...chunk, start: this.records }).catch(async (error: unknown) => {
        // The broker was away when the chunk began: it begins again if the topic says that nothing of it was produced.
        const held = (await stack.topic.offsets(this.topic)).reduce((sum, { high }) => sum + high, 0);
        if (held !== this.records) throw error;
        return null;
      });
      if (loaded === null) continue;
      if (loaded.failed > 0) throw new Error(`${loaded.failed} records could not be loaded`);
      this.records += CHUNK;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

/** Resolves when it holds; seconds from `since` (performance.now(), ms). */
export async function recovered(
  service: ServiceProcess,
  what: string,
  since: number,
  holds: (status: ServiceStatus) => boolean,
): Promise<number> {
  await service.until(what, holds, 180);
  return (performance.now() - since) / 1000;
}

export function rowsOf({ tables }: ServiceStatus): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

/** The service stops in order, its last commit included. */
export async function drained(...services: readonly ServiceProcess[]): Promise<void> {
  for (const { child } of services) child.kill('SIGTERM');
  for (const service of services) await service.ends();
}
