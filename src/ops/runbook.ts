import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { replaceSection } from '../config/section.ts';
import { errorTable } from '../errors.ts';

const policies = {
  retry: 'tried again, unready meanwhile',
  'dead-letter': 'the record goes to the dead-letter table',
  'stop-table': 'the table stops, the others go on',
  'stop-service': 'the process ends',
} as const;

/** The table of error codes in deploy/runbook.md. */
export function errorMarkdown(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { policy, exit, hint }]) =>
      `| \`${code}\` | ${policies[policy]} | ${exit} | ${hint.replaceAll('|', '\\|')} |`,
  );
  return ['| code | what the service does | exit code | what to do |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

export function runbook(root: string): string {
  return replaceSection(readFileSync(join(root, 'deploy', 'runbook.md'), 'utf8'), 'errors', errorMarkdown());
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = join(import.meta.dirname, '..', '..');
  writeFileSync(join(root, 'deploy', 'runbook.md'), runbook(root));
}
