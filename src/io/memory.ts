import { TabletopicError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import type { FileIO, OutputFile } from './file-io.ts';
import { resolveRange } from './range.ts';

export type MemoryOperation = 'read' | 'write' | 'stat' | 'delete' | 'list';

/**
 * Faults of the in-memory store: a rejection of `before` stands for a request that never arrived, of `after` for one
 * that was done and whose answer was lost.
 */
export interface MemoryHooks {
  before?(operation: MemoryOperation, location: string): Promise<void>;
  after?(operation: MemoryOperation, location: string): Promise<void>;
}

/** The in-memory twin of an object store, for tests and the simulator. Any scheme. */
export class MemoryFileIO implements FileIO {
  readonly objects: Map<string, { readonly bytes: Uint8Array; readonly modified: number }> = new Map();
  readonly #clock: Clock;
  readonly #hooks: MemoryHooks;

  constructor(clock: Clock, hooks: MemoryHooks = {}) {
    this.#clock = clock;
    this.#hooks = hooks;
  }

  async read(location: string, range?: { offset: number; length?: number }): Promise<Uint8Array> {
    return this.#run('read', location, () => {
      const object = this.objects.get(location);
      if (!object)
        throw new TabletopicError('STORAGE_NOT_FOUND', `${location} does not exist`, { where: { location } });
      const { start, end } = resolveRange(object.bytes.length, range);
      return object.bytes.slice(start, end);
    });
  }

  async write(location: string, bytes: Uint8Array, options: { ifAbsent?: boolean } = {}): Promise<void> {
    await this.#run('write', location, () => {
      if (options.ifAbsent && this.objects.has(location))
        throw new TabletopicError('STORAGE_EXISTS', `${location} exists already`, { where: { location } });
      this.objects.set(location, { bytes: bytes.slice(), modified: this.#clock.now() });
    });
  }

  create(location: string): OutputFile {
    const parts: Uint8Array[] = [];
    let open = true;
    return {
      location,
      write: (bytes) => {
        if (!open) return Promise.reject(new TabletopicError('INTERNAL', `${location} was closed or given up`));
        parts.push(bytes.slice());
        return Promise.resolve();
      },
      close: async () => {
        open = false;
        const bytes = Buffer.concat(parts);
        await this.write(location, bytes);
        return bytes.length;
      },
      abort: () => {
        open = false;
        return Promise.resolve();
      },
    };
  }

  async stat(location: string): Promise<{ size: number; modified: number } | null> {
    return this.#run('stat', location, () => {
      const object = this.objects.get(location);
      return object ? { size: object.bytes.length, modified: object.modified } : null;
    });
  }

  async delete(locations: readonly string[]): Promise<void> {
    for (const location of locations) await this.#run('delete', location, () => void this.objects.delete(location));
  }

  async *list(prefix: string): AsyncIterable<{ location: string; size: number; modified: number }> {
    const found = await this.#run('list', prefix, () =>
      [...this.objects].filter(([location]) => location.startsWith(prefix)).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
    for (const [location, object] of found) yield { location, size: object.bytes.length, modified: object.modified };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #run<T>(operation: MemoryOperation, location: string, act: () => T): Promise<T> {
    await this.#hooks.before?.(operation, location);
    const result = act();
    await this.#hooks.after?.(operation, location);
    return result;
  }
}
