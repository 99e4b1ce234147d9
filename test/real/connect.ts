import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Part, ensurePart, partDir } from './cache.ts';
import { copyJars, pomOf } from './parts.ts';
import { Server, freePort } from './server.ts';
import { java, run } from './tools.ts';

const logConfig = join(dirname(fileURLToPath(import.meta.url)), 'log4j2.xml');

/** The worker's jars, and beside them the folder of plugins: each has a folder of its own, as the worker asks for. */
const connect: Part = {
  name: 'connect',
  label: 'Kafka Connect 4.3.1, Iceberg sink 1.12.0, Apicurio’s Avro converter',
  madeFrom: ['connect', 'connect-iceberg', 'connect-avro'].map((name) => readFileSync(pomOf(name), 'utf8')).join('\n'),
  make: async (dir) => {
    await copyJars(pomOf('connect'), join(dir, 'worker'));
    await copyJars(pomOf('connect-iceberg'), join(dir, 'plugins', 'iceberg'));
    const avro = join(dir, 'plugins', 'avro');
    await copyJars(pomOf('connect-avro'), avro);
    // Apicurio's jar does not say which converter it holds; without that the worker reads every class for a minute.
    await run('python3', ['-c', namesConverter, join(avro, 'manifest.jar')]);
  },
};

const namesConverter = `import sys, zipfile
zipfile.ZipFile(sys.argv[1], "w").writestr("META-INF/services/org.apache.kafka.connect.storage.Converter", "io.apicurio.registry.utils.converter.AvroConverter\\n")`;

export interface ConnectOptions {
  /** For properties, offsets and log. */
  readonly dir: string;
  readonly brokers: readonly string[];
  /** Of the connector that the worker starts with. */
  readonly connector: Readonly<Record<string, string>>;
}

/** Fetches what a worker needs, where it is not in the cache. No other real test needs it. */
export function installConnect(): Promise<boolean> {
  return ensurePart(connect);
}

/**
 * A Kafka Connect worker that runs by itself, with one connector; Java's options are those of Kafka's own start script and
 * of its image. Started, not waited for.
 */
export async function connectWorker({ dir, brokers, connector }: ConnectOptions): Promise<Server> {
  const port = await freePort();
  const worker = join(dir, 'worker.properties');
  const sink = join(dir, 'connector.properties');
  const server = new Server({
    name: 'connect',
    dir,
    command: java(17),
    args: [
      '-Xms256m',
      '-Xmx2g',
      '-server',
      '-XX:+UseG1GC',
      '-XX:MaxGCPauseMillis=20',
      '-XX:InitiatingHeapOccupancyPercent=35',
      '-XX:+ExplicitGCInvokesConcurrent',
      `-Dlog4j2.configurationFile=${logConfig}`,
      '-cp',
      join(partDir(connect), 'worker', '*'),
      'org.apache.kafka.connect.cli.ConnectStandalone',
      worker,
      sink,
    ],
    healthy: () => Promise.resolve(true),
  });
  writeFileSync(
    worker,
    properties({
      'bootstrap.servers': brokers.join(','),
      'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
      'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
      'value.converter.schemas.enable': 'false',
      'offset.storage.file.filename': join(dir, 'offsets'),
      // A commit is answered at the next flush: with the default of 60 s the last one would be late by as much.
      'offset.flush.interval.ms': '1000',
      'plugin.path': join(partDir(connect), 'plugins'),
      listeners: `http://127.0.0.1:${port}`,
      'connector.client.config.override.policy': 'All',
      'plugin.discovery': 'service_load',
    }),
  );
  writeFileSync(sink, properties(connector));
  return server;
}

function properties(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}
