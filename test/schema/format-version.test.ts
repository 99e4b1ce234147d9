import { expect, test } from 'vitest';
import { columnsOfV3, refuseNewerTypes } from '../../src/schema/format-version.ts';
import type { Schema } from '../../src/schema/types.ts';

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'at', required: false, type: 'timestamptz_ns' },
    { id: 2, name: 'micros', required: false, type: 'timestamptz' },
    {
      id: 3,
      name: 's',
      required: false,
      type: {
        type: 'struct',
        fields: [
          {
            id: 4,
            name: 'list',
            required: false,
            type: { type: 'list', 'element-id': 5, 'element-required': false, element: 'timestamp_ns' },
          },
        ],
      },
    },
    {
      id: 6,
      name: 'm',
      required: false,
      type: {
        type: 'map',
        'key-id': 7,
        key: 'string',
        'value-id': 8,
        'value-required': false,
        value: 'timestamp_ns',
      },
    },
  ],
};

test('columns of nanoseconds are found at every level', () => {
  expect(columnsOfV3(schema)).toEqual(['at', 's.list.element', 'm.value']);
});

test('a table of format v2 does not get them', () => {
  expect(() => refuseNewerTypes(schema, 2, 'shop.orders')).toThrow(
    expect.objectContaining({
      code: 'TABLE_UNSUPPORTED',
      message: 'shop.orders has format version 2, which has no nanoseconds: at, s.list.element, m.value',
    }),
  );
  expect(() => refuseNewerTypes(schema, 3, 'shop.orders')).not.toThrow();
  expect(() => refuseNewerTypes({ ...schema, fields: [schema.fields[1]!] }, 2, 'shop.orders')).not.toThrow();
});
