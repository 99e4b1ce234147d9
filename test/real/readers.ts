import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type PartName, dirOf, install } from './parts.ts';
import type { S3Address } from './s3.ts';
import { java, run } from './tools.ts';

const scripts = join(dirname(fileURLToPath(import.meta.url)), '..', 'readers');

export type CatalogAccess =
  | { type: 'rest'; uri: string; s3: S3Address }
  /** uri: `sqlite:/path` or `postgres://user@host:port/database`; name: what the catalog's rows are keyed by; warehouse: a URL. */
  | { type: 'sql'; uri: string; name: string; warehouse: string; s3?: S3Address };

export interface TableQuery {
  catalog: CatalogAccess;
  table: string;
  /** Top-level columns; all primitive ones when absent. */
  columns?: readonly string[];
}

/** Times are ISO text in UTC, decimals text, binary hex; the sum of a boolean counts its trues. */
export interface ColumnReading {
  min: unknown;
  max: unknown;
  sum?: number | string;
}

/** `_kafka` of one topic partition: rows, distinct offsets, smallest and largest offset. */
export interface PartitionReading {
  topic: string;
  partition: number;
  count: number;
  distinct: number;
  min: number;
  max: number;
}

export interface TableReading {
  engine: string;
  rows: number;
  columns: Record<string, ColumnReading>;
  /** Null when the table has no `_kafka` columns. */
  kafka: PartitionReading[] | null;
  seconds: number;
}

export type Engine = 'pyiceberg' | 'duckdb' | 'spark';

const needs: Record<Engine, readonly PartName[]> = {
  pyiceberg: ['readers'],
  duckdb: ['readers'],
  spark: ['spark', 'sparkJars'],
};

/** One engine in a process of its own, started at the first query and kept: Spark takes its time to start. */
class Reader {
  readonly #engine: Engine;
  #child: ChildProcessWithoutNullStreams | undefined;
  #stderr = '';
  #waiting: { resolve: (answer: unknown) => void; reject: (error: Error) => void }[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async ask<T>(query: object): Promise<T> {
    await install(needs[this.#engine]);
    const child = (this.#child ??= this.#start());
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as (answer: unknown) => void, reject });
      child.stdin.write(`${JSON.stringify(query)}\n`);
    });
  }

  #start(): ChildProcessWithoutNullStreams {
    const python = join(dirOf(this.#engine === 'spark' ? 'spark' : 'readers'), 'bin', 'python');
    const child = spawn(python, [join(scripts, `read_${this.#engine}.py`)], { env: environment(this.#engine) });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-8000)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const answer = JSON.parse(line) as object | { error: string };
      const { resolve, reject } = this.#waiting.shift()!;
      if ('error' in answer) reject(new Error(`${this.#engine}: ${answer.error}`));
      else resolve(answer);
    });
    const ended = (reason: unknown): void => {
      this.#child = undefined;
      for (const { reject } of this.#waiting.splice(0))
        reject(new Error(`${this.#engine} ended (${String(reason)})\n${this.#stderr}`));
    };
    child.on('error', ended);
    child.on('close', ended);
    return child;
  }

  /** Ends the process; standard input's end is its signal. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.stdin.end();
    await closed;
  }
}

function environment(engine: Engine): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, TZ: 'UTC', PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' };
  if (engine !== 'spark') return env;
  // Spark 4.1 runs on Java 17 and 21.
  const command = java(17, 21);
  const home = command.endsWith('/bin/java') ? { JAVA_HOME: dirname(dirname(command)) } : {};
  return { ...env, ...home, SPARK_JARS: dirOf('sparkJars'), SPARK_LOCAL_IP: '127.0.0.1' };
}

const open = new Map<Engine, Reader>();

function ask<T>(engine: Engine, query: object): Promise<T> {
  let reader = open.get(engine);
  if (reader === undefined) open.set(engine, (reader = new Reader(engine)));
  return reader.ask<T>(query);
}

function read(engine: Engine, query: TableQuery): Promise<TableReading> {
  return ask(engine, query);
}

/** Runs SQL statements with Spark, one after another; `lake` is the REST catalog's name in them. The rows of the last one. */
async function sparkSql(catalog: CatalogAccess, ...sql: readonly string[]): Promise<Record<string, unknown>[]> {
  return (await ask<{ result: Record<string, unknown>[] }>('spark', { catalog, sql })).result;
}

/** All rows of some columns as Spark reads them, as test/readers/canonical.py writes values; `where`: an SQL condition. */
async function sparkRows(
  query: TableQuery & { readonly columns: readonly string[]; readonly where?: string },
): Promise<Record<string, unknown>[]> {
  return (await ask<{ result: Record<string, unknown>[] }>('spark', { do: 'rows', ...query })).result;
}

/** Engines that we did not write, reading one table whole. */
export const readers = {
  engines: ['pyiceberg', 'duckdb', 'spark'] as readonly Engine[],
  read,
  pyiceberg: (query: TableQuery): Promise<TableReading> => read('pyiceberg', query),
  duckdb: (query: TableQuery): Promise<TableReading> => read('duckdb', query),
  spark: (query: TableQuery): Promise<TableReading> => read('spark', query),
  sparkSql,
  sparkRows,
  /** Ends the engines' processes: once per test file, in afterAll. */
  close: async (): Promise<void> => {
    await Promise.all([...open.values()].map((r) => r.close()));
  },
};

/** Runs a Python script (an absolute path, or a name under test/readers) with PyIceberg and DuckDB at hand; its standard output. */
export async function python(script: string, ...args: string[]): Promise<string> {
  await install(needs.pyiceberg);
  const path = script.startsWith('/') ? script : join(scripts, script);
  return await run(join(dirOf('readers'), 'bin', 'python'), [path, ...args], { env: environment('pyiceberg') });
}
