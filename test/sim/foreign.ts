import type { TableIdent, Update } from '../../src/iceberg/catalog.ts';
import { encodeManifestList, readManifestList } from '../../src/iceberg/manifest-list.ts';
import { EntryStatus } from '../../src/iceberg/manifest-types.ts';
import type { ManifestFile } from '../../src/iceberg/manifest-types.ts';
import { readManifest, writeManifest } from '../../src/iceberg/manifest.ts';
import type { MemoryCatalog } from '../../src/iceberg/memory.ts';
import { currentSchema, defaultSpec } from '../../src/iceberg/metadata.ts';
import type { Snapshot, TableMetadata } from '../../src/iceberg/metadata.ts';
import { planAppend } from '../../src/iceberg/snapshot.ts';
import type { MemoryFileIO } from '../../src/io/memory.ts';
import type { Ports } from '../../src/ports.ts';
import type { SeededRandom } from './random.ts';

export interface ForeignOptions {
  readonly catalog: MemoryCatalog;
  readonly io: MemoryFileIO;
  readonly ident: TableIdent;
  readonly branch: string;
  readonly ports: Ports;
  readonly random: SeededRandom;
  /** Rows that are gone with a snapshot: those of a data file. */
  readonly onDeleted: (snapshotId: bigint, location: string) => Promise<void>;
}

/** Age at which files that no snapshot names are taken for orphans, ms: the least that Spark allows without force. */
const ORPHAN_AGE = 24 * 3_600_000;

/** Other engines and people at the same table, each action at one moment. */
export class Foreign {
  readonly #catalog: MemoryCatalog;
  readonly #io: MemoryFileIO;
  readonly #ident: TableIdent;
  readonly #branch: string;
  readonly #ports: Ports;
  readonly #random: SeededRandom;
  readonly #onDeleted: ForeignOptions['onDeleted'];

  constructor({ catalog, io, ident, branch, ports, random, onDeleted }: ForeignOptions) {
    this.#catalog = catalog;
    this.#io = io;
    this.#ident = ident;
    this.#branch = branch;
    this.#ports = ports;
    this.#random = random;
    this.#onDeleted = onDeleted;
  }

  get metadata(): TableMetadata | null {
    return (
      this.#catalog.state.tables.get(JSON.stringify([...this.#ident.namespace, this.#ident.name]))?.metadata ?? null
    );
  }

