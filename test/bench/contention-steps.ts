import type { Catalog } from '../../src/iceberg/catalog.ts';
import type { FileIO } from '../../src/io/file-io.ts';

/** One request of a committer to the catalog or the store. */
export interface Step {
  readonly name: string;
  /** Milliseconds after the checkpoint was prepared. */
  readonly from: number;
  readonly ms: number;
}

export type StepTotals = Readonly<
  Record<string, { readonly count: number; readonly ms: number; readonly most: number }>
>;

/** Where a committer's time goes: counts and times each request by what it is for. */
export class Steps {
  readonly #totals: Record<string, { count: number; ms: number; most: number }> = {};
  #began = 0;
  #steps: Step[] = [];

  static sum(all: readonly StepTotals[]): StepTotals {
    const sum: Record<string, { count: number; ms: number; most: number }> = {};
    for (const totals of all) {
      for (const [name, { count, ms, most }] of Object.entries(totals)) {
        const total = (sum[name] ??= { count: 0, ms: 0, most: 0 });
        total.count += count;
        total.ms += ms;
        total.most = Math.max(total.most, most);
      }
    }
    return sum;
  }

  get totals(): StepTotals {
    return this.#totals;
  }

  /** Forgets all that was counted so far. */
  clear(): void {
    for (const name of Object.keys(this.#totals)) delete this.#totals[name];
  }

  begin(): void {
    this.#began = performance.now();
    this.#steps = [];
  }

  end(): readonly Step[] {
    return this.#steps;
  }

  ofStore(io: FileIO): FileIO {
    return {
      read: (location, range) => this.#timed(`GET ${kind(location)}`, () => io.read(location, range)),
      write: (location, bytes, options) =>
        this.#timed(`PUT ${kind(location)}`, () => io.write(location, bytes, options)),
      create: (location) => io.create(location),
      stat: (location) => this.#timed(`HEAD ${kind(location)}`, () => io.stat(location)),
      delete: (locations) => this.#timed(`DELETE ${kind(locations[0] ?? '')}`, () => io.delete(locations)),
      list: (prefix) => this.#listed(io, prefix),
      close: () => io.close(),
    };
  }

  ofCatalog(catalog: Catalog): Catalog {
    return {
      name: catalog.name,
      connect: () => catalog.connect(),
      createNamespace: (namespace) => catalog.createNamespace(namespace),
      listTables: (namespace) => catalog.listTables(namespace),
      createTable: (ident, request) => catalog.createTable(ident, request),
      loadTable: (ident, snapshots) =>
        ident.name.endsWith('_dead_letters')
          ? catalog.loadTable(ident, snapshots)
          : this.#timed(`load ${snapshots}`, () => catalog.loadTable(ident, snapshots)),
      commit: (ident, request) => this.#timed('commit', () => catalog.commit(ident, request)),
      dropTable: (ident) => catalog.dropTable(ident),
      close: () => catalog.close(),
    };
  }

  async *#listed(io: FileIO, prefix: string): ReturnType<FileIO['list']> {
    const from = performance.now();
    yield* io.list(prefix);
    this.#add(`LIST ${kind(prefix)}`, from);
  }

  async #timed<T>(name: string, task: () => Promise<T>): Promise<T> {
    const from = performance.now();
    try {
      return await task();
    } finally {
      this.#add(name, from);
    }
  }

  #add(name: string, from: number): void {
    const ms = performance.now() - from;
    const total = (this.#totals[name] ??= { count: 0, ms: 0, most: 0 });
    total.count++;
    total.ms += ms;
    total.most = Math.max(total.most, ms);
    this.#steps.push({ name, from: Math.round(from - this.#began), ms: Math.round(ms) });
  }
}

function kind(location: string): string {
  if (location.includes('/tabletopic/pending/')) return 'pending object';
  if (location.endsWith('.parquet')) return 'data file';
  if (location.includes('/snap-')) return 'manifest list';
  if (location.endsWith('.avro')) return 'manifest';
  return 'other';
}
