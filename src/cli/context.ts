import type { Config } from '../config/config.ts';
import type { DemoOptions } from '../demo/demo-options.ts';
import type { Catalog, LoadedTable } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { PositionReader } from '../maintain/verify-rows.ts';
import type { Logger } from '../ops/logger.ts';
import type { Service, ServiceOptions } from '../service.ts';
import type { SchemaLookup } from '../ingest/registry-layouts.ts';
import type { Ports } from '../ports.ts';
import type { Source } from '../source/source.ts';

/** Everything that commands need from the outside, so that they can be tested without a process, a terminal or servers. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly ports: Ports;
  readonly output: Output;
  /** Calls the handler on each SIGINT and SIGTERM, until the returned function is called. */
  onSignal(handler: (signal: 'SIGINT' | 'SIGTERM') => void): () => void;
  /** Ends the process now. */
  exit(code: number): void;
  readonly loadConfig: (file: string, env: CliContext['env']) => Config;
  createService(config: Config, options: ServiceOptions): Promise<Service>;
  readonly connect: Connectors;
  /** Resolves with the exit code. */
  runDemo(options: DemoOptions): Promise<number>;
}

export interface Output {
  /** Results, line by line. */
  stdout(text: string): void;
  /** Log, progress and errors. */
  stderr(text: string): void;
  /** Standard error is a terminal: progress may be drawn in place. */
  readonly isTerminal: boolean;
  readonly columns: number;
}

/** Clients of the servers that a configuration names. */
export interface Connectors {
  /** `all`: reads all partitions, without a group. */
  source(config: Config, ports: Ports, logger: Logger, assignment?: 'group' | 'all'): Source;
  catalog(config: Config, name: string, ports: Ports, logger: Logger): Catalog;
  /** The store of a table, with what its catalog vends; without a table: of the warehouse. */
  fileIO(config: Config, ports: Ports, table?: LoadedTable): FileIO;
  registry(config: Config, ports: Ports, logger: Logger): RegistryProbe | null;
  /** Reads `_kafka` of a data file. */
  readonly positions: PositionReader;
}

/** What `check` asks a schema registry. Everything rejects at the first failure, with `REGISTRY_UNAVAILABLE` or `REGISTRY_AUTH`. */
export interface RegistryProbe extends SchemaLookup {
  probe(): Promise<void>;
}
