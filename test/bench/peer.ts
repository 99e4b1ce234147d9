import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectWorker } from '../real/connect.ts';
import { runOf } from './sink.ts';
import { tableFigures } from './table.ts';
import { ProcessWatch } from './watch.ts';
import type { Job, Sink, SinkRun } from './sink.ts';
import type { Server } from '../real/server.ts';
import type { Stack } from '../real/stack.ts';

/** Between two looks into the catalog for the last row. */
const LOOK_MS = 400;
const PATIENCE_SECONDS = 420;

/**
 * Apache Iceberg's sink in a Kafka Connect worker that runs by itself, 2 tasks: from the start of the process to the snapshot
 * that holds all rows. It never ends by itself; it is killed then, and its end costs it nothing.
 */
export class Peer implements Sink {
  readonly name = 'connect';
  readonly #servers: Stack;

  constructor(servers: Stack) {
    this.#servers = servers;
  }

  async run(job: Job): Promise<SinkRun> {
    const table = `${job.topics[0]!}${job.suffix}`;
    const dir = join(this.#servers.dir, `connect-${table}`);
    mkdirSync(dir);
    await this.#servers.topic.create(`control-${table}`);
    const connector = connectorOf(this.#servers, job, table);
    const worker = await connectWorker({ dir, brokers: this.#servers.kafka.brokers, connector });
    await worker.start();
    const watch = new ProcessWatch(worker.pid!);
    try {
      for (;;) {
        const written = await tableFigures(this.#servers.catalog, [table]);
        if (written.rows >= job.records) {
          await watch.end();
          return runOf(watch, written);
        }
        if (worker.pid === undefined || watch.seconds > PATIENCE_SECONDS || failed(worker))
          throw new Error(`Kafka Connect has ${written.rows} of ${job.records} rows\n${worker.logTail()}`);
        await sleep(LOOK_MS);
      }
    } finally {
      await watch.end();
      await worker.kill();
      rmSync(dir, { recursive: true, force: true });
    }
  }
}

/** A task that fails is not tried again, and the worker lives on. */
function failed(worker: Server): boolean {
  return /Task is being killed|Failed to create job/.test(worker.logTail());
}

/** The settings of the peer's own benchmark; only addresses and names are ours. */
function connectorOf({ catalog, s3, addresses }: Stack, job: Job, table: string): Record<string, string> {
  return {
    name: `sink-${table}`,
    'connector.class': 'org.apache.iceberg.connect.IcebergSinkConnector',
    'tasks.max': '2',
    topics: job.topics.join(','),
    'iceberg.tables': table,
    'iceberg.tables.auto-create-enabled': 'true',
    ...(job.partitionBy ? { 'iceberg.tables.default-partition-by': job.partitionBy.map(peersWay).join(',') } : {}),
    'iceberg.control.topic': `control-${table}`,
    'iceberg.control.commit.interval-ms': String(job.intervalMs),
    'iceberg.catalog.type': 'rest',
    'iceberg.catalog.uri': catalog.uri,
    'iceberg.catalog.io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
    'iceberg.catalog.s3.endpoint': s3.endpoint,
    'iceberg.catalog.s3.path-style-access': 'true',
    'iceberg.catalog.client.region': s3.region,
    'iceberg.catalog.s3.access-key-id': s3.accessKey,
    'iceberg.catalog.s3.secret-access-key': s3.secretKey,
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'consumer.override.auto.offset.reset': 'earliest',
    ...converterOf(job, addresses.registry?.url),
  };
}

function converterOf({ format }: Job, registry = ''): Record<string, string> {
  if (format === 'json')
    return {
      'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
      'value.converter.schemas.enable': 'false',
    };
  return {
    'value.converter': 'io.apicurio.registry.utils.converter.AvroConverter',
    // Apicurio's own interface, beside the Confluent one that the stack names.
    'value.converter.apicurio.registry.url': registry.replace('/ccompat/v7', '/registry/v2'),
    'value.converter.apicurio.registry.as-confluent': 'true',
    'value.converter.apicurio.registry.use-id': 'contentId',
    'value.converter.apicurio.registry.avro-datum-provider': 'io.apicurio.registry.serde.avro.DefaultAvroDatumProvider',
  };
}

/** `bucket(100, user_id)` as the peer writes it: the column first. */
function peersWay(field: string): string {
  const [, transform, width, column] = /^(\w+)\((\d+), *(\w+)\)$/.exec(field) ?? [];
  return transform === undefined ? field : `${transform}(${column},${width})`;
}
