import type { ColumnBatch, Vector } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { validUtf8 } from './avro-cursor.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';
import { putBytes, valueColumns } from './vectors.ts';

/** Formats `string` and `bytes`: the payload is the one column `value`, as it is. Text must be valid UTF-8. */
export class RawDecoder implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  readonly #fieldId: number;
  readonly #text: boolean;

  constructor(fieldId: number, text: boolean) {
    this.#fieldId = fieldId;
    this.#text = text;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    const columns = valueColumns(batch);
    const value = columns.find((column) => column.field.id === this.#fieldId)!;
    const others = columns.filter((column) => column !== value);
    for (let i = from; i < to; i++) {
      const failure = this.#row(source, i, value);
      if (failure) {
        this.failure = failure;
        return i;
      }
      for (const column of others) column.appendNull();
    }
    return to;
  }

  #row({ bytes, payloadStart, payloadLength }: RecordPositions, i: number, value: Vector): DecodeFailure | null {
    const start = payloadStart[i]!;
    const length = payloadLength[i]!;
    if (length < 0) {
      if (value.field.required) return new DecodeStop('SCHEMA_INCOMPATIBLE', 'value: the record has no value, and the column is required');
      value.appendNull();
      return null;
    }
    if (this.#text && !validUtf8(bytes, start, start + length)) return new DecodeStop('DECODE_TEXT', 'value: the text is not valid UTF-8');
    putBytes(value, bytes, start, length);
    return null;
  }
}
