import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { mutations } from './list.ts';
import { isNamed, tableOf } from './mutation.ts';
import type { Mutation } from './mutation.ts';

/**
 * `npm run test:mutations [-- TEXT]`: breaks a copy of the code in each way (those with TEXT), and looks whether the test
 * that is named fails. `-- --table` prints the table for test/README.md.
 */

const root = resolve(import.meta.dirname, '..', '..');
const only = process.argv[2] ?? '';

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

function copyOf(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tabletopic-mutations-'));
  for (const part of ['src', 'test', 'schemas', 'package.json', 'tsconfig.json', 'README.md'])
    cpSync(join(root, part), join(dir, part), {
      recursive: true,
      filter: (path) => !path.endsWith('node_modules'),
    });
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'), 'dir');
  return dir;
}

async function run(dir: string, files: readonly string[]): Promise<Report> {
  const report = join(dir, 'report.json');
  rmSync(report, { force: true });
  const child = spawn(
    process.execPath,
    [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--config',
      join(dir, 'test', 'vitest.config.ts'),
      '--reporter=json',
      `--outputFile=${report}`,
      ...files,
    ],
    { cwd: dir, stdio: 'ignore' },
  );
  await once(child, 'exit');
  return JSON.parse(readFileSync(report, 'utf8')) as Report;
}

/** Null: the named test failed. Else what there is to say. */
async function tried(dir: string, { file, old, becomes, test: [testFile, title] }: Mutation): Promise<string | null> {
  const path = join(dir, file);
  const text = readFileSync(path, 'utf8');
  if (text.split(old).length !== 2) return 'the old text does not stand there exactly once';
  writeFileSync(
    path,
    text.replace(old, () => becomes),
  );
  try {
    const results = (await run(dir, [testFile])).testResults;
    const tests = results.flatMap((result) => result.assertionResults);
    if (tests.length === 0) return `the test file does not run: ${results.map(({ message }) => message).join()}`;
    const failed = tests.filter(({ status }) => status === 'failed').map((assertion) => assertion.title);
    if (failed.some((name) => isNamed(name, title))) return null;
    return failed.length === 0 ? 'SURVIVES' : `other tests fail: ${failed.join('; ')}`;
  } finally {
    writeFileSync(path, text);
  }
}

async function tryAll(): Promise<void> {
  const chosen = mutations.filter((mutation) => JSON.stringify(mutation).includes(only));
  // Without files vitest would run every test there is.
  if (chosen.length === 0) throw new Error(`no mutation has ${JSON.stringify(only)}`);
  const dir = copyOf();
  try {
    const sound = await run(dir, [...new Set(chosen.map(({ test: [file] }) => file))]);
    const failing = sound.testResults.filter(({ status }) => status !== 'passed').map(({ name }) => name);
    if (failing.length > 0) throw new Error(`these fail without a mutation: ${failing.join(', ')}`);
    let wrong = 0;
    for (const mutation of chosen) {
      const problem = await tried(dir, mutation);
      if (problem !== null) wrong++;
      const name = `${mutation.invariant}: ${mutation.broken}`;
      console.log(problem === null ? `found  ${name}` : `WRONG  ${name}: ${problem}`);
    }
    console.log(`mutations: ${chosen.length - wrong} of ${chosen.length} break the test that is named`);
    process.exitCode = wrong === 0 ? 0 : 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

if (only === '--table') console.log(tableOf(mutations));
else await tryAll();
