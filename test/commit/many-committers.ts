import { EPOCH, Interleaved, Process } from './interleaved.ts';
import { TabletopicError } from '../../src/errors.ts';
import { CHECKPOINTS, decodeCheckpoints } from '../../src/commit/statement.ts';
import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import { EntryStatus } from '../../src/iceberg/manifest-types.ts';
import { readManifest } from '../../src/iceberg/manifest.ts';
import { TOPIC, World, ident } from './world.ts';
import type { DataFile, ManifestFile } from '../../src/iceberg/manifest-types.ts';
import type { CommitResult, Prepared } from '../../src/commit/commit.ts';
import type { Catalog, CommitOutcome } from '../../src/iceberg/catalog.ts';
import type { Snapshot } from '../../src/iceberg/metadata.ts';
import type { FileIO } from '../../src/io/file-io.ts';
import type { Instance } from './world.ts';

/** What happens to a run, beside that all committers write at once. */
export interface Troubles {
  /** Chance that a request or an answer of a commit is lost. */
  readonly lost?: number;
  /** Chance that a process dies within its next 60 events, asked at each checkpoint; another takes its partition over. */
  readonly dies?: number;
  /** Chance that the new owner of a partition begins while the old one goes on (asked at each checkpoint). */
  readonly zombies?: number;
  /** Mean time between rollbacks by another engine, each with an expiry of what was rolled back half of the time, ms. */
  readonly rollbacks?: number;
  /** Mean time between compactions by another engine, ms. */
  readonly compactions?: number;
}

export interface Figures {
  readonly checkpoints: number;
  readonly snapshots: number;
  /** By checkpoint with a receipt, sorted. */
  readonly attempts: readonly number[];
  readonly ms: readonly number[];
  /** Most checkpoints of one snapshot. */
  readonly mostCarried: number;
  /** Pending objects that were written, and those that are still there. */
  readonly objectsWritten: number;
  readonly objectsLeft: number;
}

/**
 * One table, a partition and an owner for each committer. The checker reads manifests and files of the head whenever it
 * moved: rows are the offsets [0, next) of each partition, each once; of each checkpoint that the history names all rows
 * are there, of any other none; no file of any snapshot is gone. Every receipt names a snapshot that names the checkpoint.
 */
export class ManyCommitters {
  readonly scheduler: Interleaved;
  readonly world: World;
  readonly #committers: number;
  readonly #interval: number;
  readonly #end: number;
  readonly #troubles: Troubles;
  /** Data files by location: whose they are. */
  readonly #files = new Map<string, { readonly id: string; readonly rows: number }>();
  readonly #lists = new Map<string, readonly ManifestFile[]>();
  readonly #entries = new Map<string, readonly DataFile[]>();
  readonly #attempts: number[] = [];
  readonly #ms: number[] = [];
  #objectsWritten = 0;
  #calm = false;
  #failure: unknown = null;
  #checked = -1n;

  constructor(options: { seed: number; committers: number; interval: number; end: number; troubles?: Troubles }) {
    this.scheduler = new Interleaved(options.seed);
    this.world = new World({
      seed: options.seed,
      partitions: options.committers,
      formatVersion: options.seed % 2 === 0 ? 3 : 2,
    });
    this.#committers = options.committers;
    this.#interval = options.interval;
    this.#end = options.end;
    this.#troubles = options.troubles ?? {};
  }

