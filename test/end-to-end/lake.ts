import { join } from 'node:path';
import { python } from '../real/readers.ts';
import type { CatalogAccess } from '../real/readers.ts';

const script = join(import.meta.dirname, 'rows.py');

/** A tree of JSON values as PyIceberg prints a row (test/readers/reading.py says how values are written). */
export type Row = Record<string, unknown>;

export interface KafkaColumn {
  topic: string;
  partition: number;
  offset: number;
  timestamp: string;
  timestamp_type: string | number;
  key: string | null;
  headers: { key: string; value: string | null }[];
}

/** Tables as PyIceberg sees and changes them. */
export class Lake {
  readonly #catalog: CatalogAccess;

  constructor(catalog: CatalogAccess) {
    this.#catalog = catalog;
  }

  async ask<T>(table: string, request: Row): Promise<T> {
    return JSON.parse(await python(script, JSON.stringify({ catalog: this.#catalog, table, ...request }))) as T;
  }

  rows(table: string, options: { filter?: string; columns?: readonly string[] } = {}): Promise<Row[]> {
    return this.ask(table, { do: 'rows', ...options });
  }

  schema(table: string): Promise<{ columns: Record<string, string>; spec: string[] }> {
    return this.ask(table, { do: 'schema' });
  }
}
