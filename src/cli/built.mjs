// The service as a bundle, made once for each state of the sources. Plain JavaScript for whichever Node the launcher runs on.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const cacheOf = (checkout) => join(checkout, 'node_modules', '.cache', 'tabletopic');

/** Types are stripped and code is compiled once, from the first start on. Where the folder cannot be written, nothing is kept. */
const keepingCode = (folder) => ({ NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(folder, 'code') });

/**
 * Of glibc, for the service: it learns from buffers that come and go to keep ever larger ones in its heaps, between whose
 * survivors memory is lost over the hours. Fixed bounds, in bytes: what is larger is given back to the system when it is free.
 */
const allocator = () => ({
  MALLOC_MMAP_THRESHOLD_: process.env.MALLOC_MMAP_THRESHOLD_ ?? '16777216',
  MALLOC_TRIM_THRESHOLD_: process.env.MALLOC_TRIM_THRESHOLD_ ?? '33554432',
});

/** For whatever runs from the sources. */
export const nodeEnv = keepingCode(cacheOf(root));

/** Builds that are kept, the newest: a service that runs may still load parts of an older one. */
const KEPT = 5;

/** Names, sizes and times of what goes into the bundle: a few milliseconds for 500 files. */
function fingerprint(checkout) {
  const hash = createHash('sha256').update(readFileSync(join(checkout, 'package-lock.json')));
  const src = join(checkout, 'src');
  for (const name of readdirSync(src, { recursive: true }).sort()) {
    const stat = statSync(join(src, name));
    if (stat.isFile()) hash.update(`${name} ${stat.size} ${stat.mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Builds into a folder of its own that takes its name when it is whole, so that whoever finds one can use it. */
function build(node, script, out) {
  const part = `${out}.${process.pid}`;
  try {
    mkdirSync(part, { recursive: true });
  } catch {
    return false; // A checkout that cannot be written.
  }
  try {
    const stdio = ['ignore', 'ignore', 'pipe'];
    const { status, stderr } = spawnSync(node, ['--disable-warning=ExperimentalWarning', script, part], { stdio });
    if (status !== 0) {
      process.stderr.write(`tabletopic: cannot bundle the sources, so it starts from them, more slowly:\n${stderr}`);
      return false;
    }
    renameSync(part, out);
    removeOld(dirname(out));
    return true;
  } catch (error) {
    if (existsSync(join(out, 'main.mjs'))) return true; // Somebody else was as quick.
    throw error;
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

function removeOld(cache) {
  const builds = readdirSync(cache)
    .filter((name) => /^build-[0-9a-f]{16}$/.test(name))
    .map((name) => ({ path: join(cache, name), made: statSync(join(cache, name)).mtimeMs }))
    .sort((a, b) => b.made - a.made);
  for (const { path } of builds.slice(KEPT)) rmSync(path, { recursive: true, force: true });
}

/**
 * What Node is to run for `tabletopic`, and with which environment: the bundle, made first where it is missing; the sources
 * themselves where it cannot be made, as without development packages.
 */
export function program(node, checkout = root) {
  const cache = cacheOf(checkout);
  const out = join(cache, `build-${fingerprint(checkout)}`);
  const script = existsSync(join(checkout, 'node_modules', 'rolldown'))
    ? join(checkout, 'src', 'cli', 'build.ts')
    : null;
  const built = existsSync(join(out, 'main.mjs')) || (script !== null && build(node, script, out));
  const [main, code] = built ? [join(out, 'main.mjs'), out] : [join(checkout, 'src', 'main.ts'), cache];
  return { main, env: { ...allocator(), ...keepingCode(code) } };
}
