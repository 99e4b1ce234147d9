import { avroBinding } from '../../src/decode/avro.ts';
import { avroCode } from '../../src/decode/avro-codegen.ts';
import { CompiledAvro } from '../../src/decode/avro-compiled.ts';
import { InterpretedAvro } from '../../src/decode/avro-interpreted.ts';
import type { BoundSchema } from '../../src/decode/decoder.ts';
import { convertAvro } from '../../src/schema/avro.ts';
import type { AvroOptions } from '../../src/schema/avro.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import type { Schema } from '../../src/schema/types.ts';

export const options: AvroOptions = { timeOfDay: 'time', nanos: 'micros', unions: 'optional' };

export function boundOf(schema: unknown, over: AvroOptions = options): { bound: BoundSchema; layout: Schema } {
  const text = JSON.stringify(schema);
  const { struct } = assignIds(convertAvro(text, {}, over).struct, 1);
  const layout: Schema = {
    ...struct,
    'schema-id': 0,
    fields: struct.fields.map((field) => ({ ...field, required: false })),
  };
  return { bound: { format: 'avro', text, references: {}, struct }, layout };
}

export function twins(
  schema: unknown,
  over: AvroOptions = options,
): { layout: Schema; compiled: CompiledAvro; interpreted: InterpretedAvro } {
  const { bound, layout } = boundOf(schema, over);
  const binding = avroBinding(bound, layout, over);
  return {
    layout,
    compiled: new CompiledAvro(binding, avroCode(binding)!),
    interpreted: new InterpretedAvro(avroBinding(bound, layout, over)),
  };
}
