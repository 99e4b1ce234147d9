import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyShape, mergeShapes, observe, shapeToStruct } from '../../src/decode/infer.ts';
import type { InferOptions, Shape } from '../../src/decode/infer.ts';
import { sourceName } from '../../src/schema/names.ts';
import type { StructType } from '../../src/schema/types.ts';

const auto: InferOptions = { numbers: 'auto', columns: {}, jsonColumns: {}, maxColumns: 1_000, nanos: 'micros' };
const shape = (texts: readonly string[]): Shape =>
  texts.map((text) => new TextEncoder().encode(text)).reduce(observe, emptyShape());
const struct = (texts: readonly string[], options = auto): StructType => shapeToStruct(shape(texts), options);
const types = (texts: readonly string[], options = auto): [string, unknown][] =>
  struct(texts, options).fields.map(({ name, type }) => [name, type]);

describe('inference', () => {
  test('neither the order of records nor how they were split decides anything', () => {
    const texts = fc.array(fc.json({ maxDepth: 3 }), { maxLength: 10 });
    fc.assert(
      fc.property(
        texts.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }), fc.nat(10), fc.nat(10)),
        ),
        ([all, shuffled, a, b]) => {
          const [i, k] = [Math.min(a, b), Math.max(a, b)];
          const [x, y, z] = [shape(shuffled.slice(0, i)), shape(shuffled.slice(i, k)), shape(shuffled.slice(k))];
          const wanted = shape(all);
          expect(mergeShapes(mergeShapes(x, y), z)).toEqual(wanted);
          expect(mergeShapes(z, mergeShapes(x, y))).toEqual(wanted);
          expect(JSON.parse(JSON.stringify(wanted))).toEqual(wanted);
          expect(shapeToStruct(mergeShapes(y, mergeShapes(z, x)), auto)).toEqual(shapeToStruct(wanted, auto));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('kinds, nesting, and the order of the document', () => {
    expect(types(['{"s":"x","n":1,"b":true,"o":{"x":1.5},"l":[1,2]}', '{"n":2,"late":"y"}'])).toEqual([
      ['n', 'long'],
      ['s', 'string'],
      ['late', 'string'],
      ['b', 'boolean'],
      ['o', { type: 'struct', fields: [{ id: 0, name: 'x', required: false, type: 'double' }] }],
      ['l', { type: 'list', 'element-id': 0, 'element-required': false, element: 'long' }],
    ]);
  });

  test('any fraction or exponent, and whole numbers beyond 64 bits, make a double', () => {
    expect(types(['{"a":1,"b":1,"c":1}', '{"a":1.0,"b":1e2,"c":9223372036854775808}'])).toEqual([
      ['a', 'double'],
      ['b', 'double'],
      ['c', 'double'],
    ]);
    expect(types(['{"a":9223372036854775807,"b":-9223372036854775808}'])).toEqual([
      ['a', 'long'],
      ['b', 'long'],
    ]);
  });

  test('null, [], {} and what holds nothing else make no column', () => {
    expect(types(['{"a":null,"b":[],"c":{},"d":[null,[]],"e":{"f":null},"g":1}'])).toEqual([['g', 'long']]);
  });

  test('of conflicting kinds the most frequent is taken, of equals a fixed one', () => {
    expect(types(['{"a":1}', '{"a":"x"}', '{"a":2.5}'])).toEqual([['a', 'double']]);
    expect(types(['{"a":1}', '{"a":"x"}'])).toEqual(types(['{"a":"x"}', '{"a":1}']));
    expect(types(['{"a":true}', '{"a":"x"}'])).toEqual([['a', 'string']]);
  });

  test('numbers: double and decimal for all numbers', () => {
    expect(types(['{"a":1,"b":[2]}'], { ...auto, numbers: 'double' })).toEqual([
      ['a', 'double'],
      ['b', { type: 'list', 'element-id': 0, 'element-required': false, element: 'double' }],
    ]);
    expect(types(['{"a":1.25}'], { ...auto, numbers: 'decimal(12, 2)' })).toEqual([['a', 'decimal(12, 2)']]);
  });

  test('names that a table cannot tell apart, and those of the service, get a suffix and record their source', () => {
    const { fields } = struct(['{"id":1,"ID":2,"_kafka":3,"_KEY":4,"a":{"b":5},"a.b":6,"":7,"_kafka_offset":8}']);
    expect(fields.map((field) => [field.name, sourceName(field)])).toEqual([
      ['id', 'id'],
      ['ID_2', 'ID'],
      ['_kafka_2', '_kafka'],
      ['_KEY_2', '_KEY'],
      ['a', 'a'],
      ['a.b_2', 'a.b'],
      ['_', ''],
      ['_kafka_offset_2', '_kafka_offset'],
    ]);
  });

  test('beyond maxColumns the fields seen most often have columns, whatever the order; the rest goes to `_extra` of its struct', () => {
    const few = { ...auto, maxColumns: 3 };
    const texts = [
      '{"id":1,"by":{"k1":1,"known":true}}',
      '{"id":2,"by":{"k2":1,"known":true}}',
      '{"id":3,"by":{"k3":1,"known":true},"rare":{"x":1}}',
    ];
    const wanted = [
      ['id', 'long'],
      ['by', ['k1', 'known', '_extra']],
      ['_extra', 'string'],
    ];
    const shown = (order: readonly string[]): unknown =>
      struct(order, few).fields.map(({ name, type }) => [
        name,
        typeof type === 'object' && type.type === 'struct' ? type.fields.map((field) => field.name) : type,
      ]);
    expect(shown(texts)).toEqual(wanted);
    expect(shown(texts.toReversed())).toEqual(wanted);
    const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`k${i}`, i])));
    expect(struct([wide]).fields).toHaveLength(1_001);
    expect(struct([wide]).fields.at(-1)).toMatchObject({ name: '_extra', type: 'string' });
  });

  test('declared columns have their type, seen or not, and are never beyond the cap', () => {
    const columns = { paid_at: 'timestamptz', 'customer.id': 'uuid', n: 'decimal(10, 2)' } as const;
    const options: InferOptions = { ...auto, columns, maxColumns: 4 };
    const found = struct(['{"a":1,"n":5,"customer":{"id":"x","age":1}}', '{"a":2,"z":1}'], options);
    expect(found.fields.map(({ name, type }) => [name, type])).toEqual([
      ['a', 'long'],
      ['n', 'decimal(10, 2)'],
      [
        'customer',
        {
          type: 'struct',
          fields: [
            { id: 0, name: 'id', required: false, type: 'uuid' },
            expect.objectContaining({ name: '_extra' }) as unknown,
          ],
        },
      ],
      ['paid_at', 'timestamptz'],
      ['_extra', 'string'],
    ]);
  });

  test('objects kept as JSON text or as a map', () => {
    const options: InferOptions = { ...auto, jsonColumns: { attrs: 'json', labels: 'map' } };
    expect(types(['{"attrs":{"a":1},"labels":{"x":1}}', '{"attrs":{"b":{}},"labels":{"y":2.5}}'], options)).toEqual([
      ['attrs', 'string'],
      ['labels', { type: 'map', 'key-id': 0, key: 'string', 'value-id': 0, 'value-required': false, value: 'double' }],
    ]);
  });

  test('values that are not objects are the column `value`; what is not JSON counts for nothing', () => {
    expect(types(['[1]', 'x', '[2.5]'])).toEqual([
      ['value', { type: 'list', 'element-id': 0, 'element-required': false, element: 'double' }],
    ]);
    expect(types(['null', '{}'])).toEqual([]);
  });
});
