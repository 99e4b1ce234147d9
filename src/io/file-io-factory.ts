import type { StorageConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Ids } from '../ports.ts';
import type { FileIO, OutputFile } from './file-io.ts';
import { LocalFileIO } from './local.ts';
import { S3FileIO } from './s3.ts';
import { configuredS3, vendedS3 } from './vended.ts';
import type { TableConfigSource } from './vended.ts';

/** Credentials that a catalog vends with a table, and where to get them anew. */
export interface Vended {
  readonly config: Readonly<Record<string, string>>;
  readonly refresh: TableConfigSource;
}

/** One FileIO for all schemes: `file:` on this machine, `s3:` (`s3a:`, `s3n:`) by the configuration or by what is vended. */
export function createFileIO(storage: StorageConfig, ids: Ids, vended?: Vended): FileIO {
  return new SchemeFileIO({
    file: () => new LocalFileIO(ids),
    s3: () => new S3FileIO((vended && vendedS3(storage, vended.config, vended.refresh)) ?? configuredS3(storage)),
  });
}

/** Goes by a location's scheme; opens a store at its first use. */
class SchemeFileIO implements FileIO {
  readonly #makers: { readonly file: () => FileIO; readonly s3: () => FileIO };
  readonly #open = new Map<'file' | 's3', FileIO>();

  constructor(makers: { readonly file: () => FileIO; readonly s3: () => FileIO }) {
    this.#makers = makers;
  }

  read(location: string, range?: { offset: number; length?: number }): Promise<Uint8Array> {
    return this.#of(location).read(location, range);
  }

  write(location: string, bytes: Uint8Array, options?: { ifAbsent?: boolean }): Promise<void> {
    return this.#of(location).write(location, bytes, options);
  }

  create(location: string): OutputFile {
    return this.#of(location).create(location);
  }

  stat(location: string): Promise<{ size: number; modified: number } | null> {
    return this.#of(location).stat(location);
  }

  async delete(locations: readonly string[]): Promise<void> {
    for (const [io, some] of Map.groupBy(locations, (location) => this.#of(location))) await io.delete(some);
  }

  list(prefix: string): AsyncIterable<{ location: string; size: number; modified: number }> {
    return this.#of(prefix).list(prefix);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((io) => io.close()));
  }

  #of(location: string): FileIO {
    const scheme = /^([a-z0-9]+):/.exec(location)?.[1] ?? '';
    const kind = scheme === 'file' ? 'file' : /^s3[an]?$/.test(scheme) ? 's3' : null;
    if (kind === null) {
      throw new TabletopicError('CONFIG_INVALID', `${location}: storage of this kind is not supported`, {
        hint: 'Locations begin with `s3://` or `file:/`.',
        where: { location },
      });
    }
    let io = this.#open.get(kind);
    if (!io) this.#open.set(kind, (io = this.#makers[kind]()));
    return io;
  }
}
