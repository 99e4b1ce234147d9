import type { ColumnBatch } from '../columns/batch.ts';
import type { ErrorCode } from '../errors.ts';
import type { StructType } from '../schema/types.ts';
import type { RecordPositions } from '../source/record-batch.ts';

/**
 * Contract of decoders: bytes of record values (or keys) into the columns of one table layout.
 *
 * Invariants:
 * - a record is decoded whole or not at all: on failure every column is cut back to where the record began;
 * - nothing is coerced: a value that its column cannot hold exactly is a failure with a reason (invariant 7);
 * - any bytes give rows or a failure, never an exception, a hang or unbounded memory.
 *
 * A decoder writes exactly the columns that it owns (`ownedFields`): those of its source schema, and null into the
 * others of the layout that belong to the value. The pipeline owns `_kafka` and `_key` and fills them afterwards.
 *
 * Breaks: test/decode/avro.test.ts, "more than 64 bits is out of range".
 */
export interface Decoder {
  /**
   * Decodes records [from, to) of `source` (their payloads, as the wire format has set them) and appends one row each to the
   * owned columns. A null value (tombstone) appends nulls. Returns the index of the first record that failed, or `to`.
   * `batch.rows` is not touched: the pipeline counts rows when all column owners are done.
   */
  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number;
  /** Why the last `decode` stopped early; meaningful only then. */
  readonly failure: DecodeFailure;
  /** Values decoded so far of which digits were cut (`nanos: micros`): the one loss that is allowed, and it is counted. */
  readonly digitsCut?: number;
}

export interface DecodeFailure {
  readonly code: ErrorCode;
  /** One sentence with the path of the field, without the value itself. */
  readonly reason: string;
  /**
   * For sources without a schema: the record has fields that the layout lacks; this is its inferred shape. The pipeline
   * asks for evolution and tries the record again with the new layout.
   */
  readonly unknownFields?: StructType;
}

/** What of a record is decoded: the value's columns, or the struct `_key`. */
export type Part = 'value' | 'key';

/** A writer schema, bound to a table: the same shape as its converted struct, with the table's field ids at every level. */
export interface BoundSchema {
  readonly format: 'avro' | 'json' | 'json-schema' | 'protobuf' | 'string' | 'bytes' | 'debezium' | 'debezium-json';
  /** The schema text as the registry gave it (Avro JSON …); empty for JSON without schema. */
  readonly text: string;
  /** Referenced schemas, by name. */
  readonly references: Readonly<Record<string, string>>;
  /**
   * JSON without schema: dotted paths in the source of members whose column was dropped and stays so: they are left out.
   * The empty path: the key as a whole.
   */
  readonly ignored?: readonly string[];
  /** Protobuf: full name of the message. */
  readonly message?: string;
  /** The converted struct (see `schema/`) with the table's field ids; its order is that of the writer schema. */
  readonly struct: StructType;
}
