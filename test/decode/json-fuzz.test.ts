import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { TabletopicError } from '../../src/errors.ts';
import type { InferOptions } from '../../src/decode/infer.ts';
import { emptyShape, observe, shapeToStruct } from '../../src/decode/infer.ts';
import { untypedBinding } from '../../src/decode/json-place.ts';
import { typedBinding } from '../../src/decode/json-typed.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import { leavesIn } from '../../src/schema/grow.ts';
import { convertJsonSchema } from '../../src/schema/json-schema.ts';
import type { JsonSchemaOptions } from '../../src/schema/json-schema.ts';
import { decodeBoth, layoutOf, utf8 } from './json-lab.ts';

// Any bytes give rows or dead letters, never an exception. TABLETOPIC_FUZZ_SECONDS: how long to look, by default 3 for each.
const seconds = Number(process.env['TABLETOPIC_FUZZ_SECONDS'] ?? 3);
const runs = { numRuns: 1_000_000, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false };
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

const mutation = fc.tuple(
  fc.constantFrom('set', 'insert', 'delete', 'copy', 'cut'),
  fc.nat(),
  fc.nat(),
  fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...utf8('{}[]",:\\0-.eEu '))),
);
const mutated = fc.tuple(fc.constantFrom(...seeds), fc.array(mutation, { maxLength: 6 })).map(([seed, changes]) => {
  const bytes = [...seed];
  for (const [kind, a, b, byte] of changes) {
    const at = a % (bytes.length + 1);
    const count = b % 16;
    if (kind === 'set') bytes[at] = byte;
    else if (kind === 'insert') bytes.splice(at, 0, byte);
    else if (kind === 'delete') bytes.splice(at, count);
    else if (kind === 'copy')
      bytes.splice(at, 0, ...bytes.slice(b % (bytes.length + 1), (b % (bytes.length + 1)) + count));
    else bytes.length = at;
  }
  return Uint8Array.from(bytes);
});

test(
  'any bytes, without schema: columns within the cap, then rows or failures, the same by both decoders',
  () => {
    fc.assert(
      fc.property(
        fc.array(mutated, { minLength: 1, maxLength: 4 }),
        fc.array(mutated, { minLength: 1, maxLength: 4 }),
        (sample, values) => {
          const struct = shapeToStruct(sample.reduce(observe, emptyShape()), options);
          expect(leavesIn(struct, true)).toBeLessThanOrEqual(options.maxColumns);
          const layout = layoutOf(struct);
          decodeBoth(untypedBinding(layout, options), layout, values);
        },
      ),
      runs,
    );
  },
  (seconds + 60) * 1000,
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
      fc.property(fc.array(mutated, { minLength: 1, maxLength: 6 }), (values) => {
        decodeBoth(binding, { ...numbered, 'schema-id': 0 }, values);
      }),
      runs,
    );
  },
  (seconds + 60) * 1000,
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
        try {
          const { struct } = convertJsonSchema(JSON.stringify(schema), { 'a.json': JSON.stringify(other) }, options);
          expect(struct.fields.length).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof TabletopicError) || error.code !== 'SCHEMA_UNSUPPORTED') throw error;
        }
      }),
      runs,
    );
  },
  (seconds + 60) * 1000,
);
