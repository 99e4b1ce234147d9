import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import { EntryStatus } from '../../src/iceberg/manifest-types.ts';
import type { ManifestEntry, ManifestFile } from '../../src/iceberg/manifest-types.ts';
import { readManifest } from '../../src/iceberg/manifest.ts';
import type { MemoryCatalogState } from '../../src/iceberg/memory.ts';
import type { Snapshot, TableMetadata } from '../../src/iceberg/metadata.ts';
import type { MemoryFileIO } from '../../src/io/memory.ts';
import { openParquet } from '../../src/parquet/reader.ts';
import type { Isolation } from '../../src/source/source.ts';
import type { Produced, SimBroker, SimPartition } from './broker.ts';

export interface Row {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** The record's mark; of a dead letter its value as text. */
  readonly value: string;
}

interface TopicStatement {
  readonly id: string;
  readonly first: readonly number[];
  readonly next: readonly number[];
}

interface Statement {
  readonly topics: Readonly<Record<string, TopicStatement>>;
  readonly deadLetters?: { readonly inline: readonly { readonly file: string; readonly count: number }[] };
}

interface AccountedTopic {
  readonly partition: readonly number[];
  readonly start: readonly number[];
  readonly end: readonly number[];
  readonly rows: readonly number[];
  readonly deadLetters: readonly number[];
  readonly aborted: readonly number[];
  readonly control: readonly number[];
  readonly absent: readonly number[];
}

export interface CheckerOptions {
  readonly broker: SimBroker;
  readonly catalog: MemoryCatalogState;
  readonly io: MemoryFileIO;
  readonly namespace: readonly string[];
  readonly table: string;
  readonly isolation: Isolation;
  /** What tells the record of a row. */
  readonly markOf: (row: Record<string, unknown>) => string;
}

/**
 * Reads the table as any engine would, from manifests and Parquet files, and compares it with what was produced; the
 * offsets come from the text of the snapshot summaries. Nothing here asks the service. The invariants are numbered at
 * the head of `simulation.sim.test.ts`.
 */
export class Checker {
  readonly #o: CheckerOptions;
  readonly #lists = new Map<string, readonly ManifestFile[]>();
  readonly #manifests = new Map<string, readonly ManifestEntry[]>();
  readonly #rows = new Map<string, readonly Row[]>();
  readonly #dead = new Map<string, readonly Row[]>();
  /** What held at each head, remembered beyond its expiry. */
  readonly #statements = new Map<bigint, Statement | null>();
  #last: { metadata: TableMetadata; head: bigint | null } | null = null;
  snapshots = 0;

  constructor(options: CheckerOptions) {
    this.#o = options;
  }

  get metadata(): TableMetadata | null {
    const { catalog, namespace, table } = this.#o;
    return catalog.tables.get(JSON.stringify([...namespace, table]))?.metadata ?? null;
  }

