import type { TablePreview } from './check-table.ts';
import type { CheckResult } from './check.ts';

/** The result for a person: a line for each thing that was tried, then the tables. */
export function checkText({ ok, steps, tables }: CheckResult): string {
  const lines = steps.flatMap(({ name, ok, detail, error }) => [
    `${ok === null ? '–     ' : ok ? 'ok    ' : 'FAILED'} ${name}: ${detail}`,
    ...(error ? [`       ${error.code}: ${error.hint}`] : []),
  ]);
  return `${[...lines, ...tables.map(tableText), '', summary(ok, tables)].join('\n')}\n`;
}

function summary(ok: boolean, tables: readonly TablePreview[]): string {
  if (!ok) return 'Not everything works: see FAILED.';
  const waiting = tables.filter(({ changes }) => changes.some(({ needsPerson }) => needsPerson));
  return waiting.length === 0
    ? 'Everything that was tried works.'
    : `Everything that was tried works; the newest schema needs a person for ${waiting.map(({ table }) => table).join(', ')}.`;
}

function tableText(table: TablePreview): string {
  const state = table.exists === null ? 'catalog not reached' : table.exists ? 'exists' : 'will be created';
  return [
    '',
    `${table.table} (${table.catalog}, ${state}) from ${table.topics.join(', ')}`,
    `  columns: ${table.source}`,
    ...(table.columns ?? []).map(({ name, type }) => `    ${name} ${type}`),
    ...(table.partitionBy.length > 0 ? [`  partitioned by ${table.partitionBy.join(', ')}`] : []),
    ...table.changes.map(({ kind, change, outcome }) => `  ${kind}: ${change}; ${outcome}`),
    ...table.warnings.map((warning) => `  warning: ${warning}`),
  ].join('\n');
}