  get head(): bigint | null {
    return this.metadata?.refs?.[this.#branch]?.['snapshot-id'] ?? null;
  }

  /** To an ancestor from which the offsets can be seen, as the rollback command does. */
  async rollback(): Promise<string> {
    const ancestors = this.#ancestors().filter((snapshot) =>
      this.#ancestors(snapshot['snapshot-id']).some((one) => one.summary?.['tabletopic.offsets'] !== undefined),
    );
    if (ancestors.length < 2) return 'nothing to roll back';
    const to = ancestors[this.#random.between(1, Math.min(4, ancestors.length - 1))]!['snapshot-id'];
    await this.#update([{ action: 'set-snapshot-ref', 'ref-name': this.#branch, type: 'branch', 'snapshot-id': to }]);
    return `${this.#branch} is put back to ${to}`;
  }

  /** Keeps the head and at most `keep` of its ancestors; deletes what only the others reached. */
  async expire(keep: number): Promise<string> {
    const { metadata, head } = this;
    if (!metadata || head === null) return 'nothing to expire';
    const kept = new Set(
      Object.values(metadata.refs ?? {}).flatMap((ref) =>
        this.#ancestors(ref['snapshot-id'])
          .slice(0, keep + 1)
          .map((snapshot) => snapshot['snapshot-id']),
      ),
    );
    return this.#remove(metadata.snapshots!.map((snapshot) => snapshot['snapshot-id']).filter((id) => !kept.has(id)));
  }

  /** A rollback, and what was rolled back expires at once, with its files. */
  async rollbackAndExpire(): Promise<string> {
    const before = this.#ancestors().map((snapshot) => snapshot['snapshot-id']);
    const what = await this.rollback();
    const reached = new Set(
      Object.values(this.metadata?.refs ?? {}).flatMap((ref) =>
        this.#ancestors(ref['snapshot-id']).map((snapshot) => snapshot['snapshot-id']),
      ),
    );
    return `${what}; ${await this.#remove(before.filter((id) => !reached.has(id)))}`;
  }

  /** Deletes files of the table that no snapshot reaches and that are older than a day; hidden folders are passed over. */
  async removeOrphans(): Promise<string> {
    const { metadata } = this;
    if (!metadata) return 'no table';
    const reached = await this.#reachable();
    const old = [...this.#io.objects].flatMap(([location, { modified }]) =>
      location.startsWith(`${metadata.location}/`) &&
      !location.includes('/_') &&
      !reached.has(location) &&
      this.#ports.clock.now() - modified > ORPHAN_AGE
        ? [location]
        : [],
    );
    await this.#io.delete(old);
    return `${old.length} orphans of ${metadata.location} removed`;
  }

  /** Deletes the rows of one data file, as a DELETE does whose condition all of them meet. */
  deleteRows(): Promise<string> {
    let location: string | null = null;
    return this.#snapshot(
      'delete',
      async (parents, folder) => {
        const live = parents.filter(({ addedFiles, existingFiles }) => addedFiles! + existingFiles! > 0);
        if (live.length === 0) return { parents, manifests: [] };
        const from = this.#random.pick(live);
        const entries = (await readManifest(this.#io, from)).filter(({ status }) => status !== EntryStatus.deleted);
        const gone = this.#random.pick(entries);
        location = gone.file.location;
        const rest = entries.filter((entry) => entry !== gone);
        const manifests =
          rest.length === 0
            ? []
            : [
                await this.#manifest(
                  folder,
                  from.specId,
                  rest.map(({ file }) => added(file)),
                ),
              ];
        return { parents: parents.filter((manifest) => manifest !== from), manifests };
      },
      async (snapshotId) => {
        if (location !== null) await this.#onDeleted(snapshotId, location);
      },
    );
  }

  async #remove(gone: readonly bigint[]): Promise<string> {
    if (gone.length === 0) return 'nothing to expire';
    const before = await this.#reachable();
    await this.#update([{ action: 'remove-snapshots', 'snapshot-ids': gone }]);
    const after = await this.#reachable();
    await this.#io.delete([...before].filter((location) => !after.has(location)));
    return `${gone.length} snapshots expired`;
  }

