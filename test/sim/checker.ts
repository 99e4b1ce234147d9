import { EntryStatus } from '../../src/iceberg/manifest-types.ts';
import type { MemoryCatalogState } from '../../src/iceberg/memory.ts';
import type { Snapshot, TableMetadata } from '../../src/iceberg/metadata.ts';
import type { MemoryFileIO } from '../../src/io/memory.ts';
import type { Isolation } from '../../src/source/source.ts';
import type { Produced, SimBroker, SimTopic } from './broker.ts';
import { Readings, snapshotOf } from './readings.ts';
import type { Row, Statement } from './readings.ts';
import type { TableSpec } from './tables.ts';

interface AccountedTopic {
  readonly partition: readonly number[];
  readonly start: readonly number[];
  readonly end: readonly number[];
  readonly rows: readonly number[];
  readonly deadLetters: readonly number[];
  readonly aborted: readonly number[];
  readonly control: readonly number[];
  readonly absent: readonly number[];
  readonly elsewhere?: readonly number[];
}

export interface CheckerOptions {
  readonly broker: SimBroker;
  readonly catalog: MemoryCatalogState;
  readonly io: MemoryFileIO;
  readonly table: TableSpec;
  readonly isolation: Isolation;
}

/** A record, of all that were ever written at its offset. */
interface Origin {
  readonly topic: SimTopic;
  readonly key: string;
  /** Whether the log holds it, or did until the time for it was over; not if an unclean election took it. */
  readonly valid: boolean;
}

/**
 * Compares a table with what was produced; the offsets come from the text of the snapshot summaries. Nothing here asks
 * the service. The invariants are numbered at the head of `simulation.sim.test.ts`.
 */
export class Checker {
  readonly table: TableSpec;
  readonly #o: CheckerOptions;
  readonly #readings: Readings;
  /** What held at each head, remembered beyond its expiry; so are parents. */
  readonly #statements = new Map<bigint, Statement | null>();
  readonly #parents = new Map<bigint, bigint | null>();
  /** Keys of the records whose rows another writer deleted in a snapshot. */
  readonly #deletions = new Map<bigint, ReadonlySet<string>>();
  /** Snapshots in which a person set the offsets. */
  readonly #adopted = new Set<bigint>();
  #last: { metadata: TableMetadata; head: bigint | null } | null = null;
  snapshots = 0;
  /** Most checkpoints that one snapshot held. */
  mostCarried = 0;
  /** Most data files that one snapshot of the service added. */
  mostFiles = 0;

  constructor(options: CheckerOptions) {
    this.#o = options;
    this.table = options.table;
    this.#readings = new Readings(options.io, options.table.markOf);
  }

  get name(): string {
    return [...this.table.namespace, this.table.name].join('.');
  }

  get metadata(): TableMetadata | null {
    return this.#metadataOf(this.table.name);
  }

