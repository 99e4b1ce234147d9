import { convertAvro } from '../schema/avro.ts';
import type { AvroOptions } from '../schema/avro.ts';
import { KEY_COLUMN } from '../schema/names.ts';
import type { Schema } from '../schema/types.ts';
import { bindAvro } from './avro-bind.ts';
import type { AvroBinding } from './avro-bind.ts';
import { avroCode } from './avro-codegen.ts';
import { CompiledAvro } from './avro-compiled.ts';
import { InterpretedAvro } from './avro-interpreted.ts';
import { compiledOr } from './compiled.ts';
import type { BoundSchema, Decoder } from './decoder.ts';

/**
 * Joins a bound Avro schema with a layout. `bound.struct` must be what `convertAvro` made of the same text with the
 * same options, with ids.
 */
export function avroBinding(
  bound: BoundSchema,
  layout: Schema,
  options: AvroOptions,
  part: 'value' | 'key' = 'value',
): AvroBinding {
  const { plan } = convertAvro(bound.text, bound.references, options);
  return bindAvro(plan, bound.struct, layout, targetOf(layout, part));
}

/** The value's columns, or the field id of the struct `_key`. */
export function targetOf(layout: Schema, part: 'value' | 'key'): 'value' | number {
  return part === 'value' ? part : (layout.fields.find((field) => field.name === KEY_COLUMN)?.id ?? 0);
}

export function makeAvroDecoder(
  bound: BoundSchema,
  layout: Schema,
  options: AvroOptions,
  part: 'value' | 'key' = 'value',
): Decoder {
  return decoderOf(avroBinding(bound, layout, options, part));
}

/** Generated code where it can be, else the interpreted decoder. */
export function decoderOf(binding: AvroBinding): Decoder {
  const code = avroCode(binding);
  const interpreted = (): Decoder => new InterpretedAvro(binding);
  return code ? compiledOr(() => new CompiledAvro(binding, code), interpreted) : interpreted();
}
