import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InferOptions } from '../../src/decode/infer.ts';
import { untypedBinding } from '../../src/decode/json-place.ts';
import { deriveChange } from '../../src/schema/derive.ts';
import { typeText } from '../../src/schema/evolve.ts';
import { leavesIn } from '../../src/schema/grow.ts';
import { sourceName } from '../../src/schema/names.ts';
import { isSibling } from '../../src/schema/sibling-column.ts';
import type { IcebergType, Schema, StructType } from '../../src/schema/types.ts';
import { decodeBoth, fields, layoutOf } from './json-lab.ts';

// JSON without schema under `onIncompatible: new-column`: a table that grows as the service makes it grow.

const rules = { onIncompatible: 'new-column', onDropped: 'stop' } as const;
const plain: InferOptions = {
  numbers: 'auto',
  columns: {},
  jsonColumns: {},
  maxColumns: 1_000,
  nanos: 'micros',
  onIncompatible: 'new-column',
};

interface Taken {
  readonly schema: Schema;
  readonly rows: Record<string, unknown>[];
  /** By record. */
  readonly failed: Record<number, string>;
}

/** Record after record; each asks for what the table lacks, until an answer helps no more. Nothing is remembered but the schema, as after a restart. */
function take(
  types: Readonly<Record<string, IcebergType>>,
  values: readonly string[],
  more: Partial<InferOptions> = {},
): Taken {
  const options = { ...plain, ...more };
  let schema = layoutOf({ type: 'struct', fields: fields(types) });
  let lastColumnId = 1_000;
  const read = (texts: readonly string[]): ReturnType<typeof decodeBoth> =>
    decodeBoth(untypedBinding(schema, options), schema, texts);
  const failed: Record<number, string> = {};
  values.forEach((value, i) => {
    let asked = '';
    for (;;) {
      const wanted = read([value]).failed[0]?.unknownFields;
      if (!wanted || JSON.stringify(wanted) === asked) break;
      asked = JSON.stringify(wanted);
      const change = deriveChange(
        { schemas: [schema], current: schema, lastColumnId, history: {} },
        { part: 'value', struct: wanted, aliases: {}, most: options.maxColumns },
        rules,
      );
      expect(change.incompatible).toEqual([]);
      expect(change.changes.every(({ kind }) => kind === 'add')).toBe(true);
      ({ schema, lastColumnId } = change);
    }
    const again = read([value]).failed[0];
    if (again) failed[i] = again.code;
  });
  return { schema, rows: read(values.filter((_, i) => !failed[i])).rows, failed };
}

const list = (element: IcebergType): IcebergType => ({
  type: 'list',
  'element-id': 0,
  'element-required': false,
  element,
});
const columns = ({ fields: all }: StructType): string[] => all.map(({ name, type }) => `${name}: ${typeText(type)}`);