  /** Until every partition is in the table, checking all the way; troubles end at `calmAt` (virtual ms). */
  async run(calmAt: number, until: number): Promise<Figures> {
    const { scheduler, world } = this;
    await (await world.instance().start()).committer.close();
    const live: Promise<void>[] = [];
    for (let partition = 0; partition < this.#committers; partition++) live.push(this.#own(partition));
    if (this.#troubles.rollbacks) void this.#repeat(this.#troubles.rollbacks, () => this.#rollback());
    if (this.#troubles.compactions) void this.#repeat(this.#troubles.compactions, () => this.#compact());
    const done = (): boolean => this.#failure !== null || this.#next().every((next) => next >= this.#end);
    await scheduler.run(done, until, async () => {
      world.ports.skip(EPOCH + Math.floor(scheduler.now) - world.ports.clock.now());
      this.#calm ||= scheduler.now >= calmAt;
      await this.check();
    });
    if (this.#failure !== null) throw this.#failure;
    // Whatever is still open ends: receipts, drops, and the removal of objects.
    this.#calm = true;
    let ended = false;
    void Promise.all(live).then(() => (ended = true));
    await scheduler.run(
      () => ended || this.#failure !== null,
      until,
      () => this.check(),
    );
    if (this.#failure !== null) throw this.#failure;
    const carried = world.metadata.snapshots!.map((snapshot) => namedBy(snapshot).length);
    return {
      checkpoints: this.#ms.length,
      snapshots: carried.filter((count) => count > 0).length,
      attempts: this.#attempts.toSorted((a, b) => a - b),
      ms: this.#ms.toSorted((a, b) => a - b),
      mostCarried: Math.max(...carried),
      objectsWritten: this.#objectsWritten,
      objectsLeft: [...world.io.objects.keys()].filter(isPending).length,
    };
  }

  /** The independent checker; looks again only when the head has moved. */
  async check(): Promise<void> {
    const { world } = this;
    const head = world.head();
    if (head === this.#checked) return;
    this.#checked = head;
    const snapshots = new Map(world.metadata.snapshots!.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
    const problems: string[] = [];
    const gone = (location: string): void => {
      if (!world.io.objects.has(location)) problems.push(`${location} is in a snapshot and gone`);
    };
    for (const snapshot of snapshots.values()) {
      gone(snapshot['manifest-list']!);
      for (const manifest of await this.#manifests(snapshot['manifest-list']!)) {
        gone(manifest.location);
        for (const file of await this.#dataFiles(manifest)) gone(file.location);
      }
    }
    const named = new Set<string>();
    let whole = true;
    for (let id: bigint | null = head; id !== null;) {
      const snapshot: Snapshot | undefined = snapshots.get(id);
      if (snapshot === undefined) whole = false;
      for (const checkpoint of snapshot === undefined ? [] : namedBy(snapshot)) {
        if (named.has(checkpoint)) problems.push(`checkpoint ${checkpoint} is named twice`);
        named.add(checkpoint);
      }
      id = snapshot?.['parent-snapshot-id'] ?? null;
    }
    const rows = new Map<string, number>();
    const held = new Map<string, number>();
    let own = true;
    for (const manifest of await this.#manifests(snapshots.get(head)!['manifest-list']!)) {
      for (const { location, recordCount } of await this.#dataFiles(manifest)) {
        const object = world.io.objects.get(location);
        const content = JSON.parse(Buffer.from(object?.bytes ?? Buffer.from('[]')).toString()) as [number, number][];
        if (content.length !== recordCount) problems.push(`${location} does not hold ${recordCount} rows`);
        for (const [partition, offset] of content) {
          const row = `${partition}/${offset}`;
          rows.set(row, (rows.get(row) ?? 0) + 1);
        }
        const of = this.#files.get(location);
        // Once another engine has rewritten the files, only the rows tell.
        if (of === undefined) own = false;
        else held.set(of.id, (held.get(of.id) ?? 0) + recordCount);
      }
    }
    const next = this.#next();
    for (const [row, count] of rows) if (count > 1) problems.push(`${row} is there ${count} times`);
    next.forEach((end, partition) => {
      for (let offset = 0; offset < end; offset++)
        if (!rows.has(`${partition}/${offset}`)) problems.push(`${partition}/${offset} is missing`);
    });
    if (rows.size > next.reduce((sum, end) => sum + end, 0)) problems.push('rows beyond the offsets of the table');
    for (const { id, rows: all } of this.#files.values()) {
      const count = held.get(id) ?? 0;
      if (own && named.has(id) && count !== all) problems.push(`${id} is named, ${count} of ${all} rows are there`);
      if (whole && !named.has(id) && count > 0) problems.push(`${id} is not named, and ${count} of its rows are there`);
    }
    if (problems.length > 0) throw new Error(`at ${Math.round(this.scheduler.now)} ms: ${problems.join('; ')}`);
  }

  /** What was read is kept: neither lists nor manifests change. */
  async #manifests(list: string): Promise<readonly ManifestFile[]> {
    const known = this.#lists.get(list) ?? (await readManifestList(this.world.io, list));
    this.#lists.set(list, known);
    return known;
  }

  async #dataFiles(manifest: ManifestFile): Promise<readonly DataFile[]> {
    let known = this.#entries.get(manifest.location);
    if (known === undefined) {
      const entries = await readManifest(this.world.io, manifest);
      known = entries.filter(({ status }) => status !== EntryStatus.deleted).map(({ file }) => file);
      this.#entries.set(manifest.location, known);
    }
    return known;
  }

  #next(): readonly number[] {
    return headOffsets(this.world.metadata.snapshots!, this.world.head());
  }

  /** The owner of a partition, and after its death the next one. */
  async #own(partition: number): Promise<void> {
    for (;;) {
      const process = new Process(this.scheduler, this.world.ports.ids);
      const work = this.#work(process, partition).catch((error: unknown) => {
        this.#failure ??= error;
      });
      // A dead process never ends its work; its partition is given away a while later.
      const dead = (async () => {
        while (process.alive) await this.scheduler.after(500);
        return 'dead' as const;
      })();
      if ((await Promise.race([work, dead])) !== 'dead') {
        process.alive = false;
        return;
      }
    }
  }

  async #work(process: Process, partition: number): Promise<void> {
    const { scheduler, world } = this;
    const { dies = 0, zombies = 0 } = this.#troubles;
    let attempts = 0;
    const instance = world.instance({
      catalog: this.#catalog(process),
      io: () => this.#io(process),
      ports: process.ports,
      hooks: { attempt: (outcome) => void (outcome === 'dropped' || attempts++) },
    });
    await instance.start();
    await scheduler.after(scheduler.random() * this.#interval, process);
    for (;;) {
      if (instance.next(partition) >= this.#end) {
        // An idle owner looks whether somebody has put the table back.
        const last = this.#calm;
        await scheduler.after(this.#interval, process);
        await instance.committer.refresh();
        if (last && instance.next(partition) >= this.#end) break;
        continue;
      }
      const due = scheduler.now + this.#interval;
      if (!this.#calm && scheduler.random() < dies) process.eventsLeft = scheduler.below(60);
      if (!this.#calm && scheduler.random() < zombies)
        void this.#work(new Process(scheduler, world.ports.ids), partition).catch(
          (error: unknown) => (this.#failure ??= error),
        );
      const prepared = await this.#prepare(instance, partition);
      attempts = 0;
      const cutAt = scheduler.now;
      const result = await this.#commit(instance, prepared);
      if (result.kind === 'committed') {
        this.#ms.push(scheduler.now - cutAt);
        this.#attempts.push(attempts);
        const { snapshotId } = result.receipt;
        const snapshot = result.receipt.state.table.metadata.snapshots!.find(
          (one) => one['snapshot-id'] === snapshotId,
        );
        if (snapshot === undefined || !namedBy(snapshot).includes(prepared.id))
          throw new Error(`the receipt of ${prepared.id} names a snapshot that does not hold it`);
      } else await instance.committer.refresh();
      await scheduler.after(Math.max(0, due - scheduler.now), process);
      if (scheduler.random() < 0.2) await instance.committer.refresh();
    }
    await instance.committer.close();
  }

  async #prepare(instance: Instance, partition: number): Promise<Prepared> {
    const start = instance.next(partition);
    const ends = Array.from({ length: partition + 1 }, (_, p) =>
      p === partition ? Math.min(this.#end, start + 1 + this.scheduler.below(3)) : undefined,
    );
    const prepared = await instance.prepare(ends);
    for (const file of prepared.cut.files)
      this.#files.set(file.location, { id: prepared.id, rows: prepared.increments.records });
    return prepared;
  }

  async #commit(instance: Instance, prepared: Prepared): Promise<CommitResult> {
    for (;;) {
      try {
        return await instance.committer.commit(prepared);
      } catch (error) {
        if (!(error instanceof TabletopicError) || error.policy !== 'retry') throw error;
      }
    }
  }

  async #repeat(mean: number, act: () => Promise<void>): Promise<void> {
    while (!this.#calm) {
      await this.scheduler.after(mean * 2 * this.scheduler.random());
      if (!this.#calm) await act();
    }
  }

  async #rollback(): Promise<void> {
    const { world, scheduler } = this;
    const parents = new Map(
      world.metadata.snapshots!.map((snapshot) => [snapshot['snapshot-id'], snapshot['parent-snapshot-id'] ?? null]),
    );
    const before = world.head();
    const gone: bigint[] = [];
    let to = before;
    for (let steps = scheduler.below(6); steps > 0; steps--) {
      const parent = parents.get(to) ?? null;
      // The first snapshot carries the first offsets: never before it.
      if (parent === null || !parents.has(parent)) break;
      gone.push(to);
      to = parent;
    }
    if (gone.length === 0) return;
    await world.rollback(to);
    if (scheduler.below(2) === 0) await world.expire(gone);
  }

  async #compact(): Promise<void> {
    await this.world.compact({ files: this.scheduler.below(2) === 0 });
  }

  #catalog(process: Process): Catalog {
    const { scheduler, world } = this;
    const { lost = 0 } = this.#troubles;
    const server = world.catalog;
    const answerLost = (): CommitOutcome => ({
      outcome: 'unknown',
      error: new TabletopicError('COMMIT_UNKNOWN', 'the answer was lost (by the test)'),
    });
    return {
      name: server.name,
      connect: () => server.connect(),
      createNamespace: (namespace) => server.createNamespace(namespace),
      listTables: (namespace) => server.listTables(namespace),
      createTable: (target, request) => server.createTable(target, request),
      loadTable: (target, snapshots) => process.call(40, () => server.loadTable(target, snapshots)),
      commit: async (target, request) => {
        if (target.name !== ident.name || this.#calm || scheduler.random() >= lost)
          return process.call(40, () => server.commit(target, request));
        if (scheduler.below(2) === 0) {
          await process.call(40, () => server.commit(target, request));
          return answerLost();
        }
        // The request is on its way for a long time, and arrives after all or not at all.
        if (scheduler.below(2) === 0)
          void scheduler.after(scheduler.random() * 2000).then(() => server.commit(target, request));
        await scheduler.after(100, process);
        return answerLost();
      },
      dropTable: (target) => server.dropTable(target),
      close: () => server.close(),
    };
  }

  #io(process: Process): FileIO {
    const { io } = this.world;
    return {
      read: (location, range) => process.call(15, () => io.read(location, range)),
      write: (location, bytes, options) => {
        if (isPending(location)) this.#objectsWritten++;
        return process.call(15, () => io.write(location, bytes, options));
      },
      create: (location) => io.create(location),
      stat: (location) => process.call(15, () => io.stat(location)),
      delete: (locations) => process.call(15, () => io.delete(locations)),
      async *list(prefix) {
        yield* await process.call(15, () => Array.fromAsync(io.list(prefix)));
      },
      close: () => io.close(),
    };
  }
}

function isPending(location: string): boolean {
  return location.includes('/tabletopic/pending/');
}

function namedBy(snapshot: Snapshot): readonly string[] {
  return decodeCheckpoints(snapshot.summary?.[CHECKPOINTS]);
}

/** Offsets of the nearest ancestor that states them: in these runs it always exists. */
function headOffsets(snapshots: readonly Snapshot[], head: bigint): readonly number[] {
  const byId = new Map(snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
  for (let id: bigint | null = head; id !== null;) {
    const snapshot: Snapshot | undefined = byId.get(id);
    const text = snapshot?.summary?.['tabletopic.offsets'];
    if (text !== undefined) {
      const { topics } = JSON.parse(text) as { topics: Record<string, { next: number[] | string }> };
      const { next } = topics[TOPIC]!;
      if (typeof next === 'string') throw new Error('too many partitions for this checker');
      return next;
    }
    id = snapshot?.['parent-snapshot-id'] ?? null;
  }
  throw new Error('no offsets');
}
