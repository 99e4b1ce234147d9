import { describe, expect, test } from 'vitest';
import { typeText } from '../../src/schema/evolve.ts';
import { convertJsonSchema } from '../../src/schema/json-schema.ts';
import type { JsonSchemaOptions } from '../../src/schema/json-schema.ts';
import { sourceName } from '../../src/schema/names.ts';

const options: JsonSchemaOptions = { timeOfDay: 'time', nanos: 'micros', jsonColumns: {} };

function columns(
  schema: unknown,
  references: Readonly<Record<string, unknown>> = {},
  changed: Partial<JsonSchemaOptions> = {},
): Record<string, string> {
  const texts = Object.fromEntries(Object.entries(references).map(([name, node]) => [name, JSON.stringify(node)]));
  const { struct } = convertJsonSchema(JSON.stringify(schema), texts, { ...options, ...changed });
  return Object.fromEntries(struct.fields.map((field) => [field.name, typeText(field.type)]));
}

/** The column of one property with this schema; undefined where it has none. */
const column = (schema: unknown, changed: Partial<JsonSchemaOptions> = {}): string | undefined =>
  columns({ type: 'object', properties: { x: schema, y: { type: 'boolean' } } }, {}, changed)['x'];

describe('JSON Schema', () => {
  test.each<[string, unknown, string | undefined]>([
    ['integer', { type: 'integer' }, 'long'],
    ['number', { type: 'number', minimum: 0 }, 'double'],
    ['string', { type: 'string', minLength: 3, pattern: '^a' }, 'string'],
    ['boolean', { type: 'boolean' }, 'boolean'],
    ['date-time', { type: 'string', format: 'date-time' }, 'timestamptz'],
    ['date', { type: 'string', format: 'date' }, 'date'],
    ['time', { type: 'string', format: 'time' }, 'string'],
    ['uuid', { type: 'string', format: 'uuid' }, 'uuid'],
    ['another format', { type: 'string', format: 'email' }, 'string'],
    ['base64', { type: 'string', contentEncoding: 'base64' }, 'binary'],
    ['T or null by type', { type: ['null', 'integer'] }, 'long'],
    ['T or null by oneOf', { oneOf: [{ type: 'null' }, { type: 'string', format: 'date' }] }, 'date'],
    ['T or null by anyOf', { anyOf: [{ type: 'integer' }, { const: null }] }, 'long'],
    ['integer or number', { type: ['integer', 'number'] }, 'double'],
    ['several types', { type: ['integer', 'string'] }, 'string'],
    ['other alternatives', { oneOf: [{ type: 'integer' }, { type: 'string' }] }, 'string'],
    ['alternatives that say no type', { type: 'integer', anyOf: [{ minimum: 5 }, { maximum: 0 }] }, 'long'],
    ['an enum of strings', { enum: ['a', 'b', null] }, 'string'],
    ['an enum of integers', { enum: [1, 2] }, 'long'],
    ['a const', { const: true }, 'boolean'],
    ['a mixed enum', { enum: [1, 'a'] }, 'string'],
    ['null only', { type: 'null' }, undefined],
    ['nothing is allowed', false, undefined],
    ['anything', true, 'string'],
    ['anything, in words', { description: 'whatever' }, 'string'],
    ['list', { type: 'array', items: { type: ['integer', 'null'] } }, 'list<long>'],
    ['list of anything', { type: 'array' }, 'list<string>'],
    ['tuple', { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'string' }] }, 'string'],
    ['tuple of draft 7', { type: 'array', items: [{ type: 'integer' }, { type: 'string' }] }, 'string'],
    ['map', { type: 'object', additionalProperties: { type: 'number' } }, 'map<string, double>'],
    [
      'map by pattern',
      { type: 'object', patternProperties: { '^x': { type: 'integer' } }, additionalProperties: false },
      'map<string, long>',
    ],
    ['free-form object', { type: 'object' }, 'string'],
    ['free-form object, in words', { type: 'object', additionalProperties: true }, 'string'],
    [
      'object',
      { type: 'object', properties: { a: { type: 'integer' } }, additionalProperties: false },
      'struct<a: long>',
    ],
    ['object without type', { properties: { a: { type: 'integer' } } }, 'struct<a: long>'],
    ['object without columns', { type: 'object', properties: { a: { type: 'null' } } }, 'string'],
    [
      'allOf of objects',
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'integer' } } },
          { properties: { b: { type: 'string' }, a: { minimum: 1 } } },
        ],
      },
      'struct<a: long, b: string>',
    ],
    ['allOf of number and integer', { allOf: [{ type: 'number' }, { type: 'integer' }] }, 'long'],
    ['Connect int32', { type: 'integer', 'connect.type': 'int32' }, 'int'],
    ['Connect int8', { type: 'integer', 'connect.type': 'int8' }, 'int'],
    ['Connect int64, optional', { oneOf: [{ type: 'null' }, { type: 'integer', 'connect.type': 'int64' }] }, 'long'],
    ['Connect float32', { type: 'number', 'connect.type': 'float32' }, 'float'],
    ['Connect bytes', { type: 'string', 'connect.type': 'bytes' }, 'binary'],
    [
      'Connect Decimal',
      {
        type: 'number',
        title: 'org.apache.kafka.connect.data.Decimal',
        'connect.type': 'bytes',
        'connect.parameters': { scale: '2', 'connect.decimal.precision': '10' },
      },
      'decimal(10, 2)',
    ],
    ['Connect Date', { type: 'integer', title: 'org.apache.kafka.connect.data.Date', 'connect.type': 'int32' }, 'date'],
    ['Connect Time', { type: 'integer', title: 'org.apache.kafka.connect.data.Time', 'connect.type': 'int32' }, 'time'],
    [
      'Connect Timestamp',
      { type: 'integer', title: 'org.apache.kafka.connect.data.Timestamp', 'connect.type': 'int64' },
      'timestamptz',
    ],
  ])('%s', (_, schema, wanted) => {
    expect(column(schema)).toBe(wanted);
  });

  test('options: nanoseconds as long, places kept as JSON text or map', () => {
    expect(column({ type: 'string', format: 'date-time' }, { nanos: 'long' })).toBe('long');
    expect(column({ type: 'string', format: 'date-time' }, { nanos: 'native' })).toBe('timestamptz_ns');
    const object = { type: 'object', properties: { a: { type: 'integer' } } };
    expect(column(object, { jsonColumns: { x: 'json' } })).toBe('string');
    expect(column({ type: 'object' }, { jsonColumns: { x: 'map' } })).toBe('map<string, string>');
  });

  test('local references: $defs, definitions, pointers with escapes, anchors', () => {
    const types = columns({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        a: { $ref: '#/$defs/n' },
        b: { $ref: '#/definitions/x~1y%20z' },
        c: { $ref: '#here' },
        d: { $ref: '#/properties/a' },
        e: { $ref: '#/$defs/o', properties: { more: { type: 'string' } } },
      },
      $defs: {
        n: { type: 'integer' },
        h: { $anchor: 'here', type: 'string', format: 'date' },
        o: { type: 'object', properties: { i: { type: 'integer' } } },
      },
      definitions: { 'x/y z': { type: 'boolean' } },
    });
    expect(types).toEqual({ a: 'long', b: 'boolean', c: 'date', d: 'long', e: 'struct<more: string, i: long>' });
  });

  test('until draft 7 keywords beside $ref count for nothing', () => {
    expect(
      columns({
        $schema: 'http://json-schema.org/draft-07/schema#',
        properties: { e: { $ref: '#/definitions/o', properties: { more: { type: 'string' } } } },
        definitions: { o: { properties: { i: { type: 'integer' } } } },
      }),
    ).toEqual({ e: 'struct<i: long>' });
  });

  test('references to other schemas: by name, relative to $id, by their own $id, and from one to the next', () => {
    const types = columns(
      {
        $id: 'https://example.com/schemas/order.json',
        type: 'object',
        properties: {
          customer: { $ref: 'customer.json' },
          address: { $ref: './address.json#/definitions/address' },
          money: { $ref: 'urn:example:money' },
        },
      },
      {
        'customer.json': {
          type: 'object',
          properties: { id: { type: 'string', format: 'uuid' }, home: { $ref: 'address.json#/definitions/address' } },
        },
        'address.json': {
          definitions: {
            address: { type: 'object', properties: { zip: { $ref: '#/definitions/zip' } } },
            zip: { type: 'integer' },
          },
        },
        'a name': { $id: 'urn:example:money', type: 'string', 'connect.type': 'bytes' },
      },
    );
    expect(types).toEqual({
      customer: 'struct<id: uuid, home: struct<zip: long>>',
      address: 'struct<zip: long>',
      money: 'binary',
    });
  });

  test('draft 4: id, and nested documents', () => {
    expect(
      columns({
        id: 'http://example.com/root.json',
        properties: { id: { $ref: '#/definitions/a' }, b: { $ref: 'inner.json' } },
        definitions: { a: { type: 'integer' }, i: { id: 'inner.json', type: 'boolean' } },
      }),
    ).toEqual({ id: 'long', b: 'boolean' });
  });

  test('recursive types are JSON text; of a recursive root the first level has columns', () => {
    const node = { type: 'object', properties: { v: { type: 'integer' }, next: { $ref: '#/definitions/node' } } };
    expect(
      columns({ properties: { list: { $ref: '#/definitions/node' }, n: { type: 'integer' } }, definitions: { node } }),
    ).toEqual({
      list: 'string',
      n: 'long',
    });
    expect(
      columns({
        type: 'object',
        properties: { v: { type: 'integer' }, children: { type: 'array', items: { $ref: '#' } } },
      }),
    ).toEqual({
      v: 'long',
      children: 'list<string>',
    });
    expect(columns({ $ref: '#/definitions/node', definitions: { node } })).toEqual({ v: 'long', next: 'string' });
    expect(column({ $ref: '#/properties/x' })).toBe('string');
  });

  test('a schema that is not that of an object with properties is the column `value`', () => {
    expect(columns({ type: 'array', items: { type: 'integer' } })).toEqual({ value: 'list<long>' });
    expect(
      columns({ oneOf: [{ properties: { a: { type: 'integer' } } }, { properties: { b: { type: 'integer' } } }] }),
    ).toEqual({ value: 'string' });
    expect(columns({ additionalProperties: { type: 'integer' } })).toEqual({ value: 'map<string, long>' });
    expect(columns(true)).toEqual({ value: 'string' });
  });

  test('names, docs, required', () => {
    const { struct } = convertJsonSchema(
      JSON.stringify({
        type: 'object',
        required: ['Id', 'maybe'],
        properties: {
          Id: { type: 'integer', description: 'The number.' },
          ID: { type: 'string' },
          maybe: { type: ['string', 'null'] },
          _kafka: { type: 'string' },
          'a.b': { type: 'string' },
          a: { type: 'object', required: ['b'], properties: { b: { type: 'string' } } },
        },
      }),
      {},
      options,
    );
    expect(struct.fields.map((field) => [field.name, sourceName(field), field.required])).toEqual([
      ['Id', 'Id', true],
      ['ID_2', 'ID', false],
      ['maybe', 'maybe', false],
      ['_kafka_2', '_kafka', false],
      ['a.b', 'a.b', false],
      ['a', 'a', false],
    ]);
    expect(struct.fields[0]!.doc).toBe('The number.');
    expect(struct.fields[5]!.type).toMatchObject({ fields: [{ name: 'b_2', required: false }] });
  });

  test.each<[string, string, Record<string, string>]>([
    ['text that is not JSON', '{', {}],
    ['a number', '5', {}],
    ['a reference to nowhere', '{"properties":{"a":{"$ref":"#/definitions/b"}}}', {}],
    ['a document that is not there', '{"properties":{"a":{"$ref":"other.json"}}}', {}],
    ['a reference that is not JSON', '{}', { 'a.json': 'no' }],
    ['a prototype', '{"properties":{"a":{"$ref":"#/constructor"}}}', {}],
  ])('refused: %s', (_, text, references) => {
    expect(() => convertJsonSchema(text, references, options)).toThrow(
      expect.objectContaining({ code: 'SCHEMA_UNSUPPORTED' }),
    );
  });

  test('a short text that stands for endless columns is refused', () => {
    const definitions: Record<string, unknown> = { d0: { type: 'integer' } };
    for (let i = 1; i <= 20; i++)
      definitions[`d${i}`] = {
        type: 'object',
        properties: { a: { $ref: `#/definitions/d${i - 1}` }, b: { $ref: `#/definitions/d${i - 1}` } },
      };
    expect(() => columns({ properties: { x: { $ref: '#/definitions/d20' } }, definitions })).toThrow(
      expect.objectContaining({ code: 'SCHEMA_UNSUPPORTED' }),
    );
  });

  test('so is one of few columns whose references double at each of many levels', () => {
    const definitions: Record<string, unknown> = { d0: { type: 'object', properties: { a: { type: 'string' } } } };
    for (let i = 1; i <= 40; i++)
      definitions[`d${i}`] = { allOf: [{ $ref: `#/definitions/d${i - 1}` }, { $ref: `#/definitions/d${i - 1}` }] };
    expect(() => columns({ $ref: '#/definitions/d40', definitions })).toThrow(
      expect.objectContaining({ code: 'SCHEMA_UNSUPPORTED' }),
    );
  });
});
