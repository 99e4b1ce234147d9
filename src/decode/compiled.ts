import type { ColumnBatch } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import type { Cuts, InterpretedDecoder } from './interpreted.ts';
import { attach } from './slots.ts';
import type { Binding } from './slots.ts';
import { DecodeStop } from './stop.ts';

/** What the source of a decoder becomes. */
export interface Generated {
  /** Loads the vectors of the slots. */
  attach(): void;
  /** Index of the first record that was not decoded, or `to`; row of `from` is `base`. */
  run(source: RecordPositions, from: number, to: number, base: number): number;
}

/** What generated code says of where it is: the record being read, and the count of cut digits before it. */
export interface At extends Cuts {
  i: number;
}

/**
 * Records by generated code, straight from the bytes into the arrays of the vectors. A record that the code gives up on
 * is cut back and given to the interpreted decoder, which decodes it or says why it cannot be.
 */
export abstract class CompiledDecoder<Root> implements Decoder {
  /** Records that went to the interpreted decoder so far. */
  interpreted = 0;
  protected readonly binding: Binding<Root>;
  readonly #fallback: InterpretedDecoder<Root>;
  readonly #generated: Generated;
  readonly #cuts: Cuts;
  readonly #at: At;
  #batch: ColumnBatch | null = null;

  /** `cuts` and `at` are those that the code was given. */
  constructor(fallback: InterpretedDecoder<Root>, binding: Binding<Root>, generated: Generated, cuts: Cuts, at: At) {
    this.binding = binding;
    this.#fallback = fallback;
    this.#generated = generated;
    this.#cuts = cuts;
    this.#at = at;
  }

  /**
   * The vectors, which do not count while the code runs, have `rows` rows again; `broken`: what was written of one more
   * is cut back.
   */
  protected abstract finish(rows: number, broken: boolean): void;

  get failure(): DecodeFailure {
    return this.#fallback.failure;
  }

  get digitsCut(): number {
    return this.#cuts.cut + this.#fallback.digitsCut;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    const { owned, slots } = this.binding;
    if (batch !== this.#batch) {
      attach(slots, (this.#batch = batch));
      this.#fallback.decode(source, from, from, batch);
    }
    for (let i = from; ; i++) {
      const base = owned[0]?.vector!.length ?? 0;
      for (const column of owned) column.vector!.reserve(to - i);
      this.#generated.attach();
      const stop = this.#run(source, i, to, base);
      if (stop < to) this.#cuts.cut = this.#at.cut;
      this.finish(base + stop - i, stop < to);
      if (stop === to) return to;
      i = stop;
      this.interpreted++;
      if (!this.#fallback.record(source, i)) return i;
    }
  }

  #run(source: RecordPositions, from: number, to: number, base: number): number {
    try {
      return this.#generated.run(source, from, to, base);
    } catch (stop) {
      if (!(stop instanceof DecodeStop)) throw stop;
      return this.#at.i;
    }
  }
}

/** Generated code, or what does without where code may not be generated (`--disallow-code-generation-from-strings`). */
export function compiledOr<T>(compile: () => T, otherwise: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (error instanceof EvalError) return otherwise();
    throw error;
  }
}
