import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { program } from '../../src/cli/built.mjs';
import { version } from '../../src/version.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A checkout whose build keeps count of its runs. */
function checkout({
  bundler = true,
  build = "require('node:fs').writeFileSync(process.argv[2] + '/main.mjs', '')",
} = {}) {
  const root = mkdtempSync(join(tmpdir(), 'tabletopic-built-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const dir of ['src/cli', ...(bundler ? ['node_modules/rolldown'] : ['node_modules'])])
    mkdirSync(join(root, dir), { recursive: true });
  writeFileSync(join(root, 'package-lock.json'), '{}');
  writeFileSync(
    join(root, 'src', 'cli', 'build.ts'),
    `require('node:fs').appendFileSync('${root}/runs', '.');\n${build}`,
  );
  const runs = () => readFileSync(join(root, 'runs'), 'utf8').length;
  const cache = join(root, 'node_modules', '.cache', 'tabletopic');
  return { root, runs, cache, main: () => program(process.execPath, root).main };
}

describe('the bundle', () => {
  test('is built once for each state of the sources', () => {
    const { root, main, runs, cache } = checkout();
    const first = main();
    expect(first).toMatch(/build-[0-9a-f]{16}.main\.mjs$/);
    expect(main()).toBe(first);
    expect(runs()).toBe(1);
    writeFileSync(join(root, 'src', 'one.ts'), 'more');
    expect(main()).not.toBe(first);
    expect(runs()).toBe(2);
    // Of older states some are kept: a service may run that has not loaded all of its own yet.
    for (let n = 0; n < 8; n++) {
      writeFileSync(join(root, 'src', 'one.ts'), 'x'.repeat(n));
      main();
    }
    expect(readdirSync(cache)).toHaveLength(5);
  });

  test('the sources run where there is no bundler, and where nothing can be written', () => {
    const without = checkout({ bundler: false });
    expect(without.main()).toBe(join(without.root, 'src', 'main.ts'));
    const readonly = checkout();
    writeFileSync(join(readonly.root, 'node_modules', '.cache'), 'no folder');
    expect(readonly.main()).toBe(join(readonly.root, 'src', 'main.ts'));
  });

  test('runs with bounds for what glibc keeps of freed memory, as do image and unit; who runs it may state others', () => {
    const { root } = checkout({ bundler: false });
    const { NODE_COMPILE_CACHE, ...bounds } = program(process.execPath, root).env;
    expect(NODE_COMPILE_CACHE).toBeTruthy();
    const written = Object.entries(bounds).map(([name, value]) => `${name}=${value}`);
    expect(written).toEqual(['MALLOC_MMAP_THRESHOLD_=16777216', 'MALLOC_TRIM_THRESHOLD_=33554432']);
    for (const file of ['Dockerfile', 'tabletopic.service'])
      expect(readFileSync(join(import.meta.dirname, '../../deploy', file), 'utf8')).toContain(written.join(' '));
    vi.stubEnv('MALLOC_TRIM_THRESHOLD_', '1');
    expect(program(process.execPath, root).env.MALLOC_TRIM_THRESHOLD_).toBe('1');
  });

  test('a build that fails is told, leaves nothing behind, and the sources run', () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const { root, main, cache } = checkout({ build: "throw new Error('no such chunk')" });
    expect(main()).toBe(join(root, 'src', 'main.ts'));
    expect(String(said.mock.calls[0]![0])).toContain('no such chunk');
    expect(readdirSync(cache)).toEqual([]);
  });

  test('of this checkout runs, and wakes nothing of Node’s fetch', () => {
    const { main } = program(process.execPath);
    expect(main).toMatch(/main\.mjs$/);
    const tell = "data:text/javascript,process.on('exit', () => console.log(process.moduleLoadList.join('\\n')))";
    const said = execFileSync(process.execPath, ['--import', tell, main, '--version'], { encoding: 'utf8' });
    const [first, ...loaded] = said.trim().split('\n');
    expect(first).toBe(version);
    expect(loaded).toContain('NativeModule https');
    expect(loaded.filter((name) => name.includes('undici'))).toEqual([]);
  });
});
