import { join } from 'node:path';
import { expect } from 'vitest';
import { python } from '../real/readers.ts';
import type { CatalogAccess } from '../real/readers.ts';

const script = join(import.meta.dirname, '..', 'readers', 'rows.py');

/** DuckDB reads these columns as PyIceberg does; how many rows there are. */
export async function agreeingRows(catalog: CatalogAccess, table: string, columns: readonly string[]): Promise<number> {
  const query = { catalog, table, columns, engines: ['pyiceberg', 'duckdb'] };
  const found = JSON.parse(await python(script, JSON.stringify(query))) as Record<'pyiceberg' | 'duckdb', unknown[]>;
  expect(found.duckdb).toEqual(found.pyiceberg);
  return found.duckdb.length;
}
