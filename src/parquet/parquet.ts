import type { ColumnBatch } from '../columns/batch.ts';

/** Contract of the Parquet encoder: columns in, bytes out, metrics for the manifest. */
export interface ParquetOptions {
  readonly compression: 'zstd' | 'snappy' | 'gzip' | 'none';
  /** zstd 1–19, gzip 1–9. */
  readonly compressionLevel: number;
  /** Compressed bytes after which a row group is closed. */
  readonly rowGroupSize: number;
  /** Uncompressed bytes of values after which a data page is closed. */
  readonly pageSize: number;
  /** Most bytes of a column chunk's dictionary; past it the column goes on plain. 0: no dictionaries. */
  readonly dictionarySize: number;
  /** Field ids with full metrics (bounds untruncated), see `metadataColumns`. */
  readonly fullMetrics: readonly number[];
  /** Key-value metadata of the footer beside `iceberg.schema`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Takes encoded bytes in file order. The encoder never touches a buffer again that it has handed over. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
}

/** Metrics of a data file as the manifest wants them (Iceberg spec, `data_file`), keyed by field id. */
export interface FileMetrics {
  readonly recordCount: number;
  readonly fileSize: number;
  readonly columnSizes: ReadonlyMap<number, number>;
  readonly valueCounts: ReadonlyMap<number, number>;
  readonly nullCounts: ReadonlyMap<number, number>;
  readonly nanCounts: ReadonlyMap<number, number>;
  /** Single-value serialization (Iceberg spec, Appendix D). */
  readonly lowerBounds: ReadonlyMap<number, Uint8Array>;
  readonly upperBounds: ReadonlyMap<number, Uint8Array>;
  readonly splitOffsets: readonly number[];
}

export interface ParquetWriter {
  /** Encodes all rows of the batch; the caller may clear and reuse it afterwards. */
  write(batch: ColumnBatch): void;
  /** Bytes handed to the sink so far plus encoded bytes held back: an estimate of the file's size if closed now. */
  readonly size: number;
  /** Encoded and raw bytes held in memory. */
  readonly bufferedBytes: number;
  /** Of `bufferedBytes` those that `endPages` compresses. */
  readonly openPageBytes: number;
  readonly rows: number;
  /** Closes the pages under way before their time: what they hold becomes a few times smaller. */
  endPages(): void;
  /** Writes what is held and the footer. */
  finish(): FileMetrics;
}
