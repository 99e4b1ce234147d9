import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { dirOf } from './parts.ts';
import { Server, freePort } from './server.ts';
import { java, run } from './tools.ts';

const logConfig = join(dirname(fileURLToPath(import.meta.url)), 'log4j2.xml');

export interface KafkaOptions {
  /** Broker properties added to, or put over, ours. */
  config?: Readonly<Record<string, string>>;
  /** Maximum heap, as Java writes it. */
  heap?: string;
}

/** One Apache Kafka node, broker and controller. */
export async function kafkaServer(
  dir: string,
  options: KafkaOptions = {},
): Promise<{ server: Server; brokers: string[] }> {
  const [port, controllerPort] = [await freePort(), await freePort()];
  const listeners = `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`;
  const config: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners,
    'advertised.listeners': listeners,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(dir, 'logs'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '8',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '8',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    // Tests that wait for a session to end should not wait for the six seconds that brokers ask for at least.
    'group.min.session.timeout.ms': '1000',
    // A killed broker may register again only when its old session has ended.
    'broker.session.timeout.ms': '6000',
    'log.segment.bytes': '268435456',
    ...options.config,
  };
  const properties = join(dir, 'server.properties');
  const command = java(17);
  const classPath = ['-cp', join(dirOf('kafka'), '*')];
  const brokers = [`127.0.0.1:${port}`];
  const server = new Server({
    name: 'kafka',
    dir,
    command,
    args: [
      '-Xms256m',
      `-Xmx${options.heap ?? '1g'}`,
      '-XX:+UseG1GC',
      '-XX:MaxGCPauseMillis=20',
      `-Dlog4j2.configurationFile=${logConfig}`,
      ...classPath,
      'kafka.Kafka',
      properties,
    ],
    healthy: () => brokerAnswers(brokers),
  });
  writeFileSync(
    properties,
    Object.entries(config)
      .map(([k, v]) => `${k}=${v}\n`)
      .join(''),
  );
  const tool = [
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    `-Dlog4j2.configurationFile=${logConfig}`,
    ...classPath,
    'kafka.tools.StorageTool',
  ];
  await run(command, [...tool, 'format', '--cluster-id', randomClusterId(), '--config', properties, '--standalone']);
  return { server, brokers };
}

/** Kafka's own form: a UUID's 16 bytes in URL-safe base64; a leading '-' would read as an option. */
function randomClusterId(): string {
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url');
  return id.startsWith('-') ? `A${id.slice(1)}` : id;
}

async function brokerAnswers(brokers: string[]): Promise<boolean> {
  const admin = new Kafka({
    brokers,
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1000,
    retry: { retries: 0 },
  }).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } finally {
    await admin.disconnect();
  }
}
