import { describe, expect, test } from 'vitest';
import { convertAvro } from '../../src/schema/avro.ts';
import type { AvroOptions } from '../../src/schema/avro.ts';
import { sourceName } from '../../src/schema/names.ts';

const options: AvroOptions = { timeOfDay: 'time', nanos: 'micros', unions: 'optional' };
const convert = (schema: unknown, over: Partial<AvroOptions> = {}, references = {}): ReturnType<typeof convertAvro> =>
  convertAvro(JSON.stringify(schema), references, { ...options, ...over });
const record = (...fields: unknown[]): unknown => ({
  type: 'record',
  name: 'R',
  namespace: 'n',
  fields: fields.map((type, i) =>
    typeof type === 'object' && type !== null && 'name' in type && 'doc' in type ? type : { name: `f${i}`, type },
  ),
});
const typeOf = (type: unknown, over: Partial<AvroOptions> = {}): unknown => {
  const field = convert(record(type), over).struct.fields[0];
  return field && (field.required ? field.type : [field.type]);
};
const struct = (...fields: [string, boolean, unknown][]): unknown => ({
  type: 'struct',
  fields: fields.map(([name, required, type]) => ({ id: 0, name, required, type })),
});

describe('Avro types', () => {
  const logical = (type: string | object, logicalType: string, more: object = {}): unknown => ({
    ...(typeof type === 'string' ? { type } : type),
    logicalType,
    ...more,
  });
  const fixed = (size: number): object => ({ type: 'fixed', name: 'F', size });

  // The rows of DESIGN §6. An array of one stands for an optional column.
  test.each<[string, unknown, unknown]>([
    ['boolean', 'boolean', 'boolean'],
    ['int', 'int', 'int'],
    ['long', 'long', 'long'],
    ['float', 'float', 'float'],
    ['double', 'double', 'double'],
    ['bytes', 'bytes', 'binary'],
    ['string', 'string', 'string'],
    ['fixed', fixed(3), 'fixed[3]'],
    ['enum', { type: 'enum', name: 'E', symbols: ['A'] }, 'string'],
    ['decimal in bytes', logical('bytes', 'decimal', { precision: 38, scale: 9 }), 'decimal(38, 9)'],
    ['decimal in fixed', logical(fixed(4), 'decimal', { precision: 9 }), 'decimal(9, 0)'],
    ['decimal that the fixed cannot hold', logical(fixed(4), 'decimal', { precision: 10 }), 'fixed[4]'],
    ['decimal with a scale above its precision', logical('bytes', 'decimal', { precision: 2, scale: 3 }), 'binary'],
    ['uuid', logical('string', 'uuid'), 'uuid'],
    ['uuid in fixed', logical(fixed(16), 'uuid'), 'uuid'],
    ['date', logical('int', 'date'), 'date'],
    ['time-millis', logical('int', 'time-millis'), 'time'],
    ['time-micros', logical('long', 'time-micros'), 'time'],
    ['timestamp-millis', logical('long', 'timestamp-millis'), 'timestamptz'],
    ['timestamp-micros', logical('long', 'timestamp-micros'), 'timestamptz'],
    ['local-timestamp-millis', logical('long', 'local-timestamp-millis'), 'timestamp'],
    ['local-timestamp-micros', logical('long', 'local-timestamp-micros'), 'timestamp'],
    ['timestamp-nanos', logical('long', 'timestamp-nanos'), 'timestamptz'],
    ['local-timestamp-nanos', logical('long', 'local-timestamp-nanos'), 'timestamp'],
    ['duration', logical(fixed(12), 'duration'), 'fixed[12]'],
    ['big-decimal', logical('bytes', 'big-decimal'), 'string'],
    ['an unknown logical type', logical('long', 'fortnight'), 'long'],
    ['a logical type on another base', logical('string', 'timestamp-millis'), 'string'],
    ['[null, T]', ['null', 'long'], ['long']],
    ['[T, null]', ['long', 'null'], ['long']],
    ['[T]', ['long'], 'long'],
    [
      'a union of several',
      ['int', 'string', { type: 'map', values: 'int' }],
      struct(
        ['int', false, 'int'],
        ['string', false, 'string'],
        [
          'map',
          false,
          { type: 'map', 'key-id': 0, key: 'string', 'value-id': 0, 'value-required': true, value: 'int' },
        ],
      ),
    ],
    [
      'a union of several with null',
      ['null', 'int', { type: 'record', name: 'a.X', fields: [{ name: 'v', type: 'int' }] }],
      [struct(['int', false, 'int'], ['X', false, struct(['v', true, 'int'])])],
    ],
    [
      'branches of the same short name',
      [
        { type: 'enum', name: 'a.X', symbols: ['A'] },
        { type: 'enum', name: 'b.x', symbols: ['A'] },
      ],
      struct(['a.X', false, 'string'], ['b.x', false, 'string']),
    ],
    [
      'array',
      { type: 'array', items: ['null', 'int'] },
      { type: 'list', 'element-id': 0, 'element-required': false, element: 'int' },
    ],
    ['a record without fields', { type: 'record', name: 'Z', fields: [] }, 'boolean'],
    ['null', 'null', undefined],
    ['a recursive type', { type: 'record', name: 'T', fields: [{ name: 'next', type: ['null', 'T'] }] }, 'string'],
    ['a reference to the record itself', ['null', 'n.R'], ['string']],
  ])('%s', (_, type, wanted) => {
    expect(typeOf(type)).toEqual(wanted);
  });

  test('options decide time of day, nanoseconds and unions', () => {
    expect(typeOf(logical('int', 'time-millis'), { timeOfDay: 'string' })).toBe('string');
    expect(typeOf(logical('int', 'time-millis'), { timeOfDay: 'long' })).toBe('long');
    expect(typeOf(logical('long', 'timestamp-nanos'), { nanos: 'long' })).toBe('long');
    expect(typeOf(logical('long', 'timestamp-nanos'), { nanos: 'native' })).toBe('timestamptz_ns');
    expect(typeOf(logical('long', 'local-timestamp-nanos'), { nanos: 'native' })).toBe('timestamp_ns');
    expect(typeOf(logical('long', 'timestamp-micros'), { nanos: 'native' })).toBe('timestamptz');
    expect(typeOf(['null', 'long'], { unions: 'struct' })).toEqual([struct(['long', false, 'long'])]);
  });

  test('what no column can hold is refused, so that its records become dead letters', () => {
    expect(() => typeOf(logical('bytes', 'decimal', { precision: 39 }))).toThrow(
      expect.objectContaining({
        code: 'SCHEMA_INCOMPATIBLE',
        policy: 'dead-letter',
        message: 'f0: decimal(39, 0) has more than 38 digits',
      }),
    );
    expect(() => typeOf(logical('long', 'timestamp-nanos'), { nanos: 'error' })).toThrow(
      expect.objectContaining({ code: 'SCHEMA_INCOMPATIBLE' }),
    );
  });
});

