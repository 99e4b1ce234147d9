import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What the real tests need on the machine itself; everything else comes from package registries. */
export const needed: readonly { tool: string; why: string; present: () => boolean }[] = [
  {
    tool: 'Java 17 or later',
    why: 'Kafka, the REST catalog, the schema registry, Spark',
    present: () => findJava(17) !== undefined,
  },
  { tool: 'mvn', why: 'fetches the Java parts', present: () => onPath('mvn') },
  { tool: 'go', why: 'builds the S3 server and the load generator', present: () => onPath('go') },
  {
    tool: 'python3 with venv',
    why: 'PyIceberg, DuckDB, Spark',
    present: () => onPath('python3', '-c', 'import venv, ensurepip'),
  },
];

/** Names of the tools that are missing, each with what it is for; empty when the real tests can run. */
export function missingTools(): string[] {
  return needed.filter((n) => !n.present()).map((n) => `${n.tool} (${n.why})`);
}

function onPath(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args.length > 0 ? args : command === 'go' ? ['version'] : ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function majorOf(java: string): number {
  try {
    // `java -version` writes to stderr; `--version` (Java 9 and later) to stdout: `openjdk 17.0.15 2025-04-15`.
    const out = execFileSync(java, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(/^\S+ (\d+)/.exec(out)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function javaCandidates(): string[] {
  const home = process.env['JAVA_HOME'];
  const root = '/usr/lib/jvm';
  const installed = existsSync(root) ? readdirSync(root).map((d) => join(root, d, 'bin', 'java')) : [];
  return [
    ...(home === undefined ? [] : [join(home, 'bin', 'java')]),
    'java',
    ...installed.filter((p) => existsSync(p)),
  ];
}

let javas: { command: string; major: number }[] | undefined;

/** The first Java found (JAVA_HOME, PATH, /usr/lib/jvm) whose major version lies in [least, most]. */
export function findJava(least: number, most = Number.POSITIVE_INFINITY): string | undefined {
  javas ??= javaCandidates().map((command) => ({ command, major: majorOf(command) }));
  return javas.find((j) => j.major >= least && j.major <= most)?.command;
}

/** As findJava, or an error that says what to install. */
export function java(least: number, most?: number): string {
  const found = findJava(least, most);
  if (found === undefined) throw new Error(`no Java ${least} or later found: install one, or set JAVA_HOME`);
  return found;
}

/** Runs a command to its end; its output is in the error when it fails. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
    });
    // Not left behind when what waits for it fails.
    const kill = (): boolean => child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('close', () => process.off('exit', kill));
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (d: string) => (out += d));
    child.stderr.setEncoding('utf8').on('data', (d: string) => (err += d));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ${args.join(' ')}: ${signal ?? `exit ${code}`}\n${(err + out).slice(-4000)}`));
    });
  });
}
