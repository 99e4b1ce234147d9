import type { RecordPositions } from '../source/record-batch.ts';
import { InterpretedDecoder } from './interpreted.ts';
import type { ProtoBinding, ProtoBound } from './protobuf-bind.ts';
import { TreeParser, checkRequired } from './protobuf-tree.ts';
import { ProtoAppender } from './protobuf-value.ts';

/** Protobuf by parsing each record into a tree and appending that. */
export class InterpretedProtobuf extends InterpretedDecoder<ProtoBound> {
  readonly #appender: ProtoAppender;

  constructor(binding: ProtoBinding) {
    const appender = new ProtoAppender(binding);
    super(binding, appender);
    this.#appender = appender;
  }

  protected override value(source: RecordPositions, start: number, end: number): void {
    const { root } = this.binding;
    if (root.plan.op !== 'message') return;
    const value = new TreeParser(source.bytes, source.view, start).message(root.plan.of, end, '');
    checkRequired(root.plan.of, value, '');
    this.#appender.record(root, value);
  }
}
