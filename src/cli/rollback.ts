import { InvalidArgumentError } from 'commander';
import { ExitCode } from '../errors.ts';
import { type RollbackResult, type RollbackTo, rollbackTable } from '../maintain/rollback.ts';
import type { CliContext } from './context.ts';
import { parseTime } from './moment.ts';
import { type OneTableOptions, projectDeadLetters, withTable } from './one-table.ts';

/** `tabletopic rollback`: puts a table, and with it the offsets, back to a snapshot. */
export async function rollbackCommand(
  options: OneTableOptions & { json: boolean; to: RollbackTo; acceptLoss: boolean },
  context: CliContext,
): Promise<number> {
  const result = await withTable(options, true, context, async ({ target, log }) => {
    const done = await rollbackTable({ ...target, log: log!, to: options.to, acceptLoss: options.acceptLoss });
    const late = target.address.branch === 'main' ? await projectDeadLetters(target) : [];
    return { ...done, warnings: [...done.warnings, ...late] };
  });
  context.output.stdout(options.json ? `${JSON.stringify(result)}\n` : rollbackText(result));
  return ExitCode.done;
}

/** `--to`: a snapshot id (digits alone) or a time. */
export function parseRollbackTo(text: string): RollbackTo {
  if (/^\d{1,19}$/.test(text)) return { snapshotId: BigInt(text) };
  try {
    return { at: parseTime(text) };
  } catch {
    throw new InvalidArgumentError('Write a snapshot id, or a time as 2026-01-31T00:00:00Z.');
  }
}

function rollbackText({ table, branch, from, to, toTime, head, partitions, lost, warnings }: RollbackResult): string {
  const lines = [
    from === head
      ? `${table} (${branch}) stands at snapshot ${to} already; nothing was changed`
      : `${table} (${branch}) was put back from snapshot ${from} to ${to} of ${new Date(toTime).toISOString()}`,
  ];
  for (const { topic, partition, from: stood, to: next } of partitions)
    if (stood !== next) lines.push(`    ${topic}[${partition}] stood at ${stood}, is read again from ${next}`);
  for (const { topic, partition, from: first, to: next } of lost)
    lines.push(
      `    LOST ${topic}[${partition}] offsets ${first} to ${next - 1}: the log no longer has them; recorded as a gap in snapshot ${head}`,
    );
  for (const warning of warnings) lines.push(`    WARNING ${warning}`);
  return `${lines.join('\n')}\n`;
}
