import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parts } from '../real/parts.ts';

/** The machine that figures were measured on. */
export function machine(): string {
  const [cpu] = cpus();
  const kernel = readFileSync('/proc/version', 'utf8').split(' ')[2];
  return `${cpus().length} × ${cpu!.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${kernel}, Node ${process.version}; all servers on the same machine`;
}

/** What was measured, and against what. */
export function versions(): Readonly<Record<string, string>> {
  const { kafka, s3, catalog, registry } = parts;
  return {
    tabletopic: commit(),
    node: process.version,
    kafka: kafka.label,
    s3: s3.label,
    catalog: catalog.label,
    registry: registry.label,
  };
}

/** The project's commit, with a + where files differ from it. */
function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return (
      git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+')
    );
  } catch {
    return 'not in git';
  }
}
