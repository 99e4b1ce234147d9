import type { ColumnBatch, Vector } from '../columns/batch.ts';
import type { Schema } from '../schema/types.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { validUtf8 } from './avro-cursor.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';
import { appendNulls, putBytes, valueColumns } from './vectors.ts';

/** Formats `string` and `bytes`: the payload is the column `value`. A string must be valid UTF-8. */
export class PlainDecoder implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  readonly #text: boolean;
  readonly #fieldId: number;
  readonly #part: 'value' | 'key';
  #batch: ColumnBatch | null = null;
  #value: Vector | null = null;
  #others: readonly Vector[] = [];
  #key: Vector | null = null;

  /** `fieldId`: id of the column `value`, or of that field in `_key`; 0 writes nothing but nulls. */
  constructor(format: 'string' | 'bytes', fieldId: number, part: 'value' | 'key' = 'value') {
    this.#text = format === 'string';
    this.#fieldId = fieldId;
    this.#part = part;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    if (batch !== this.#batch) this.#attach(batch);
    const { bytes, payloadStart, payloadLength } = source;
    let i = from;
    for (; i < to; i++) {
      const length = payloadLength[i]!;
      const start = payloadStart[i]!;
      const stop = this.#problem(bytes, start, length);
      if (stop) {
        this.failure = stop;
        break;
      }
      if (length < 0) (this.#key ?? this.#value)?.appendNull();
      else {
        if (this.#value) putBytes(this.#value, bytes, start, length);
        if (this.#key) this.#present(this.#key);
      }
    }
    for (const column of this.#others) appendNulls(column, i - from);
    return i;
  }

  #attach(batch: ColumnBatch): void {
    this.#batch = batch;
    this.#key = this.#part === 'key' ? (batch.columns.find((column) => column.field.name === '_key') ?? null) : null;
    const columns = this.#part === 'key' ? (this.#key?.children ?? []) : valueColumns(batch);
    this.#value = columns.find((column) => column.field.id === this.#fieldId) ?? null;
    this.#others = this.#key ? [] : columns.filter((column) => column !== this.#value);
  }

  #problem(bytes: Uint8Array, start: number, length: number): DecodeStop | null {
    if (length < 0) {
      const required = this.#key ?? this.#value;
      return required?.field.required
        ? new DecodeStop(
            'SCHEMA_INCOMPATIBLE',
            `${required.field.name}: the record has no value, and the column is required`,
          )
        : null;
    }
    return this.#text && !validUtf8(bytes, start, start + length)
      ? new DecodeStop('DECODE_TEXT', 'value: the text is not valid UTF-8')
      : null;
  }

  #present(key: Vector): void {
    for (const child of key.children) if (child !== this.#value) child.appendNull();
    const i = key.length;
    if (i === key.capacity) key.reserve(1);
    if (key.validity) key.validity[i >> 3]! |= 1 << (i & 7);
    key.length++;
  }
}

/** The field `value` of a struct, as the formats `string` and `bytes` have it. */
export function valueFieldId(schema: Pick<Schema, 'fields'>): number {
  return schema.fields.find((field) => field.name === 'value')?.id ?? 0;
}
