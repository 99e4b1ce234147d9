import type { ColumnBatch } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { attach } from './avro-bind.ts';
import type { AvroBinding, AvroBound, Slot } from './avro-bind.ts';
import type { AvroCode } from './avro-codegen.ts';
import { AvroCursor } from './avro-cursor.ts';
import { InterpretedAvro } from './avro-interpreted.ts';
import { avroRuntime } from './avro-runtime.ts';
import type { AvroRuntime } from './avro-runtime.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { DecodeStop } from './stop.ts';
import { appendNulls } from './vectors.ts';

interface Generated {
  attach(slots: readonly Slot[]): void;
  /** Index of the first record that was not decoded, or `to`; row of `from` is `base`. */
  run(source: RecordPositions, from: number, to: number, base: number): number;
}

interface At {
  /** The record being read, and the cursor's count of cut digits before it. */
  i: number;
  cut: number;
}

type Template = (rt: AvroRuntime, parts: readonly AvroBound[], c: AvroCursor, at: At) => Generated;

/**
 * Avro by generated code, straight from the bytes into the arrays of the vectors. A record that the code gives up on is
 * cut back and given to the interpreted decoder, which decodes it or says why it cannot be.
 */
export class CompiledAvro implements Decoder {
  /** Records that went to the interpreted decoder so far. */
  interpreted = 0;
  readonly #binding: AvroBinding;
  readonly #flat: readonly Slot[];
  readonly #filled: readonly Slot[];
  readonly #generated: Generated;
  readonly #fallback: InterpretedAvro;
  readonly #cursor = new AvroCursor();
  readonly #at: At = { i: 0, cut: 0 };
  #batch: ColumnBatch | null = null;

  /** @throws EvalError where code generation is not allowed. */
  constructor(binding: AvroBinding, code: AvroCode) {
    this.#binding = binding;
    this.#flat = code.flat;
    this.#filled = missingOutsideLists(binding.root);
    this.#fallback = new InterpretedAvro(binding);
    // oxlint-disable-next-line typescript/no-implied-eval -- a fixed template into which only numbers enter
    const template = new Function('rt', 'parts', 'c', 'at', code.source) as Template;
    this.#generated = template(avroRuntime, code.parts, this.#cursor, this.#at);
  }

  get failure(): DecodeFailure {
    return this.#fallback.failure;
  }

  get digitsCut(): number {
    return this.#cursor.cut + this.#fallback.digitsCut;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    if (batch !== this.#batch) {
      attach(this.#binding.slots, (this.#batch = batch));
      this.#fallback.decode(source, from, from, batch);
    }
    const { owned, slots } = this.#binding;
    for (let i = from; ; i++) {
      const base = owned[0]?.vector!.length ?? 0;
      for (const column of owned) column.vector!.reserve(to - i);
      this.#generated.attach(slots);
      const stop = this.#run(source, i, to, base);
      this.#finish(base + stop - i, stop < to);
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

  /** The vectors count their rows again; what was written of a record that broke off is cut back. */
  #finish(rows: number, broken: boolean): void {
    for (const { vector } of this.#flat) vector!.length = broken ? rows + 1 : rows;
    if (broken) {
      this.#cursor.cut = this.#at.cut;
      for (const { vector } of this.#flat) vector!.truncate(rows);
    }
    for (const { vector } of this.#filled) appendNulls(vector!, rows - vector!.length);
  }
}

/** Columns that the writer does not have, at the top and in structs that stand once in a row. */
function missingOutsideLists(bound: AvroBound): Slot[] {
  const { op } = bound.plan;
  const inside =
    op === 'record' || op === 'union' || op === 'optional' ? bound.children.flatMap(missingOutsideLists) : [];
  return [...bound.missing, ...inside];
}
