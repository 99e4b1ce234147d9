import type { ColumnBatch, Vector } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { compiledOr } from './compiled.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { JsonBytes } from './json-bytes.ts';
import { CompiledJson } from './json-compiled.ts';
import { InterpretedJson } from './json-interpreted.ts';
import type { JsonBinding } from './json-place.ts';

/** Records by the byte decoder after which code is generated for their order, unless it is said otherwise. */
const COMPILED_AFTER = 512;
/** Code is given up where more than one run in so many records ends at a record of another order. */
const RECORDS_PER_MISS = 8;
/** So many at the start say nothing. */
const MOST_MISSES = 16;
/** How many orders are tried: producers may change, or write keys in any order. */
const MOST_ORDERS = 4;

/**
 * JSON into the value columns of a layout: by code for the order in which keys mostly stand; straight from the bytes where
 * they stand otherwise; and by the interpreted decoder for each record that is not plainly of the expected shape.
 */
export class JsonDecoder implements Decoder {
  /** Records that went to the interpreted decoder so far. */
  interpreted = 0;
  readonly #binding: JsonBinding;
  readonly #fallback: InterpretedJson;
  readonly #compiledAfter: number;
  #batch: ColumnBatch | null = null;
  #columns: readonly Vector[] = [];
  #bytes: JsonBytes | null = null;
  #compiled: CompiledJson | null = null;
  #orders = 0;
  /** Records by the byte decoder since code was given up. */
  #others = 0;
  #cut = 0;

  constructor(binding: JsonBinding, compiledAfter: number = COMPILED_AFTER) {
    this.#binding = binding;
    this.#fallback = new InterpretedJson(binding);
    this.#compiledAfter = compiledAfter;
  }

  get failure(): DecodeFailure {
    return this.#fallback.failure;
  }

  get digitsCut(): number {
    return this.#cut + this.#fallback.digitsCut;
  }

  /** Records that generated code took so far, of the order that it is for now. */
  get compiled(): number {
    return this.#compiled?.taken ?? 0;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    if (batch !== this.#batch) this.#attach(batch);
    const columns = this.#columns;
    const reader = this.#bytes!;
    for (const column of columns) column.reserve(to - from);
    const { bytes, view, payloadStart, payloadLength } = source;
    for (let i = from; i < to; i++) {
      if (this.#compiled) {
        i = this.#fast(this.#compiled, source, i, to);
        if (i === to) return to;
      }
      const length = payloadLength[i]!;
      const start = payloadStart[i]!;
      const before = columns[0]?.length ?? 0;
      if (length > 0 && reader.row(bytes, view, start, start + length)) {
        if (reader.cut > 0) this.#cut += reader.cut;
        if (!this.#compiled && ++this.#others >= this.#compiledAfter) this.#compile(reader, start);
        continue;
      }
      for (const column of columns) column.truncate(before);
      this.interpreted++;
      if (!this.#fallback.record(source, i)) return i;
    }
    return to;
  }

  #attach(batch: ColumnBatch): void {
    const target = this.#binding.attach(batch);
    this.#batch = batch;
    this.#columns = target.owned;
    this.#bytes = new JsonBytes(target, this.#binding);
    this.#compiled = null;
    this.#orders = 0;
    this.#fallback.attach(batch, target);
  }

  #fast(compiled: CompiledJson, source: RecordPositions, i: number, to: number): number {
    const stop = compiled.decode(source, i, to);
    this.#cut += compiled.takeCut();
    if (stop < to && compiled.missed > MOST_MISSES && compiled.missed * RECORDS_PER_MISS > compiled.taken)
      this.#compiled = null;
    return stop;
  }

  #compile(reader: JsonBytes, start: number): void {
    this.#others = 0;
    if (this.#orders++ >= MOST_ORDERS) return;
    const order = reader.order(start);
    if (order)
      this.#compiled = compiledOr<CompiledJson | null>(
        () => new CompiledJson(order, reader),
        () => null,
      );
  }
}
