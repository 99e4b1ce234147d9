import type { ColumnBatch, Vector } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { JsonBytes } from './json-bytes.ts';
import { InterpretedJson } from './json-interpreted.ts';
import type { JsonBinding } from './json-place.ts';

/**
 * JSON into the value columns of a layout: straight from the bytes, and by the interpreted decoder for each record that is
 * not plainly of the expected shape.
 */
export class JsonDecoder implements Decoder {
  /** Records that went to the interpreted decoder so far. */
  interpreted = 0;
  readonly #binding: JsonBinding;
  readonly #fallback: InterpretedJson;
  #batch: ColumnBatch | null = null;
  #columns: readonly Vector[] = [];
  #bytes: JsonBytes | null = null;
  #cut = 0;

  constructor(binding: JsonBinding) {
    this.#binding = binding;
    this.#fallback = new InterpretedJson(binding);
  }

  get failure(): DecodeFailure {
    return this.#fallback.failure;
  }

  get digitsCut(): number {
    return this.#cut + this.#fallback.digitsCut;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    if (batch !== this.#batch) {
      const target = this.#binding.attach(batch);
      this.#batch = batch;
      this.#columns = target.owned;
      this.#bytes = new JsonBytes(target, this.#binding);
      this.#fallback.attach(batch, target);
    }
    const columns = this.#columns;
    const reader = this.#bytes!;
    for (const column of columns) column.reserve(to - from);
    const { bytes, view, payloadStart, payloadLength } = source;
    for (let i = from; i < to; i++) {
      const length = payloadLength[i]!;
      const start = payloadStart[i]!;
      const before = columns[0]?.length ?? 0;
      if (length > 0 && reader.row(bytes, view, start, start + length)) {
        if (reader.cut > 0) this.#cut += reader.cut;
        continue;
      }
      for (const column of columns) column.truncate(before);
      this.interpreted++;
      if (!this.#fallback.record(source, i)) return i;
    }
    return to;
  }
}
