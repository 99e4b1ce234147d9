import { ExitCode, TabletopicError } from '../errors.ts';
import { type ApproveResult, approveChanges } from '../maintain/approve.ts';
import { waitingChanges } from '../schema/waiting-change.ts';
import type { CliContext } from './context.ts';
import { type OneTableOptions, withTable } from './one-table.ts';

/** `tabletopic approve`: makes schema changes that wait, so that their records are let through. */
export async function approveCommand(
  options: OneTableOptions & { json: boolean; all: boolean; change?: string },
  context: CliContext,
): Promise<number> {
  const result = await withTable(options, false, context, async ({ target, plan }) => {
    const change = options.all ? null : options.change;
    if (change !== undefined)
      return approveChanges({ address: target.address, ports: target.ports, change, rules: plan.rule });
    const table = await target.address.catalog.loadTable(target.address.ident, 'refs');
    const waiting = waitingChanges(table?.metadata.properties);
    throw new TabletopicError('USAGE', 'Say what is approved: --change ID or --all.', {
      hint: `What waits: ${waiting.map(({ id, changes }) => `${id} (${changes.join(', ')})`).join('; ') || 'nothing'}.`,
    });
  });
  context.output.stdout(options.json ? `${JSON.stringify(result)}\n` : approveText(result));
  return ExitCode.done;
}

function approveText({ table, changed, approved, waiting }: ApproveResult): string {
  const lines = [
    approved.length === 0
      ? `no change of ${table} waits for approval; nothing was changed`
      : `${table} ${changed ? 'was changed' : 'has all of it already'}; a running service goes on within seconds`,
    ...approved.flatMap(({ id, schema, changes }) => changes.map((change) => `    ${id} (${schema}): ${change}`)),
    ...waiting.flatMap(({ id, schema, changes }) =>
      changes.map((change) => `    still waits: ${id} (${schema}): ${change}`),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
