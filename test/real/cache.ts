import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where the real parts are kept between runs, outside the checkout. An empty variable is as good as none. */
export const cacheDir: string = resolve(
  process.env['TABLETOPIC_CACHE'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tabletopic'),
);

/**
 * A part is whole exactly when its stamp is there: the stamp is written last, and removed before the directory is touched.
 * What it is made from (versions, POM, sources) is its text, so that a changed version is fetched anew.
 */
export interface Part {
  name: string;
  label: string;
  /** Everything that decides the content. */
  madeFrom: string;
  make(dir: string): Promise<void>;
}

export function partDir(part: Pick<Part, 'name'>): string {
  return join(cacheDir, part.name);
}

export function isWhole(part: Part): boolean {
  try {
    return readFileSync(join(cacheDir, `${part.name}.stamp`), 'utf8') === part.madeFrom;
  } catch {
    return false;
  }
}

/** Makes the part if it is not whole; returns false when there was nothing to do (another run may just have made it). */
export async function ensurePart(part: Part): Promise<boolean> {
  if (isWhole(part)) return false;
  const release = await lock(part.name);
  try {
    if (isWhole(part)) return false;
    const dir = partDir(part);
    const stamp = join(cacheDir, `${part.name}.stamp`);
    rmSync(stamp, { force: true });
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    await part.make(dir);
    writeFileSync(stamp, part.madeFrom);
    return true;
  } finally {
    release();
  }
}

/**
 * Holds a lock among processes on this machine: an exclusive SQLite transaction, because the operating system lets go of it
 * when the holder dies, however it dies.
 */
export async function lock(name: string): Promise<() => void> {
  mkdirSync(cacheDir, { recursive: true });
  const db = new DatabaseSync(join(cacheDir, `${name}.lock`));
  for (;;) {
    try {
      db.exec('BEGIN EXCLUSIVE');
      return () => db.close();
    } catch (error) {
      if (!(error instanceof Error) || !/locked|busy/i.test(error.message)) throw error;
      await sleep(250);
    }
  }
}
