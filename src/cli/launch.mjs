// The way in from a checkout: `npm run tabletopic -- <args>`. Plain JavaScript for whichever Node the system has (20 or later):
// it brings the packages up to date with package-lock.json, finds Node 24, and runs the service's bundle with it.
// Standard output belongs to the command: everything said here goes to standard error.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nodeEnv, program, root } from './built.mjs';

/** Node's own remarks that are not about us: kafkajs asks for timers in the past; SQLite is called experimental. */
export const nodeOptions = ['--disable-warning=TimeoutNegativeWarning', '--disable-warning=ExperimentalWarning'];

/**
 * For the service and its commands. Records and columns live outside of the JavaScript heap, where little is made and dropped;
 * the room for new objects, which grows to 64 MiB while code is loaded and never shrinks, is bounded in each thread. V8 counts
 * fetched bytes and pages as garbage to come, and would collect its 8 MiB in each worker for each 40 MB that pass: it may let
 * the heap grow fivefold.
 */
export const serviceOptions = [...nodeOptions, '--max-semi-space-size=4', '--heap-growing-percent=400'];

/** A failure that the user can mend: its message says how. */
class SetupError extends Error {}

const say = (line) => process.stderr.write(`tabletopic: ${line}\n`);

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * True when node_modules holds what package-lock.json names. npm writes node_modules/.package-lock.json last, so an install
 * that was cut short does not count. Packages that npm may leave out (other platforms, a production install) are not asked for.
 */
export function isInstalled(dir = root) {
  const wanted = readJson(join(dir, 'package-lock.json'))?.packages;
  const held = readJson(join(dir, 'node_modules', '.package-lock.json'))?.packages;
  if (wanted === undefined || held === undefined) return false;
  const production = process.env.NODE_ENV === 'production';
  return Object.entries(wanted).every(([path, { version, optional, dev }]) => {
    if (path === '' || held[path]?.version === version) return true;
    return held[path] === undefined && (optional === true || (production && dev === true));
  });
}

/** One install at a time in one checkout: a directory is made by one process only, and is void when its maker is gone. */
async function lockInstall() {
  const lock = join(tmpdir(), `tabletopic-install-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`);
  const owner = join(lock, 'pid');
  for (;;) {
    try {
      mkdirSync(lock);
      writeFileSync(owner, String(process.pid));
      return () => rmSync(lock, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(lock, owner)) rmSync(lock, { recursive: true, force: true });
    else await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function isAbandoned(lock, owner) {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return false;
  } catch (error) {
    if (error.code === 'EPERM') return false;
    if (error.code === 'ESRCH') return true;
    // Between mkdir and the pid's writing there is no pid yet.
    return existsSync(lock) && Date.now() - statSync(lock).mtimeMs > 10_000;
  }
}

/** Runs `npm ci` if node_modules is not what package-lock.json says. */
export async function ensureInstalled() {
  if (isInstalled()) return;
  const release = await lockInstall();
  try {
    if (isInstalled()) return;
    say('installing packages (npm ci), once per package-lock.json');
    const code = await exitOf(
      spawn('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] }),
    );
    if (code !== 0)
      throw new SetupError(`npm ci ended with ${code}: see its message above; is a package registry within reach?`);
  } finally {
    release();
  }
}

function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
}

const atLeast = [24, 12];

/** Path of a Node that runs TypeScript as it is: the one that came as a package, else the running one if it is new enough. */
export function findNode() {
  const packaged = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(packaged)) return packaged;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > atLeast[0] || (major === atLeast[0] && minor >= atLeast[1])) return process.execPath;
  throw new SetupError(
    `Node ${atLeast.join('.')} or later is needed and this is ${process.versions.node} on ${process.platform}-${process.arch}: ` +
      'install it from https://nodejs.org (on Linux x64 and arm64 it comes as a package: was npm told to omit optional packages?)',
  );
}

/**
 * Runs a command on our terminal and ends as it ends. Signals are handed on, once each: a Ctrl-C reaches npm, this process and
 * its children together, and npm passes its own copy on too, but to the service a second signal means "stop at once". So the
 * child has a process group of its own, and copies within a moment are one signal. Where util-linux is there, the child does
 * not outlive this process when that is killed outright.
 */
export async function runAndExit(command, args, environment = nodeEnv) {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));
  const [file, argv] = setpriv === undefined ? [command, args] : [setpriv, ['--pdeathsig', 'KILL', command, ...args]];
  const env = { ...process.env, ...environment };
  const child = spawn(file, argv, { stdio: 'inherit', detached: true, env });
  const last = new Map();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      const now = performance.now();
      if (now - (last.get(signal) ?? Number.NEGATIVE_INFINITY) > 300) child.kill(signal);
      last.set(signal, now);
    });
  }
  const end = await exitOf(child);
  process.exit(typeof end === 'number' ? end : 128 + constants.signals[end]);
}

/** Reports what goes wrong before the command runs: one line where the user can mend it. */
export async function orFail(work) {
  try {
    return await work();
  } catch (error) {
    say(error instanceof SetupError ? error.message : error.stack);
    process.exit(1);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await orFail(async () => {
    await ensureInstalled();
    const node = findNode();
    const { main, env } = program(node);
    await runAndExit(node, [...serviceOptions, main, ...process.argv.slice(2)], env);
  });
}
