import type { ColumnBatch } from '../columns/batch.ts';
import type { Schema } from '../schema/types.ts';
import { ColumnWriter } from './column-writer.ts';
import { compressorFor } from './compress.ts';
import { DictionaryHabits } from './dictionary-habit.ts';
import { writeColumnIndex, writeFooter, writeOffsetIndex, writtenChunk } from './footer.ts';
import type { IndexPlace, WrittenChunk, WrittenRowGroup } from './footer.ts';
import { MAGIC } from './format.ts';
import { shred } from './levels.ts';
import { fileMetrics } from './metrics.ts';
import type { ByteSink, FileMetrics, ParquetOptions, ParquetWriter } from './parquet.ts';
import { SinkBuffer } from './sink-buffer.ts';
import { fileSchema } from './schema-elements.ts';
import type { FileSchema } from './schema-elements.ts';
import { ThriftWriter } from './thrift.ts';

/** Opens a Parquet file (format 2.x, v1 data pages) that goes to `sink`; batches must have `schema`. `habits`: of other files of the table. */
export function createParquetWriter(
  schema: Schema,
  options: ParquetOptions,
  sink: ByteSink,
  habits: DictionaryHabits = new DictionaryHabits(),
): ParquetWriter {
  return new Writer(schema, options, sink, habits);
}

/** Row groups are written when their compressed size is reached; only the open one is in memory. */
class Writer implements ParquetWriter {
  readonly #schema: Schema;
  readonly #options: ParquetOptions;
  readonly #sink: SinkBuffer;
  readonly #layout: FileSchema;
  readonly #columns: readonly ColumnWriter[];
  readonly #rowGroups: WrittenRowGroup[] = [];
  #groupRows = 0;
  #rows = 0;
  #openSize = 0;
  #heldBytes = 0;
  #openPageBytes = 0;

  constructor(schema: Schema, options: ParquetOptions, sink: ByteSink, habits: DictionaryHabits) {
    this.#schema = schema;
    this.#options = options;
    this.#sink = new SinkBuffer(sink);
    const compressor = compressorFor(options);
    this.#layout = fileSchema(schema);
    this.#columns = this.#layout.leaves.map(
      (leaf) => new ColumnWriter(leaf, options, compressor, habits.of(leaf.fieldId)),
    );
    this.#sink.write(MAGIC);
  }

  get size(): number {
    return this.#sink.position + this.#openSize;
  }

  get bufferedBytes(): number {
    return this.#heldBytes + this.#sink.heldBytes;
  }

  get openPageBytes(): number {
    return this.#openPageBytes;
  }

  get rows(): number {
    return this.#rows;
  }

  write(batch: ColumnBatch): void {
    if (batch.rows === 0) return;
    let column = 0;
    for (const vector of batch.columns) shred(vector, batch.rows, (span) => this.#columns[column++]!.append(span));
    this.#rows += batch.rows;
    this.#groupRows += batch.rows;
    this.#measure();
    if (this.#openSize >= this.#options.rowGroupSize) this.#closeRowGroup();
  }

  endPages(): void {
    for (const column of this.#columns) column.endPage();
    this.#measure();
  }

  finish(): FileMetrics {
    if (this.#groupRows > 0) this.#closeRowGroup();
    // No page is open: gives back what the columns hold.
    this.endPages();
    const chunks = this.#rowGroups.flatMap((group) => group.chunks);
    const columnIndexes = this.#indexes(chunks, writeColumnIndex);
    const offsetIndexes = this.#indexes(chunks, (thrift, chunk) => {
      writeOffsetIndex(thrift, chunk);
      return true;
    });
    const thrift = new ThriftWriter();
    writeFooter(thrift, {
      schema: this.#layout,
      rows: this.#rows,
      rowGroups: this.#rowGroups,
      columnIndexes,
      offsetIndexes,
      metadata: { 'iceberg.schema': JSON.stringify(this.#schema), ...this.#options.metadata },
    });
    const { length } = thrift.out;
    thrift.out.int32(length);
    thrift.out.append(MAGIC);
    this.#sink.write(thrift.out.copy());
    this.#sink.flush();
    return fileMetrics(this.#rowGroups, this.#options.fullMetrics, this.#rows, this.#sink.position);
  }

  #closeRowGroup(): void {
    const chunks: WrittenChunk[] = [];
    for (const column of this.#columns) {
      const chunk = column.finishChunk();
      chunks.push(writtenChunk(chunk, this.#sink.position));
      for (const page of chunk.dictionary ? [chunk.dictionary, ...chunk.pages] : chunk.pages) {
        this.#sink.write(page.header);
        this.#sink.write(page.body);
      }
    }
    this.#rowGroups.push({ rows: this.#groupRows, chunks });
    this.#groupRows = 0;
    this.#measure();
  }

  /** Writes one index for each chunk that has it; they stand behind the last row group. */
  #indexes(
    chunks: readonly WrittenChunk[],
    write: (thrift: ThriftWriter, chunk: WrittenChunk) => boolean,
  ): Map<WrittenChunk, IndexPlace> {
    const places = new Map<WrittenChunk, IndexPlace>();
    for (const chunk of chunks) {
      const thrift = new ThriftWriter();
      if (!write(thrift, chunk)) continue;
      places.set(chunk, { offset: this.#sink.position, length: thrift.out.length });
      this.#sink.write(thrift.out.copy());
    }
    return places;
  }

  /** Sizes of the open row group. What is not compressed yet counts half. */
  #measure(): void {
    let size = 0;
    let held = 0;
    let open = 0;
    for (const column of this.#columns) {
      size += column.pagesSize + column.rawSize / 2;
      held += column.heldBytes;
      open += column.openPageBytes;
    }
    this.#openSize = Math.ceil(size);
    this.#heldBytes = held;
    this.#openPageBytes = open;
  }
}
