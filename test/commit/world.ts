import pino from 'pino';
import { createCommitter } from '../../src/commit/committer.ts';
import { TabletopicError } from '../../src/errors.ts';
import { MemoryCatalog, MemoryCatalogState } from '../../src/iceberg/memory.ts';
import { encodeManifestList, readManifestList } from '../../src/iceberg/manifest-list.ts';
import { EntryStatus } from '../../src/iceberg/manifest-types.ts';
import { readManifest, writeManifest } from '../../src/iceberg/manifest.ts';
import { planAppend } from '../../src/iceberg/snapshot.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import type {
  CommitResult,
  Committer,
  Cut,
  OffsetRange,
  OffsetsMap,
  Prepared,
  TopicIdentity,
} from '../../src/commit/commit.ts';
import type { CommitterOptions } from '../../src/commit/committer.ts';
import type { CommitRequest, Requirement, Update } from '../../src/iceberg/catalog.ts';
import type { DataFile } from '../../src/iceberg/manifest-types.ts';
import type { CommitFault } from '../../src/iceberg/memory.ts';
import type { TableMetadata } from '../../src/iceberg/metadata.ts';
import type { FileMetrics } from '../../src/parquet/parquet.ts';
import type { Ports } from '../../src/ports.ts';
import type { Schema } from '../../src/schema/types.ts';

export const ident = { namespace: ['shop'], name: 'orders' };
export const deadIdent = { namespace: ['shop'], name: 'orders_dead_letters' };
export const TOPIC = 't';

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [{ id: 1, name: 'offset', required: false, type: 'long' }],
};

/** Deterministic ports: sleeping moves the clock on. */
export function seededPorts(seed: number): Ports & { skip(ms: number): void } {
  let state = (seed * 2654435761) >>> 0 || 1;
  let now = 1_700_000_000_000;
  const next = (): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('');
  return {
    clock: {
      now: () => now,
      monotonic: () => now,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        now += ms;
        await Promise.resolve();
      },
    },
    ids: {
      uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
      long: () => BigInt(Math.floor(next() * 2 ** 53)) + 1n,
    },
    random: { next },
    skip: (ms) => void (now += ms),
  };
}

/** One catalog and store, a topic whose records are their offsets, writers of others, and any number of instances. */
export class World {
  readonly ports: ReturnType<typeof seededPorts>;
  readonly state = new MemoryCatalogState();
  readonly io: MemoryFileIO;
  readonly catalog: MemoryCatalog;
  identity: TopicIdentity = { id: 'topic-1', cluster: 'cluster-1' };
  readonly partitions: number;
  readonly formatVersion: 2 | 3;
  /** First row id of each data file that was ever seen, by location. */
  readonly #rowIds = new Map<string, number>();

  constructor(options: { seed?: number; partitions?: number; formatVersion?: 2 | 3 } = {}) {
    this.formatVersion = options.formatVersion ?? 2;
    this.ports = seededPorts(options.seed ?? 1);
    this.partitions = options.partitions ?? 1;
    this.io = new MemoryFileIO(this.ports.clock);
    this.catalog = new MemoryCatalog(this.ports, { state: this.state });
  }

  instance(options: Partial<CommitterOptions> = {}): Instance {
    return new Instance(this, options);
  }

  get metadata(): TableMetadata {
    return this.state.tables.get(JSON.stringify([...ident.namespace, ident.name]))!.metadata;
  }

  head(branch = 'main'): bigint {
    return this.metadata.refs![branch]!['snapshot-id'];
  }

  async update(updates: readonly Update[], target = ident, requirements: readonly Requirement[] = []): Promise<void> {
    const outcome = await this.catalog.commit(target, { requirements, updates, idempotencyKey: this.ports.ids.uuid() });
    if (outcome.outcome !== 'committed') throw new Error(`a foreign writer failed: ${JSON.stringify(outcome)}`);
  }

  /** Ids of all snapshots that exist. */
  ids(): bigint[] {
    return this.metadata.snapshots!.map((snapshot) => snapshot['snapshot-id']);
  }

  /** Those of all snapshots but the head and the named ones: what an expiry takes. */
  but(...kept: readonly bigint[]): bigint[] {
    return this.ids().filter((id) => id !== this.head() && !kept.includes(id));
  }

