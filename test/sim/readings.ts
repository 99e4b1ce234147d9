import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import { EntryStatus } from '../../src/iceberg/manifest-types.ts';
import type { DataFile, ManifestEntry, ManifestFile } from '../../src/iceberg/manifest-types.ts';
import { readManifest } from '../../src/iceberg/manifest.ts';
import type { Snapshot, TableMetadata } from '../../src/iceberg/metadata.ts';
import type { MemoryFileIO } from '../../src/io/memory.ts';
import { openParquet } from '../../src/parquet/reader.ts';

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

/** What the summary of a snapshot states, as its text has it. */
export interface Statement {
  readonly topics: Readonly<Record<string, TopicStatement>>;
  readonly deadLetters?: DeadLetters & { readonly inline: readonly DeadLetterSource[] };
}

interface DeadLetterSource {
  readonly file: string;
  readonly count: number;
}

interface DeadLetters {
  readonly older?: { readonly file: string; readonly checkpoints: number; readonly count: number };
}

/**
 * A table as any engine would read it, from manifests and Parquet files. Files never change, so that each is read once;
 * whether it is still there is looked up each time.
 */
export class Readings {
  readonly #io: MemoryFileIO;
  readonly #markOf: (row: Record<string, unknown>) => string;
  readonly #lists = new Map<string, readonly ManifestFile[]>();
  readonly #manifests = new Map<string, readonly ManifestEntry[]>();
  readonly #rows = new Map<string, readonly Row[]>();
  readonly #dead = new Map<string, readonly Row[]>();

  constructor(io: MemoryFileIO, markOf: (row: Record<string, unknown>) => string) {
    this.#io = io;
    this.#markOf = markOf;
  }

  exists(location: string): boolean {
    return this.#io.objects.has(location);
  }

  async manifests(snapshot: Snapshot): Promise<readonly ManifestFile[]> {
    const location = snapshot['manifest-list']!;
    const list = this.#lists.get(location) ?? (await readManifestList(this.#io, location));
    this.#lists.set(location, list);
    return list;
  }

  async entries(manifest: ManifestFile): Promise<readonly ManifestEntry[]> {
    const entries = this.#manifests.get(manifest.location) ?? (await readManifest(this.#io, manifest));
    this.#manifests.set(manifest.location, entries);
    return entries;
  }

  /** Live data files of a snapshot, with the spec that they follow. */
  async *files(snapshot: Snapshot): AsyncGenerator<{ readonly file: DataFile; readonly specId: number }> {
    for (const manifest of await this.manifests(snapshot))
      for (const { status, file } of await this.entries(manifest))
        if (status !== EntryStatus.deleted) yield { file, specId: manifest.specId };
  }

  async rows(snapshot: Snapshot): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const { file } of this.files(snapshot)) rows.push(...(await this.rowsOf(file.location)));
    return rows;
  }

  async rowsOf(location: string): Promise<readonly Row[]> {
    let rows = this.#rows.get(location);
    if (!rows) {
      rows = (await this.#objects(location)).map((row) => {
        const { topic, partition, offset } = row['_kafka'] as Record<string, unknown>;
        return { topic: text(topic), partition: Number(partition), offset: Number(offset), value: this.#markOf(row) };
      });
      this.#rows.set(location, rows);
    }
    return rows;
  }

  /** Rows of a source file of dead letters, or of a data file of the dead-letter table. */
  async deadRowsOf(location: string): Promise<readonly Row[]> {
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

  /** Files that the list of dead letters names: sources, and list files with what these name in turn. */
  deadLetterFiles(statement: Statement | null): { sources: DeadLetterSource[]; lists: string[]; problems: string[] } {
    const sources = [...(statement?.deadLetters?.inline ?? [])];
    const lists: string[] = [];
    const problems: string[] = [];
    for (let older = statement?.deadLetters?.older; older;) {
      const object = this.#io.objects.get(older.file);
      lists.push(older.file);
      if (!object) {
        problems.push(`4: the list ${older.file} of ${older.checkpoints} checkpoints with dead letters is gone`);
        break;
      }
      const content = JSON.parse(Buffer.from(object.bytes).toString()) as DeadLetters & { entries: DeadLetterSource[] };
      const count = content.entries.reduce((sum, entry) => sum + entry.count, content.older?.count ?? 0);
      const checkpoints = content.entries.length + (content.older?.checkpoints ?? 0);
      if (count !== older.count || checkpoints !== older.checkpoints)
        problems.push(
          `6: the list ${older.file} holds ${count} dead letters of ${checkpoints} checkpoints, not ${older.count} of ${older.checkpoints}`,
        );
      sources.push(...content.entries);
      older = content.older;
    }
    for (const { file } of sources)
      if (!this.exists(file)) problems.push(`4: the source ${file} of dead letters is gone`);
    return { sources, lists, problems };
  }

  async deadLetters(statement: Statement | null): Promise<Row[]> {
    const rows: Row[] = [];
    for (const { file } of this.deadLetterFiles(statement).sources) rows.push(...(await this.deadRowsOf(file)));
    return rows;
  }

  async #objects(location: string): Promise<Record<string, unknown>[]> {
    const { bytes } = this.#io.objects.get(location)!;
    const file = await openParquet(
      ({ offset, length }) => Promise.resolve(bytes.slice(offset, offset + length)),
      bytes.length,
    );
    return file.objects();
  }
}

export function snapshotOf(metadata: TableMetadata, id: bigint): Snapshot | undefined {
  return metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === id);
}

function text(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}
