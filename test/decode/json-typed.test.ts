import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BoundSchema } from '../../src/decode/decoder.ts';
import type { InferOptions } from '../../src/decode/infer.ts';
import { typedBinding } from '../../src/decode/json-typed.ts';
import { assignIds, evolve } from '../../src/schema/evolve.ts';
import { extraField } from '../../src/schema/extra-column.ts';
import { convertJsonSchema } from '../../src/schema/json-schema.ts';
import type { JsonSchemaOptions } from '../../src/schema/json-schema.ts';
import type { NestedField, Schema } from '../../src/schema/types.ts';
import { decodeBoth } from './json-lab.ts';
import type { Decoded } from './json-lab.ts';
import { node, nullable, object } from './json-samples.ts';

type Options = InferOptions & JsonSchemaOptions;
const options: Options = {
  numbers: 'auto',
  columns: {},
  jsonColumns: {},
  maxColumns: 1_000,
  nanos: 'micros',
  timeOfDay: 'time',
};

function bind(
  schema: unknown,
  changed: Partial<Options> = {},
  more: readonly NestedField[] = [],
): { bound: BoundSchema; layout: Schema } {
  const text = JSON.stringify(schema);
  const { struct } = convertJsonSchema(text, {}, { ...options, ...changed });
  const { struct: numbered, lastId } = assignIds(struct, 1);
  const bound: BoundSchema = { format: 'json-schema', text, references: {}, struct: numbered };
  const layout: Schema = {
    ...numbered,
    'schema-id': 0,
    fields: [...numbered.fields, ...more.map((field, i) => ({ ...field, id: lastId + 1 + i }))],
  };
  return { bound, layout };
}

function decode(
  schema: unknown,
  values: readonly (string | null)[],
  changed: Partial<Options> = {},
  more: readonly NestedField[] = [],
): Decoded & { interpreted: number } {
  const { bound, layout } = bind(schema, changed, more);
  return decodeBoth(typedBinding(bound, { ...options, ...changed }), layout, values);
}

