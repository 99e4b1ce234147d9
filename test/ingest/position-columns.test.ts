import { describe, expect, test } from 'vitest';
import { kafkaFields } from '../../src/columns/metadata-columns.ts';
import type { TableMetadata } from '../../src/iceberg/metadata.ts';
import { positionColumns } from '../../src/ingest/position-columns.ts';
import type { NestedField, Schema, StructType } from '../../src/schema/types.ts';

type Rule = Parameters<typeof positionColumns>[1];

const id: NestedField = { id: 1, name: 'id', required: false, type: 'long' };
const flat = kafkaFields('flat', 2);
const [struct] = kafkaFields('struct', 2) as [NestedField];
/** A table that had these columns in turn. */
const table = (...columns: readonly (readonly NestedField[])[]): TableMetadata => {
  const schemas = columns.map((fields, i): Schema => ({ type: 'struct', fields: [...fields], 'schema-id': i }));
  return {
    schemas,
    'current-schema-id': schemas.length - 1,
    'last-column-id': 40,
    properties: { 'tabletopic.fields': '{"1":{"names":["id"]}}' },
  } as unknown as TableMetadata;
};
const change = (metadata: TableMetadata, rule: Partial<Rule> = {}): ReturnType<typeof positionColumns> =>
  positionColumns(metadata, { metadataColumns: 'struct', onDropped: 'stop', ...rule }, 'shop.orders');
const without = (field: NestedField, name: string): NestedField => ({
  ...field,
  type: { type: 'struct', fields: (field.type as StructType).fields.filter((inner) => inner.name !== name) },
});

test('a table that has them is left alone', () => {
  expect(change(table([id, struct]))).toBeNull();
  expect(change(table([id, ...flat]), { metadataColumns: 'flat' })).toBeNull();
  expect(change(table([id]), { metadataColumns: 'off' })).toBeNull();
});

test('a table that others made gets them, with fresh ids', () => {
  const { schema, lastColumnId, fields } = change(table([id]))!;
  expect(schema.fields.map((field) => [field.id, field.name, field.required])).toEqual([
    [1, 'id', false],
    [41, '_kafka', false],
  ]);
  expect(lastColumnId).toBe(40 + kafkaIds);
  expect(fields).toBe('{"1":{"names":["id"]}}');
});
/** The struct, its seven fields, the element of the headers and its two fields. */
const kafkaIds = 11;

describe('others', () => {
  const renamed = { ...struct, name: 'origin' };
  test.for([
    ['dropped', [id]],
    ['renamed', [id, renamed]],
  ] as const)('%s the column: the table stops unless told otherwise', ([, now]) => {
    const metadata = table([id, struct], now);
    expect(() => change(metadata)).toThrow(/the table lost _kafka, /);
    expect(change(metadata, { onDropped: 'recreate' })!.schema.fields.map(({ name }) => name)).toEqual([
      ...now.map(({ name }) => name),
      '_kafka',
    ]);
    expect(change(metadata, { onDropped: 'ignore' })).toBeNull();
  });

  test('dropped a field of it: it cannot be added as it was', () => {
    const metadata = table([id, struct], [id, without(struct, 'offset')]);
    for (const onDropped of ['stop', 'recreate'] as const)
      expect(() => change(metadata, { onDropped })).toThrow(/the table lost _kafka.offset, /);
    expect(change(metadata, { onDropped: 'ignore' })).toBeNull();
  });

  test('dropped one of the flat columns', () => {
    const metadata = table([id, ...flat], [id, ...flat.slice(1)]);
    expect(() => change(metadata, { metadataColumns: 'flat' })).toThrow(/the table lost _kafka_topic, /);
    const { schema } = change(metadata, { metadataColumns: 'flat', onDropped: 'recreate' })!;
    expect(schema.fields.at(-1)).toMatchObject({ id: 41, name: '_kafka_topic' });
  });

  test('dropped it and added it again', () => {
    expect(change(table([id, struct], [id], [id, struct]))).toBeNull();
  });
});
