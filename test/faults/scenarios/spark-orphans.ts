import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Lab } from '../lab.ts';
import type { SparkTable } from './spark-table.ts';

const DAY = 24 * 60 * 60 * 1000;

/**
 * `remove_orphan_files` beside the running service, with Spark's own bound on the age. All files that snapshots name are
 * made four days old, so that nothing else protects them; what the service has not yet committed stays young. Planted
 * orphans show what the procedure takes and what it spares.
 */
export async function orphans(lab: Lab, table: SparkTable): Promise<void> {
  const bucket = join(lab.stack.dir, 's3', 'root', lab.stack.s3.bucket);
  const root = join(bucket, 'warehouse', ...table.name.split('.'));
  const planted = {
    old: join(root, 'data', 'planted-old.parquet'),
    young: join(root, 'data', 'planted-young.parquet'),
    deadLetters: join(root, '_tabletopic', 'dead-letters', 'planted-old.parquet'),
  };
  for (const file of Object.values(planted)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
  }
  const named = await table.sql(
    `SELECT file_path AS path FROM ${table.path}.all_files UNION SELECT path FROM ${table.path}.all_manifests
     UNION SELECT manifest_list FROM ${table.path}.snapshots`,
  );
  const files = named.map(({ path }) => join(bucket, new URL(String(path)).pathname));
  for (const file of [planted.old, planted.deadLetters, ...files]) age(file, 4 * DAY);
  await table.call('remove_orphan_files', 'prefix_listing => true, dry_run => false');
  const left = Object.entries(planted).filter(([, file]) => existsSync(file));
  if (left.map(([name]) => name).join() !== 'young,deadLetters')
    throw new Error(`of the planted orphans these are left: ${left.join()}`);
  const lost = files.filter((file) => !existsSync(file));
  if (files.length === 0 || lost.length > 0) throw new Error(`${lost.length} of ${files.length} files are lost`);
}

function age(file: string, ms: number): void {
  const then = new Date(Date.now() - ms);
  utimesSync(file, then, then);
}
