import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { InferOptions } from '../../src/decode/infer.ts';
import { emptyShape, observe, shapeToStruct } from '../../src/decode/infer.ts';
import { untypedBinding } from '../../src/decode/json-place.ts';
import { typedBinding } from '../../src/decode/json-typed.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import { leavesIn } from '../../src/schema/grow.ts';
import { convertJsonSchema } from '../../src/schema/json-schema.ts';
import type { JsonSchemaOptions } from '../../src/schema/json-schema.ts';
import { columnsOrRefusal, mutated, runs, timeout } from './fuzz.ts';
import { decodeBoth, layoutOf, utf8 } from './json-lab.ts';

// Any bytes give rows or dead letters, never an exception.
const options: InferOptions & JsonSchemaOptions = {
  numbers: 'auto',
  columns: { at: 'timestamptz', 'o.id': 'uuid' },
  jsonColumns: { any: 'json', m: 'map' },
  maxColumns: 12,
  nanos: 'micros',
  timeOfDay: 'time',
};

const seeds = [
  '{"id":9223372036854775807,"price":-0.0,"at":"1969-12-31T23:59:59.999999999+05:30","o":{"id":"00112233-4455-6677-8899-aabbccddeeff","n":[1,null,2]},"m":{"a":1.5,"\\u00e9":null},"any":[{},"\\ud800",1e400],"ok":true}',
  '{ "price" : 1E+5 , "o" : { } , "m" : { } , "any" : null , "new" : { "deep" : [ [ ] , { "x" : "é😀" } ] } }',
  '[1,"x",null]',
].map(utf8);

const values = mutated(seeds, [...utf8('{}[]",:\\0-.eEu ')]);

test(
  'any bytes, without schema: columns within the cap, then rows or failures, the same by both decoders',
  () => {
    fc.assert(
      fc.property(
        fc.array(values, { minLength: 1, maxLength: 4 }),
        fc.array(values, { minLength: 1, maxLength: 4 }),
        (sample, records) => {
          const struct = shapeToStruct(sample.reduce(observe, emptyShape()), options);
          expect(leavesIn(struct, true)).toBeLessThanOrEqual(options.maxColumns);
          const layout = layoutOf(struct);
          decodeBoth(untypedBinding(layout, options), layout, records);
        },
      ),
      runs,
    );
  },
  timeout,
);

test(
  'any bytes, by a JSON Schema',
  () => {
    const text = JSON.stringify({
      properties: {
        id: { type: 'integer' },
        price: { type: 'number', 'connect.type': 'float32' },
        at: { type: 'string', format: 'date-time' },
        o: {
          type: 'object',
          properties: { id: { type: 'string', format: 'uuid' }, n: { type: 'array', items: { type: 'integer' } } },
        },
        m: { type: 'object', additionalProperties: { type: 'number' } },
        any: true,
        ok: { type: 'boolean' },
      },
    });
    const { struct } = convertJsonSchema(text, {}, options);
    const numbered = assignIds(struct, 1).struct;
    const binding = typedBinding({ format: 'json-schema', text, references: {}, struct: numbered }, options);
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 6 }), (records) => {
        decodeBoth(binding, { ...numbered, 'schema-id': 0 }, records);
      }),
      runs,
    );
  },
  timeout,
);

test(
  'any JSON as a schema gives columns or is refused',
  () => {
    const keyword = fc.constantFrom(
      'type',
      'properties',
      'items',
      'prefixItems',
      'additionalProperties',
      'patternProperties',
      'allOf',
      'anyOf',
      'oneOf',
      '$ref',
      '$defs',
      '$id',
      'id',
      '$anchor',
      'enum',
      'const',
      'format',
      'title',
      'connect.type',
      'connect.parameters',
      'required',
      '__proto__',
      'constructor',
    );
    const { node } = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 5, depthSize: 'small' },
        fc.constantFrom<unknown>(
          'object',
          'array',
          'integer',
          'string',
          'null',
          'date-time',
          '#',
          '#/$defs/a',
          '#/properties/type',
          'a.json',
          'a.json#/$defs/items',
          '#x',
          true,
          false,
          null,
          5,
          'org.apache.kafka.connect.data.Decimal',
        ),
        fc.dictionary(keyword, tie('node'), { maxKeys: 4 }),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
    }));
    fc.assert(
      fc.property(node, node, (schema, other) => {
        columnsOrRefusal(() => convertJsonSchema(JSON.stringify(schema), { 'a.json': JSON.stringify(other) }, options));
      }),
      runs,
    );
  },
  timeout,
);