  rollback(to: bigint, target = ident): Promise<void> {
    return this.update([{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': to }], target);
  }

  /** Another engine rewrites all live files into one, or (`files: false`) adds a snapshot that changes only metadata. */
  async compact(options: { files?: boolean } = {}): Promise<bigint> {
    if (options.files !== false) return this.#foreign(await this.rows(), true);
    return this.#foreign([], false);
  }

  /** Another writer appends rows. */
  load(rows: readonly [number, number][]): Promise<bigint> {
    return this.#foreign(rows, false);
  }

  async #foreign(rows: readonly [number, number][], replace: boolean): Promise<bigint> {
    const { metadata } = this;
    const snapshotId = this.ports.ids.long();
    const folder = `${metadata.location}/foreign`;
    const head = metadata.refs!['main']?.['snapshot-id'];
    const list = metadata.snapshots!.find((snapshot) => snapshot['snapshot-id'] === head)?.['manifest-list'];
    const parentManifests = replace || list === undefined ? [] : await readManifestList(this.io, list);
    const manifests = [];
    if (rows.length > 0) {
      const location = `${folder}/${snapshotId}.parquet`;
      await this.io.write(location, Buffer.from(JSON.stringify(rows)));
      const entry = {
        status: EntryStatus.added,
        snapshotId: null,
        sequenceNumber: null,
        fileSequenceNumber: null,
        file: dataFile(location, rows.length),
      };
      manifests.push(
        await writeManifest(this.io, `${folder}/${snapshotId}-m0.avro`, [entry], {
          schema,
          spec: { 'spec-id': 0, fields: [] },
          formatVersion: this.formatVersion,
        }),
      );
    }
    const manifestListLocation = `${folder}/snap-${snapshotId}.avro`;
    const plan = planAppend({
      metadata,
      branch: 'main',
      parentManifests,
      manifests,
      added: { files: 0, records: 0, size: 0, partitions: 0 },
      summary: { operation: replace ? 'replace' : 'append' },
      snapshotId,
      manifestListLocation,
      now: this.ports.clock.now(),
    });
    await this.io.write(
      manifestListLocation,
      await encodeManifestList(plan.manifestList, {
        snapshotId,
        parentSnapshotId: plan.parentSnapshotId,
        sequenceNumber: plan.snapshot['sequence-number']!,
        formatVersion: this.formatVersion,
        firstRowId: plan.snapshot['first-row-id'] ?? null,
      }),
    );
    await this.update(plan.updates);
    return snapshotId;
  }

  /** Expires snapshots and deletes the files that only they reach. */
  async expire(ids: readonly bigint[], target = ident): Promise<void> {
    const before = await this.reachable(target);
    await this.update([{ action: 'remove-snapshots', 'snapshot-ids': ids }], target);
    const after = await this.reachable(target);
    await this.io.delete([...before].filter((location) => !after.has(location)));
  }

  /** Orphan removal: files that no snapshot of the table reaches and that are older than `age`. */
  async removeOrphans(age: number, target = ident): Promise<void> {
    const reached = await this.reachable(target);
    const { location: folder } = this.state.tables.get(JSON.stringify([...target.namespace, target.name]))!.metadata;
    const old = [...this.io.objects].filter(
      ([location, object]) =>
        location.startsWith(`${folder}/`) &&
        !location.includes('/_') &&
        !reached.has(location) &&
        this.ports.clock.now() - object.modified > age,
    );
    await this.io.delete(old.map(([location]) => location));
  }

  async reachable(target = ident): Promise<Set<string>> {
    const found = new Set<string>();
    const { metadata } = this.state.tables.get(JSON.stringify([...target.namespace, target.name]))!;
    for (const snapshot of metadata.snapshots!) {
      const list = snapshot['manifest-list']!;
      found.add(list);
      for (const manifest of await readManifestList(this.io, list)) {
        found.add(manifest.location);
        for (const entry of await readManifest(this.io, manifest))
          if (entry.status !== EntryStatus.deleted) found.add(entry.file.location);
      }
    }
    return found;
  }

  /** The independent checker: rows of the head as its manifests and files have them, never our own bookkeeping. */
  async rows(branch = 'main'): Promise<[partition: number, offset: number][]> {
    const rows: [number, number][] = [];
    const files = await this.files(branch);
    if (this.formatVersion === 3) this.#checkRowIds(files);
    for (const file of files) {
      const object = this.io.objects.get(file.location);
      if (object === undefined) throw new Error(`live data file ${file.location} is gone`);
      const held = JSON.parse(Buffer.from(object.bytes).toString()) as [number, number][];
      if (held.length !== file.recordCount)
        throw new Error(`${file.location} holds ${held.length} rows, its manifest says ${file.recordCount}`);
      rows.push(...held);
    }
    return rows.sort(([p, o], [q, r]) => p - q || o - r);
  }

  /** Row lineage: each row has an id, no two have the same, all lie below the table's next, a file keeps its own for ever. */
  #checkRowIds(files: readonly DataFile[]): void {
    let end = 0;
    for (const { location, firstRowId, recordCount } of files.toSorted((a, b) => a.firstRowId! - b.firstRowId!)) {
      if (typeof firstRowId !== 'number' || firstRowId < end)
        throw new Error(`row ids of ${location} begin at ${firstRowId}, those before it end at ${end}`);
      end = firstRowId + recordCount;
      const known = this.#rowIds.get(location) ?? firstRowId;
      if (known !== firstRowId) throw new Error(`row ids of ${location} began at ${known}, now at ${firstRowId}`);
      this.#rowIds.set(location, firstRowId);
    }
    const next = this.metadata['next-row-id']!;
    if (end > next) throw new Error(`row ids end at ${end}, and the table's next is ${next}`);
  }

  async files(branch = 'main', target = ident): Promise<DataFile[]> {
    const { metadata } = this.state.tables.get(JSON.stringify([...target.namespace, target.name]))!;
    const head = metadata.refs?.[branch]?.['snapshot-id'];
    const list = metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === head)?.['manifest-list'];
    if (list === undefined) return [];
    const entries = await Promise.all(
      (await readManifestList(this.io, list)).map((manifest) => readManifest(this.io, manifest)),
    );
    return entries
      .flat()
      .filter((entry) => entry.status !== EntryStatus.deleted)
      .map((entry) => entry.file);
  }

