import type { ColumnBatch } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { attach } from './avro-bind.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import type { ProtoBinding } from './protobuf-bind.ts';
import { TreeParser, checkRequired } from './protobuf-tree.ts';
import { ProtoAppender } from './protobuf-value.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';

/**
 * Protobuf by parsing each record into a tree and appending that: the oracle of the compiled decoder, what it falls back
 * to for a record that its code does not cover, and what runs where code generation is not allowed.
 */
export class InterpretedProtobuf implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  readonly #binding: ProtoBinding;
  readonly #appender: ProtoAppender;
  #batch: ColumnBatch | null = null;

  constructor(binding: ProtoBinding) {
    this.#binding = binding;
    this.#appender = new ProtoAppender(binding);
  }

  get digitsCut(): number {
    return this.#appender.cut;
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
    const cut = this.#appender.cut;
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
      if (root.plan.op !== 'message') return true;
      const start = source.payloadStart[i]!;
      const value = new TreeParser(source.bytes, source.view, start).message(root.plan.of, start + length, '');
      checkRequired(root.plan.of, value, '');
      this.#appender.record(root, value);
      return true;
    } catch (stop) {
      if (!(stop instanceof DecodeStop)) throw stop;
      for (const column of owned) column.vector!.truncate(before);
      this.#appender.cut = cut;
      this.failure = stop;
      return false;
    }
  }
}