describe('records of a JSON Schema', () => {
  test('each kind, from the bytes', () => {
    const schema = object({
      i: { type: 'integer' },
      n: { type: 'number' },
      s: { type: 'string' },
      t: { type: 'string', format: 'date-time' },
      u: { type: 'string', format: 'uuid' },
      o: object({ d: { type: 'string', format: 'date' } }),
      l: { type: 'array', items: { type: ['integer', 'null'] } },
      m: { type: 'object', additionalProperties: { type: 'number' } },
      any: true,
      either: { oneOf: [{ type: 'integer' }, { type: 'string' }] },
    });
    const { rows, interpreted } = decode(schema, [
      '{"i":9223372036854775807,"n":-0.0,"s":"","t":"1969-12-31T23:59:59.999999Z","u":"00112233-4455-6677-8899-aabbccddeeff","o":{"d":"1970-01-02"},"l":[1,null],"m":{"a":1.5},"any":[1, {"x":null}],"either":"7"}'.replace(
        '9223372036854775807',
        '922337203685477580',
      ),
      '{"i":null,"o":{},"l":[],"m":{}}',
    ]);
    const nothing = { i: null, n: null, s: null, t: null, u: null, o: null, l: null, m: null, any: null, either: null };
    expect(rows).toEqual([
      {
        i: 922337203685477580n,
        n: -0,
        s: '',
        t: -1n,
        u: '00112233445566778899aabbccddeeff',
        o: { d: 1 },
        l: [1n, null],
        m: [['a', 1.5]],
        any: '[1, {"x":null}]',
        either: '"7"',
      },
      { ...nothing, o: { d: null }, l: [], m: [] },
    ]);
    expect(interpreted).toBe(0);
  });

  test('integers in any notation, exactly; never beyond 64 bits', () => {
    const { rows, failed } = decode(object({ i: { type: 'integer' } }), [
      '{"i":1.0}',
      '{"i":1e3}',
      '{"i":9223372036854775807}',
      '{"i":1.5}',
      '{"i":9223372036854775808}',
      '{"i":"1"}',
    ]);
    expect(rows).toEqual([{ i: 1n }, { i: 1000n }, { i: 2n ** 63n - 1n }]);
    expect(Object.values(failed).map(({ code }) => code)).toEqual([
      'VALUE_OUT_OF_RANGE',
      'VALUE_OUT_OF_RANGE',
      'SCHEMA_INCOMPATIBLE',
    ]);
  });

  test('properties that the schema does not name are asked for as `_extra`, and kept there', () => {
    const schema = object({ a: { type: 'integer' } }, { additionalProperties: false });
    expect(decode(schema, ['{"a":1,"b":null}']).failed[0]).toMatchObject({
      code: 'SCHEMA_INCOMPATIBLE',
      reason: 'the table has no column for "b"',
      unknownFields: { fields: [{ name: '_extra', type: 'string' }] },
    });
    const { rows, interpreted } = decode(schema, ['{"a":1,"b":null,"c":{"d":[]}}', '{"a":2}'], {}, [extraField([])]);
    expect(rows).toEqual([
      { a: 1n, _extra: '{"b":null,"c":{"d":[]}}' },
      { a: 2n, _extra: null },
    ]);
    expect(interpreted).toBe(0);
  });

  test('columns that the schema does not have are null; a value of a dropped column is passed over, and is no extra', () => {
    const { bound, layout } = bind(object({ a: { type: 'integer' }, gone: { type: 'string' } }));
    const dropped: Schema = {
      ...layout,
      fields: [
        layout.fields[0]!,
        { id: 9, name: 'later', required: false, type: 'long' },
        { ...extraField([]), id: 10 },
      ],
    };
    const without = {
      ...bound,
      struct: {
        ...bound.struct,
        fields: bound.struct.fields.map((field) => (field.name === 'gone' ? { ...field, id: 0 } : field)),
      },
    };
    expect(
      decodeBoth(typedBinding(without, options), dropped, ['{"a":1,"gone":"x"}', '{"a":2,"gone":"x","z":1}']).rows,
    ).toEqual([
      { a: 1n, later: null, _extra: null },
      { a: 2n, later: null, _extra: '{"z":1}' },
    ]);
  });

  test('renamed and widened columns of the table', () => {
    const first = bind(object({ A: { type: 'integer', 'connect.type': 'int32' }, a: { type: 'string' } }));
    const next = convertJsonSchema(JSON.stringify(object({ A: { type: 'integer' } })), {}, options);
    const evolved = evolve(first.layout, 2, next.struct);
    expect(evolved.schema.fields.map(({ name, type }) => [name, type])).toEqual([
      ['A', 'long'],
      ['a_2', 'string'],
    ]);
    expect(decodeBoth(typedBinding(first.bound, options), evolved.schema, ['{"a":"x","A":5}']).rows).toEqual([
      { A: 5n, a_2: 'x' },
    ]);
  });

  test('Kafka Connect: a time of day as a time, as microseconds, as text', () => {
    const schema = object({ t: { type: 'integer', title: 'org.apache.kafka.connect.data.Time' } });
    const values = ['{"t":86399999}', '{"t":5}', '{"t":-1}', '{"t":86400000}'];
    const cases = {
      time: [86399999000n, 5000n],
      long: [86399999000n, 5000n],
      string: ['23:59:59.999', '00:00:00.005'],
    };
    for (const timeOfDay of ['time', 'long', 'string'] as const) {
      const { rows, failed } = decode(schema, values, { timeOfDay });
      expect(rows, timeOfDay).toEqual(cases[timeOfDay].map((t) => ({ t })));
      expect(Object.values(failed).map(({ code }) => code)).toEqual(['VALUE_OUT_OF_RANGE', 'VALUE_OUT_OF_RANGE']);
    }
  });

  test('Kafka Connect: decimals as base64 or number, days, milliseconds', () => {
    const connect = (name: string, type: string, rest: object = {}): unknown => ({
      type,
      title: `org.apache.kafka.connect.data.${name}`,
      ...rest,
    });
    const schema = object({
      c: connect('Decimal', 'number', { 'connect.parameters': { scale: '2', 'connect.decimal.precision': '20' } }),
      d: connect('Date', 'integer'),
      t: connect('Time', 'integer'),
      s: connect('Timestamp', 'integer'),
    });
    expect(decode(schema, ['{"c":"BNI=","d":-1,"t":86399999,"s":-1}', '{"c":12.34}', '{"c":"+y4="}']).rows).toEqual([
      { c: 1234n, d: -1, t: 86_399_999_000n, s: -1000n },
      { c: 1234n, d: null, t: null, s: null },
      { c: -1234n, d: null, t: null, s: null },
    ]);
    const { failed } = decode(schema, [
      '{"t":86400000}',
      '{"t":-1}',
      '{"d":2147483648}',
      '{"s":1.5}',
      '{"d":"1970-01-01"}',
      '{"c":1.234}',
    ]);
    expect(Object.values(failed).map(({ code }) => code)).toEqual([
      'VALUE_OUT_OF_RANGE',
      'VALUE_OUT_OF_RANGE',
      'VALUE_OUT_OF_RANGE',
      'VALUE_OUT_OF_RANGE',
      'SCHEMA_INCOMPATIBLE',
      'VALUE_OUT_OF_RANGE',
    ]);
  });

  test('nanoseconds in columns of their own: never cut, and a number is no time', () => {
    const schema = object({ t: { type: 'string', format: 'date-time' } });
    const { rows, failed } = decode(
      schema,
      [
        '{"t":"1969-12-31T23:59:59.999999999Z"}',
        '{"t":"1677-09-21T00:12:43.145224192Z"}',
        '{"t":"2262-04-11T23:47:16.854775807Z"}',
        '{"t":"2262-04-11T23:47:16.854775808Z"}',
        '{"t":"1677-09-21T00:12:43.145224191Z"}',
        '{"t":"2000-01-01T00:00:00.0000000001Z"}',
        '{"t":"2000-01-01T00:00:00"}',
        '{"t":5}',
      ],
      { nanos: 'native' },
    );
    expect(rows).toEqual([{ t: -1n }, { t: -(2n ** 63n) }, { t: 2n ** 63n - 1n }]);
    expect(Object.values(failed).map(({ code }) => code)).toEqual([
      'VALUE_OUT_OF_RANGE',
      'VALUE_OUT_OF_RANGE',
      'VALUE_OUT_OF_RANGE',
      'DECODE_JSON',
      'SCHEMA_INCOMPATIBLE',
    ]);
  });

  test('nanoseconds as long', () => {
    const schema = object({ t: { type: 'string', format: 'date-time' } });
    const { rows, failed } = decode(
      schema,
      [
        '{"t":"1969-12-31T23:59:59.999999999Z"}',
        '{"t":"2262-04-12T00:00:00Z"}',
        '{"t":"2000-01-01T00:00:00.0000000001Z"}',
        '{"t":5}',
      ],
      { nanos: 'long' },
    );
    expect(rows).toEqual([{ t: -1n }]);
    expect(Object.values(failed).map(({ code }) => code)).toEqual([
      'VALUE_OUT_OF_RANGE',
      'VALUE_OUT_OF_RANGE',
      'SCHEMA_INCOMPATIBLE',
    ]);
  });

  test('a schema that is not of an object fills the column `value`', () => {
    expect(
      decode({ type: 'object', additionalProperties: { type: 'integer' } }, ['{"a":1}', '5', null, 'null']),
    ).toMatchObject({
      rows: [{ value: [['a', 1n]] }, { value: null }, { value: null }],
      failed: { 1: { code: 'SCHEMA_INCOMPATIBLE' } },
    });
    expect(decode(true, ['{"a": 1}', '"x"']).rows).toEqual([{ value: '{"a": 1}' }, { value: '"x"' }]);
    expect(decode(object({ a: true }), ['[]']).failed[0]!.reason).toBe(
      'the writer schema is of an object, the value is an array',
    );
  });
});

test('random schemas with values of theirs: every row is the value, by both decoders', () => {
  fc.assert(
    fc.property(nullable(node), fc.constantFrom('', ' '), ({ schema, value, row }, space) => {
      const whole = object(
        { x: schema, y: { type: 'integer' } },
        { $defs: { uuid: { type: 'string', format: 'uuid' } } },
      );
      const { rows, failed } = decode(whole, [JSON.stringify({ x: value, y: 1 }, null, space)]);
      expect(failed).toEqual({});
      // A schema of anything keeps the text; white space inside is the only difference.
      if (space === '') expect(rows).toEqual([{ x: row, y: 1n }]);
    }),
    { numRuns: 600 },
  );
});
