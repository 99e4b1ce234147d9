import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TabletopicError } from '../errors.ts';
import type { Ids } from '../ports.ts';
import type { FileIO, OutputFile } from './file-io.ts';
import { resolveRange } from './range.ts';

/** Names of files that are being written; never listed. */
const TEMPORARY = '.tabletopic-tmp';

/**
 * `file:` locations. A file is written under a temporary name beside its place, flushed to the disk and renamed, so that
 * it appears whole or not at all, also after a power failure. Locations are taken literally: `%` is no escape.
 */
export class LocalFileIO implements FileIO {
  readonly #ids: Ids;

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  async read(location: string, range?: { offset: number; length?: number }): Promise<Uint8Array> {
    return coded(location, async () => {
      const file = await open(pathOf(location), 'r');
      try {
        const { size } = await file.stat();
        const { start, end } = resolveRange(size, range);
        const bytes = new Uint8Array(end - start);
        let at = 0;
        while (at < bytes.length) {
          const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
          if (bytesRead === 0) break;
          at += bytesRead;
        }
        return bytes.subarray(0, at);
      } finally {
        await file.close();
      }
    });
  }

  async write(location: string, bytes: Uint8Array, options: { ifAbsent?: boolean } = {}): Promise<void> {
    const output = new LocalOutputFile(location, this.#temporary(location), options.ifAbsent ?? false);
    try {
      await output.write(bytes);
      await output.close();
    } catch (error) {
      await output.abort();
      throw error;
    }
  }

  create(location: string): OutputFile {
    return new LocalOutputFile(location, this.#temporary(location), false);
  }

  async stat(location: string): Promise<{ size: number; modified: number } | null> {
    return coded(location, async () => {
      const found = await stat(pathOf(location)).catch(absent);
      return found?.isFile() ? { size: found.size, modified: found.mtimeMs } : null;
    });
  }

  async delete(locations: readonly string[]): Promise<void> {
    for (const location of locations) await coded(location, () => rm(pathOf(location), { force: true }));
  }

  async *list(prefix: string): AsyncIterable<{ location: string; size: number; modified: number }> {
    const path = pathOf(prefix);
    const scheme = prefix.slice(0, prefix.length - path.length);
    const folder = path.endsWith('/') ? path : dirname(path);
    const entries = await coded(
      prefix,
      async () => (await readdir(folder, { recursive: true, withFileTypes: true }).catch(absent)) ?? [],
    );
    for (const entry of entries) {
      const file = join(entry.parentPath, entry.name);
      if (!entry.isFile() || entry.name.endsWith(TEMPORARY) || !file.startsWith(path)) continue;
      // A file may go away between the listing and the look at it.
      const found = await coded(file, () => stat(file).catch(absent));
      if (found) yield { location: scheme + file, size: found.size, modified: found.mtimeMs };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #temporary(location: string): string {
    return `${pathOf(location)}.${this.#ids.uuid()}${TEMPORARY}`;
  }
}

class LocalOutputFile implements OutputFile {
  readonly location: string;
  readonly #temporary: string;
  readonly #ifAbsent: boolean;
  #file: FileHandle | null = null;
  #size = 0;
  #closed = false;
  /** Writes go one after another, however the caller awaits them. */
  #last: Promise<void> = Promise.resolve();

  constructor(location: string, temporary: string, ifAbsent: boolean) {
    this.location = location;
    this.#temporary = temporary;
    this.#ifAbsent = ifAbsent;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new TabletopicError('INTERNAL', `${this.location} was closed or given up`));
    const written = this.#last.then(() =>
      coded(this.location, async () => {
        const file = await this.#open();
        for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
        this.#size += bytes.length;
      }),
    );
    this.#last = written;
    written.catch(() => undefined);
    return written;
  }

  async close(): Promise<number> {
    this.#closed = true;
    await this.#last;
    return coded(this.location, async () => {
      const file = await this.#open();
      await file.sync();
      await file.close();
      this.#file = null;
      const path = pathOf(this.location);
      if (this.#ifAbsent) {
        await link(this.#temporary, path);
        await rm(this.#temporary);
      } else {
        await rename(this.#temporary, path);
      }
      await syncFolder(dirname(path));
      return this.#size;
    });
  }

  async abort(): Promise<void> {
    this.#closed = true;
    await this.#last.catch(() => undefined);
    await this.#file?.close().catch(() => undefined);
    this.#file = null;
    await rm(this.#temporary, { force: true }).catch(() => undefined);
  }

  async #open(): Promise<FileHandle> {
    if (this.#file) return this.#file;
    await mkdir(dirname(this.#temporary), { recursive: true });
    this.#file = await open(this.#temporary, 'wx');
    return this.#file;
  }
}

/** The rename itself is durable only once the folder is on the disk. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `file:/a`, `file:///a`, `file://localhost/a`. */
function pathOf(location: string): string {
  const match = /^file:(?:\/\/(?:localhost)?(?=\/))?(\/.*)$/s.exec(location);
  if (!match)
    throw new TabletopicError('CONFIG_INVALID', `${location} is no local location`, {
      hint: 'Local locations read `file:/absolute/path`.',
      where: { location },
    });
  return match[1]!;
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
  throw error;
}

async function coded<T>(location: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof TabletopicError) throw error;
    const { code = '', message } = error as NodeJS.ErrnoException;
    const details = { cause: error, where: { location } };
    if (code === 'ENOENT') throw new TabletopicError('STORAGE_NOT_FOUND', `${location} does not exist`, details);
    if (code === 'EEXIST') throw new TabletopicError('STORAGE_EXISTS', `${location} exists already`, details);
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      throw new TabletopicError('STORAGE_AUTH', `no right to ${location}: ${message}`, {
        ...details,
        hint: 'Give the user of this process the right to the folder, or choose another warehouse.',
      });
    }
    throw new TabletopicError('STORAGE_UNAVAILABLE', `${location}: ${message}`, {
      ...details,
      hint: 'Check the disk of the warehouse: is it mounted, has it room?',
    });
  }
}
