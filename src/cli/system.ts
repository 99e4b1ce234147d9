import { loadConfig } from '../config/load.ts';
import { createCatalog } from '../iceberg/catalog-factory.ts';
import { createFileIO } from '../io/file-io-factory.ts';
import { readPositions } from '../maintain/positions.ts';
import { systemPorts } from '../ports.ts';
import { createRegistry } from '../registry/client.ts';
import { createKafkaSource } from '../source/kafka-source.ts';
import type { CliContext, Connectors, Output } from './context.ts';

const output: Output = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY,
  get columns() {
    return process.stderr.columns ?? 120;
  },
};

const connect: Connectors = {
  source: (config, ports, logger, assignment) => createKafkaSource(config.kafka, ports, logger, assignment),
  catalog: (config, name, ports) =>
    createCatalog(name, config.catalogs[name]!, createFileIO(config.storage, ports.ids), ports),
  fileIO(config, ports, table) {
    const vended = table && Object.keys(table.config).some((key) => key.startsWith('s3.'));
    return createFileIO(
      config.storage,
      ports.ids,
      vended ? { config: table.config, refresh: () => Promise.resolve(table.config) } : undefined,
    );
  },
  registry(config, ports) {
    if (!config.schemaRegistry) return null;
    // A client that waits for the registry is told to give up at the first failure.
    let failed = new AbortController();
    const registry = createRegistry(config.schemaRegistry, ports, (error) => {
      if (error) failed.abort(error);
    });
    const ask = async <T>(question: (signal: AbortSignal) => Promise<T>): Promise<T> => {
      const asked = new AbortController();
      failed = asked;
      try {
        return await question(asked.signal);
      } catch (error) {
        throw asked.signal.aborted ? asked.signal.reason : error;
      }
    };
    return {
      probe: async () => {
        await ask((signal) => registry.latest('tabletopic-check', signal));
      },
      schema: (id) => ask((signal) => registry.schema(id, signal)),
      latest: (subject) => ask((signal) => registry.latest(subject, signal)),
      subjects: (prefix) => ask((signal) => registry.subjects(prefix, signal)),
    };
  },
  positions: readPositions,
};

/** The context of the real process. */
export const systemContext: CliContext = {
  env: process.env,
  ports: systemPorts,
  output,
  onSignal(handler) {
    const signals = ['SIGINT', 'SIGTERM'] as const;
    const listeners = signals.map((signal) => [signal, () => handler(signal)] as const);
    for (const [signal, listener] of listeners) process.on(signal, listener);
    return () => {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    };
  },
  exit: (code) => process.exit(code),
  loadConfig,
  // Loaded when needed: the other commands start without the whole service.
  createService: async (config, options) => (await import('../service.ts')).createService(config, options),
  connect,
  runDemo: async (options) =>
    (await import('../demo/demo.ts')).runDemo(options, {
      ports: systemPorts,
      ...output,
      columns: output.columns,
      onSignal: (handler) => systemContext.onSignal(handler),
    }),
};
