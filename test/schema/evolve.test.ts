import { describe, expect, test } from 'vitest';
import { assignIds, evolve, mappingProblem } from '../../src/schema/evolve.ts';
import type { IcebergType, NestedField, Schema, StructType } from '../../src/schema/types.ts';

const field = (name: string, type: IcebergType, required = false, id = 0): NestedField => ({
  id,
  name,
  required,
  type,
});
const struct = (...fields: NestedField[]): StructType => ({ type: 'struct', fields });
const list = (element: IcebergType, required = false): IcebergType => ({
  type: 'list',
  'element-id': 0,
  'element-required': required,
  element,
});
const map = (key: IcebergType, value: IcebergType, required = false): IcebergType => ({
  type: 'map',
  'key-id': 0,
  key,
  'value-id': 0,
  'value-required': required,
  value,
});
const tableOf = (...fields: NestedField[]): { table: Schema; last: number } => {
  const { struct: numbered, lastId } = assignIds(struct(...fields), 1);
  return { table: { ...numbered, 'schema-id': 4, 'identifier-field-ids': [] }, last: lastId };
};
const run = (fields: NestedField[], writer: NestedField[], ...rest: unknown[]): ReturnType<typeof evolve> => {
  const { table, last } = tableOf(...fields);
  return evolve(table, last, struct(...writer), ...(rest as []));
};

test('fresh ids go level by level, as Iceberg gives them', () => {
  // TestTypeUtil of Iceberg: all fields of a struct first, then what is inside each.
  const { struct: numbered, lastId } = assignIds(
    struct(
      field('a', struct(field('x', 'int'))),
      field('l', list(struct(field('y', 'int')))),
      field('m', map('string', list('int'))),
      field('z', 'int'),
    ),
    1,
  );
  expect(
    JSON.stringify(numbered, (key, value: unknown) => (key === 'required' || key === 'doc' ? undefined : value)),
  ).toBe(
    JSON.stringify({
      type: 'struct',
      fields: [
        { id: 1, name: 'a', type: { type: 'struct', fields: [{ id: 5, name: 'x', type: 'int' }] } },
        {
          id: 2,
          name: 'l',
          type: {
            type: 'list',
            'element-id': 6,
            'element-required': false,
            element: { type: 'struct', fields: [{ id: 7, name: 'y', type: 'int' }] },
          },
        },
        {
          id: 3,
          name: 'm',
          type: {
            type: 'map',
            'key-id': 8,
            key: 'string',
            'value-id': 9,
            'value-required': false,
            value: { type: 'list', 'element-id': 10, 'element-required': false, element: 'int' },
          },
        },
        { id: 4, name: 'z', type: 'int' },
      ],
    }),
  );
  expect(lastId).toBe(10);
});

