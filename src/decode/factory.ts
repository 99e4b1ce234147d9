import type { Schema } from '../schema/types.ts';
import type { AvroOptions } from '../schema/avro.ts';
import type { BoundSchema, Decoder } from './decoder.ts';
import { makeAvroDecoder } from './avro.ts';

export function makeDecoder(bound: BoundSchema, layout: Schema, options: AvroOptions): Decoder {
  return makeAvroDecoder(bound, layout, options);
}
