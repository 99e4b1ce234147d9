import type { ColumnBatch, Vector } from '../columns/batch.ts';
import type { Schema } from '../schema/types.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import type { InferOptions } from './infer.ts';
import { JsonBytes } from './json-bytes.ts';
import { InterpretedJson } from './json-interpreted.ts';
import { valueColumns } from './vectors.ts';

/**
 * JSON without schema into the value columns of a layout: straight from the bytes, and by the interpreted decoder for
 * each record that is not plainly of the expected shape.
 */
export class JsonDecoder implements Decoder {
  /** Records that went to the interpreted decoder so far. */
  interpreted = 0;
  readonly #fallback: InterpretedJson;
  #batch: ColumnBatch | null = null;
  #columns: readonly Vector[] = [];
  #bytes: JsonBytes = new JsonBytes([]);

  constructor(layout: Schema, options: InferOptions) {
    this.#fallback = new InterpretedJson(layout, options);
  }

  get failure(): DecodeFailure {
    return this.#fallback.failure;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    if (batch !== this.#batch) {
      this.#batch = batch;
      this.#columns = valueColumns(batch);
      this.#bytes = new JsonBytes(this.#columns);
      this.#fallback.attach(batch);
    }
    const columns = this.#columns;
    for (const column of columns) column.reserve(to - from);
    const { bytes, view, payloadStart, payloadLength } = source;
    for (let i = from; i < to; i++) {
      const length = payloadLength[i]!;
      const start = payloadStart[i]!;
      const before = columns[0]?.length ?? 0;
      if (length > 0 && this.#bytes.row(bytes, view, start, start + length)) continue;
      for (const column of columns) column.truncate(before);
      this.interpreted++;
      if (!this.#fallback.record(source, i)) return i;
    }
    return to;
  }
}
