// `npm test` and its parts. Plain JavaScript for whichever Node the system has; the tests run on Node 24. See test/README.md.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { nodeEnv, root } from '../src/cli/built.mjs';
import { ensureInstalled, findNode, nodeOptions, orFail, runAndExit } from '../src/cli/launch.mjs';

const usage =
  'usage: npm test | npm run test:unit | test:sim [-- --seeds N --minutes N] | test:real | test:nightly | test:faults | bench, each [-- arguments]';

const named = /^[a-z]/.test(process.argv[2] ?? '');
const asked = named ? process.argv[2] : 'all';
const given = process.argv.slice(named ? 3 : 2);
/** Nightly: all tests, and in them what takes longer. */
const command = asked === 'nightly' ? 'all' : asked;
if (asked === 'nightly') process.env.TABLETOPIC_NIGHTLY = '1';

function endWithUsage(problem) {
  console.error(`${problem}\n${usage}`);
  process.exit(2);
}

/**
 * Takes options of the simulations out of the arguments: `--seeds N`, how many seeds each runs at least, and `--minutes N`,
 * for how long whole services are run on further seeds.
 */
function takeSimulation(args) {
  for (const [option, variable] of [
    ['--seeds', 'TABLETOPIC_SEEDS'],
    ['--minutes', 'TABLETOPIC_SEED_MINUTES'],
  ]) {
    const at = args.findIndex((arg) => arg === option || arg.startsWith(`${option}=`));
    if (at < 0) continue;
    const inline = args[at].includes('=');
    const number = inline ? args[at].slice(option.length + 1) : args[at + 1];
    if (!/^[1-9]\d*$/.test(number ?? '')) endWithUsage(`${option} needs a positive number`);
    process.env[variable] = number;
    args = args.toSpliced(at, inline ? 1 : 2);
  }
  return args;
}

/** Runs vitest on some of its projects; the totals come from its JSON report. */
async function vitest(node, projects, args) {
  const dir = mkdtempSync(join(tmpdir(), 'tabletopic-report-'));
  const report = join(dir, 'report.json');
  const file = process.env.GITHUB_ACTIONS ? 'github-actions' : 'default';
  const child = spawn(
    node,
    [
      ...nodeOptions,
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--config',
      join(root, 'test', 'vitest.config.ts'),
      ...projects.flatMap((project) => ['--project', project]),
      `--reporter=${file}`,
      '--reporter=json',
      `--outputFile.json=${report}`,
      '--passWithNoTests',
      ...args,
    ],
    { cwd: root, env: { ...process.env, ...nodeEnv }, stdio: 'inherit' },
  );
  // A Ctrl-C reaches vitest itself, which then stops the servers; wait for it to do so.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  const forward = () => child.kill('SIGTERM');
  process.on('SIGTERM', forward);
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exit, signal) => resolve(exit ?? signal));
  });
  process.off('SIGINT', ignore);
  process.off('SIGTERM', forward);
  try {
    const counted = totals(JSON.parse(readFileSync(report, 'utf8')));
    // What fails outside of tests, a set-up say, is not in the report.
    return { code, ...counted, failed: code === 0 ? counted.failed : Math.max(1, counted.failed) };
  } catch {
    return { code, passed: 0, failed: 1, skipped: 0, failures: [] };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A file that could not be run counts as one failed test. */
function totals(report) {
  const broken = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  const tests = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ status, fullName }) => ({ status, name: `${relative(root, name)}: ${fullName}` })),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
    failures: [
      ...broken.map(({ name, message }) => `${relative(root, name)}: ${message.split('\n', 1)[0]}`),
      ...tests.filter(({ status }) => status === 'failed').map(({ name }) => name),
    ],
  };
}

function toolsMissing(node) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [...nodeOptions, join(root, 'test', 'real', 'missing.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
    child.once('error', reject);
    child.once('exit', () => resolve(out.trim()));
  });
}

/** Real tests run where what they need is there; else one line says which were left out and why, which fails with CI=true. */
async function real(node, args) {
  const missing = await toolsMissing(node);
  if (missing === '') return await vitest(node, ['real'], args);
  console.log(`left out: the tests against real servers (test/**/*.real.test.ts): missing ${missing}`);
  const fails = command === 'real' || process.env.CI === 'true';
  return { code: fails ? 1 : 0, passed: 0, failed: fails ? 1 : 0, skipped: 0, failures: [] };
}

async function main() {
  if (!['all', 'unit', 'sim', 'real', 'faults', 'mutations', 'bench'].includes(command)) {
    endWithUsage(`unknown: ${command}`);
  }
  await ensureInstalled();
  const node = findNode();
  // Scripts with options of their own, `--minutes` among them.
  if (['bench', 'faults', 'mutations'].includes(command))
    return await runAndExit(node, [...nodeOptions, join(root, 'test', command, 'main.ts'), ...given]);
  const args = takeSimulation(given);

  const results = [];
  if (command !== 'real') results.push(await vitest(node, command === 'all' ? ['unit', 'sim'] : [command], args));
  const stopped = results.some((r) => typeof r.code === 'string');
  if (!stopped && (command === 'all' || command === 'real')) results.push(await real(node, args));

  const sum = (what) => results.reduce((total, r) => total + r[what], 0);
  const failed = results.some((r) => r.code !== 0);
  // Named once more where it is seen: the reports above are long.
  for (const name of results.flatMap(({ failures }) => failures)) console.log(`failed: ${name}`);
  console.log(`tests: ${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  process.exit(failed ? 1 : 0);
}

await orFail(main);
