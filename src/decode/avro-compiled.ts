import type { AvroBinding, AvroBound } from './avro-bind.ts';
import type { AvroCode } from './avro-codegen.ts';
import { AvroCursor } from './avro-cursor.ts';
import { InterpretedAvro } from './avro-interpreted.ts';
import { avroRuntime } from './avro-runtime.ts';
import type { AvroRuntime } from './avro-runtime.ts';
import { CompiledDecoder } from './compiled.ts';
import type { At, Generated } from './compiled.ts';
import type { Slot } from './slots.ts';
import { appendNulls } from './vectors.ts';

type Template = (
  rt: AvroRuntime,
  parts: readonly AvroBound[],
  slots: readonly Slot[],
  c: AvroCursor,
  at: At,
) => Generated;

/** Avro by generated code. */
export class CompiledAvro extends CompiledDecoder<AvroBound> {
  readonly #flat: readonly Slot[];
  readonly #filled: readonly Slot[];

  /** @throws EvalError where code generation is not allowed. */
  constructor(binding: AvroBinding, code: AvroCode) {
    // oxlint-disable-next-line typescript/no-implied-eval -- a fixed template into which only numbers enter
    const template = new Function('rt', 'parts', 'slots', 'c', 'at', code.source) as Template;
    const cursor = new AvroCursor();
    const at = { i: 0, cut: 0 };
    const generated = template(avroRuntime, code.parts, binding.slots, cursor, at);
    super(new InterpretedAvro(binding), binding, generated, cursor, at);
    this.#flat = code.flat;
    this.#filled = missingOutsideLists(binding.root);
  }

  protected override finish(rows: number, broken: boolean): void {
    for (const { vector } of this.#flat) vector!.length = broken ? rows + 1 : rows;
    if (broken) for (const { vector } of this.#flat) vector!.truncate(rows);
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
