import { ColumnBatch } from '../columns/batch.ts';
import { gather } from '../columns/gather.ts';
import { Partitioner } from '../columns/partition.ts';
import type { PartitionFieldSpec } from '../columns/partition.ts';
import type { PartitionValue } from '../columns/partition-value.ts';
import type { Schema } from '../schema/types.ts';
import { DictionaryHabits } from './dictionary-habit.ts';
import type { ByteSink, FileMetrics, ParquetOptions, ParquetWriter } from './parquet.ts';
import { createParquetWriter } from './writer.ts';

/** Tuple of a file's partition by partition field id. */
export type PartitionTuple = ReadonlyMap<number, PartitionValue>;

/** Where files begin and end; ids are the caller's. */
export interface FileTarget {
  /** A new file: takes its bytes. */
  open(tuple: PartitionTuple): { readonly id: number; readonly sink: ByteSink };
  /** All bytes of the file have been handed over. */
  closed(id: number, metrics: FileMetrics, tuple: PartitionTuple): void;
}

export interface RollingOptions {
  readonly schema: Schema;
  readonly partition: readonly PartitionFieldSpec[];
  readonly parquet: ParquetOptions;
  /** Bytes after which a file is closed. */
  readonly targetFileSize: number;
  /** Most bytes that open files hold in memory together. May be changed: see `bufferBudget`. */
  readonly bufferBudget: number;
}

interface OpenFile {
  readonly id: number;
  readonly tuple: PartitionTuple;
  readonly writer: ParquetWriter;
  /** Rows that are not encoded yet. */
  readonly waiting: ColumnBatch;
  /** Bytes in memory, and of them those in pages that are not compressed yet. */
  held: number;
  openPages: number;
}

/** Rows of a file that wait to be encoded together: of a batch each of many partitions gets a few, and each call costs. */
const TOGETHER = 256;
/** Bytes that a file's open pages must have on average for it to be worth ending them: each costs a call and a header. */
const WORTH_ENDING = 32 << 10;

/**
 * Spreads the rows of one layout over files: one open file a partition tuple, closed at its target size.
 *
 * Invariant 8: after each write the open files hold at most `bufferBudget` bytes. Pages are compressed before their time
 * where that gives a quarter of the budget free; then the file that was written to least recently is closed first.
 *
 * Breaks: test/parquet/rolling.test.ts, "the coldest file goes first", "the budget holds within one batch too",
 * "pages are compressed before files are closed".
 */
export class RollingWriter {
  readonly #options: RollingOptions;
  readonly #target: FileTarget;
  readonly #partitioner: Partitioner | null;
  /** By tuple key, the coldest first: an entry moves to the end when it is written to. */
  readonly #open = new Map<number, OpenFile>();
  readonly #habits = new DictionaryHabits();
  #held = 0;
  /** Of `#held` those in pages that are not compressed yet. */
  #openPages = 0;
  /** Bytes that open files may hold; lowered or raised by the owner of the memory budget between writes. */
  bufferBudget: number;

  /** Throws `SCHEMA_UNSUPPORTED` for a partition spec or schema that cannot be written. */
  constructor(options: RollingOptions, target: FileTarget) {
    this.#options = options;
    this.#target = target;
    this.bufferBudget = options.bufferBudget;
    this.#partitioner = options.partition.length > 0 ? new Partitioner(options.schema, options.partition) : null;
  }

  /** Memory held by open files, bytes. */
  get bufferedBytes(): number {
    return this.#held;
  }

  get openFiles(): number {
    return this.#open.size;
  }

  /** Rows in open files. */
  get rows(): number {
    let rows = 0;
    for (const { writer, waiting } of this.#open.values()) rows += writer.rows + waiting.rows;
    return rows;
  }

  /** Takes all rows of the batch; the caller may clear and reuse it. */
  write(batch: ColumnBatch): void {
    if (batch.rows === 0) return;
    if (this.#partitioner === null) this.#append(0, NO_TUPLE, batch, null);
    else
      for (const { key, values, rows } of this.#partitioner.split(batch))
        this.#append(key, values, batch, rows.length === batch.rows ? null : rows);
    this.#keepBudget(null);
  }

  /** Closes all open files. */
  finish(): void {
    for (const [key, file] of this.#open) this.#close(key, file);
  }

  /** Drops all open files, unfinished; returns their ids. */
  abort(): number[] {
    const ids = [...this.#open.values()].map(({ id }) => id);
    this.#open.clear();
    this.#held = 0;
    this.#openPages = 0;
    return ids;
  }

  /** `rows`: those of the batch that go into the file; null: all. */
  #append(key: number, tuple: PartitionTuple, batch: ColumnBatch, rows: Int32Array | null): void {
    let file = this.#open.get(key);
    if (file) this.#open.delete(key);
    else {
      const { schema, parquet } = this.#options;
      const { id, sink } = this.#target.open(tuple);
      const writer = createParquetWriter(schema, parquet, sink, this.#habits);
      file = { id, tuple, writer, waiting: new ColumnBatch(schema), held: 0, openPages: 0 };
    }
    this.#open.set(key, file);
    if (rows !== null) {
      gather(batch, rows, file.waiting);
      if (file.waiting.rows >= TOGETHER) encodeWaiting(file);
    } else {
      encodeWaiting(file);
      file.writer.write(batch);
    }
    this.#count(file);
    if (file.writer.size >= this.#options.targetFileSize) this.#close(key, file);
    // Within one batch there may be as many tuples as rows: the budget holds between them too.
    else this.#keepBudget(key);
  }

  /** `warm`: the file that stays open; null: none. */
  #keepBudget(warm: number | null): void {
    if (this.#held <= this.bufferBudget) return;
    if (this.#openPages >= Math.max(this.bufferBudget / 4, WORTH_ENDING * this.#open.size)) this.#endPages();
    for (const [key, file] of this.#open) {
      if (this.#held <= this.bufferBudget || key === warm) break;
      this.#close(key, file);
    }
  }

  #endPages(): void {
    for (const file of this.#open.values()) {
      file.writer.endPages();
      this.#count(file);
    }
  }

  /** What the file holds now. */
  #count(file: OpenFile): void {
    const held = file.writer.bufferedBytes + file.waiting.heldBytes;
    const openPages = file.writer.openPageBytes;
    this.#held += held - file.held;
    this.#openPages += openPages - file.openPages;
    file.held = held;
    file.openPages = openPages;
  }

  #close(key: number, file: OpenFile): void {
    this.#open.delete(key);
    this.#held -= file.held;
    this.#openPages -= file.openPages;
    encodeWaiting(file);
    this.#target.closed(file.id, file.writer.finish(), file.tuple);
  }
}

function encodeWaiting({ writer, waiting }: OpenFile): void {
  if (waiting.rows === 0) return;
  writer.write(waiting);
  waiting.clear();
}

const NO_TUPLE: PartitionTuple = new Map();
