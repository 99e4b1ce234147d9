import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ingest, ingestUsage } from './ingest.ts';
import { scenarios } from './workloads.ts';
import type { Scenario } from './workloads.ts';

/** Scenarios with options of their own, each a script of its name. */
const scripts = [
  'native',
  'freshness',
  'contention',
  'memory',
  'growth',
  'growth-ingest',
  'scaling',
  'profile',
  'plot',
  'start',
].filter((name) => existsSync(scriptOf(name)));
const usage = `${ingestUsage}

Other scenarios, with options of their own (--scenario S --help): ${scripts.join(', ')}.`;

const args = process.argv.slice(2);
const at = args.indexOf('--scenario');
const [, named = 'ingest'] = at < 0 ? [] : args.splice(at, 2);
const profiled = args.indexOf('--profile');
if (profiled >= 0) args.splice(profiled, 1);
// Of the scenarios only the default can be profiled; it has a script of its own for that.
const scenario = profiled >= 0 && named === 'ingest' ? 'profile' : named;
if (profiled >= 0 && scenario !== 'profile') {
  console.error(`--profile is for the scenario ingest, not for ${named}`);
  process.exit(2);
}

if (scripts.includes(scenario)) {
  const child = spawn(process.execPath, [...process.execArgv, scriptOf(scenario), ...args], { stdio: 'inherit' });
  // The servers are the child's to stop.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
} else if (!(scenarios as readonly string[]).includes(scenario)) {
  console.error(`unknown scenario ${scenario}\n${usage}`);
  process.exitCode = 2;
} else if (args.includes('--help')) console.log(usage);
else {
  // The servers and their data go when the process exits, which a signal alone does not make it do.
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.once(signal, () => process.exit(code));
  await ingest(scenario as Scenario, args);
}

function scriptOf(name: string): string {
  return join(import.meta.dirname, `${name}.ts`);
}
