import type { PartitionValue } from '../columns/partition-value.ts';
import type { TableOptions } from '../config/config.ts';
import type { TopicRoutes } from '../config/route.ts';
import type { BoundSchema, Part } from '../decode/decoder.ts';
import type { ErrorCode } from '../errors.ts';
import type { FileMetrics } from '../parquet/parquet.ts';
import type { Schema, StructType } from '../schema/types.ts';
import type { Shape } from '../decode/infer.ts';
import type { DeadLetter, OffsetRange } from './ranges.ts';
import type { RouteSchema } from './route-reader.ts';

/**
 * What the main thread and a worker say to each other. Everything is plain data; buffers are transferred.
 *
 * A worker owns its lanes: order within a lane is kept because one worker takes all its records. A question from the
 * worker (schema, sample, fields) blocks only the lanes that wait for the answer.
 */

/** Key of the writer schema of a record in one worker (`decode/wire-format.ts`): its registry id, or a negative key. */
export type SchemaKey = number;

/** What the columns of a table look like at one moment. Files of several layouts may be in one checkpoint. */
export interface Layout {
  readonly schema: Schema;
  readonly specId: number;
  readonly partition: readonly {
    readonly fieldId: number;
    readonly sourceId: number;
    readonly name: string;
    readonly transform: string;
  }[];
  /** Field ids with full metrics (the `_kafka` columns). */
  readonly fullMetrics: readonly number[];
}

const WORKER_OPTIONS = [
  'columns',
  'compression',
  'compressionLevel',
  'inferRecords',
  'jsonColumns',
  'key',
  'maxColumns',
  'maxDeadLetterRate',
  'metadataColumns',
  'nanos',
  'numbers',
  'onBadRecord',
  'onIncompatible',
  'rowGroupSize',
  'targetFileSize',
  'timeOfDay',
  'uint64',
  'unions',
  'value',
] as const satisfies readonly (keyof TableOptions)[];

/** The options of a table that its workers need. */
export type WorkerTableOptions = Pick<TableOptions, (typeof WORKER_OPTIONS)[number]>;

/** A table rule holds more, and not all of it can be posted (regular expressions). */
export function workerOptions(options: TableOptions): WorkerTableOptions {
  return Object.fromEntries(WORKER_OPTIONS.map((key) => [key, options[key]])) as unknown as WorkerTableOptions;
}

/** What a lane asks about a writer schema. */
export function schemaQuestion(part: Part, key: SchemaKey): string {
  return `${part} schema ${key}`;
}

/** What a lane waits for that must know a schema to route its record. */
export function routeQuestion(key: SchemaKey): string {
  return `route ${key}`;
}

/** The questions of lanes that a `layout` message answers, but for those about a sample. */
export function answeredQuestions({
  schemas,
  answered,
}: Pick<Extract<ToWorker, { type: 'layout' }>, 'schemas' | 'answered'>): string[] {
  return [
    'layout',
    ...schemas.map(({ part, key }) => schemaQuestion(part, key)),
    ...(answered === undefined ? [] : [answered]),
  ];
}

export type ToWorker =
  | {
      readonly type: 'table';
      readonly table: number;
      readonly options: WorkerTableOptions;
      readonly isolation: 'read_committed' | 'read_uncommitted';
      readonly maxBatchBytes: number;
    }
  /** The table is no longer read: everything of it is dropped. */
  | { readonly type: 'close-table'; readonly table: number }
  | {
      readonly type: 'lane';
      readonly table: number;
      readonly lane: number;
      readonly topic: string;
      readonly partition: number;
      readonly start: number;
      readonly generation: number;
      /** Left out: the table takes every record of the topic. */
      readonly routes?: TopicRoutes;
      /** What becomes of records that another table takes: counted, or (a replay) dead letters. */
      readonly elsewhere?: 'count' | 'dead-letter';
    }
  | { readonly type: 'close-lane'; readonly table: number; readonly lane: number }
  | {
      readonly type: 'records';
      readonly table: number;
      readonly lane: number;
      readonly generation: number;
      /** The receiver’s own, which gives its memory back. */
      readonly buffer: ArrayBuffer;
      readonly byteOffset: number;
      readonly byteLength: number;
      readonly nextOffset: number;
      /** Records from here on are left alone. */
      readonly endOffset?: number;
      readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
    }
  /** Offsets up to `to` are knowingly skipped: the next range of the lane holds the gap. */
  | {
      readonly type: 'skip';
      readonly table: number;
      readonly lane: number;
      readonly generation: number;
      readonly to: number;
      readonly reason: string;
    }
  /**
   * A (new) layout, and what is known of writer schemas under it; the schemas replace those of the same key. `answered`:
   * the question of one lane about fields.
   */
  | {
      readonly type: 'layout';
      readonly table: number;
      readonly layout: Layout;
      readonly schemas: readonly SchemaAnswer[];
      readonly answered?: string;
    }
  /** To a question with `route`: the schema is only looked at. Null: it is Protobuf, and the record names a message of it. */
  | {
      readonly type: 'route-schema';
      readonly table: number;
      readonly key: SchemaKey;
      readonly schema: RouteSchema | null;
    }
  /** Takes no more records of the topic, until a reset. What is open of it stays in the open checkpoint. */
  | { readonly type: 'pause-topic'; readonly table: number; readonly topic: string }
  /** Closes the table's open files and reports what they hold. */
  | { readonly type: 'cut'; readonly table: number; readonly cut: number }
  /** Drops all that is open of the table; its lanes go on at new positions under new generations. */
  | {
      readonly type: 'reset';
      readonly table: number;
      readonly reset: number;
      readonly lanes: readonly { readonly lane: number; readonly start: number; readonly generation: number }[];
    }
  /** Bytes of encoded file parts that the store has taken. */
  | { readonly type: 'uploaded'; readonly bytes: number };

