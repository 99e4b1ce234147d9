import type { TableReport } from './status.ts';
import { timeText } from './progress.ts';

/** One block for each table. */
export function statusText(tables: readonly TableReport[]): string {
  if (tables.length === 0) return 'No topic matches a rule yet.\n';
  return tables.map(tableText).join('\n');
}

function tableText(report: TableReport): string {
  const lines = [`${report.table} (${report.catalog}) from ${report.topics.join(', ')}`];
  if (report.error) lines.push(`  ${report.error.code}: ${report.error.message}`);
  else if (!report.exists) lines.push('  does not exist yet: it is created with the first records');
  else if (report.snapshotId === null) lines.push('  exists; nothing is committed to it yet');
  else {
    const files = report.files === 1 ? '1 file' : `${count(report.files)} files`;
    lines.push(
      `  rows ${count(report.rows)} in ${files} (${sizeText(report.bytes)}), dead letters ${count(report.deadLetters)}`,
      `  snapshot ${report.snapshotId} of ${report.lastCommit === null ? '–' : new Date(report.lastCommit).toISOString()}, ${report.freshnessSeconds === null ? '–' : timeText(report.freshnessSeconds)} ago, complete up to ${report.watermark === null ? '–' : new Date(report.watermark).toISOString()}`,
      `  schema ${report.schemaId ?? '–'} with ${report.columns === 1 ? '1 column' : `${count(report.columns)} columns`}`,
    );
  }
  for (const { id, schema, changes, since } of report.waiting)
    lines.push(
      `  WAITS for approval since ${new Date(since).toISOString()}: ${schema}: ${changes.join(', ')}`,
      `    tabletopic approve -c FILE --table ${report.table} --change ${id}`,
    );
  lines.push(`  lag ${report.lagRecords === null ? 'unknown' : `${count(report.lagRecords)} records`}`);
  for (const { topic, partition, next, end, lag } of report.partitions)
    lines.push(`    ${topic}[${partition}] next ${next ?? '–'} end ${end ?? '–'} lag ${lag ?? '–'}`);
  return `${lines.join('\n')}\n`;
}

/** `8.2 KiB`, `31.0 MiB`: the unit by the size. */
function sizeText(bytes: number | null): string {
  if (bytes === null) return '–';
  let [value, unit] = [bytes / 1024, 0];
  for (; value >= 1024 && unit < 3; unit++) value /= 1024;
  return `${value.toFixed(1)} ${['KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}

function count(value: number | null): string {
  return value === null ? '–' : new Intl.NumberFormat('en').format(value);
}
