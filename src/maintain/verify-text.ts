import type { Finding, VerifyResult } from './verify.ts';

const shown = 20;

/** The result for a person. */
export function verifyText(result: VerifyResult): string {
  const { table, branch, level, ok, rows, snapshots, partitions, others } = result;
  const lines = [
    `${ok ? 'ok' : 'NOT OK'}  ${table}${branch === 'main' ? '' : ` branch ${branch}`} (${level}): ${rows} rows, ${snapshots} snapshots, ${partitions.length} partitions`,
  ];
  for (const {
    topic,
    partition,
    from,
    next,
    rows: own,
    replayed,
    deadLetters,
    aborted,
    control,
    absent,
    elsewhere = 0,
  } of partitions) {
    const rest = Object.entries({
      'of them replayed': replayed,
      'dead letters': deadLetters,
      aborted,
      control,
      absent,
      elsewhere,
    })
      .filter(([, count]) => count > 0)
      .map(([what, count]) => `, ${count} ${what}`)
      .join('');
    lines.push(
      `    ${topic}[${partition}] ${next > from ? `offsets ${from} to ${next - 1}` : `nothing from offset ${from}`}: ${own} rows${rest}`,
    );
  }
  if (!result.complete)
    lines.push('    older snapshots have expired: what they accounted for cannot be checked any more');
  for (const { snapshotId, operation, addedRows, removedRows, deletes } of others)
    lines.push(
      `    another writer: ${operation} ${snapshotId} added ${addedRows} and removed ${removedRows} rows${deletes ? `, ${deletes} by delete files` : ''}`,
    );
  lines.push(...findings('DUPLICATE', result.duplicates), ...findings('MISSING', result.missing));
  for (const problem of result.problems) lines.push(`    PROBLEM ${problem}`);
  return `${lines.join('\n')}\n`;
}

function findings(kind: string, list: readonly Finding[]): string[] {
  const lines = list
    .slice(0, shown)
    .map(
      ({ topic, partition, from, to, reason }) =>
        `    ${kind} ${topic}[${partition}] offset${to - from === 1 ? ` ${from}` : `s ${from} to ${to - 1}`}: ${reason}`,
    );
  return list.length > shown ? [...lines, `    ${kind} … and ${list.length - shown} more (--json names them)`] : lines;
}