describe('evolution', () => {
  test('nanoseconds are no promotion of microseconds, nor the other way round', () => {
    for (const [from, to] of [
      ['timestamptz', 'timestamptz_ns'],
      ['timestamptz_ns', 'timestamptz'],
      ['timestamp', 'timestamp_ns'],
      ['timestamp_ns', 'timestamptz_ns'],
      ['long', 'timestamp_ns'],
      ['timestamptz_ns', 'long'],
    ] as const)
      expect(run([field('at', from)], [field('at', to)]).incompatible).toEqual([
        expect.objectContaining({ path: 'at', from, to }),
      ]);
    expect(run([field('at', 'timestamptz_ns')], [field('at', 'timestamptz_ns')])).toMatchObject({
      changes: [],
      incompatible: [],
    });
  });

  test('nothing new: the very same schema, and the writer bound in its own order', () => {
    const { table, last } = tableOf(
      field('a', 'long'),
      field('_kafka', struct(field('offset', 'long', true)), true),
      field('s', struct(field('b', list('string')))),
    );
    const result = evolve(
      table,
      last,
      struct(field('s', struct(field('b', list('string', true), true)), true), field('a', 'int')),
    );
    expect(result.schema).toBe(table);
    expect(result).toMatchObject({ lastColumnId: last, changes: [], incompatible: [] });
    expect(result.bound).toMatchObject({
      fields: [
        { id: 3, name: 's', required: true, type: { fields: [{ id: 5, type: { 'element-id': 6 } }] } },
        { id: 1, name: 'a', type: 'int' },
      ],
    });
  });

  test('fields are added at every level, optional, with ids never used before', () => {
    const before = [
      field('s', struct(field('a', 'int'))),
      field('l', list(struct(field('a', 'int')))),
      field('m', map('string', struct(field('a', 'int')))),
    ];
    const inner = struct(field('n', 'string', true), field('a', 'int'));
    const { schema, lastColumnId, bound, changes } = run(before, [
      field('top', struct(field('x', 'int', true)), true),
      field('s', inner),
      field('l', list(inner)),
      field('m', map('string', inner)),
    ]);
    expect(changes.map(({ kind, path, to }) => [kind, path, to])).toEqual([
      ['add', 'top', 'struct<x: int>'],
      ['add', 's.n', 'string'],
      ['add', 'l.element.n', 'string'],
      ['add', 'm.value.n', 'string'],
    ]);
    expect(lastColumnId).toBe(9 + 5);
    const added = [schema.fields[3]!, (schema.fields[0]!.type as StructType).fields[1]!];
    expect(added.map(({ id, name, required }) => [id, name, required])).toEqual([
      [10, 'top', false],
      [12, 'n', false],
    ]);
    expect((added[0]!.type as StructType).fields[0]).toMatchObject({ id: 11, required: true });
    expect(bound.fields.map(({ id }) => id)).toEqual([10, 1, 2, 3]);
    expect((bound.fields[1]!.type as StructType).fields.map(({ id }) => id)).toEqual([12, 4]);
    expect(schema['schema-id']).toBe(4);
  });

  test('promotions at every level: int to long, float to double, decimals to more digits', () => {
    const { schema, incompatible, changes } = run(
      [
        field('i', 'int'),
        field('f', list('float')),
        field('d', map('string', 'decimal(9, 2)')),
        field('s', struct(field('i', 'int'))),
        field('wide', 'long'),
      ],
      [
        field('i', 'long'),
        field('f', list('double')),
        field('d', map('string', 'decimal(12,2)' as IcebergType)),
        field('s', struct(field('i', 'long'))),
        field('wide', 'int'),
      ],
    );
    expect(incompatible).toEqual([]);
    expect(changes.map(({ path, from, to }) => `${path}: ${from} to ${to}`)).toEqual([
      'i: int to long',
      'f.element: float to double',
      'd.value: decimal(9, 2) to decimal(12, 2)',
      's.i: int to long',
    ]);
    expect(schema.fields.map(({ type }) => type)).toMatchObject([
      'long',
      { element: 'double' },
      { value: 'decimal(12, 2)' },
      { fields: [{ type: 'long' }] },
      'long',
    ]);
  });

  test('required becomes optional where the writer is, or no longer has the field; never back, and never for the service', () => {
    const { schema, changes } = run(
      [
        field('a', 'int', true),
        field('b', 'int', true),
        field('c', 'int'),
        field('l', list('int', true)),
        field('s', struct(field('gone', 'int', true))),
        field('_kafka', struct(field('offset', 'long', true)), true),
      ],
      [field('a', 'int'), field('c', 'int', true), field('l', list('int')), field('s', struct(field('new', 'int')))],
    );
    expect(schema.fields.map(({ name, required }) => `${name} ${required}`)).toEqual([
      'a false',
      'b false',
      'c false',
      'l false',
      's false',
      '_kafka true',
    ]);
    expect(schema.fields[3]!.type).toMatchObject({ 'element-required': false });
    expect(schema.fields[4]!.type).toMatchObject({ fields: [{ name: 'gone', required: false }, { name: 'new' }] });
    expect(changes.filter(({ kind }) => kind === 'optional').map(({ path }) => path)).toEqual([
      'a',
      'l.element',
      's.gone',
      'b',
    ]);
  });

  test.each<[string, IcebergType, IcebergType, string]>([
    ['another type', 'int', 'string', 'f: int, string'],
    ['a type that Iceberg cannot widen', 'long', 'double', 'f: long, double'],
    ['another scale', 'decimal(9, 2)', 'decimal(9, 3)', 'f: decimal(9, 2), decimal(9, 3)'],
    [
      'a value that became a union',
      'int',
      struct(field('int', 'int'), field('string', 'string')),
      'f: int, struct<int: int, string: string>',
    ],
    ['inside a list', list('int'), list('string'), 'f.element: int, string'],
    ['the key of a map', map('int', 'int'), map('long', 'int'), 'f.key: int, long'],
  ])('%s is incompatible: listed, bound to nothing, the table left as it is', (_, from, to, wanted) => {
    const { schema, bound, incompatible } = run(
      [field('f', from), field('g', 'int')],
      [field('f', to), field('g', 'int')],
    );
    expect(incompatible.map(({ path, from, to }) => `${path}: ${from}, ${to}`)).toEqual([wanted]);
    expect(schema.fields[0]!.type).toEqual(tableOf(field('f', from), field('g', 'int')).table.fields[0]!.type);
    const { id, type } = bound.fields[0]!;
    expect(typeof type !== 'string' && type.type === 'list' ? type['element-id'] : id).toBe(0);
    expect(bound.fields[1]!.id).toBe(2);
  });

  test('an alias renames and keeps the id; records of the old name still find the column', () => {
    const { table, last } = tableOf(field('old', 'int'), field('s', struct(field('p', 'int'))));
    const renamed = evolve(
      table,
      last,
      struct(field('new', 'long'), field('s', struct(field('q', 'int')))),
      {},
      { new: ['old'], 's.q': ['p'] },
    );
    expect(renamed.schema.fields).toMatchObject([
      { id: 1, name: 'new', type: 'long' },
      { id: 2, type: { fields: [{ id: 3, name: 'q' }] } },
    ]);
    expect(renamed.history).toEqual({ 1: { names: ['old', 'new'] }, 3: { names: ['p', 'q'] } });
    const older = evolve(
      renamed.schema,
      last,
      struct(field('old', 'int'), field('s', struct(field('p', 'int')))),
      renamed.history,
    );
    expect(older.schema).toBe(renamed.schema);
    expect(older.bound).toMatchObject({ fields: [{ id: 1 }, { id: 2, type: { fields: [{ id: 3 }] } }] });
  });

  test('a field that came with its alias first is found by records of the older name, which come later', () => {
    const { table, last } = tableOf(field('id', 'int'));
    const aliases = { b: ['a'], id: ['key'] };
    const first = evolve(table, last, struct(field('id', 'int'), field('b', 'int')), {}, aliases);
    expect(first.history).toEqual({ 1: { names: ['key', 'id'] }, 2: { names: ['a', 'b'] } });
    const late = evolve(
      first.schema,
      first.lastColumnId,
      struct(field('key', 'int'), field('a', 'int')),
      first.history,
    );
    expect(late.schema).toBe(first.schema);
    expect(late.bound.fields.map(({ id }) => id)).toEqual([1, 2]);
    // The old name beside the new one is a field of its own.
    const both = evolve(table, last, struct(field('b', 'int'), field('a', 'int')), {}, aliases);
    expect(both.history).toEqual({});
    const two = evolve(first.schema, first.lastColumnId, struct(field('b', 'int'), field('a', 'int')), first.history);
    expect(two.bound.fields.map(({ id }) => id)).toEqual([2, 3]);
  });

  test('a name that differs only in case, or is the path of another, is a new column with a suffix, found again later', () => {
    const { table, last } = tableOf(field('id', 'int'), field('s', struct(field('x', 'int'))));
    const writer = struct(field('id', 'int'), field('ID', 'string'), field('s.x', 'int'), field('_kafka', 'int'));
    const first = evolve(table, last, writer);
    expect(first.schema.fields.map(({ name, doc }) => [name, doc])).toEqual([
      ['id', undefined],
      ['s', undefined],
      ['ID_2', 'Source name: "ID".'],
      ['s.x_2', 'Source name: "s.x".'],
      ['_kafka_2', 'Source name: "_kafka".'],
    ]);
    const second = evolve(first.schema, first.lastColumnId, writer);
    expect(second.schema).toBe(first.schema);
    expect(second.bound.fields.map(({ id }) => id)).toEqual([1, 4, 5, 6]);
  });
});

test('a table is fed by the mapping version that it is pinned to', () => {
  expect([mappingProblem(undefined), mappingProblem('1')]).toEqual([null, null]);
  expect(mappingProblem('2')).toContain('pinned to type mapping 2');
});