/** A decoder's source, or why records of this writer schema cannot be decoded (they become dead letters). */
export type SchemaAnswer =
  | {
      readonly part: Part;
      readonly key: SchemaKey;
      readonly bound: BoundSchema;
      /** Columns of the writer that are not written (`onDropped: ignore`). */
      readonly ignored?: number;
    }
  | {
      readonly part: Part;
      readonly key: SchemaKey;
      readonly refused: { readonly code: ErrorCode; readonly reason: string };
    }
  /** The schema is Protobuf, and the key has no message index: records that name it are read with theirs. */
  | { readonly part: Part; readonly key: SchemaKey; readonly indexed: true };

/** What a decoder is made of, or why there is none. */
export type DecoderAnswer = Exclude<SchemaAnswer, { readonly indexed: true }>;

export type FromWorker =
  /** Fetched bytes that are done with. */
  | { readonly type: 'released'; readonly bytes: number }
  /** The lane stands at `next`: everything before it is in the open checkpoint. */
  | {
      readonly type: 'position';
      readonly table: number;
      readonly lane: number;
      readonly generation: number;
      readonly next: number;
      readonly records: number;
      readonly bytes: number;
      readonly maxTimestamp: number;
      /** Values of which digits were cut since the last position (`nanos: micros`). */
      readonly digitsCut: number;
      /** Values of dropped columns that were not written since the last position (`onDropped: ignore`). */
      readonly ignored: number;
    }
  /** The lane stands until the question is answered: no more of it need be fetched. */
  | {
      readonly type: 'waits';
      readonly table: number;
      readonly lane: number;
      readonly generation: number;
      readonly question: string;
    }
  | { readonly type: 'need-layout'; readonly table: number }
  | {
      readonly type: 'need-schema';
      readonly table: number;
      readonly part: Part;
      readonly key: SchemaKey;
      readonly guid: string | null;
      /** Which message of the schema it is (Protobuf); null: the record was read as one without. */
      readonly index: readonly number[] | null;
      /** A schema that stands in the record (Kafka Connect's JSON). */
      readonly text: string | null;
      /** Where the record is: what the newest schema is asked for by (`schema: latest`). */
      readonly topic: string;
      /** Only to see whose the record is: the answer is a `route-schema`. */
      readonly route?: boolean;
    }
  | {
      readonly type: 'sample';
      readonly table: number;
      readonly part: Part;
      readonly shape: Shape;
      readonly records: number;
    }
  | {
      readonly type: 'need-fields';
      readonly table: number;
      readonly part: Part;
      readonly key: SchemaKey;
      readonly fields: StructType;
      /** What the lane waits for: the answer names it. */
      readonly question: string;
    }
  | {
      readonly type: 'file';
      readonly table: number;
      readonly file: number;
      readonly partition: ReadonlyMap<number, PartitionValue>;
    }
  | { readonly type: 'part'; readonly table: number; readonly file: number; readonly bytes: Uint8Array }
  | { readonly type: 'file-end'; readonly table: number; readonly file: number; readonly metrics: FileMetrics }
  | { readonly type: 'file-abort'; readonly table: number; readonly file: number }
  | {
      readonly type: 'cut-done';
      readonly table: number;
      readonly cut: number;
      readonly ranges: readonly OffsetRange[];
      readonly deadLetters: readonly DeadLetter[];
      readonly schemaId: number | null;
      /** Partition specs that the files follow: more than one where the table's changed meanwhile. */
      readonly specIds: readonly number[];
    }
  /** Answer to `reset`: files ended before this message are of the dropped checkpoint. */
  | { readonly type: 'reset-done'; readonly table: number; readonly reset: number }
  /** Bytes of columns and encoded pages held by the worker for the table. */
  | { readonly type: 'held'; readonly table: number; readonly bytes: number; readonly deadLetterBytes: number }
  /** The topic's allowance of dead letters is used up (`maxDeadLetterRate`): the record at `offset` was not taken. */
  | {
      readonly type: 'too-many-dead-letters';
      readonly table: number;
      readonly lane: number;
      readonly generation: number;
      readonly offset: number;
      readonly code: ErrorCode;
      readonly reason: string;
    }
  /** A lane, or the whole table when `lane` is null, cannot go on. */
  | {
      readonly type: 'failed';
      readonly table: number;
      readonly lane: number | null;
      readonly code: ErrorCode;
      readonly message: string;
      readonly where: Readonly<Record<string, string | number>>;
    };