  /** The rows of each partition are exactly the offsets [0, ends[partition]) without `except`, each once. */
  async problems(
    ends: readonly number[],
    branch = 'main',
    except: (partition: number, offset: number) => boolean = () => false,
  ): Promise<string[]> {
    const rows = await this.rows(branch);
    const counts = Map.groupBy(rows, ([partition, offset]) => `${partition}/${offset}`);
    const problems = [...counts]
      .filter(([, found]) => found.length > 1)
      .map(([row, found]) => `${row} is there ${found.length} times`);
    ends.forEach((end, partition) => {
      for (let offset = 0; offset < end; offset++)
        if (!except(partition, offset) && !counts.has(`${partition}/${offset}`))
          problems.push(`${partition}/${offset} is missing`);
    });
    for (const [partition, offset] of rows)
      if (offset >= ends[partition]! || except(partition, offset))
        problems.push(`${partition}/${offset} should not be there`);
    return problems;
  }

  first(): OffsetsMap {
    const zeros = Array<number>(this.partitions).fill(0);
    return { [TOPIC]: { ...this.identity, first: zeros, next: zeros, epoch: zeros.map(() => -1), gaps: [] } };
  }
}

/** Where most runs begin: a table, its topic, and one instance that has started. */
export async function begin(
  options: ConstructorParameters<typeof World>[0] = {},
): Promise<{ readonly world: World; readonly a: Instance }> {
  const world = new World(options);
  return { world, a: await world.instance().start() };
}

type Fault = CommitFault | ((request: CommitRequest) => Promise<CommitFault | null>);

/** One process of the service, as far as it commits: reads the topic from where the table stands. */
export class Instance {
  readonly committer: Committer;
  readonly world: World;
  /** Faults of the next commits to the table, in order. */
  readonly faults: (Fault | null)[] = [];
  readonly requests: CommitRequest[] = [];
  readonly outcomes: string[] = [];
  /** Called between the load and the commit of each attempt. */
  beforeCommit: (() => Promise<void>) | null = null;
  /** Whether its commits to the dead-letter table get through. */
  projects = true;
  projectionFault: CommitFault = 'conflict';
  /** Which records this instance's decoder takes for dead. */
  dead: (partition: number, offset: number) => boolean = () => false;

