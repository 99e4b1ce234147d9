import { convertProtobuf } from '../schema/protobuf.ts';
import type { ProtobufOptions } from '../schema/protobuf.ts';
import type { Schema } from '../schema/types.ts';
import { compiledOr } from './compiled.ts';
import type { BoundSchema, Decoder } from './decoder.ts';
import { bindProtobuf } from './protobuf-bind.ts';
import type { ProtoBinding } from './protobuf-bind.ts';
import { protobufCode } from './protobuf-codegen.ts';
import { CompiledProtobuf } from './protobuf-compiled.ts';
import { InterpretedProtobuf } from './protobuf-interpreted.ts';

/**
 * Joins a bound Protobuf schema with a layout. `bound.struct` must be what `convertProtobuf` made of the same text and
 * message with the same options, with ids.
 */
export function protobufBinding(
  bound: BoundSchema,
  layout: Schema,
  options: ProtobufOptions,
  part: 'value' | 'key' = 'value',
): ProtoBinding {
  const { plan, file } = convertProtobuf(bound.text, bound.references, bound.message ?? null, options);
  return bindProtobuf(plan, bound.struct, layout, part, file);
}

/** Generated code where it can be, else the interpreted decoder. */
export function makeProtobufDecoder(
  bound: BoundSchema,
  layout: Schema,
  options: ProtobufOptions,
  part: 'value' | 'key' = 'value',
): Decoder {
  const binding = protobufBinding(bound, layout, options, part);
  const code = protobufCode(binding);
  const interpreted = (): Decoder => new InterpretedProtobuf(binding);
  return code ? compiledOr(() => new CompiledProtobuf(binding, code), interpreted) : interpreted();
}
