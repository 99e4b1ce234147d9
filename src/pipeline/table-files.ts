import type { ColumnBatch } from '../columns/batch.ts';
import type { ParquetOptions } from '../parquet/parquet.ts';
import { RollingWriter } from '../parquet/rolling.ts';
import type { Layout, WorkerTableOptions } from './messages.ts';
import type { Post } from './worker-core.ts';

/** Uncompressed bytes of a data page. */
const PAGE_SIZE = 1 << 20;
/** Most bytes of a dictionary; the early give-up decides long before. */
const DICTIONARY_SIZE = 1 << 20;

/** The open data files of one table in one worker, for one layout after another; their bytes go to the main thread. */
export class TableFiles {
  readonly #table: number;
  readonly #options: WorkerTableOptions;
  readonly #post: Post;
  #writer: RollingWriter | null = null;
  /** File numbers are never used again, so that late messages cannot be taken for those of another file. */
  #files = 0;

  constructor(table: number, options: WorkerTableOptions, post: Post) {
    this.#table = table;
    this.#options = options;
    this.#post = post;
  }

  get bufferedBytes(): number {
    return this.#writer?.bufferedBytes ?? 0;
  }

  /** Files opened from now on have this layout; those of the former one must be finished. */
  layout(layout: Layout): void {
    const { compression, compressionLevel, rowGroupSize, targetFileSize } = this.#options;
    const parquet: ParquetOptions = {
      compression,
      compressionLevel,
      rowGroupSize,
      pageSize: PAGE_SIZE,
      dictionarySize: DICTIONARY_SIZE,
      fullMetrics: layout.fullMetrics,
      metadata: {},
    };
    const table = this.#table;
    this.#writer = new RollingWriter(
      {
        schema: layout.schema,
        partition: layout.partition,
        parquet,
        targetFileSize,
        bufferBudget: Number.POSITIVE_INFINITY,
      },
      {
        open: (partition) => {
          const file = this.#files++;
          this.#post({ type: 'file', table, file, partition }, []);
          return { id: file, sink: { write: (bytes) => this.#part(file, bytes) } };
        },
        closed: (file, metrics) => this.#post({ type: 'file-end', table, file, metrics }, []),
      },
    );
  }

  /** Takes all rows; the files of all partitions together hold at most `budget` bytes afterwards. */
  write(batch: ColumnBatch, budget: number): void {
    this.#writer!.bufferBudget = budget;
    this.#writer!.write(batch);
  }

  finish(): void {
    this.#writer?.finish();
  }

  abort(): void {
    for (const file of this.#writer?.abort() ?? []) this.#post({ type: 'file-abort', table: this.#table, file }, []);
  }

  #part(file: number, bytes: Uint8Array): void {
    // A view of a larger buffer would take the whole of it along, and leave the encoder without it.
    const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
    this.#post({ type: 'part', table: this.#table, file, bytes: own }, [own.buffer as ArrayBuffer]);
  }
}