describe('a value of another kind than its column', () => {
  test.each<[IcebergType, string, string, unknown]>([
    ['long', '"text"', 'x_string: string', 'text'],
    ['long', '1.5', 'x_double: double', 1.5],
    ['long', '1e30', 'x_double: double', 1e30],
    ['long', 'true', 'x_boolean: boolean', true],
    ['long', '{"a":1}', 'x_struct: struct<a: long>', { a: 1n }],
    ['long', '["a"]', 'x_list: list<string>', ['a']],
    ['string', '7', 'x_long: long', 7n],
    ['string', '{"a":{"b":"c"}}', 'x_struct: struct<a: struct<b: string>>', { a: { b: 'c' } }],
    ['boolean', '"true"', 'x_string: string', 'true'],
    ['double', '"1.5"', 'x_string: string', '1.5'],
    ['decimal(10, 2)', '"text"', 'x_string: string', 'text'],
    [list('long'), '["a",null]', 'x_list: list<string>', ['a', null]],
    [list('long'), '[1,2.5]', 'x_list: list<double>', [1, 2.5]],
    [list('long'), '"a"', 'x_string: string', 'a'],
    [{ type: 'struct', fields: fields({ a: 'long' }) }, '5', 'x_long: long', 5n],
    ['timestamptz', '12', 'x_long: long', 12n],
  ])('%j with %s: %s', (type, json, column, value) => {
    const { schema, rows, failed } = take({ x: type, y: 'long' }, [`{"x":${json},"y":1}`, `{"y":2}`]);
    expect(failed).toEqual({});
    expect(columns(schema).slice(2)).toEqual([column]);
    const name = column.slice(0, column.indexOf(':'));
    expect(rows).toEqual([
      { x: null, y: 1n, [name]: value },
      { x: null, y: 2n, [name]: null },
    ]);
  });

  test('afterwards values of each kind go to their own column, and the table does not change', () => {
    const { schema, rows } = take({ x: 'long' }, [
      '{"x":1}',
      '{"x":"a"}',
      '{"x":2.5}',
      '{"x":"b"}',
      '{"x":3}',
      '{"x":null}',
      '{"x":[]}',
    ]);
    expect(columns(schema)).toEqual(['x: long', 'x_string: string', 'x_double: double']);
    expect(rows.map(({ x, x_string: s, x_double: d }) => [x, s, d])).toEqual([
      [1n, null, null],
      [null, 'a', null],
      [null, null, 2.5],
      [null, 'b', null],
      [3n, null, null],
      [null, null, null],
    ]);
  });

  test('what is of the kind of its column and cannot be held stays a dead letter, and makes no column', () => {
    const types = { n: 'long', d: 'double', c: 'decimal(4, 2)', t: 'date', l: list('long') } as const;
    const { schema, failed } = take(
      types,
      [
        '{"n":1180591620717411303424}',
        '{"n":1e400}',
        '{"d":9007199254740993}',
        '{"c":1000.5}',
        '{"t":"yesterday"}',
        '{"l":[1,"a"]}',
        '{"l":[1,18446744073709551616]}',
        // Objects that would have no column of their own.
        '{"n":{}}',
        '{"n":{"a":null}}',
        String.raw`{"n":"\ud800"}`,
      ],
      { columns: { t: 'date' } },
    );
    expect(Object.keys(failed)).toHaveLength(10);
    expect(columns(schema)).toEqual(columns({ type: 'struct', fields: fields(types) }));
    // Nor once there is a column that could.
    expect(take({ n: 'long' }, ['{"n":0.5}', '{"n":1180591620717411303424}']).failed).toEqual({
      1: 'VALUE_OUT_OF_RANGE',
    });
  });

  test('at any level: in structs, in structs inside lists, in siblings themselves', () => {
    const { schema, rows, failed } = take({ o: { type: 'struct', fields: fields({ a: 'long' }) } }, [
      '{"o":{"a":"x"}}',
      '{"l":[{"b":1},{"b":"y"},{"b":true}]}',
      '{"o":"text","l":7}',
      '{"l":{"c":1}}',
      '{"l":{"c":"z","new":2}}',
    ]);
    expect(failed).toEqual({});
    expect(columns(schema)).toEqual([
      'o: struct<a: long, a_string: string>',
      'l: list<struct<b: string, b_long: long, b_boolean: boolean>>',
      'o_string: string',
      'l_long: long',
      'l_struct: struct<c: long, new: long, c_string: string>',
    ]);
    expect(rows[0]!['o']).toEqual({ a: null, a_string: 'x' });
    expect(rows[1]!['l']).toEqual([
      { b: null, b_long: 1n, b_boolean: null },
      { b: 'y', b_long: null, b_boolean: null },
      { b: null, b_long: null, b_boolean: true },
    ]);
    expect(rows[2]).toEqual({ o: null, l: null, o_string: 'text', l_long: 7n, l_struct: null });
    expect(rows[4]!['l_struct']).toEqual({ c: null, c_string: 'z', new: 2n });
  });

  test('a field of the source that is called as a sibling is another column, whichever came first', () => {
    const late = take({ id: 'long' }, ['{"id":"a"}', '{"id":"b","id_string":"own"}']);
    expect(columns(late.schema)).toEqual(['id: long', 'id_string: string', 'id_string_2: string']);
    expect(late.rows[1]).toEqual({ id: null, id_string: 'b', id_string_2: 'own' });
    const early = take({ id: 'long', id_string: 'string' }, ['{"id":"a","id_string":"own"}', '{"id_string":"only"}']);
    expect(columns(early.schema)).toEqual(['id: long', 'id_string: string', 'id_string_2: string']);
    expect(columns(take({ id: 'long' }, ['{"id":"a","id_string":"own"}']).schema).slice(1)).toEqual([
      'id_string: string',
      'id_string_2: string',
    ]);
    expect(early.rows).toEqual([
      { id: null, id_string: 'own', id_string_2: 'a' },
      { id: null, id_string: 'only', id_string_2: null },
    ]);
  });

  test('a record that is no object: beside the column `value`', () => {
    expect(take({ value: 'long' }, ['7', '"text"']).rows).toEqual([
      { value: 7n, value_string: null },
      { value: null, value_string: 'text' },
    ]);
  });

  test('siblings count for `maxColumns`; beyond it the value is kept in `_extra`', () => {
    const { schema, rows, failed } = take(
      { x: 'long', o: { type: 'struct', fields: fields({ a: 'long' }) } },
      ['{"x":"a"}', '{"x":true,"o":{"a":1}}', '{"o":{"a":"b"},"x":1}'],
      { maxColumns: 3 },
    );
    expect(failed).toEqual({});
    expect(leavesIn(schema)).toBe(3);
    expect(rows).toEqual([
      { x: null, o: null, x_string: 'a', _extra: null },
      { x: null, o: { a: 1n, _extra: null }, x_string: null, _extra: '{"x":true}' },
      { x: 1n, o: { a: null, _extra: '{"a":"b"}' }, x_string: null, _extra: null },
    ]);
  });

  test('under another rule no column is asked for, and those that are there are still filled', () => {
    const { schema } = take({ x: 'long' }, ['{"x":"a"}']);
    const { rows, failed } = decodeBoth(untypedBinding(schema, { ...plain, onIncompatible: 'dead-letter' }), schema, [
      '{"x":"b"}',
      '{"x":true}',
    ]);
    expect(rows).toEqual([{ x: null, x_string: 'b' }]);
    expect(failed).toMatchObject({ 1: { code: 'SCHEMA_INCOMPATIBLE' } });
    expect(failed[1]!.unknownFields).toBeUndefined();
  });

  test('values that fit are read from the bytes, also beside siblings', () => {
    const { schema } = take({ x: 'long' }, ['{"x":"a"}']);
    expect(decodeBoth(untypedBinding(schema, plain), schema, ['{"x":1}', '{}', '{"x":null}']).interpreted).toBe(0);
  });
});

