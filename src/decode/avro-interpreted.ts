import type { ColumnBatch } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { attach } from './avro-bind.ts';
import type { AvroBinding } from './avro-bind.ts';
import { AvroCursor } from './avro-cursor.ts';
import { readValue } from './avro-value.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';

/**
 * Avro by walking the plan for each record: the oracle of the compiled decoder, what it falls back to for a record that
 * its code does not cover, and what runs where code generation is not allowed.
 */
export class InterpretedAvro implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  readonly #binding: AvroBinding;
  readonly #cursor = new AvroCursor();
  #batch: ColumnBatch | null = null;

  constructor(binding: AvroBinding) {
    this.#binding = binding;
  }

  get digitsCut(): number {
    return this.#cursor.cut;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    if (batch !== this.#batch) attach(this.#binding.slots, (this.#batch = batch));
    for (let i = from; i < to; i++) if (!this.record(source, i)) return i;
    return to;
  }

  /** One record into the attached batch; false and `failure` where it cannot be decoded. */
  record(source: RecordPositions, i: number): boolean {
    const { root, owned } = this.#binding;
    const length = source.payloadLength[i]!;
    const before = owned[0]?.vector!.length ?? 0;
    const { cut } = this.#cursor;
    try {
      if (length < 0) {
        for (const column of owned) {
          if (column.field.required)
            throw new DecodeStop(
              'SCHEMA_INCOMPATIBLE',
              `${column.field.name}: the record has no value, and the column is required`,
            );
          column.vector!.appendNull();
        }
        return true;
      }
      const start = source.payloadStart[i]!;
      this.#cursor.open(source.bytes, source.view, start, start + length);
      readValue(root, this.#cursor);
      for (const column of root.slot ? [] : root.missing) column.vector!.appendNull();
      this.#cursor.path = '';
      if (this.#cursor.p !== start + length) this.#cursor.fail(`${start + length - this.#cursor.p} bytes follow it`);
      return true;
    } catch (stop) {
      if (!(stop instanceof DecodeStop)) throw stop;
      for (const column of owned) column.vector!.truncate(before);
      this.#cursor.cut = cut;
      this.failure = stop;
      return false;
    }
  }
}
