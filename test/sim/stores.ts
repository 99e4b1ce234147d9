import { TabletopicError } from '../../src/errors.ts';
import type {
  Catalog,
  CommitOutcome,
  CommitRequest,
  CreateTableRequest,
  LoadedTable,
  TableIdent,
} from '../../src/iceberg/catalog.ts';
import { identText } from '../../src/iceberg/catalog.ts';
import type { MemoryCatalog } from '../../src/iceberg/memory.ts';
import { onlyRefs } from '../../src/iceberg/read-metadata.ts';
import type { FileIO, OutputFile } from '../../src/io/file-io.ts';
import type { MemoryFileIO } from '../../src/io/memory.ts';
import type { Network, Refusal } from './network.ts';
import type { SimProcess } from './scheduler.ts';

/** One process's client of the catalog. */
export class SimCatalog implements Catalog {
  readonly name = 'lake';
  readonly #process: SimProcess;
  readonly #network: Network;
  readonly #server: MemoryCatalog;
  /** What a stale read gives, by table: the state before the last change. */
  readonly #before: (ident: TableIdent) => LoadedTable | null;

  constructor(
    process: SimProcess,
    network: Network,
    server: MemoryCatalog,
    before: (ident: TableIdent) => LoadedTable | null,
  ) {
    this.#process = process;
    this.#network = network;
    this.#server = server;
    this.#before = before;
  }

  connect(): Promise<void> {
    return this.#read('connect', '', () => undefined);
  }

  createNamespace(namespace: readonly string[]): Promise<void> {
    return this.#read('create', '', () => this.#server.createNamespace(namespace));
  }

  listTables(namespace: readonly string[]): Promise<TableIdent[]> {
    return this.#read('list', '', () => this.#server.listTables(namespace));
  }

  createTable(ident: TableIdent, request: CreateTableRequest): Promise<LoadedTable> {
    return this.#read('create', identText(ident), () => this.#server.createTable(ident, request));
  }

  loadTable(ident: TableIdent, snapshots: 'refs' | 'all'): Promise<LoadedTable | null> {
    return this.#read('load', identText(ident), async (stale) => {
      const old = stale ? this.#before(ident) : null;
      if (!old) return this.#server.loadTable(ident, snapshots);
      return snapshots === 'all' ? old : { ...old, metadata: onlyRefs(old.metadata), partial: true };
    });
  }

  commit(ident: TableIdent, request: CommitRequest): Promise<CommitOutcome> {
    return this.#network.call<CommitOutcome>(
      this.#process,
      'catalog.commit',
      identText(ident),
      () => this.#server.commit(ident, request),
      ({ kind }) => {
        switch (kind) {
          case 'conflict':
            return { outcome: 'conflict', reason: 'by the plan' };
          case 'refused':
            throw new TabletopicError('CATALOG_UNAVAILABLE', 'the catalog does not answer');
          case 'auth':
            throw new TabletopicError('CATALOG_AUTH', '401');
          default:
            return { outcome: 'unknown', error: new TabletopicError('COMMIT_UNKNOWN', `no answer (${kind})`) };
        }
      },
    );
  }

  dropTable(ident: TableIdent): Promise<void> {
    return this.#read('drop', identText(ident), () => this.#server.dropTable(ident));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #read<T>(operation: string, what: string, serve: (stale: boolean) => T | Promise<T>): Promise<T> {
    return this.#network.call(this.#process, `catalog.${operation}`, what, serve, ({ kind }): never => {
      if (kind === 'auth') throw new TabletopicError('CATALOG_AUTH', '401');
      throw new TabletopicError('CATALOG_UNAVAILABLE', `the catalog does not answer (${kind})`);
    });
  }
}

/** One process's client of the object store. A multipart upload is many requests; the object appears with the last. */
export class SimFileIO implements FileIO {
  /** Multipart uploads that were begun, and neither completed nor given up. */
  openUploads = 0;
  readonly #process: SimProcess;
  readonly #network: Network;
  readonly #server: MemoryFileIO;

  constructor(process: SimProcess, network: Network, server: MemoryFileIO) {
    this.#process = process;
    this.#network = network;
    this.#server = server;
  }

  read(location: string, range?: { offset: number; length?: number }): Promise<Uint8Array> {
    return this.#call('read', location, () => this.#server.read(location, range));
  }

  write(location: string, bytes: Uint8Array, options?: { ifAbsent?: boolean }): Promise<void> {
    const copy = bytes.slice();
    return this.#call('write', location, () => this.#server.write(location, copy, options));
  }

  create(location: string): OutputFile {
    const output = this.#server.create(location);
    let size = 0;
    let open = true;
    this.openUploads++;
    const ended = (): void => {
      if (open) this.openUploads--;
      open = false;
    };
    return {
      location,
      write: async (bytes) => {
        const copy = bytes.slice();
        size += copy.length;
        await this.#call('part', location, () => undefined);
        await output.write(copy);
      },
      close: async () => {
        await this.#call('complete', location, async () => void (await output.close()));
        ended();
        return size;
      },
      abort: () => {
        ended();
        return output.abort();
      },
    };
  }

  stat(location: string): Promise<{ size: number; modified: number } | null> {
    return this.#call('stat', location, () => this.#server.stat(location));
  }

  delete(locations: readonly string[]): Promise<void> {
    return this.#call('delete', locations.join(' '), () => this.#server.delete(locations));
  }

  async *list(prefix: string): AsyncIterable<{ location: string; size: number; modified: number }> {
    const found = await this.#call('list', prefix, () => Array.fromAsync(this.#server.list(prefix)));
    yield* found;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #call<T>(operation: string, what: string, serve: () => T | Promise<T>): Promise<T> {
    return this.#network.call(this.#process, `store.${operation}`, what, serve, ({ kind }: Refusal): never => {
      if (kind === 'auth') throw new TabletopicError('STORAGE_AUTH', '403');
      throw new TabletopicError('STORAGE_UNAVAILABLE', `the object store does not answer (${kind})`);
    });
  }
}
