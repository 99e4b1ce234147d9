import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { LineCounter, isNode, parseDocument } from 'yaml';
import type { CatalogConfig, Config, FormatOptions, TableOptions, TableRule, TlsConfig } from './config.ts';
import { options } from './options.ts';
import { ConfigError, type ConfigProblem, type KeyPath, Problems, pathText } from './problem.ts';
import { isObject, readOptions } from './read.ts';
import { checkRelations } from './relations.ts';
import { readSchemaFiles } from './schema-file.ts';
import { substituteEnvironment } from './substitute.ts';
import { tableOptions } from './table-options.ts';

export interface LoadOptions {
  /** For `${VAR}`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative files (certificates, `sqlite:` and `file:` URIs) are taken from here. */
  readonly directory: string;
  /** Name in messages. */
  readonly file: string;
}

/** Reads and checks a configuration file. Throws `ConfigError` with all its problems. */
export function loadConfig(file: string, env: Readonly<Record<string, string | undefined>> = process.env): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(file, [
      { path: '', reason: `cannot be read: ${(error as Error).message}`, remedy: 'Name a readable file with -c FILE' },
    ]);
  }
  return parseConfig(text, { env, directory: dirname(resolve(file)), file });
}

/** As `loadConfig`, from the text of a file. */
export function parseConfig(text: string, { env, directory, file }: LoadOptions): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map((error): ConfigProblem => ({
        path: '',
        line: lines.linePos(error.pos[0]).line,
        reason: `is no valid YAML: ${error.message}`,
        remedy: text.includes('${')
          ? 'Put ${…} inside [ ] or { } in quotes.'
          : 'Look at indentation, quotes and brackets.',
      })),
    );
  }
  const missing = substituteEnvironment(document, env);
  if (missing.length > 0) {
    throw new ConfigError(
      file,
      missing.map(({ name, offset }): ConfigProblem => ({
        path: '',
        line: lines.linePos(offset).line,
        reason: `uses \${${name}}, which is not set`,
        remedy: `Set it, or give a default: \${${name}:-value}.`,
      })),
    );
  }
  const problems = new Problems();
  const raw: unknown = document.toJS();
  let config: Config | undefined;
  if (isObject(raw)) {
    const read = readOptions(options, raw, [], problems, false);
    if (problems.list.length === 0) {
      config = resolveConfig(read, directory, problems);
      checkRelations(config, raw, problems);
    }
  } else problems.add([], 'holds no keys', 'Begin with kafka, catalogs and tables.');
  if (config && problems.list.length === 0) return config;
  throw new ConfigError(
    file,
    problems.list.map(({ path, reason, remedy }): ConfigProblem => {
      const offset = offsetOf(path);
      return {
        path: pathText(path),
        reason,
        remedy,
        ...(offset === undefined ? {} : { line: lines.linePos(offset).line }),
      };
    }),
  );

  /** Of the node at the path, or of the nearest one above it that exists. */
  function offsetOf(path: KeyPath): number | undefined {
    for (let length = path.length; length > 0; length--) {
      const node: unknown = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return undefined;
  }
}

/** Fills in what depends on other keys or on the machine. */
function resolveConfig(read: Record<string, unknown>, directory: string, problems: Problems): Config {
  const config = read as unknown as Config & { defaults: Partial<TableOptions>; tables: Partial<TableRule>[] };
  const catalogs = Object.fromEntries(
    Object.entries(config.catalogs).map(([name, catalog]) => [name, resolveCatalog(name, catalog, directory)]),
  );
  const names = Object.keys(catalogs);
  const builtIn = readOptions(tableOptions, {}, ['defaults'], problems, false) as unknown as TableOptions;
  const defaults = { ...builtIn, ...(names.length === 1 ? { catalog: names[0]! } : {}), ...config.defaults };
  return {
    ...config,
    kafka: { ...config.kafka, tls: resolveTls(config.kafka.tls, directory, ['kafka', 'tls'], problems) },
    schemaRegistry: config.schemaRegistry && {
      ...config.schemaRegistry,
      tls: resolveTls(config.schemaRegistry.tls, directory, ['schemaRegistry', 'tls'], problems),
    },
    catalogs,
    defaults: finish(defaults, {}),
    tables: config.tables.map((rule, i) =>
      withSchemaFiles(resolveRule(rule, `tables[${i}]`, config.defaults, defaults), directory, ['tables', i], problems),
    ),
    // The main thread, which fetches and uploads, has a processor of its own.
    workers: config.workers ?? Math.max(1, Math.min(4, availableParallelism() - 1)),
  };
}

/** What the rule writes, else what `defaults` writes, else what is built in. Properties are put together. */
function resolveRule(
  rule: Partial<TableRule>,
  path: string,
  written: Partial<TableOptions>,
  defaults: TableOptions,
): TableRule {
  const properties = { ...defaults.properties, ...rule.properties };
  return {
    ...finish({ ...defaults, ...rule, properties }, { ...written, ...rule }),
    topic: rule.topic ?? null,
    topicPattern: rule.topicPattern ?? null,
    table: rule.table ?? null,
    route: rule.route ?? null,
    path,
  };
}

/** Files are read once, at start. */
function withSchemaFiles(rule: TableRule, directory: string, path: KeyPath, problems: Problems): TableRule {
  const read = (format: FormatOptions, part: 'value' | 'key'): FormatOptions => {
    const schema = readSchemaFiles(format, directory, [...path, part], problems);
    return schema ? { ...format, schema } : format;
  };
  return { ...rule, value: read(rule.value, 'value'), key: rule.key && read(rule.key, 'key') };
}

/** Defaults that follow other options of the same table. */
function finish<T extends TableOptions>(table: T, written: Partial<TableOptions>): T {
  return {
    ...table,
    location: table.location ?? null,
    key: table.key ?? null,
    // The one attribute of CloudEvents that is no text.
    columns: table.value.format === 'cloudevents' ? { time: 'timestamptz', ...table.columns } : table.columns,
    compressionLevel: table.compressionLevel ?? (table.compression === 'gzip' ? 6 : 1),
    rowGroupSize:
      written.rowGroupSize === undefined ? Math.min(table.rowGroupSize, table.targetFileSize) : table.rowGroupSize,
  };
}

function resolveCatalog(name: string, catalog: CatalogConfig, directory: string): CatalogConfig {
  if (catalog.type === 'rest') return catalog;
  const sqlite = /^sqlite:(?:\/\/)?(.+)$/.exec(catalog.uri);
  const local = /^file:(?:\/\/)?(.+)$/.exec(catalog.warehouse);
  return {
    ...catalog,
    catalogName: catalog.catalogName ?? name,
    uri: sqlite && sqlite[1] !== ':memory:' ? `sqlite:${resolve(directory, sqlite[1]!)}` : catalog.uri,
    warehouse: local ? `file:${resolve(directory, local[1]!)}` : catalog.warehouse,
  };
}

function resolveTls(tls: TlsConfig | null, directory: string, path: KeyPath, problems: Problems): TlsConfig | null {
  if (!tls) return null;
  const result: { ca?: string; cert?: string; key?: string; serverName?: string; rejectUnauthorized: boolean } = {
    ...tls,
  };
  for (const key of ['ca', 'cert', 'key'] as const) {
    const value = tls[key];
    if (value === undefined || value.includes('-----BEGIN')) continue;
    try {
      result[key] = readFileSync(resolve(directory, value), 'utf8');
    } catch (error) {
      problems.add(
        [...path, key],
        `cannot be read: ${(error as Error).message}`,
        'Name a readable PEM file, relative to this file, or give the PEM text.',
      );
    }
  }
  return result;
}
