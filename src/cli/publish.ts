import { ExitCode } from '../errors.ts';
import { publishBranch } from '../maintain/publish.ts';
import type { CliContext } from './context.ts';
import { type OneTableOptions, projectDeadLetters, withTable } from './one-table.ts';

/** `tabletopic publish`: puts main at the head of the branch that the table is written on. */
export async function publishCommand(
  options: OneTableOptions & { json: boolean; branch?: string },
  context: CliContext,
): Promise<number> {
  const result = await withTable({ ...options, unlisted: true }, false, context, async ({ target, plan }) => {
    const branch = options.branch ?? plan.rule.branch;
    const done = await publishBranch({ address: target.address, ports: target.ports, branch });
    // The dead-letter table is a projection of main, and a service that writes another branch leaves it alone.
    return { ...done, warnings: await projectDeadLetters(target) };
  });
  const { table, branch, from, to, snapshots, addedRows, warnings } = result;
  const lines = [
    from === to
      ? `main of ${table} stands at the head of branch ${branch} already; nothing was changed`
      : `main of ${table} stands at snapshot ${to}, the head of branch ${branch}: ${snapshots} snapshots, ${addedRows} rows`,
    ...warnings.map((warning) => `    WARNING ${warning}`),
  ];
  context.output.stdout(options.json ? `${JSON.stringify(result)}\n` : `${lines.join('\n')}\n`);
  return ExitCode.done;
}
