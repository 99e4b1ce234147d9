import protobuf from 'protobufjs';
import type { BoundSchema } from '../../src/decode/decoder.ts';
import { protobufBinding } from '../../src/decode/protobuf.ts';
import { protobufCode } from '../../src/decode/protobuf-codegen.ts';
import { CompiledProtobuf } from '../../src/decode/protobuf-compiled.ts';
import { InterpretedProtobuf } from '../../src/decode/protobuf-interpreted.ts';
import { wellKnownProto } from '../../src/schema/protobuf-well-known.ts';
import { convertProtobuf } from '../../src/schema/protobuf.ts';
import type { ProtobufOptions } from '../../src/schema/protobuf.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import type { Schema } from '../../src/schema/types.ts';

export const options: ProtobufOptions = { nanos: 'micros', uint64: 'decimal' };

export function boundOf(text: string, over: ProtobufOptions = options): { bound: BoundSchema; layout: Schema } {
  const { struct, message } = convertProtobuf(text, {}, null, over);
  const numbered = assignIds(struct, 1).struct;
  const fields = numbered.fields.map((field) => ({ ...field, required: false }));
  const bound: BoundSchema = { format: 'protobuf', text, references: {}, message, struct: numbered };
  return { bound, layout: { ...numbered, 'schema-id': 0, fields } };
}

export function twins(
  text: string,
  over: ProtobufOptions = options,
): { layout: Schema; compiled: CompiledProtobuf; interpreted: InterpretedProtobuf } {
  const { bound, layout } = boundOf(text, over);
  const binding = protobufBinding(bound, layout, over);
  return {
    layout,
    compiled: new CompiledProtobuf(binding, protobufCode(binding)!),
    interpreted: new InterpretedProtobuf(protobufBinding(bound, layout, over)),
  };
}

/** The first message of a text, for protobufjs. */
export function typeOf(text: string): protobuf.Type {
  const root = new protobuf.Root();
  protobuf.parse(text, root, { keepCase: true });
  for (const [, name] of text.matchAll(/import "([^"]+)"/g))
    protobuf.parse(wellKnownProto(name!)!, root, { keepCase: true });
  return root.resolveAll().lookupType(/message (\w+)/.exec(text)![1]!);
}
