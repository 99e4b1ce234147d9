import type { ColumnBatch } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { attach } from './slots.ts';
import type { Binding } from './slots.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';
import { appendNullRow } from './vectors.ts';

/** Where a decoder counts the values of which digits were cut. */
export interface Cuts {
  cut: number;
}

/**
 * Records one after another, each whole or not at all: the oracle of a compiled decoder, what it falls back to for a
 * record that its code does not cover, and what runs where code generation is not allowed.
 */
export abstract class InterpretedDecoder<Root> implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  protected readonly binding: Binding<Root>;
  readonly #cuts: Cuts;
  #batch: ColumnBatch | null = null;

  constructor(binding: Binding<Root>, cuts: Cuts) {
    this.binding = binding;
    this.#cuts = cuts;
  }

  /** Appends the value in bytes [start, end) to the attached batch; throws DecodeStop. */
  protected abstract value(source: RecordPositions, start: number, end: number): void;

  get digitsCut(): number {
    return this.#cuts.cut;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    if (batch !== this.#batch) attach(this.binding.slots, (this.#batch = batch));
    for (let i = from; i < to; i++) if (!this.record(source, i)) return i;
    return to;
  }

  /** One record into the attached batch; false and `failure` where it cannot be decoded. */
  record(source: RecordPositions, i: number): boolean {
    const { owned } = this.binding;
    const length = source.payloadLength[i]!;
    const start = source.payloadStart[i]!;
    const before = owned[0]?.vector!.length ?? 0;
    const { cut } = this.#cuts;
    try {
      if (length < 0) for (const { vector } of owned) appendNullRow(vector!);
      else this.value(source, start, start + length);
      return true;
    } catch (stop) {
      if (!(stop instanceof DecodeStop)) throw stop;
      for (const { vector } of owned) vector!.truncate(before);
      this.#cuts.cut = cut;
      this.failure = stop;
      return false;
    }
  }
}
