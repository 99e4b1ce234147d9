import type { TablePreview } from './check-table.ts';
import type { CheckResult } from './check.ts';

/** The result for a person: a line for each thing that was tried, then the tables. */
export function checkText({ ok, steps, tables }: CheckResult): string {
  const lines = steps.flatMap(({ name, ok, detail, error }) => [
    `${ok === null ? '–     ' : ok ? 'ok    ' : 'FAILED'} ${name}: ${detail}`,
    ...(error ? [`       ${error.code}: ${error.hint}`] : []),
  ]);
  return `${[...lines, ...tables.map(tableText), '', ok ? 'Everything that was tried works.' : 'Not everything works: see FAILED.'].join('\n')}\n`;
}

function tableText(table: TablePreview): string {
  const state = table.exists === null ? 'catalog not reached' : table.exists ? 'exists' : 'will be created';
  return [
    '',
    `${table.table} (${table.catalog}, ${state}) from ${table.topics.join(', ')}`,
    `  columns: ${table.source}`,
    ...(table.columns ?? []).map(({ name, type }) => `    ${name} ${type}`),
    ...(table.partitionBy.length > 0 ? [`  partitioned by ${table.partitionBy.join(', ')}`] : []),
    ...table.changes.map((change) => `  change: ${change}`),
    ...table.warnings.map((warning) => `  warning: ${warning}`),
  ].join('\n');
}
