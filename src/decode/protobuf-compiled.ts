import type { ColumnBatch } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { attach } from './avro-bind.ts';
import type { Slot } from './avro-bind.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import type { ProtoBinding, ProtoBound } from './protobuf-bind.ts';
import type { ProtoCode, ProtoScope } from './protobuf-codegen.ts';
import { InterpretedProtobuf } from './protobuf-interpreted.ts';
import type { MessageTypes } from './protobuf-json-text.ts';
import { ProtoCursor, protoRuntime } from './protobuf-runtime.ts';
import type { EnumText, ProtoRuntime } from './protobuf-runtime.ts';
import { DecodeStop } from './stop.ts';
import { appendNulls } from './vectors.ts';

interface Generated {
  attach(): void;
  /** Items in each list and map so far, by scope. */
  counts(out: number[]): void;
  /** Index of the first record that was not decoded, or `to`; row of `from` is `base`. */
  run(source: RecordPositions, from: number, to: number, base: number): number;
}

interface At {
  /** The record being read, and the cursor's count of cut digits before it. */
  i: number;
  cut: number;
}

type Template = (
  rt: ProtoRuntime,
  parts: readonly ProtoBound[],
  texts: readonly (readonly EnumText[])[],
  types: MessageTypes,
  slots: readonly Slot[],
  c: ProtoCursor,
  at: At,
) => Generated;

/**
 * Protobuf by generated code, straight from the bytes into the arrays of the vectors. A record that the code gives up on
 * is cut back and given to the interpreted decoder, which decodes it or says why it cannot be.
 */
export class CompiledProtobuf implements Decoder {
  /** Records that went to the interpreted decoder so far. */
  interpreted = 0;
  readonly #binding: ProtoBinding;
  readonly #scopes: readonly ProtoScope[];
  readonly #generated: Generated;
  readonly #fallback: InterpretedProtobuf;
  readonly #cursor = new ProtoCursor();
  readonly #at: At = { i: 0, cut: 0 };
  readonly #counts: number[] = [];
  /** Top-level columns that the message does not have. */
  readonly #missing: ReadonlySet<Slot>;
  #batch: ColumnBatch | null = null;

  /** @throws EvalError where code generation is not allowed. */
  constructor(binding: ProtoBinding, code: ProtoCode) {
    this.#binding = binding;
    this.#scopes = code.scopes;
    this.#missing = new Set(code.scopes.flatMap(({ missing }) => missing));
    this.#fallback = new InterpretedProtobuf(binding);
    // oxlint-disable-next-line typescript/no-implied-eval -- a fixed template into which only numbers enter
    const template = new Function('rt', 'parts', 'texts', 'types', 'slots', 'c', 'at', code.source) as Template;
    const { types, slots } = binding;
    this.#generated = template(protoRuntime, code.parts, code.texts, types, slots, this.#cursor, this.#at);
  }

  get failure(): DecodeFailure {
    return this.#fallback.failure;
  }

  get digitsCut(): number {
    return this.#cursor.cut + this.#fallback.digitsCut;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    const { owned, slots } = this.#binding;
    if (batch !== this.#batch) {
      attach(slots, (this.#batch = batch));
      this.#fallback.decode(source, from, from, batch);
    }
    for (let i = from; ; i++) {
      const base = owned[0]?.vector!.length ?? 0;
      for (const column of owned) column.vector!.reserve(to - i);
      this.#generated.attach();
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

  /** The vectors count their values again; what was written of a record that broke off is cut back. */
  #finish(rows: number, broken: boolean): void {
    this.#generated.counts(this.#counts);
    this.#scopes.forEach(({ slots }, k) => {
      const count = (k === 0 ? rows : this.#counts[k]!) + (broken ? 1 : 0);
      for (const { vector } of slots) vector!.length = count;
    });
    if (broken) {
      this.#cursor.cut = this.#at.cut;
      for (const column of this.#binding.owned) if (!this.#missing.has(column)) column.vector!.truncate(rows);
    }
    for (const { missing, items } of this.#scopes) {
      const count = items ? items.vector!.length : rows;
      for (const { vector } of missing) appendNulls(vector!, count - vector!.length);
    }
  }
}
