import { join } from 'node:path';
import { python } from '../real/readers.ts';
import type { CatalogAccess } from '../real/readers.ts';

const script = join(import.meta.dirname, 'table.py');

export interface SnapshotFiles {
  /** Summaries of all snapshots, oldest first. */
  readonly snapshots: Readonly<Record<string, string>>[];
  /** How many files the snapshots name: manifest lists, manifests, data files. */
  readonly files: number;
  /** Those of them that the store does not have. */
  readonly missing: string[];
}

export async function snapshotFiles(catalog: CatalogAccess, table: string): Promise<SnapshotFiles> {
  return JSON.parse(await python(script, JSON.stringify({ catalog, table }))) as SnapshotFiles;
}

/** Rows that the service's snapshots have added. */
export function rowsAdded({ snapshots }: SnapshotFiles): number {
  return snapshots.reduce((sum, summary) => sum + Number(summary['added-records'] ?? 0), 0);
}