describe('Avro schemas', () => {
  test('a schema that is not a record is the column `value`', () => {
    expect(convertAvro('"string"', {}, options)).toMatchObject({
      wrapped: true,
      struct: struct(['value', true, 'string']),
    });
    expect(convertAvro('long', {}, options).struct).toEqual(struct(['value', true, 'long']));
  });

  test('names come from namespaces and references, whatever references what', () => {
    const references = {
      'x.Outer': '{"type":"record","name":"Outer","namespace":"x","fields":[{"name":"i","type":"Inner"}]}',
      'x.Inner': '{"type":"enum","name":"Inner","namespace":"x","symbols":["A"]}',
    };
    expect(
      convert(
        {
          type: 'record',
          name: 'R',
          namespace: 'x',
          fields: [
            { name: 'o', type: 'Outer' },
            { name: 'again', type: 'x.Inner' },
          ],
        },
        {},
        references,
      ).struct,
    ).toEqual(struct(['o', true, struct(['i', true, 'string'])], ['again', true, 'string']));
  });

  test.each([
    ['{"type":"record"', 'is not JSON'],
    ['{"type":"record","name":"R"}', 'without fields'],
    ['"no.Such"', 'unknown type no.Such'],
    ['{"type":"fixed","name":"F","size":-1}', 'valid size'],
    ['[]', 'union without branches'],
    [
      '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
      'two fields named a',
    ],
    ['{"type":"array"}', 'is not a type'],
  ])('%s is no schema', (text, problem) => {
    expect(() => convertAvro(text, {}, options)).toThrow(
      expect.objectContaining({ code: 'SCHEMA_UNSUPPORTED', message: expect.stringContaining(problem) as string }),
    );
  });

  test('a short text that stands for endless columns is refused', () => {
    const types = Array.from({ length: 40 }, (_, i) => ({
      type: 'record',
      name: `L${i}`,
      fields:
        i === 0
          ? [{ name: 'v', type: 'int' }]
          : [
              { name: 'a', type: `L${i - 1}` },
              { name: 'b', type: `L${i - 1}` },
            ],
    }));
    const references = Object.fromEntries(types.map((type) => [type.name, JSON.stringify(type)]));
    expect(() => convertAvro('"L39"', references, options)).toThrow(
      expect.objectContaining({ code: 'SCHEMA_UNSUPPORTED' }),
    );
  });

  test('docs and aliases are kept; names that collide get a suffix and record their source', () => {
    const schema = {
      type: 'record',
      name: 'R',
      fields: [
        { name: '_kafka', type: 'int', doc: 'mine' },
        { name: 'a', type: 'int', doc: 'first', aliases: ['z'] },
        { name: 'A', type: 'int' },
        { name: 's', type: { type: 'record', name: 'S', fields: [{ name: 'n', type: 'int', aliases: ['m'] }] } },
      ],
    };
    const { struct: made, aliases } = convert(schema);
    expect(made.fields.map((field) => [field.name, sourceName(field), field.doc])).toEqual([
      ['_kafka_2', '_kafka', 'Source name: "_kafka". mine'],
      ['a', 'a', 'first'],
      ['A_2', 'A', 'Source name: "A".'],
      ['s', 's', undefined],
    ]);
    expect({ ...aliases }).toEqual({ a: ['z'], 's.n': ['m'] });
  });
});
