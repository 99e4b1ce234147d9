import { describe, expect, test } from 'vitest';
import { droppedColumns } from '../../src/schema/dropped.ts';
import { evolve } from '../../src/schema/evolve.ts';
import { withNewColumns } from '../../src/schema/new-column.ts';
import type { IcebergType, NestedField, Schema, StructType } from '../../src/schema/types.ts';

const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });
const struct = (...fields: NestedField[]): StructType => ({ type: 'struct', fields });
const schema = (id: number, ...fields: NestedField[]): Schema => ({ ...struct(...fields), 'schema-id': id });

describe('onIncompatible: new-column', () => {
  const table = schema(
    0,
    field(1, 'id', 'long'),
    field(2, 'price', 'long'),
    field(3, 'lines', {
      type: 'list',
      'element-id': 4,
      'element-required': true,
      element: struct(field(5, 'net', 'string')),
    }),
    field(6, 'tags', { type: 'list', 'element-id': 7, 'element-required': true, element: 'string' }),
  );
  const list = (element: IcebergType): IcebergType => ({
    type: 'list',
    'element-id': 0,
    'element-required': true,
    element,
  });
  const writer = struct(
    field(0, 'id', 'long'),
    field(0, 'price', 'decimal(10, 2)'),
    field(0, 'lines', list(struct(field(0, 'net', 'double')))),
    field(0, 'tags', list('int')),
  );

  test('what does not fit gets a column of its own at its level, and the table takes it', () => {
    const before = evolve(table, 7, writer);
    expect(before.incompatible.map(({ path }) => path)).toEqual(['price', 'lines.element.net', 'tags.element']);
    const renamed = withNewColumns(writer, before.incompatible);
    const after = evolve(table, 7, renamed);
    expect(after.incompatible).toEqual([]);
    expect(after.changes.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
      'add lines.element.net_double',
      'add price_decimal_10_2',
      'add tags_list',
    ]);
    expect(after.bound.fields.map(({ id }) => id > 0)).toEqual([true, true, true, true]);
  });

  test('the same writer schema again changes nothing', () => {
    const first = evolve(table, 7, withNewColumns(writer, evolve(table, 7, writer).incompatible));
    const again = withNewColumns(writer, evolve(first.schema, first.lastColumnId, writer).incompatible);
    expect(evolve(first.schema, first.lastColumnId, again).schema).toBe(first.schema);
  });
});

describe('dropped columns', () => {
  const full = schema(0, field(1, 'a', 'long'), field(2, 's', struct(field(3, 'x', 'long'), field(4, 'y', 'long'))));
  const writer = struct(
    field(0, 'a', 'long'),
    field(0, 's', struct(field(0, 'x', 'long'), field(0, 'y', 'long'))),
    field(0, 'new', 'long'),
  );

  test('a column that an earlier schema had is not taken for a new one', () => {
    const current = schema(1, field(2, 's', struct(field(4, 'y', 'long'))));
    const { changes } = evolve(current, 4, writer);
    expect(droppedColumns([full, current], current, changes).sort()).toEqual(['a', 's.x']);
  });

  test('a column that was never there is new', () => {
    expect(droppedColumns([full], full, evolve(full, 4, writer).changes)).toEqual([]);
  });
});
