import { describe, expect, test } from 'vitest';
import { evolveKey } from '../../src/schema/evolve-key.ts';
import type { IcebergType, NestedField, PrimitiveType, Schema, StructType } from '../../src/schema/types.ts';

function struct(fields: Readonly<Record<string, IcebergType>>): StructType {
  return {
    type: 'struct',
    fields: Object.entries(fields).map(([name, type]): NestedField => ({ id: 0, name, required: true, type })),
  };
}

const table: Schema = {
  type: 'struct',
  'schema-id': 3,
  fields: [
    { id: 1, name: 'a', required: false, type: 'long' },
    { id: 2, name: 'id', required: false, type: 'string' },
  ],
};

function withKey(fields: Readonly<Record<string, PrimitiveType>>): Schema {
  return evolveKey(table, 2, struct(fields)).schema;
}

function keyOf(schema: Schema): StructType {
  return schema.fields.find(({ name }) => name === '_key')!.type as StructType;
}

describe('the struct of decoded keys', () => {
  test('is added with the first key, optional, with ids of its own', () => {
    const { schema, lastColumnId, bound, changes } = evolveKey(table, 2, struct({ id: 'long', s: 'string' }));
    expect(schema.fields.slice(0, 2)).toEqual(table.fields);
    expect(schema.fields[2]).toMatchObject({ id: 3, name: '_key', required: false });
    expect(keyOf(schema).fields.map(({ id, name, required }) => [id, name, required])).toEqual([
      [4, 'id', false],
      [5, 's', false],
    ]);
    expect(lastColumnId).toBe(5);
    expect(bound.fields.map(({ id, name }) => [id, name])).toEqual([
      [4, 'id'],
      [5, 's'],
    ]);
    expect(changes).toEqual([{ kind: 'add', path: '_key', to: 'struct<id: long, s: string>' }]);
  });

  test('grows and widens by the rules of evolution, and the value’s columns of the same names stay', () => {
    const before = withKey({ id: 'int' });
    const { schema, changes, bound, incompatible } = evolveKey(before, 4, struct({ id: 'long', more: 'uuid' }));
    expect(schema.fields.slice(0, 2)).toEqual(table.fields);
    expect(keyOf(schema).fields.map(({ id, name, type }) => [id, name, type])).toEqual([
      [4, 'id', 'long'],
      [5, 'more', 'uuid'],
    ]);
    expect(changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['widen _key.id', 'add _key.more']);
    expect(bound.fields.map(({ id }) => id)).toEqual([4, 5]);
    expect(incompatible).toEqual([]);
    expect(evolveKey(schema, 5, struct({ id: 'int', more: 'uuid' })).schema).toBe(schema);
  });

  test('a rename by alias keeps the field id', () => {
    const before = withKey({ id: 'int' });
    const { schema, history } = evolveKey(before, 4, struct({ number: 'int' }), {}, { number: ['id'] });
    expect(keyOf(schema).fields.map(({ id, name }) => [id, name])).toEqual([[4, 'number']]);
    expect(history['4']!.names).toEqual(['id', 'number']);
  });

  test('what Iceberg cannot express names the column', () => {
    const before = withKey({ id: 'int' });
    expect(evolveKey(before, 4, struct({ id: 'string' })).incompatible).toMatchObject([
      { path: '_key.id', writerPath: 'id', from: 'int', to: 'string' },
    ]);
    const other: Schema = { ...table, fields: [{ id: 1, name: '_key', required: false, type: 'string' }] };
    expect(evolveKey(other, 1, struct({ id: 'int' })).incompatible).toMatchObject([{ path: '_key', from: 'string' }]);
  });

  test('keys without fields make no column; a required column of others becomes optional', () => {
    expect(evolveKey(table, 2, struct({})).schema).toBe(table);
    const before = withKey({ id: 'int' });
    const required: Schema = {
      ...before,
      fields: before.fields.map((field) => (field.name === '_key' ? { ...field, required: true } : field)),
    };
    const { schema, changes } = evolveKey(required, 4, struct({ id: 'int' }));
    expect(schema.fields[2]!.required).toBe(false);
    expect(changes).toEqual([{ kind: 'optional', path: '_key' }]);
  });
});
