import { MANIFEST_SUFFIX } from '../iceberg/manifest-types.ts';
import type { FileIO } from '../io/file-io.ts';

/** Bytes that are kept of all tables together: about 1,500 manifests of one file and ten columns. */
const KEPT = 4 << 20;
/** Larger ones are few: reading them back costs less than keeping them. */
const LARGEST = 64 << 10;

/**
 * The small manifests that this process wrote last. Each commit writes one, and once in a hundred commits all of them are
 * read again to be merged: a hundred requests, and more CPU than what is done with their bytes.
 *
 * Invariants: at most `KEPT` bytes are held, the oldest go first; a manifest is kept only once it is durable, and never
 * changes after that (invariant 5).
 */
export class RecentManifests {
  readonly #kept = new Map<string, Uint8Array>();
  readonly #most: number;
  #bytes = 0;

  constructor(most: number = KEPT) {
    this.#most = most;
  }

  /** The same files: manifests that are written are kept, and read from here where they still are. */
  around(io: FileIO): FileIO {
    return {
      read: async (location, range) => (range ? undefined : this.#kept.get(location)) ?? io.read(location, range),
      write: async (location, bytes, options) => {
        await io.write(location, bytes, options);
        if (location.endsWith(MANIFEST_SUFFIX) && bytes.length <= LARGEST) this.#keep(location, bytes);
      },
      create: (location) => io.create(location),
      stat: (location) => io.stat(location),
      delete: (locations) => {
        for (const location of locations) this.#forget(location);
        return io.delete(locations);
      },
      list: (prefix) => io.list(prefix),
      close: () => io.close(),
    };
  }

  #keep(location: string, bytes: Uint8Array): void {
    this.#forget(location);
    // A copy: a view would keep the whole buffer that it may be part of.
    this.#kept.set(location, new Uint8Array(bytes));
    this.#bytes += bytes.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#most) break;
      this.#forget(oldest);
    }
  }

  #forget(location: string): void {
    this.#bytes -= this.#kept.get(location)?.length ?? 0;
    this.#kept.delete(location);
  }
}