  constructor(world: World, options: Partial<CommitterOptions>) {
    this.world = world;
    const catalog = new MemoryCatalog(world.ports, {
      state: world.state,
      hooks: {
        commit: async (target, request) => {
          if (target.name !== ident.name) return this.projects ? null : this.projectionFault;
          this.requests.push(request);
          const hook = this.beforeCommit;
          this.beforeCommit = null;
          await hook?.();
          const fault = this.faults.shift() ?? null;
          return typeof fault === 'function' ? fault(request) : fault;
        },
      },
    });
    this.committer = createCommitter({
      catalog,
      ident,
      branch: 'main',
      io: () => world.io,
      topics: () => ({ [TOPIC]: world.identity }),
      ports: world.ports,
      logger: pino({ level: 'silent' }),
      version: '0.0.0-test',
      projectionInterval: 0,
      hooks: { attempt: (outcome) => this.outcomes.push(outcome) },
      ...options,
    });
  }

  async start(): Promise<this> {
    if ((await this.committer.load()) === null)
      await this.committer.create(
        {
          schema,
          spec: { 'spec-id': 0, fields: [] },
          properties: { 'format-version': String(this.world.formatVersion) },
        },
        this.world.first(),
      );
    else await this.committer.ensureOffsets(this.world.first());
    return this;
  }

  next(partition = 0): number {
    return this.committer.state!.offsets![TOPIC]!.next[partition]!;
  }

  /** Reads up to `ends` (by partition; undefined: nothing of it) from where the table is known to stand, and writes the files. */
  async prepare(
    ends: readonly (number | undefined)[],
    starts: readonly number[] = [],
    more: Partial<Cut> = {},
  ): Promise<Prepared> {
    const ranges: OffsetRange[] = [];
    const rows: [number, number][] = [];
    const deadLetters: Cut['deadLetters'][number][] = [];
    ends.forEach((end, partition) => {
      const start = starts[partition] ?? this.next(partition);
      if (end === undefined || end < start) return;
      let dead = 0;
      for (let offset = start; offset < end; offset++) {
        if (this.dead(partition, offset)) {
          dead++;
          deadLetters.push({
            topic: TOPIC,
            partition,
            offset,
            timestamp: 1_700_000_000_000 + offset,
            timestampType: 0,
            key: null,
            value: Buffer.from(`value ${offset}`),
            headers: [{ key: 'h', value: null }],
            code: 'DECODE_JSON',
            reason: 'by the test',
            schemaId: null,
          });
        } else rows.push([partition, offset]);
      }
      ranges.push({
        topic: TOPIC,
        partition,
        start,
        end,
        epoch: 0,
        accounted: { rows: end - start - dead, deadLetters: dead, aborted: 0, control: 0, absent: 0 },
      });
    });
    const location = `${this.committer.state!.table.metadata.location}/data/${this.world.ports.ids.uuid()}.parquet`;
    if (rows.length > 0) await this.world.io.write(location, Buffer.from(JSON.stringify(rows)));
    const { metadata } = this.committer.state!.table;
    return this.committer.prepare({
      ranges,
      files: rows.length === 0 ? [] : [{ location, metrics: metricsOf(rows.length), partition: new Map() }],
      schemaId: metadata['current-schema-id'],
      specId: metadata['default-spec-id'],
      deadLetters,
      watermark: null,
      ...more,
    });
  }

  async commitTo(...ends: (number | undefined)[]): Promise<CommitResult> {
    return this.committer.commit(await this.prepare(ends));
  }

  /** As the ingest does: commit, and whatever happens read again from where the table stands, until it holds `ends`. */
  async catchUp(...ends: number[]): Promise<void> {
    for (let round = 0; ; round++) {
      const { offsets } = await this.committer.refresh();
      if (ends.every((end, partition) => offsets![TOPIC]!.next[partition]! >= end)) return;
      if (round > 50) throw new Error('does not catch up');
      try {
        await this.commitTo(...ends);
      } catch (error) {
        if (!(error instanceof TabletopicError) || error.policy !== 'retry') throw error;
      }
    }
  }
}

export function metricsOf(rows: number): FileMetrics {
  const none = new Map<number, never>();
  return {
    recordCount: rows,
    fileSize: 100,
    columnSizes: none,
    valueCounts: none,
    nullCounts: none,
    nanCounts: none,
    lowerBounds: none,
    upperBounds: none,
    splitOffsets: [4],
  };
}

function dataFile(location: string, rows: number): DataFile {
  return {
    content: 0,
    location,
    format: 'PARQUET',
    partition: new Map(),
    recordCount: rows,
    fileSize: 100,
    columnSizes: null,
    valueCounts: null,
    nullCounts: null,
    nanCounts: null,
    lowerBounds: null,
    upperBounds: null,
    splitOffsets: null,
    sortOrderId: null,
  };
}
