import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CatalogAddress, type CatalogOptions, catalogServer } from './catalog.ts';
import { type Load, type LoadResult, load } from './generator.ts';
import { type KafkaOptions, kafkaServer } from './kafka.ts';
import { type PartName, install } from './parts.ts';
import { postgresServer } from './postgres.ts';
import { registryServer } from './registry.ts';
import { type S3Address, createBucket, s3Server } from './s3.ts';
import type { Server } from './server.ts';
import { Topics } from './topics.ts';

/** Which servers to start. The catalog brings the object store with it. */
export interface StackOptions {
  kafka?: boolean | KafkaOptions;
  s3?: boolean;
  catalog?: boolean | CatalogOptions;
  registry?: boolean;
  postgres?: boolean;
}

/** Where the servers listen: plain data, so that a set-up process can hand it to the test processes. */
export interface Addresses {
  kafka?: { brokers: string[] };
  s3?: S3Address;
  catalog?: CatalogAddress;
  registry?: { url: string };
  postgres?: { url: string };
}

/** Handles of the processes, for tests that kill and restart them. */
export interface Servers {
  kafka?: Server;
  s3?: Server;
  catalog?: Server;
  registry?: Server;
  postgres?: Server;
}

type LoadOptions = Omit<Load, 'brokers' | 'registry'> & Partial<Pick<Load, 'brokers' | 'registry'>>;

/** The servers as a test uses them: addresses, which throw when their server was not asked for, and what is done with them. */
export class Environment {
  readonly addresses: Addresses;

  constructor(addresses: Addresses) {
    this.addresses = addresses;
  }

  get kafka(): { brokers: string[] } {
    return started(this.addresses.kafka, 'kafka');
  }

  get s3(): S3Address {
    return started(this.addresses.s3, 's3');
  }

  get catalog(): CatalogAddress {
    return started(this.addresses.catalog, 'catalog');
  }

  get registry(): { url: string } {
    return started(this.addresses.registry, 'registry');
  }

  get postgres(): { url: string } {
    return started(this.addresses.postgres, 'postgres');
  }

  get topic(): Topics {
    return new Topics(this.kafka.brokers);
  }

  /** Loads generated records into a topic of this Kafka; Avro schemas go to this registry. */
  load(options: LoadOptions): Promise<LoadResult> {
    const registry = (options.format ?? 'json') === 'json' ? {} : { registry: this.registry.url };
    return load({ brokers: this.kafka.brokers, ...registry, ...options });
  }

  createBucket(bucket: string): Promise<void> {
    return createBucket(this.s3, bucket);
  }
}

/** An environment whose servers are ours: `stop` ends them and removes their data. */
export class Stack extends Environment {
  readonly servers: Servers;
  readonly dir: string;
  /** Servers die with this process; so does their data. */
  readonly #wipe = (): void => rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });

  constructor(addresses: Addresses, servers: Servers, dir: string) {
    super(addresses);
    this.servers = servers;
    this.dir = dir;
    process.on('exit', this.#wipe);
  }

  /** The handle of a server that was asked for. */
  server(name: keyof Servers): Server {
    return started(this.servers[name], name);
  }

  async stop(): Promise<void> {
    const { kafka, s3, catalog, registry, postgres } = this.servers;
    await Promise.all([kafka, catalog, registry, postgres].map(async (s) => await s?.stop()));
    await s3?.stop();
    this.#wipe();
    process.off('exit', this.#wipe);
  }
}

function started<T>(value: T | undefined, name: string): T {
  if (value === undefined)
    throw new Error(`${name} is not part of this stack: ask for it in startStack({ ${name}: true })`);
  return value;
}

/**
 * Starts real servers on free ports of 127.0.0.1 with fresh data in a temporary directory. Parts that are not in the cache are
 * fetched first.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const wanted = { ...options, s3: options.s3 === true || Boolean(options.catalog) };
  const parts: PartName[] = (['kafka', 's3', 'catalog', 'registry'] as const).filter((n) => Boolean(wanted[n]));
  await install(wanted.kafka === undefined ? parts : [...parts, 'generator']);
  const dir = mkdtempSync(join(tmpdir(), 'tabletopic-real-'));
  chmodSync(dir, 0o711); // PostgreSQL may run as another user
  const addresses: Addresses = {};
  const servers: Servers = {};
  const stack = new Stack(addresses, servers, dir);
  const starts: (() => Promise<void>)[] = [];
  if (wanted.kafka !== undefined && wanted.kafka !== false) {
    const { server, brokers } = await kafkaServer(makeDir(dir, 'kafka'), wanted.kafka === true ? {} : wanted.kafka);
    servers.kafka = server;
    addresses.kafka = { brokers };
    starts.push(() => server.start());
  }
  if (wanted.s3) {
    const { server, address } = await s3Server(makeDir(dir, 's3'));
    servers.s3 = server;
    addresses.s3 = address;
    starts.push(async () => {
      await server.start();
      await createBucket(address, address.bucket);
    });
    if (wanted.catalog !== undefined && wanted.catalog !== false) {
      const heap = wanted.catalog === true ? {} : wanted.catalog;
      const made = await catalogServer(makeDir(dir, 'catalog'), address, heap);
      servers.catalog = made.server;
      addresses.catalog = made.address;
      starts.push(() => made.server.start());
    }
  }
  if (wanted.registry === true) {
    const { server, url } = await registryServer(makeDir(dir, 'registry'));
    servers.registry = server;
    addresses.registry = { url };
    starts.push(() => server.start());
  }
  if (wanted.postgres === true) {
    const { server, url } = await postgresServer(makeDir(dir, 'postgres'));
    servers.postgres = server;
    addresses.postgres = { url };
    starts.push(() => server.start());
  }
  const results = await Promise.allSettled(starts.map((start) => start()));
  const failed = results.find((r) => r.status === 'rejected');
  if (failed === undefined) return stack;
  await stack.stop();
  throw failed.reason;
}

function makeDir(parent: string, name: string): string {
  const dir = join(parent, name);
  mkdirSync(dir);
  return dir;
}
