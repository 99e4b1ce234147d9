import type { NestedField, StructType } from '../schema/types.ts';
import { copyBytes, setPresent, setPresentRange } from './append.ts';
import type { ColumnBatch, Vector } from './batch.ts';
import { appendHeaders } from './headers.ts';

/** `struct`: one column `_kafka`; `flat`: `_kafka_topic`, `_kafka_offset` …; `off`: none (DESIGN §6). */
export type MetadataColumns = 'struct' | 'flat' | 'off';

/** What the columns are filled from: positions of records in raw bytes, as the source stage's `RecordPositions` has them. */
export interface RecordView {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly offsets: Float64Array;
  /** Milliseconds since the epoch; -1: none. */
  readonly timestamps: Float64Array;
  readonly keyStart: Int32Array;
  readonly keyLength: Int32Array;
  readonly headersStart: Int32Array;
  readonly headersCount: Int32Array;
  /** 0 CreateTime, 1 LogAppendTime. */
  readonly timestampType: 0 | 1;
}

const STRUCT = '_kafka';
const TIMESTAMP_TYPES = [Buffer.from('CreateTime'), Buffer.from('LogAppendTime')] as const;
const TWO_32 = 4_294_967_296;
/** A power of two: the product is as exact as a quotient. */
const PER_TWO_32 = 1 / TWO_32;
/** Milliseconds that are still a 64-bit number of microseconds. */
const MAX_MILLIS = 9_223_372_036_854_774;

/**
 * The columns that say where a row comes from. The struct and all flat columns are optional, so that other writers may
 * add rows without them; a struct that is there always has topic, partition and offset. Ids count up from `firstId`,
 * parents first; 0 leaves them all 0, to be given later.
 */
export function kafkaFields(mode: MetadataColumns, firstId = 0): NestedField[] {
  if (mode === 'off') return [];
  let next = firstId;
  const id = (): number => (firstId === 0 ? 0 : next++);
  const flat = mode === 'flat';
  const name = (field: string): string => (flat ? `${STRUCT}_${field}` : field);
  const fields = (): NestedField[] => [
    { id: id(), name: name('topic'), required: !flat, type: 'string' },
    { id: id(), name: name('partition'), required: !flat, type: 'int' },
    { id: id(), name: name('offset'), required: !flat, type: 'long' },
    { id: id(), name: name('timestamp'), required: false, type: 'timestamptz' },
    { id: id(), name: name('timestamp_type'), required: false, type: 'string', doc: 'CreateTime or LogAppendTime' },
    { id: id(), name: name('key'), required: false, type: 'binary' },
    {
      id: id(),
      name: name('headers'),
      required: false,
      type: {
        type: 'list',
        'element-id': id(),
        'element-required': true,
        element: {
          type: 'struct',
          fields: [
            { id: id(), name: 'key', required: true, type: 'string' },
            { id: id(), name: 'value', required: false, type: 'binary' },
          ],
        },
      },
    },
  ];
  if (flat) return fields();
  return [
    {
      id: id(),
      name: STRUCT,
      required: false,
      type: { type: 'struct', fields: fields() },
      doc: 'Where the row comes from',
    },
  ];
}

/** Ids of partition, offset and timestamp in a table's schema: the columns with full metrics. */
export function kafkaFieldIds(schema: StructType, mode: MetadataColumns): number[] {
  const names = ['partition', 'offset', 'timestamp'];
  if (mode === 'flat')
    return schema.fields.filter(({ name }) => names.some((own) => name === `${STRUCT}_${own}`)).map(({ id }) => id);
  const type = mode === 'struct' ? schema.fields.find(({ name }) => name === STRUCT)?.type : undefined;
  if (type === undefined || typeof type === 'string' || type.type !== 'struct') return [];
  return type.fields.filter(({ name }) => names.includes(name)).map(({ id }) => id);
}

/** Fills the metadata columns of batches of one schema. Columns that the table lacks are left out. */
export class KafkaColumns {
  readonly #struct: number;
  /** Index of each column, and the field that it is; among the struct's fields, or the table's in flat mode. */
  readonly #columns: readonly (readonly [index: number, field: string])[];
  #topic = '';
  #topicBytes: Uint8Array = new Uint8Array(0);