test('any bytes: both decoders agree, with siblings at hand and room for more or none', () => {
  const { schema } = take({ x: 'long', l: list('long'), o: { type: 'struct', fields: fields({ a: 'long' }) } }, [
    '{"x":"a","l":["b"],"o":{"a":true}}',
    '{"x":{"y":1},"o":"text"}',
  ]);
  const parts = ['{"x":', '{"l":', '{"o":', '{"a":', '{"y":', '[', '1', '1.5', '1e400', '12345678901234567890', '"a"'];
  const odd = ['"\\u0061"', '"\\ud800"', 'true', 'null', '{}', '[]', '}', ']', ',', '"o":', '"x":', ' ', '\u0000', 'é'];
  const text = fc.array(fc.constantFrom(...parts, ...odd), { maxLength: 12 }).map((written) => {
    const open = written.join('');
    // What is opened is closed, or little of it would be JSON.
    const ends = [...open.matchAll(/[[{]/g)].map(([bracket]) => (bracket === '{' ? '}' : ']'));
    return open + ends.reverse().join('');
  });
  const value = fc.oneof(fc.json({ maxDepth: 3 }), text);
  const record = fc
    .array(fc.tuple(fc.constantFrom('x', 'l', 'o', 'new'), value), { maxLength: 4 })
    .map((members) => `{${members.map(([key, json]) => `"${key}":${json}`).join(',')}}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(record, text), { minLength: 1, maxLength: 5 }), fc.boolean(), (records, full) => {
      decodeBoth(untypedBinding(schema, { ...plain, maxColumns: full ? 1 : 100 }), schema, records);
    }),
    { numRuns: 1000 },
  );
});

/** What a row holds of one member, whichever of its columns it is in; null: of none. Two at once fail. */
function valueOf(struct: StructType, row: Record<string, unknown>, key: string): unknown {
  const held = struct.fields.filter((field) => sourceName(field) === key && row[field.name] !== null);
  expect(held.length).toBeLessThanOrEqual(1);
  const [field] = held;
  return field ? jsonOf(field.type, row[field.name]) : null;
}

/** As JSON.parse would give it, without nulls, {} and []. */
function jsonOf(type: IcebergType, value: unknown): unknown {
  if (value === null) return null;
  if (type === 'long') return Number(value);
  if (typeof type === 'string') return value;
  if (type.type === 'list') return (value as unknown[]).map((item) => jsonOf(type.element, item));
  if (type.type !== 'struct') throw new Error('no maps here');
  const keys = new Set(type.fields.map(sourceName));
  return bare(Object.fromEntries([...keys].map((key) => [key, valueOf(type, value as Record<string, unknown>, key)])));
}

function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === null ? [] : [[key, bare(inner)]])),
  );
}

test('any records of one kind per place, whatever came before: every value is in exactly one column, as it was', () => {
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      fc.constantFrom<unknown>(1, -7, 2.5, 'text', '', true),
      fc.dictionary(fc.constantFrom('a', 'b', 'a_string'), tie('value'), { minKeys: 1, maxKeys: 3 }),
      // Lists of one kind: mixed ones are dead letters.
      fc.constantFrom<unknown>([1, 2], ['x', null], [true], [2.5]),
      fc.array(
        fc.dictionary(fc.constantFrom('c', 'd'), fc.constantFrom<unknown>(3, 'y', false, [5], ['z']), { minKeys: 1 }),
        { minLength: 1, maxLength: 2 },
      ),
    ),
  }));
  const record = fc.dictionary(fc.constantFrom('p', 'q', 'p_long'), fc.option(value), { maxKeys: 3 });
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), (records) => {
      const { schema, rows, failed } = take(
        {},
        records.map((one) => JSON.stringify(one)),
      );
      const kept = records.filter((_, i) => failed[i] === undefined);
      rows.forEach((row, i) => {
        const found = Object.fromEntries(
          [...new Set(schema.fields.map(sourceName))].map((key) => [key, valueOf(schema, row, key)]),
        );
        expect(bare(found)).toEqual(bare(kept[i]));
      });
      expect(failed).toEqual({});
      expect(schema.fields.some((field) => isSibling(field) && sourceName(field) === field.name)).toBe(false);
    }),
    { numRuns: 300 },
  );
});
