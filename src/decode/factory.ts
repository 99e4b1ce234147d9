import type { AvroOptions } from '../schema/avro.ts';
import type { Schema } from '../schema/types.ts';
import { makeAvroDecoder } from './avro.ts';
import type { BoundSchema, Decoder } from './decoder.ts';
import type { InferOptions } from './infer.ts';
import { JsonDecoder } from './json.ts';
import { RawDecoder } from './raw.ts';

/** The decoder of values of one writer schema into one layout. @throws SCHEMA_UNSUPPORTED, SCHEMA_INCOMPATIBLE */
export function makeDecoder(bound: BoundSchema, layout: Schema, options: AvroOptions & InferOptions): Decoder {
  switch (bound.format) {
    case 'avro':
      return makeAvroDecoder(bound, layout, options);
    case 'json':
      return new JsonDecoder(layout, options);
    case 'string':
    case 'bytes':
      return new RawDecoder(bound.struct.fields[0]!.id, bound.format === 'string');
  }
}