  constructor(schema: StructType, mode: MetadataColumns) {
    this.#struct =
      mode === 'struct'
        ? schema.fields.findIndex(
            ({ name, type }) => name === STRUCT && typeof type !== 'string' && type.type === 'struct',
          )
        : -1;
    if (mode === 'struct') {
      const fields = this.#struct < 0 ? [] : (schema.fields[this.#struct]!.type as StructType).fields;
      this.#columns = fields.map(({ name }, index) => [index, name]);
    } else {
      const prefix = `${STRUCT}_`;
      const known = mode === 'flat' ? kafkaFields('flat').map(({ name }) => name) : [];
      this.#columns = schema.fields.flatMap(({ name }, index) =>
        known.includes(name) ? [[index, name.slice(prefix.length)] as const] : [],
      );
    }
  }

  /**
   * Appends records [from, to) to the metadata columns; `batch.rows` is not touched. A timestamp that no 64-bit number
   * of microseconds holds becomes null. Throws `KAFKA_CORRUPT_BATCH` where headers do not lie within the bytes.
   */
  append(batch: ColumnBatch, records: RecordView, from: number, to: number, topic: string, partition: number): void {
    if (from === to) return;
    if (topic !== this.#topic) {
      this.#topic = topic;
      this.#topicBytes = Buffer.from(topic);
    }
    let columns = batch.columns;
    if (this.#struct >= 0) {
      const struct = batch.columns[this.#struct]!;
      struct.reserve(to - from);
      setPresentRange(struct, to - from);
      struct.length += to - from;
      columns = struct.children;
    }
    for (const [index, field] of this.#columns) this.#column(columns[index]!, field, records, from, to, partition);
  }

  #column(vector: Vector, field: string, records: RecordView, from: number, to: number, partition: number): void {
    const count = to - from;
    vector.reserve(count);
    switch (field) {
      case 'topic':
        return appendText(vector, this.#topicBytes, count);
      case 'partition':
        vector.i32.fill(partition, vector.length, vector.length + count);
        return appended(vector, count);
      case 'offset':
        return appendOffsets(vector, records, from, to);
      case 'timestamp':
        return appendTimestamps(vector, records, from, to);
      case 'timestamp_type':
        return appendText(vector, TIMESTAMP_TYPES[records.timestampType], count);
      case 'key':
        return appendKeys(vector, records, from, to);
      case 'headers':
        return appendHeaders(vector, records, from, to);
      // A field that someone added to the struct.
      default:
        for (let i = 0; i < count; i++) vector.appendNull();
    }
  }
}

function appended(vector: Vector, count: number): void {
  setPresentRange(vector, count);
  vector.length += count;
}

/** Once, and then what is there as often as it takes: a copy of a few bytes for each row costs more than all of them. */
function appendText(vector: Vector, text: Uint8Array, count: number): void {
  const size = text.length;
  vector.reserveBytes(size * count);
  const { bytes, offsets, length } = vector;
  const start = offsets[length]!;
  const end = start + size * count;
  bytes.set(text, start);
  for (let at = start + size; at < end; at += at - start) bytes.copyWithin(at, start, Math.min(at, start + end - at));
  for (let i = 1; i <= count; i++) offsets[length + i] = start + size * i;
  appended(vector, count);
}

function appendOffsets(vector: Vector, records: RecordView, from: number, to: number): void {
  const { i32, length } = vector;
  const { offsets } = records;
  for (let i = from, at = 2 * length; i < to; i++, at += 2) {
    const offset = offsets[i]!;
    const high = Math.floor(offset * PER_TWO_32);
    // Not `offset % TWO_32`: the remainder of doubles is a call of the C library.
    i32[at] = offset - high * TWO_32;
    i32[at + 1] = high;
  }
  appended(vector, to - from);
}

/** Milliseconds to microseconds in two words; the product of the low word stays below 2^42. */
function appendTimestamps(vector: Vector, records: RecordView, from: number, to: number): void {
  const { i32, length } = vector;
  const { timestamps } = records;
  let absent = false;
  for (let i = from, at = 2 * length; i < to; i++, at += 2) {
    const millis = timestamps[i]!;
    if (!hasTime(millis)) {
      absent = true;
      i32[at] = 0;
      i32[at + 1] = 0;
      continue;
    }
    const high = Math.floor(millis * PER_TWO_32);
    const product = (millis - high * TWO_32) * 1000;
    const carry = Math.floor(product * PER_TWO_32);
    i32[at] = product - carry * TWO_32;
    i32[at + 1] = high * 1000 + carry;
  }
  if (absent) {
    for (let i = from; i < to; i++) if (hasTime(timestamps[i]!)) setPresent(vector, length + i - from);
    vector.length += to - from;
  } else appended(vector, to - from);
}

function hasTime(millis: number): boolean {
  return millis !== -1 && Math.abs(millis) <= MAX_MILLIS;
}

function appendKeys(vector: Vector, records: RecordView, from: number, to: number): void {
  const { keyStart, keyLength } = records;
  let total = 0;
  for (let i = from; i < to; i++) total += Math.max(0, keyLength[i]!);
  vector.reserveBytes(total);
  let at = vector.offsets[vector.length]!;
  for (let i = from; i < to; i++) {
    const size = keyLength[i]!;
    const row = vector.length++;
    if (size >= 0) {
      copyBytes(records.bytes, keyStart[i]!, size, vector.bytes, at);
      at += size;
      setPresent(vector, row);
    }
    vector.offsets[row + 1] = at;
  }
}