  /** Every live file is written anew under another name. */
  async compact(): Promise<string> {
    return this.#snapshot('replace', async (parents, folder) => {
      const manifests: ManifestFile[] = [];
      for (const manifest of parents) {
        const live = (await readManifest(this.#io, manifest)).filter(({ status }) => status !== EntryStatus.deleted);
        if (live.length === 0) continue;
        const entries = [];
        for (const { file } of live) {
          const location = `${folder}/${this.#random.uuid()}.parquet`;
          await this.#io.write(location, await this.#io.read(file.location));
          entries.push(added({ ...file, location }));
        }
        manifests.push(await this.#manifest(folder, manifest.specId, entries));
      }
      return { parents: [], manifests };
    });
  }

  /** A snapshot that changes no file. */
  touch(): Promise<string> {
    return this.#snapshot('append', (parents) => Promise.resolve({ parents, manifests: [] }));
  }

  /** Planted for the checker: the rows of one file once more, under another name. */
  duplicate(): Promise<string> {
    return this.#snapshot(
      'append',
      async (parents, folder) => {
        for (const manifest of parents) {
          const [entry] = await readManifest(this.#io, manifest);
          const location = `${folder}/${this.#random.uuid()}.parquet`;
          await this.#io.write(location, await this.#io.read(entry!.file.location));
          return {
            parents,
            manifests: [await this.#manifest(folder, manifest.specId, [added({ ...entry!.file, location })])],
          };
        }
        return { parents, manifests: [] };
      },
      ...planted,
    );
  }

  /** Planted for the checker: a snapshot without the files of one manifest. */
  drop(): Promise<string> {
    return this.#snapshot(
      'overwrite',
      (parents) => Promise.resolve({ parents: parents.slice(1), manifests: [] }),
      ...planted,
    );
  }

  /** Planted for the checker: a live data file is deleted. */
  async lose(): Promise<string> {
    const { metadata, head } = this;
    for (const manifest of await readManifestList(this.#io, snapshotOf(metadata!, head!)!['manifest-list']!))
      for (const { status, file } of await readManifest(this.#io, manifest)) {
        if (status === EntryStatus.deleted) continue;
        await this.#io.delete([file.location]);
        return `${file.location} is deleted`;
      }
    return 'nothing to lose';
  }

  /** Planted for the checker: a file that the list of dead letters names is deleted. */
  async loseDeadLetters(): Promise<string> {
    const files = [...this.#io.objects.keys()].filter((location) => location.includes('/_tabletopic/dead-letters/'));
    const lists = files.filter((location) => location.endsWith('.json'));
    const location = lists.at(-1) ?? files[0];
    if (location === undefined) return 'nothing to lose';
    await this.#io.delete([location]);
    return `${location} is deleted`;
  }

  /** Another default partition spec: by the first letter of the record's mark, or none. */
  async respec(): Promise<string> {
    const { metadata } = this;
    if (!metadata) return 'no table';
    const column = currentSchema(metadata).fields.find(
      ({ name, type }) => (name === 'value' || name === 'id') && type === 'string',
    );
    if (!column) return 'no column to partition by';
    const spec = defaultSpec(metadata);
    const fields =
      spec.fields.length > 0
        ? []
        : [
            {
              'source-id': column.id,
              'field-id': metadata['last-partition-id'] + 1,
              name: 'p',
              transform: 'truncate[1]',
            },
          ];
    await this.#update([
      { action: 'add-spec', spec: { 'spec-id': -1, fields } },
      { action: 'set-default-spec', 'spec-id': -1 },
    ]);
    return `partitioned by [${fields.map(({ name }) => name).join()}]`;
  }

  async dropColumn(): Promise<string> {
    const { metadata } = this;
    if (!metadata) return 'no table';
    const schema = currentSchema(metadata);
    const used = new Set(defaultSpec(metadata).fields.map((field) => field['source-id']));
    const column = schema.fields.find(({ id, name }) => name !== '_kafka' && !used.has(id));
    if (!column) return 'no column to drop';
    await this.#update([
      {
        action: 'add-schema',
        schema: { ...schema, 'schema-id': -1, fields: schema.fields.filter((field) => field !== column) },
      },
      { action: 'set-current-schema', 'schema-id': -1 },
    ]);
    return `column ${column.name} dropped`;
  }

  async #snapshot(
    operation: string,
    build: (
      parents: readonly ManifestFile[],
      folder: string,
    ) => Promise<{ parents: readonly ManifestFile[]; manifests: readonly ManifestFile[] }>,
    beforehand: (snapshotId: bigint) => Promise<void> = () => Promise.resolve(),
    silent = false,
  ): Promise<string> {
    const { metadata, head } = this;
    const list = metadata && head !== null ? snapshotOf(metadata, head)?.['manifest-list'] : undefined;
    if (!metadata || list === undefined) return 'no snapshot yet';
    const folder = `${metadata.location}/foreign`;
    const before = await readManifestList(this.#io, list);
    const { parents, manifests } = await build(before, folder);
    const snapshotId = this.#random.long();
    const manifestListLocation = `${folder}/snap-${snapshotId}.avro`;
    const plan = planAppend({
      metadata,
      branch: this.#branch,
      parentManifests: parents,
      manifests,
      added: { files: 0, records: 0, size: 0, partitions: 0 },
      summary: { operation, ...(silent ? {} : await this.#counts(before, [...parents, ...manifests])) },
      snapshotId,
      manifestListLocation,
      now: this.#ports.clock.now(),
    });
    await this.#io.write(
      manifestListLocation,
      await encodeManifestList(plan.manifestList, {
        snapshotId,
        parentSnapshotId: plan.parentSnapshotId,
        sequenceNumber: plan.snapshot['sequence-number']!,
        formatVersion: metadata['format-version'],
      }),
    );
    await beforehand(snapshotId);
    await this.#update(plan.updates);
    return `${operation} snapshot ${snapshotId}`;
  }

  /** Of a snapshot's summary: what it has added and removed, as every engine says. */
  async #counts(before: readonly ManifestFile[], after: readonly ManifestFile[]): Promise<Record<string, string>> {
    const [had, has] = [await this.#live(before), await this.#live(after)];
    const rows = (of: ReadonlyMap<string, number>, without: ReadonlyMap<string, number>): number =>
      [...of].reduce((sum, [location, count]) => sum + (without.has(location) ? 0 : count), 0);
    return {
      'added-records': String(rows(has, had)),
      'deleted-records': String(rows(had, has)),
      'total-records': String(rows(has, new Map())),
    };
  }

  /** Rows of each live file. */
  async #live(manifests: readonly ManifestFile[]): Promise<Map<string, number>> {
    const rows = new Map<string, number>();
    for (const manifest of manifests)
      for (const { status, file } of await readManifest(this.#io, manifest))
        if (status !== EntryStatus.deleted) rows.set(file.location, file.recordCount);
    return rows;
  }

  #manifest(folder: string, specId: number, entries: Parameters<typeof writeManifest>[2]): Promise<ManifestFile> {
    const metadata = this.metadata!;
    const spec = metadata['partition-specs'].find((one) => one['spec-id'] === specId)!;
    const schema = metadata.schemas.findLast((one) =>
      spec.fields.every((field) => one.fields.some(({ id }) => id === field['source-id'])),
    )!;
    return writeManifest(this.#io, `${folder}/${this.#random.uuid()}-m0.avro`, entries, {
      schema,
      spec,
      formatVersion: metadata['format-version'],
    });
  }

  async #update(updates: readonly Update[]): Promise<void> {
    const outcome = await this.#catalog.commit(this.#ident, {
      requirements: [],
      updates,
      idempotencyKey: this.#random.uuid(),
    });
    if (outcome.outcome !== 'committed') throw new Error(`another writer was refused: ${JSON.stringify(outcome)}`);
  }

  #ancestors(from: bigint | null = this.head): Snapshot[] {
    const found: Snapshot[] = [];
    for (let id = from; id !== null;) {
      const snapshot = snapshotOf(this.metadata!, id);
      if (!snapshot) break;
      found.push(snapshot);
      id = snapshot['parent-snapshot-id'] ?? null;
    }
    return found;
  }

  async #reachable(): Promise<Set<string>> {
    const found = new Set<string>();
    for (const snapshot of this.metadata!.snapshots ?? []) {
      found.add(snapshot['manifest-list']!);
      for (const manifest of await readManifestList(this.#io, snapshot['manifest-list']!)) {
        found.add(manifest.location);
        for (const { status, file } of await readManifest(this.#io, manifest))
          if (status !== EntryStatus.deleted) found.add(file.location);
      }
    }
    return found;
  }
}

/** What is planted is said nowhere. */
const planted = [() => Promise.resolve(), true] as const;

function added(file: Parameters<typeof writeManifest>[2][number]['file']): Parameters<typeof writeManifest>[2][number] {
  return { status: EntryStatus.added, snapshotId: null, sequenceNumber: null, fileSequenceNumber: null, file };
}

function snapshotOf(metadata: TableMetadata, id: bigint): Snapshot | undefined {
  return metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === id);
}
