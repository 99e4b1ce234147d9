import { CompiledDecoder } from './compiled.ts';
import type { At, Generated } from './compiled.ts';
import type { ProtoBinding, ProtoBound } from './protobuf-bind.ts';
import type { ProtoCode, ProtoScope } from './protobuf-codegen.ts';
import { InterpretedProtobuf } from './protobuf-interpreted.ts';
import type { MessageTypes } from './protobuf-json-text.ts';
import { ProtoCursor, protoRuntime } from './protobuf-runtime.ts';
import type { EnumText, ProtoRuntime } from './protobuf-runtime.ts';
import type { Slot } from './slots.ts';
import { appendNulls } from './vectors.ts';

interface Counting extends Generated {
  /** Items in each list and map so far, by scope. */
  counts(out: number[]): void;
}

type Template = (
  rt: ProtoRuntime,
  parts: readonly ProtoBound[],
  texts: readonly (readonly EnumText[])[],
  types: MessageTypes,
  slots: readonly Slot[],
  c: ProtoCursor,
  at: At,
) => Counting;

/** Protobuf by generated code. */
export class CompiledProtobuf extends CompiledDecoder<ProtoBound> {
  readonly #scopes: readonly ProtoScope[];
  readonly #generated: Counting;
  readonly #counts: number[] = [];
  /** Top-level columns that the message does not have. */
  readonly #missing: ReadonlySet<Slot>;

  /** @throws EvalError where code generation is not allowed. */
  constructor(binding: ProtoBinding, code: ProtoCode) {
    // oxlint-disable-next-line typescript/no-implied-eval -- a fixed template into which only numbers enter
    const template = new Function('rt', 'parts', 'texts', 'types', 'slots', 'c', 'at', code.source) as Template;
    const cursor = new ProtoCursor();
    const at = { i: 0, cut: 0 };
    const { types, slots } = binding;
    const generated = template(protoRuntime, code.parts, code.texts, types, slots, cursor, at);
    super(new InterpretedProtobuf(binding), binding, generated, cursor, at);
    this.#generated = generated;
    this.#scopes = code.scopes;
    this.#missing = new Set(code.scopes.flatMap(({ missing }) => missing));
  }

  protected override finish(rows: number, broken: boolean): void {
    this.#generated.counts(this.#counts);
    this.#scopes.forEach(({ slots }, k) => {
      const count = (k === 0 ? rows : this.#counts[k]!) + (broken ? 1 : 0);
      for (const { vector } of slots) vector!.length = count;
    });
    if (broken) for (const column of this.binding.owned) if (!this.#missing.has(column)) column.vector!.truncate(rows);
    for (const { missing, items } of this.#scopes) {
      const count = items ? items.vector!.length : rows;
      for (const { vector } of missing) appendNulls(vector!, count - vector!.length);
    }
  }
}
