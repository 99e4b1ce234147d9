import { ColumnBatch } from '../columns/batch.ts';
import { createParquetWriter } from '../parquet/writer.ts';
import { deadLetterSchema } from './dead-letter-schema.ts';
import { deadLetterLocation } from './locations.ts';
import type { Vector } from '../columns/batch.ts';
import type { TableMetadata } from '../iceberg/metadata.ts';
import type { FileIO } from '../io/file-io.ts';
import type { FileMetrics, ParquetOptions } from '../parquet/parquet.ts';
import type { Schema } from '../schema/types.ts';
import type { Cut, DeadLetter } from './commit.ts';
import type { DeadLetterEntry } from './dead-letter-list.ts';
import type { DeadLetterRow } from './dead-letter-schema.ts';

/** Rows in one batch: dead letters are whole records, so that a batch stays within some megabytes. */
const BATCH_ROWS = 1_000;
const TIMESTAMP_MAX = 2n ** 63n - 1n;

/** Writes the source file of a checkpoint. It is itself never added to any table. */
export async function writeDeadLetterFile(
  io: FileIO,
  metadata: TableMetadata,
  checkpointId: string,
  version: string,
  cut: Cut,
): Promise<DeadLetterEntry> {
  const file = deadLetterLocation(metadata, `${checkpointId}.parquet`);
  const rows = cut.deadLetters.map((letter) => rowOf(letter, checkpointId, version));
  await writeRows(io, file, deadLetterSchema, rows);
  return {
    checkpointId,
    file,
    count: rows.length,
    ranges: cut.ranges
      .filter(({ accounted }) => accounted.deadLetters > 0)
      .map(({ topic, partition, start, end }) => [topic, partition, start, end] as const),
  };
}

/** Writes rows as Parquet in the columns of `schema` that have a dead letter's names; other columns are null. */
export async function writeRows(
  io: FileIO,
  location: string,
  schema: Schema,
  rows: Iterable<DeadLetterRow> | AsyncIterable<DeadLetterRow>,
): Promise<FileMetrics> {
  const output = io.create(location);
  try {
    const parts: Uint8Array[] = [];
    const writer = createParquetWriter(schema, parquetOptions(schema), { write: (bytes) => void parts.push(bytes) });
    const batch = new ColumnBatch(schema);
    const flush = async (): Promise<void> => {
      for (const part of parts.splice(0)) await output.write(part);
    };
    for await (const row of rows) {
      appendRow(batch, row);
      if (batch.rows < BATCH_ROWS) continue;
      writer.write(batch);
      batch.clear();
      await flush();
    }
    if (batch.rows > 0) writer.write(batch);
    const metrics = writer.finish();
    await flush();
    await output.close();
    return metrics;
  } catch (error) {
    await output.abort();
    throw error;
  }
}

function parquetOptions(schema: Schema): ParquetOptions {
  const full = new Set(['partition', 'offset', 'timestamp', 'checkpoint_id']);
  return {
    compression: 'zstd',
    compressionLevel: 3,
    rowGroupSize: 32 * 1024 * 1024,
    pageSize: 1024 * 1024,
    dictionarySize: 1024 * 1024,
    fullMetrics: schema.fields.filter((field) => full.has(field.name)).map((field) => field.id),
    metadata: {},
  };
}

function rowOf(letter: DeadLetter, checkpointId: string, version: string): DeadLetterRow {
  // Kafka writes -1 where a record has no time.
  const known = letter.timestamp >= 0;
  const micros = BigInt(letter.timestamp) * 1000n;
  const fits = micros <= TIMESTAMP_MAX;
  return {
    topic: letter.topic,
    partition: letter.partition,
    offset: BigInt(letter.offset),
    timestamp: known && fits ? micros : null,
    timestampType: letter.timestampType === 0 ? 'CreateTime' : 'LogAppendTime',
    key: letter.key,
    value: letter.value,
    headers: letter.headers,
    code: letter.code,
    reason: fits ? letter.reason : `${letter.reason} (timestamp ${letter.timestamp} ms)`,
    schemaId: letter.schemaId,
    checkpointId,
    serviceVersion: version,
  };
}

function appendRow(batch: ColumnBatch, row: DeadLetterRow): void {
  for (const vector of batch.columns) appendCell(vector, cellOf(vector.field.name, row));
  batch.rows++;
}

type Cell = string | number | bigint | Uint8Array | DeadLetterRow['headers'] | null;

function cellOf(name: string, row: DeadLetterRow): Cell {
  switch (name) {
    case 'topic':
      return row.topic;
    case 'partition':
      return row.partition;
    case 'offset':
      return row.offset;
    case 'timestamp':
      return row.timestamp;
    case 'timestamp_type':
      return row.timestampType;
    case 'key':
      return row.key;
    case 'value':
      return row.value;
    case 'headers':
      return row.headers;
    case 'error_code':
      return row.code;
    case 'reason':
      return row.reason;
    case 'schema_id':
      return row.schemaId;
    case 'checkpoint_id':
      return row.checkpointId;
    case 'service_version':
      return row.serviceVersion;
    default:
      return null;
  }
}

function appendCell(vector: Vector, cell: Cell): void {
  if (cell === null) {
    vector.appendNull();
    return;
  }
  vector.reserve(1);
  if (vector.kind === 'list') {
    const [element] = vector.children;
    for (const header of cell as DeadLetterRow['headers']) appendHeader(element!, header);
    vector.offsets[vector.length + 1] = element!.length;
  } else if (vector.kind === 'bytes') {
    appendBytes(vector, typeof cell === 'string' ? encoder.encode(cell) : (cell as Uint8Array));
  } else if (vector.kind === 'i32') {
    vector.i32[vector.length] = cell as number;
  } else {
    const bits = BigInt.asUintN(64, cell as bigint);
    vector.i32[2 * vector.length] = Number(bits & 0xffffffffn) | 0;
    vector.i32[2 * vector.length + 1] = Number(bits >> 32n) | 0;
  }
  present(vector);
}

function appendHeader(struct: Vector, header: DeadLetterRow['headers'][number]): void {
  struct.reserve(1);
  for (const child of struct.children) appendCell(child, child.field.name === 'key' ? header.key : header.value);
  present(struct);
}

function appendBytes(vector: Vector, bytes: Uint8Array): void {
  vector.reserveBytes(bytes.length);
  const start = vector.offsets[vector.length]!;
  vector.bytes.set(bytes, start);
  vector.offsets[vector.length + 1] = start + bytes.length;
}

function present(vector: Vector): void {
  const i = vector.length++;
  if (vector.validity) vector.validity[i >> 3]! |= 1 << (i & 7);
}

const encoder = new TextEncoder();
