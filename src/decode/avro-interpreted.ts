import type { RecordPositions } from '../source/record-batch.ts';
import type { AvroBinding, AvroBound } from './avro-bind.ts';
import { AvroCursor } from './avro-cursor.ts';
import { readValue } from './avro-value.ts';
import { InterpretedDecoder } from './interpreted.ts';

/** Avro by walking the plan for each record. */
export class InterpretedAvro extends InterpretedDecoder<AvroBound> {
  readonly #cursor: AvroCursor;

  constructor(binding: AvroBinding) {
    const cursor = new AvroCursor();
    super(binding, cursor);
    this.#cursor = cursor;
  }

  protected override value(source: RecordPositions, start: number, end: number): void {
    const { root } = this.binding;
    const cursor = this.#cursor;
    cursor.open(source.bytes, source.view, start, end);
    readValue(root, cursor);
    for (const column of root.slot ? [] : root.missing) column.vector!.appendNull();
    cursor.path = '';
    if (cursor.p !== end) cursor.fail(`${end - cursor.p} bytes follow it`);
  }
}
