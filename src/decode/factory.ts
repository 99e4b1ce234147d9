import { TabletopicError } from '../errors.ts';
import type { AvroOptions } from '../schema/avro.ts';
import type { ProtobufOptions } from '../schema/protobuf.ts';
import { parseAvro } from '../schema/avro-parse.ts';
import type { Schema } from '../schema/types.ts';
import { makeAvroDecoder } from './avro.ts';
import { makeDebeziumDecoder } from './debezium.ts';
import type { BoundSchema, Decoder } from './decoder.ts';
import type { InferOptions } from './infer.ts';
import { connectJson } from './debezium-json.ts';
import { JsonDecoder } from './json.ts';
import { RewrittenJson } from './json-rewrite.ts';
import { InterpretedJson } from './json-interpreted.ts';
import { untypedBinding } from './json-place.ts';
import { typedBinding } from './json-typed.ts';
import { PlainDecoder, valueFieldId } from './plain.ts';
import { makeProtobufDecoder } from './protobuf.ts';

/** The table options that decide how bytes are read (DESIGN §6). */
export type DecoderOptions = AvroOptions & InferOptions & ProtobufOptions;

/**
 * The decoder of a bound writer schema into the columns of a layout: the value's columns, or with `part` `key` the
 * struct `_key`. A decoder keeps state of the batch that it writes to: one for each thread, table and layout.
 *
 * @throws SCHEMA_UNSUPPORTED for a format without a decoder; SCHEMA_UNSUPPORTED, SCHEMA_INCOMPATIBLE as the conversion of
 *   an Avro or JSON Schema does.
 */
export function makeDecoder(
  bound: BoundSchema,
  layout: Schema,
  options: DecoderOptions,
  part: 'value' | 'key' = 'value',
): Decoder {
  const { format } = bound;
  switch (format) {
    case 'avro':
      return makeAvroDecoder(bound, layout, options, part);
    case 'json':
    case 'json-schema': {
      const binding =
        format === 'json' ? untypedBinding(layout, options, part, bound.ignored) : typedBinding(bound, options, part);
      return part === 'key' ? new InterpretedJson(binding) : new JsonDecoder(binding);
    }
    case 'protobuf':
      return makeProtobufDecoder(bound, layout, options, part);
    case 'debezium':
      return makeDebeziumDecoder(bound, layout, options, part);
    case 'debezium-json':
      return new RewrittenJson(makeDebeziumDecoder(bound, layout, options, part), connectJson(parseAvro(bound.text)));
    case 'string':
    case 'bytes':
      return new PlainDecoder(format, valueFieldId(bound.struct), part);
    default:
      throw new TabletopicError('SCHEMA_UNSUPPORTED', `there is no decoder for the format ${format as string}`);
  }
}
