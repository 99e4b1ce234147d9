import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll } from 'vitest';
import { python, readers } from '../real/readers.ts';
import type { CatalogAccess } from '../real/readers.ts';
import { sharedStack } from '../real/shared.ts';
import type { Environment } from '../real/stack.ts';
import { Lake } from './lake.ts';
import { ServiceFiles } from './service-process.ts';

export type Cells = Record<string, unknown>;

/** What a file of these tests works with; it is there from the first test to the last one. */
export interface Scene {
  readonly stack: Environment;
  readonly files: ServiceFiles;
  readonly catalog: CatalogAccess;
  readonly lake: Lake;
  readonly kafka: Kafka;
  readonly producer: ReturnType<Kafka['producer']>;
  /** Of the schema registry. */
  readonly url: string;
}

/** To be called once, at the top of a file. */
export function scene(): Scene {
  const stack = sharedStack();
  const files = new ServiceFiles(stack);
  const catalog = { type: 'rest' as const, uri: stack.catalog.uri, s3: stack.s3 };
  const kafka = new Kafka({ brokers: stack.kafka.brokers, logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  beforeAll(() => producer.connect());
  afterAll(async () => {
    await producer.disconnect();
    await readers.close();
    files.remove();
  });
  return { stack, files, catalog, lake: new Lake(catalog), kafka, producer, url: stack.registry.url };
}

/** Settings of a service that is not to be waited for. */
export function quick({ stack }: Pick<Scene, 'stack'>, groupId: string): Readonly<Record<string, unknown>> {
  return {
    kafka: { brokers: stack.kafka.brokers, groupId },
    defaults: { commitInterval: '500ms', inferTime: '500ms' },
  };
}

/** Rows in the order of their partitions and offsets, by PyIceberg, DuckDB and Spark, or what these say against it. */
export async function readByAll(
  catalog: CatalogAccess,
  table: string,
  columns: readonly string[],
): Promise<Record<string, Cells[] | string>> {
  const engines = ['pyiceberg', 'duckdb'];
  const found = JSON.parse(await python('rows.py', JSON.stringify({ catalog, table, columns, engines }))) as Record<
    string,
    Cells[] | string
  >;
  return { ...found, spark: await readers.sparkRows({ catalog, table, columns }) };
}

/** Columns with JSON text are compared as JSON: a text is not a value. */
export function comparable(row: Cells, json: readonly string[]): Cells {
  return Object.fromEntries(
    Object.entries(row).map(([name, cell]) => [
      name,
      json.includes(name) && typeof cell === 'string' ? (JSON.parse(cell.slice(1)) as unknown) : cell,
    ]),
  );
}
