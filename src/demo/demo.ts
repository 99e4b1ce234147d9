import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Logger } from 'pino';
import { parseConfig } from '../config/load.ts';
import type { Config } from '../config/config.ts';
import { ExitCode, asTabletopicError } from '../errors.ts';
import { createLogger } from '../ops/logger.ts';
import type { ServiceStatus } from '../ops/status.ts';
import type { Ports } from '../ports.ts';
import { createService } from '../service.ts';
import type { Service } from '../service.ts';
import { startBroker } from './broker/broker.ts';
import type { DemoOptions } from './demo-options.ts';
import { DemoScreen } from './demo-screen.ts';
import { demoTables, proveDemo } from './demo-proof.ts';
import { engineLines } from './engine-lines.ts';
import { CLICKS_TOPIC, ORDERS_TOPIC, produceEvents } from './produce.ts';
import type { ProducedEvents } from './produce.ts';
import { startRegistry } from './registry.ts';

/** Where the demo prints and who ends it. */
export interface DemoHost {
  readonly ports: Ports;
  stdout(text: string): void;
  stderr(text: string): void;
  readonly isTerminal: boolean;
  readonly columns: number;
  /** Calls the handler on each SIGINT and SIGTERM until the returned function is called. */
  onSignal(handler: (signal: 'SIGINT' | 'SIGTERM') => void): () => void;
}

const CALM_RATE = 2000;
const DEFAULT_PORT = 8080;
const LOOK = 100;

/**
 * The whole path on one machine: an embedded broker and registry, and above them the service as it is, with an SQLite
 * catalog and a local warehouse that any engine can open afterwards. Resolves with the exit code.
 */
export async function runDemo(options: DemoOptions, host: DemoHost): Promise<number> {
  const { ports } = host;
  const started = ports.clock.monotonic();
  const folder = join(tmpdir(), `tabletopic-demo-${ports.ids.uuid().slice(0, 8)}`);
  mkdirSync(join(folder, 'warehouse'), { recursive: true });
  const screen = new DemoScreen(host);
  const logger = createLogger({ level: options.exit ? 'warn' : 'info', format: 'pretty' }, (line) => screen.log(line));
  const broker = await startBroker({ ports, onError: (error) => logger.warn({ err: error }, 'broker') });
  const registry = await startRegistry();
  const ended = new AbortController();
  try {
    const { config, file } = writeConfig(folder, broker.address, registry.url, options);
    broker.createTopic(ORDERS_TOPIC, 4);
    broker.createTopic(CLICKS_TOPIC, 4);
    const service = createService(config, { ports, logger });
    const forget = host.onSignal((signal) => {
      ended.abort();
      service.drain(signal);
    });
    const running = service.run();
    const showing = screen.follow(() => service.snapshot(), ended.signal, ports.clock);
    if (!options.exit)
      void announce(service, config, folder, host, ended.signal).catch((error: unknown) =>
        logger.warn({ err: error }, 'demo'),
      );
    const produced = await Promise.race([
      produce(options, { broker: broker.address, registry: registry.url }, ports, logger, ended.signal),
      running.then(() => null),
    ]);
    if (options.exit && produced) await held(service, produced, ports, running);
    if (options.exit) service.drain('all records are in the tables');
    const { exit } = await running;
    ended.abort();
    await showing;
    forget();
    if (exit !== ExitCode.done) return exit;
    const proof = await proveDemo(config, ports);
    const records = produced ? produced.orders + produced.clicks : 0;
    const seconds = Math.round((ports.clock.monotonic() - started) / 10) / 100;
    if (options.json) {
      host.stdout(
        `${JSON.stringify({ records, rows: proof.rows, tables: proof.tables, catalog: `sqlite:${join(folder, 'catalog.db')}`, warehouse: pathToFileURL(join(folder, 'warehouse')).href, verify: proof.verify, seconds })}\n`,
      );
    } else {
      host.stdout(
        `\n${records} records produced, ${proof.rows} rows in the tables, verify: ${proof.verify}\n\n${engineLines(folder, proof.tables)}\nConfiguration: ${file}\n`,
      );
    }
    return proof.verify === 'ok' ? ExitCode.done : ExitCode.failed;
  } catch (error) {
    logger.fatal({ err: error }, 'the demo ends');
    return asTabletopicError(error).exit;
  } finally {
    ended.abort();
    await registry.stop();
    await broker.stop();
  }
}

function writeConfig(
  folder: string,
  broker: string,
  registry: string,
  { exit, port }: DemoOptions,
): { config: Config; file: string } {
  const file = join(folder, 'tabletopic.yaml');
  const text = `# Written by \`tabletopic demo\`.
kafka: { brokers: ['${broker}'], groupId: tabletopic-demo, instanceId: none, fetchMaxWait: 100ms }
schemaRegistry: { url: '${registry}' }
catalogs:
  lake: { type: sql, uri: 'sqlite:${join(folder, 'catalog.db')}', warehouse: '${pathToFileURL(join(folder, 'warehouse')).href}' }
defaults: { catalog: lake, commitInterval: ${exit ? '1s' : '5s'}, inferTime: 1s }
tables:
  - topic: ${ORDERS_TOPIC}
  - topic: ${CLICKS_TOPIC}
http: { port: ${port ?? (exit ? 0 : DEFAULT_PORT)} }
workers: 1
`;
  writeFileSync(file, text);
  return { config: parseConfig(text, { env: {}, directory: folder, file }), file };
}

function produce(
  { records, rate, exit }: DemoOptions,
  at: { broker: string; registry: string },
  ports: Ports,
  logger: Logger,
  signal: AbortSignal,
): Promise<ProducedEvents> {
  const pace = rate ?? (records === null || !exit ? CALM_RATE : null);
  return produceEvents({
    brokers: [at.broker],
    registryUrl: at.registry,
    ports,
    logger,
    ...(records === null ? {} : { records }),
    ...(pace === null ? {} : { rate: pace }),
    signal,
  });
}

/** Once every table has rows, prints how engines read them while the demo goes on. */
async function announce(
  service: Service,
  config: Config,
  folder: string,
  host: DemoHost,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !everyTableHasRows(service.snapshot(), config)) await host.ports.clock.sleep(LOOK);
  if (signal.aborted) return;
  host.stdout(
    `\nThe tables can be read now, while they grow:\n\n${engineLines(folder, await demoTables(config, host.ports))}\nStop with Ctrl-C.\n\n`,
  );
}

function everyTableHasRows({ tables }: ServiceStatus, config: Config): boolean {
  return tables.length === config.tables.length && tables.every((table) => table.rows > 0);
}

/** Waits until the tables hold all records, or the service has ended. */
async function held(
  service: Service,
  produced: ProducedEvents,
  ports: Ports,
  running: Promise<unknown>,
): Promise<void> {
  const over = new AbortController();
  void running.then(() => over.abort());
  while (!over.signal.aborted && countOf(service.snapshot()) < produced.orders + produced.clicks)
    await ports.clock.sleep(LOOK);
}

function countOf(status: ServiceStatus): number {
  return status.tables.reduce((sum, table) => sum + table.rows + table.deadLetters, 0);
}
