import type { RecordPositions } from '../source/record-batch.ts';
import { validUtf8 } from './avro-cursor.ts';
import type { Generated } from './compiled.ts';
import type { JsonBytes } from './json-bytes.ts';
import { isWritten, jsonCode, slackOf } from './json-codegen.ts';
import { POWERS } from './json-digits.ts';
import type { JsonNode } from './json-layout.ts';
import type { JsonOrder } from './json-order.ts';

interface Runtime {
  readonly P: Float64Array;
  readonly U: typeof validUtf8;
}

type Template = (rt: Runtime, fields: readonly JsonNode[], R: JsonBytes, at: { cut: number }) => Generated;

/** Records whose members stand in one order, by code generated for it; every other record is left where it is. */
export class CompiledJson {
  readonly #at = { cut: 0 };
  /** Records taken, and runs that ended at one of another order. */
  taken = 0;
  missed = 0;
  readonly #fields: readonly JsonNode[];
  readonly #written: readonly JsonNode[];
  readonly #slack: number;
  readonly #generated: Generated;

  /** @throws EvalError where code generation is not allowed. */
  constructor(order: JsonOrder, reader: JsonBytes) {
    const slack = slackOf(order);
    // oxlint-disable-next-line typescript/no-implied-eval -- a fixed template into which only numbers enter
    const template = new Function('rt', 'fields', 'R', 'at', jsonCode(order, slack)) as Template;
    this.#slack = slack;
    this.#fields = order.fields;
    this.#written = order.fields.filter(isWritten);
    this.#generated = template({ P: POWERS, U: validUtf8 }, order.fields, reader, this.#at);
  }

  /** Values of which digits were cut since this was asked last. */
  takeCut(): number {
    const { cut } = this.#at;
    this.#at.cut = 0;
    return cut;
  }

  /** Appends records from `from` on, for which room is reserved; the result is the first that was not taken, or `to`. */
  decode(source: RecordPositions, from: number, to: number): number {
    const base = this.#fields[0]!.vector.length;
    this.#generated.attach();
    const stop = this.#generated.run(source, from, to, base);
    const rows = base + stop - from;
    const broken = stop < to;
    for (const { vector } of this.#written) vector.length = broken ? rows + 1 : rows;
    if (broken) for (const { vector } of this.#fields) vector.truncate(rows);
    this.taken += stop - from;
    if (broken && source.payloadStart[stop]! + source.payloadLength[stop]! + this.#slack <= source.view.byteLength)
      this.missed++;
    return stop;
  }
}