  get #deadMetadata(): TableMetadata | null {
    return this.#metadataOf(`${this.table.name}_dead_letters`);
  }

  /** Rows of a file are gone with the snapshot, by another writer's will. */
  async deleted(snapshotId: bigint, location: string): Promise<void> {
    const rows = await this.#readings.rowsOf(location);
    this.#deletions.set(snapshotId, new Set(rows.flatMap((row) => this.#origin(row, false)?.key ?? [])));
  }

  adopted(snapshotId: bigint): void {
    this.#adopted.add(snapshotId);
  }

  /** Problems of the newest state of the table, empty when it has not changed since the last call. */
  async changed(): Promise<string[]> {
    const { metadata } = this;
    if (!metadata || metadata === this.#last?.metadata) return [];
    const head = headOf(metadata, this.table.branch);
    const before = this.#last;
    this.#last = { metadata, head };
    for (const snapshot of metadata.snapshots ?? [])
      this.#parents.set(snapshot['snapshot-id'], snapshot['parent-snapshot-id'] ?? null);
    if (head === null || head === before?.head) return [];
    this.snapshots++;
    this.#statements.set(head, this.statement(metadata, head));
    const problems = await this.files();
    if (problems.length > 0) return problems;
    const snapshot = snapshotOf(metadata, head)!;
    problems.push(...(await this.#contents(snapshot)), ...(await this.#partitioned(metadata, snapshot)));
    const parent = snapshot['parent-snapshot-id'] ?? null;
    if (
      before &&
      parent === before.head &&
      snapshot.summary?.['tabletopic.offsets'] !== undefined &&
      !this.#adopted.has(head)
    )
      problems.push(...(await this.#commit(metadata, snapshot)));
    return problems.map((text) => `${text} (${this.name})`);
  }

  /** Invariants 4 and 5: every file that any snapshot of either table names is there. */
  async files(): Promise<string[]> {
    const problems: string[] = [];
    for (const metadata of [this.metadata, this.#deadMetadata]) {
      const seen = new Set<string>();
      for (const snapshot of metadata?.snapshots ?? []) {
        const missing = (location: string): boolean => {
          if (this.#readings.exists(location)) return false;
          problems.push(`4/5: snapshot ${snapshot['snapshot-id']} names ${location}, which is gone`);
          return true;
        };
        if (missing(snapshot['manifest-list']!)) continue;
        for (const manifest of await this.#readings.manifests(snapshot)) {
          if (seen.has(manifest.location)) continue;
          seen.add(manifest.location);
          if (missing(manifest.location)) continue;
          for (const { status, file } of await this.#readings.entries(manifest))
            if (status !== EntryStatus.deleted) missing(file.location);
        }
      }
    }
    problems.push(...this.#readings.deadLetterFiles(this.statement()).problems);
    return problems;
  }

  /** Invariants 1 and 2. */
  async #contents(snapshot: Snapshot): Promise<string[]> {
    const problems: string[] = [];
    const statement = this.statement();
    const held = new Set<string>();
    // One offset can have held two records only where a log was cut off and a person accepted it.
    const places = new Set<string>();
    for (const [what, list] of [
      ['row', await this.#readings.rows(snapshot)],
      ['dead letter', await this.#readings.deadLetters(statement)],
    ] as const) {
      for (const row of list) {
        const place = `${row.topic}/${row.partition}/${row.offset}`;
        const origin = this.#origin(row, what === 'dead letter');
        if (!origin) {
          problems.push(`1: ${what} ${place} holds ${row.value}, which was not produced there`);
          continue;
        }
        const where = keyOf(origin.topic, row.partition, row.offset);
        if (held.has(origin.key) || (this.#adopted.size === 0 && places.has(where)))
          problems.push(`1: ${place} is there twice`);
        held.add(origin.key);
        places.add(where);
        const topic = statement?.topics[row.topic];
        const next = topic?.next[row.partition] ?? Infinity;
        if (topic?.id === origin.topic.id && origin.valid && row.offset >= next)
          problems.push(`6: ${what} ${place} stands beyond the checkpoint, ${next}`);
        const bounds = this.table.bounds?.[row.partition];
        if (bounds && (row.offset < bounds[0] || row.offset >= bounds[1]))
          problems.push(`6: ${what} ${place} is outside of what was asked for, ${bounds.join('–')}`);
      }
    }
    for (let id: bigint | null = snapshot['snapshot-id']; id !== null; id = this.#parents.get(id) ?? null)
      for (const key of this.#deletions.get(id) ?? []) held.add(key);
    for (const [name, { id, first, next }] of Object.entries(statement?.topics ?? {})) {
      const topic = this.#o.broker.incarnations.find((one) => one.id === id);
      for (let p = 0; p < next.length; p++) {
        const partition = topic?.partitions[p];
        if (!partition) continue;
        for (let offset = first[p]!; offset < next[p]!; offset++) {
          const all = partition.truth.get(offset);
          const record = all?.at(-1);
          if (
            !record ||
            !this.table.takes(record) ||
            record.removed ||
            !this.#visible(record) ||
            offset >= partition.truncatedAt
          )
            continue;
          if (!held.has(keyOf(topic, p, offset, all!.length - 1)))
            problems.push(`2: ${name}/${p}/${offset} is missing below the checkpoint, ${next[p]}`);
        }
      }
    }
    return problems;
  }

  /** Invariants 3 and 6 for one snapshot of ours on its parent. */
  async #commit(metadata: TableMetadata, snapshot: Snapshot): Promise<string[]> {
    const problems: string[] = [];
    const name = `snapshot ${snapshot['snapshot-id']}`;
    const before = this.statement(metadata, snapshot['parent-snapshot-id'] ?? null)?.topics ?? {};
    const after = this.statement(metadata, snapshot['snapshot-id'])!.topics;
    const expected = new Map(Object.entries(before).map(([topic, { next }]) => [topic, [...next]]));
    for (const [topic, next] of expected)
      next.forEach((offset, p) => {
        const now = after[topic]?.next[p] ?? -1;
        if (now < offset) problems.push(`3: ${name} puts ${topic}/${p} back from ${offset} to ${now}`);
      });
    const added: Row[] = [];
    let files = 0;
    for (const manifest of await this.#readings.manifests(snapshot)) {
      if (manifest.addedSnapshotId !== snapshot['snapshot-id']) continue;
      for (const { status, file } of await this.#readings.entries(manifest)) {
        if (status !== EntryStatus.added) continue;
        files++;
        added.push(...(await this.#readings.rowsOf(file.location)));
      }
    }
    this.mostFiles = Math.max(this.mostFiles, files);
    const ids = snapshot.summary?.['tabletopic.checkpoints'];
    if (ids !== undefined) this.mostCarried = Math.max(this.mostCarried, (JSON.parse(ids) as string[]).length);
    const text = snapshot.summary?.['tabletopic.accounted'];
    const accounted = text === undefined ? {} : (JSON.parse(text) as { topics: Record<string, AccountedTopic> }).topics;
    let counted = 0;
    for (const [topic, ranges] of Object.entries(accounted)) {
      ranges.partition.forEach((partition, i) => {
        const [start, end] = [ranges.start[i]!, ranges.end[i]!];
        const sum =
          ranges.rows[i]! +
          ranges.deadLetters[i]! +
          ranges.aborted[i]! +
          ranges.control[i]! +
          ranges.absent[i]! +
          (ranges.elsewhere?.[i] ?? 0);
        if (sum !== end - start) problems.push(`6: ${name}: ${topic}/${partition} ${start}–${end} adds up to ${sum}`);
        const rows = added.filter(
          (row) => row.topic === topic && row.partition === partition && row.offset >= start && row.offset < end,
        );
        if (rows.length !== ranges.rows[i])
          problems.push(
            `6: ${name}: ${topic}/${partition} ${start}–${end} states ${ranges.rows[i]} rows, its files hold ${rows.length}`,
          );
        counted += rows.length;
        const next = expected.get(topic);
        if (next?.[partition] !== start)
          problems.push(
            `6: ${name}: ${topic}/${partition} begins at ${start}, the table stood at ${next?.[partition]}`,
          );
        else next[partition] = end;
      });
    }
    if (counted !== added.length) problems.push(`6: ${name} adds ${added.length} rows, its ranges hold ${counted}`);
    for (const [topic, next] of expected)
      if (next.some((offset, p) => after[topic]?.next[p] !== offset))
        problems.push(
          `6: ${name} states ${topic} at ${after[topic]?.next.join(',')}, its ranges end at ${next.join(',')}`,
        );
    return problems;
  }

  /** Invariant 7: every record that can be read is accounted for, and dead letters have reached their table. */
  async behind(): Promise<string[]> {
    const problems: string[] = [];
    const statement = this.statement();
    for (const { name, id, partitions } of this.#o.broker.topics.values()) {
      if (!this.table.topics.includes(name)) continue;
      const topic = statement?.topics[name];
      partitions.forEach(({ log }, p) => {
        const readable = this.#o.isolation === 'read_committed' ? log.lastStableOffset : log.end;
        const end = this.table.bounds ? (this.table.bounds[p]?.[1] ?? 0) : readable;
        // The bounds of a backfill are those of the log that it began with, whatever has the topic's name since.
        const next = topic && (topic.id === id || this.table.bounds) ? (topic.next[p] ?? 0) : -1;
        if (next < end && !(next <= 0 && end === 0))
          problems.push(`7: ${name}/${p} stands at ${next}, the log ends at ${end} (${this.name})`);
      });
    }
    // The dead-letter table follows main.
    if (this.table.branch !== 'main') return problems;
    const wanted = keysOf(await this.#readings.deadLetters(statement));
    const projected = this.#deadMetadata;
    const head = projected && headOf(projected, 'main');
    const there: Row[] = [];
    if (projected && head !== null)
      for await (const { file } of this.#readings.files(snapshotOf(projected, head)!))
        there.push(...(await this.#readings.deadRowsOf(file.location)));
    if (wanted !== keysOf(there))
      problems.push(`7: the dead-letter table holds [${keysOf(there)}], the list has [${wanted}] (${this.name})`);
    return problems;
  }

  /** What the newest snapshot with offsets below `head` states; null where there is none or the chain breaks. */
  statement(metadata: TableMetadata | null = this.metadata, head?: bigint | null): Statement | null {
    if (!metadata) return null;
    let id = head === undefined ? headOf(metadata, this.table.branch) : head;
    while (id !== null) {
      const known = this.#statements.get(id);
      if (known !== undefined) return known;
      const snapshot = snapshotOf(metadata, id);
      const own = snapshot?.summary?.['tabletopic.offsets'];
      if (own !== undefined) return JSON.parse(own) as Statement;
      id = snapshot?.['parent-snapshot-id'] ?? null;
    }
    return null;
  }

  /** How many rows the head of the branch holds. */
  async rows(): Promise<number> {
    const { metadata } = this;
    const head = metadata && headOf(metadata, this.table.branch);
    return metadata && head !== null ? (await this.#readings.rows(snapshotOf(metadata, head)!)).length : 0;
  }

  /** Whether the list of dead letters has grown into files. */
  get listFiles(): readonly string[] {
    return this.#readings.deadLetterFiles(this.statement()).lists;
  }

  /** Invariant 9: the rows of a file belong to the partition that its manifest names (the other writer's spec: the first letter). */
  async #partitioned(metadata: TableMetadata, snapshot: Snapshot): Promise<string[]> {
    const problems: string[] = [];
    for await (const { file, specId } of this.#readings.files(snapshot)) {
      const spec = metadata['partition-specs'].find((one) => one['spec-id'] === specId)!;
      for (const field of spec.fields) {
        const value = file.partition.get(field['field-id']);
        const wrong = (await this.#readings.rowsOf(file.location)).find((row) => row.value.slice(0, 1) !== value);
        if (wrong) problems.push(`9: ${file.location} is in partition ${String(value)} and holds ${wrong.value}`);
      }
    }
    return problems;
  }

  /** The record that a row, or a dead letter, is of; null: no such record was ever there to be seen. */
  #origin({ topic: name, partition, offset, value }: Row, dead: boolean): Origin | null {
    for (const topic of this.#o.broker.incarnations.toReversed()) {
      if (topic.name !== name) continue;
      const records = topic.partitions[partition]?.truth.get(offset) ?? [];
      const i = records.findLastIndex(
        (record) =>
          this.#visible(record) &&
          this.table.takes(record) &&
          (dead ? record.value.toString() : this.table.markIn(record)) === value,
      );
      const cutOff = offset >= (topic.partitions[partition]?.truncatedAt ?? Infinity);
      if (i >= 0) return { topic, key: keyOf(topic, partition, offset, i), valid: !cutOff || !records[i]!.removed };
    }
    return null;
  }

  #metadataOf(name: string): TableMetadata | null {
    return this.#o.catalog.tables.get(JSON.stringify([...this.table.namespace, name]))?.metadata ?? null;
  }

  #visible({ state }: Produced): boolean {
    return state === 'committed' || this.#o.isolation === 'read_uncommitted';
  }
}

function headOf(metadata: TableMetadata, branch: string): bigint | null {
  return metadata.refs?.[branch]?.['snapshot-id'] ?? null;
}

function keyOf(topic: SimTopic | undefined, partition: number, offset: number, i = 0): string {
  return `${topic?.id}/${partition}/${offset}/${i}`;
}

function keysOf(rows: readonly Row[]): string {
  return rows
    .map(({ topic, partition, offset }) => `${topic}/${partition}/${offset}`)
    .sort()
    .join(' ');
}