  get #deadMetadata(): TableMetadata | null {
    const { catalog, namespace, table } = this.#o;
    return catalog.tables.get(JSON.stringify([...namespace, `${table}_dead_letters`]))?.metadata ?? null;
  }

  /** Problems of the newest state of the table, empty when it has not changed since the last call. */
  async changed(): Promise<string[]> {
    const { metadata } = this;
    if (!metadata || metadata === this.#last?.metadata) return [];
    const head = metadata.refs?.['main']?.['snapshot-id'] ?? null;
    const before = this.#last;
    this.#last = { metadata, head };
    if (head === null || head === before?.head) return [];
    this.snapshots++;
    this.#statements.set(head, this.statement(metadata, head));
    const problems = await this.files();
    if (problems.length > 0) return problems;
    problems.push(...(await this.#contents(metadata, head)), ...(await this.#partitioned(metadata, head)));
    const snapshot = byId(metadata, head)!;
    const parent = snapshot['parent-snapshot-id'] ?? null;
    if (before && parent === before.head && snapshot.summary?.['tabletopic.offsets'] !== undefined)
      problems.push(...(await this.#commit(metadata, snapshot)));
    return problems;
  }

  /** Invariants 4 and 5: every file that any snapshot of either table names is there. */
  async files(): Promise<string[]> {
    const problems: string[] = [];
    const { objects } = this.#o.io;
    for (const metadata of [this.metadata, this.#deadMetadata]) {
      const seen = new Set<string>();
      for (const snapshot of metadata?.snapshots ?? []) {
        const missing = (location: string): boolean => {
          if (objects.has(location)) return false;
          problems.push(`4/5: snapshot ${snapshot['snapshot-id']} names ${location}, which is gone`);
          return true;
        };
        const list = snapshot['manifest-list']!;
        if (missing(list)) continue;
        for (const manifest of await this.#list(list)) {
          if (seen.has(manifest.location)) continue;
          seen.add(manifest.location);
          if (missing(manifest.location)) continue;
          for (const { status, file } of await this.#entries(manifest))
            if (status !== EntryStatus.deleted) missing(file.location);
        }
      }
    }
    const statement = this.statement();
    for (const { file } of statement?.deadLetters?.inline ?? [])
      if (!objects.has(file)) problems.push(`4: the source ${file} of dead letters is gone`);
    return problems;
  }

  /** Invariants 1 and 2. */
  async #contents(metadata: TableMetadata, head: bigint): Promise<string[]> {
    const problems: string[] = [];
    const statement = this.statement();
    const rows = await this.rows(metadata, head);
    const dead = await this.deadLetters(statement);
    const held = new Map<string, number>();
    for (const [what, list] of [
      ['row', rows],
      ['dead letter', dead],
    ] as const) {
      for (const row of list) {
        const key = `${row.topic}/${row.partition}/${row.offset}`;
        held.set(key, (held.get(key) ?? 0) + 1);
        if (held.get(key) === 2) problems.push(`1: ${key} is there twice`);
        const produced = this.#partition(row.topic, statement, row.partition)?.truth.get(row.offset) ?? null;
        const known =
          produced?.some(
            (record) => this.#visible(record) && (what === 'row' ? record.mark : record.value) === row.value,
          ) ?? true;
        if (!known) problems.push(`1: ${what} ${key} holds ${row.value}, which was not produced there`);
        const next = statement?.topics[row.topic]?.next[row.partition] ?? Infinity;
        if (row.offset >= next) problems.push(`6: ${what} ${key} stands beyond the checkpoint, ${next}`);
      }
    }
    for (const [name, { first, next }] of Object.entries(statement?.topics ?? {})) {
      for (let p = 0; p < next.length; p++) {
        const partition = this.#partition(name, statement, p);
        if (!partition) continue;
        for (let offset = first[p]!; offset < next[p]!; offset++) {
          const record = partition.truth.get(offset)?.at(-1);
          if (!record || record.removed || !this.#visible(record) || offset >= partition.truncatedAt) continue;
          if (!held.has(`${name}/${p}/${offset}`))
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
    for (const manifest of await this.#list(snapshot['manifest-list']!)) {
      if (manifest.addedSnapshotId !== snapshot['snapshot-id']) continue;
      for (const { status, file } of await this.#entries(manifest))
        if (status === EntryStatus.added) added.push(...(await this.#rowsOf(file.location)));
    }
    const text = snapshot.summary?.['tabletopic.accounted'];
    const accounted = text === undefined ? {} : (JSON.parse(text) as { topics: Record<string, AccountedTopic> }).topics;
    let counted = 0;
    for (const [topic, ranges] of Object.entries(accounted)) {
      ranges.partition.forEach((partition, i) => {
        const [start, end] = [ranges.start[i]!, ranges.end[i]!];
        const sum =
          ranges.rows[i]! + ranges.deadLetters[i]! + ranges.aborted[i]! + ranges.control[i]! + ranges.absent[i]!;
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
      const topic = statement?.topics[name];
      partitions.forEach(({ log }, p) => {
        const end = this.#o.isolation === 'read_committed' ? log.lastStableOffset : log.end;
        const next = topic?.id === id ? (topic.next[p] ?? 0) : -1;
        if (next < end && !(next <= 0 && end === 0))
          problems.push(`7: ${name}/${p} stands at ${next}, the log ends at ${end}`);
      });
    }
    const wanted = keysOf(await this.deadLetters(statement));
    const projected = this.#deadMetadata;
    const head = projected?.refs?.['main']?.['snapshot-id'] ?? null;
    const there = keysOf(projected && head !== null ? await this.#deadRows(projected, head) : []);
    if (wanted !== there) problems.push(`7: the dead-letter table holds [${there}], the list has [${wanted}]`);
    return problems;
  }

  /** What the newest snapshot with offsets below `head` states; null where there is none or the chain breaks. */
  statement(metadata: TableMetadata | null = this.metadata, head?: bigint | null): Statement | null {
    if (!metadata) return null;
    let id = head === undefined ? (metadata.refs?.['main']?.['snapshot-id'] ?? null) : head;
    while (id !== null) {
      const known = this.#statements.get(id);
      if (known !== undefined) return known;
      const snapshot = byId(metadata, id);
      const own = snapshot?.summary?.['tabletopic.offsets'];
      if (own !== undefined) return JSON.parse(own) as Statement;
      id = snapshot?.['parent-snapshot-id'] ?? null;
    }
    return null;
  }

  async rows(metadata: TableMetadata, head: bigint): Promise<Row[]> {
    const rows: Row[] = [];
    for (const manifest of await this.#list(byId(metadata, head)!['manifest-list']!))
      for (const { status, file } of await this.#entries(manifest))
        if (status !== EntryStatus.deleted) rows.push(...(await this.#rowsOf(file.location)));
    return rows;
  }

  /** Invariant 9: the rows of a file belong to the partition that its manifest names (the other writer's spec: the first letter). */
  async #partitioned(metadata: TableMetadata, head: bigint): Promise<string[]> {
    const problems: string[] = [];
    for (const manifest of await this.#list(byId(metadata, head)!['manifest-list']!)) {
      const spec = metadata['partition-specs'].find((one) => one['spec-id'] === manifest.specId)!;
      for (const { status, file } of await this.#entries(manifest)) {
        if (status === EntryStatus.deleted) continue;
        for (const field of spec.fields) {
          const value = file.partition.get(field['field-id']);
          const wrong = (await this.#rowsOf(file.location)).find((row) => row.value.slice(0, 1) !== value);
          if (wrong) problems.push(`9: ${file.location} is in partition ${String(value)} and holds ${wrong.value}`);
        }
      }
    }
    return problems;
  }

  async deadLetters(statement: Statement | null): Promise<Row[]> {
    const rows: Row[] = [];
    for (const { file } of statement?.deadLetters?.inline ?? []) rows.push(...(await this.#deadRowsOf(file)));
    return rows;
  }

  async #deadRows(metadata: TableMetadata, head: bigint): Promise<Row[]> {
    const rows: Row[] = [];
    for (const manifest of await this.#list(byId(metadata, head)!['manifest-list']!))
      for (const { status, file } of await this.#entries(manifest))
        if (status !== EntryStatus.deleted) rows.push(...(await this.#deadRowsOf(file.location)));
    return rows;
  }

  async #rowsOf(location: string): Promise<readonly Row[]> {
    let rows = this.#rows.get(location);
    if (!rows) {
      rows = (await this.#objects(location)).map((row) => {
        const { topic, partition, offset } = row['_kafka'] as Record<string, unknown>;
        return { topic: text(topic), partition: Number(partition), offset: Number(offset), value: this.#o.markOf(row) };
      });
      this.#rows.set(location, rows);
    }
    return rows;
  }

  async #deadRowsOf(location: string): Promise<readonly Row[]> {
    let rows = this.#dead.get(location);
    if (!rows) {
      rows = (await this.#objects(location)).map(({ topic, partition, offset, value }) => ({
        topic: text(topic),
        partition: Number(partition),
        offset: Number(offset),
        value: text(value),
      }));
      this.#dead.set(location, rows);
    }
    return rows;
  }

  async #objects(location: string): Promise<Record<string, unknown>[]> {
    const { bytes } = this.#o.io.objects.get(location)!;
    const file = await openParquet(
      ({ offset, length }) => Promise.resolve(bytes.slice(offset, offset + length)),
      bytes.length,
    );
    return file.objects();
  }

  async #list(location: string): Promise<readonly ManifestFile[]> {
    const list = this.#lists.get(location) ?? (await readManifestList(this.#o.io, location));
    this.#lists.set(location, list);
    return list;
  }

  async #entries(manifest: ManifestFile): Promise<readonly ManifestEntry[]> {
    const entries = this.#manifests.get(manifest.location) ?? (await readManifest(this.#o.io, manifest));
    this.#manifests.set(manifest.location, entries);
    return entries;
  }

  /** The partition as it is now, if the statement is about this topic and not one that had its name. */
  #partition(name: string, statement: Statement | null, partition: number): SimPartition | null {
    const topic = this.#o.broker.topics.get(name);
    return topic && topic.id === statement?.topics[name]?.id ? (topic.partitions[partition] ?? null) : null;
  }

  #visible({ state }: Produced): boolean {
    return state === 'committed' || this.#o.isolation === 'read_uncommitted';
  }
}

function byId(metadata: TableMetadata, id: bigint): Snapshot | undefined {
  return metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === id);
}

function text(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}

function keysOf(rows: readonly Row[]): string {
  return rows
    .map(({ topic, partition, offset }) => `${topic}/${partition}/${offset}`)
    .sort()
    .join(' ');
}
