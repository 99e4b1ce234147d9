import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { findNode, isInstalled } from '../../src/cli/launch.mjs';

const launch = join(import.meta.dirname, '..', '..', 'src', 'cli', 'launch.mjs');

describe('packages are installed', () => {
  const dirs: string[] = [];

  afterEach(() => {
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
  });

  /** A checkout whose lock file names three packages, and whose node_modules holds some. */
  function checkout(held: Record<string, string> | undefined): string {
    const dir = mkdtempSync(join(tmpdir(), 'tabletopic-launch-'));
    dirs.push(dir);
    const wanted = {
      '': { name: 'top' },
      'node_modules/one': { version: '1.0.0' },
      'node_modules/tool': { version: '2.0.0', dev: true },
      'node_modules/other-platform': { version: '3.0.0', optional: true },
    };
    writeFileSync(join(dir, 'package-lock.json'), JSON.stringify({ packages: wanted }));
    mkdirSync(join(dir, 'node_modules'));
    if (held !== undefined) {
      const packages = Object.fromEntries(
        Object.entries(held).map(([n, version]) => [`node_modules/${n}`, { version }]),
      );
      writeFileSync(join(dir, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
    }
    return dir;
  }

  test.each([
    ['all, less what is for other platforms', { one: '1.0.0', tool: '2.0.0' }, true],
    ['one in another version', { one: '1.0.1', tool: '2.0.0' }, false],
    ['one absent', { tool: '2.0.0' }, false],
    ['an optional one in another version', { one: '1.0.0', tool: '2.0.0', 'other-platform': '2.9.0' }, false],
    ['an install that was cut short', undefined, false],
  ])('%s', (_, held, expected) => {
    expect(isInstalled(checkout(held as Record<string, string> | undefined))).toBe(expected);
  });
});

describe('a command', () => {
  /** Runs a piece of JavaScript as the launched command. */
  function launched(code: string): ChildProcessByStdio<null, Readable, null> {
    const script = `import(${JSON.stringify(launch)}).then((m) => m.runAndExit(process.execPath, ${JSON.stringify(['-e', code])}))`;
    return spawn(findNode(), ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  async function endOf(child: ChildProcess): Promise<unknown> {
    return ((await once(child, 'close')) as unknown[])[0];
  }

  /** Ends with 40 + the number of signals seen, a second after the first. */
  const counting = `let n = 0;
    for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => { if (n++ === 0) setTimeout(() => process.exit(40 + n), 1000) });
    setInterval(() => {}, 1000);
    process.stdout.write('ready')`;

  test('ends with its own exit code', async () => {
    expect(await endOf(launched('process.exitCode = 7'))).toBe(7);
  });

  test('that is killed ends with 128 and the signal', async () => {
    expect(await endOf(launched("process.kill(process.pid, 'SIGKILL')"))).toBe(137);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('sees %s, and copies of it within a moment as one', async (signal) => {
    const child = launched(counting);
    await once(child.stdout, 'data');
    const end = endOf(child);
    child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill(signal);
    expect(await end).toBe(41);
  });

  test('sees a second signal that comes later', async () => {
    const child = launched(counting);
    await once(child.stdout, 'data');
    const end = endOf(child);
    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 450));
    child.kill('SIGINT');
    expect(await end).toBe(42);
  });
});
