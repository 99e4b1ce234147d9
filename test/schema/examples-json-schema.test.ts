import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { assignIds, evolve } from '../../src/schema/evolve.ts';
import type { Evolution } from '../../src/schema/evolve.ts';
import { convertJsonSchema } from '../../src/schema/json-schema.ts';
import type { Schema, StructType } from '../../src/schema/types.ts';

const struct = (version: string): StructType =>
  convertJsonSchema(
    readFileSync(new URL(`../../schemas/examples/evolution/shipments/${version}.schema.json`, import.meta.url), 'utf8'),
    {},
    { timeOfDay: 'time', nanos: 'micros', jsonColumns: {} },
  ).struct;
const texts = ({ changes }: Evolution): string[] => changes.map(({ kind, path }) => `${kind} ${path}`).sort();

test('the example chain of a shipment (JSON Schema): widened and added, then two changes that no column can follow', () => {
  const { struct: numbered, lastId } = assignIds(struct('v1'), 1);
  const first: Schema = { ...numbered, 'schema-id': 0 };
  const second = evolve(first, lastId, struct('v2'));
  expect(second.incompatible).toEqual([]);
  expect(texts(second)).toEqual([
    'add address.country',
    'add delivered_at',
    'add measures',
    'widen parcels',
    'widen weight',
  ]);
  const third = evolve(second.schema, second.lastColumnId, struct('v3'), second.history);
  expect(third.incompatible).toMatchObject([
    { path: 'weight', from: 'double', to: 'string' },
    { path: 'sent_on', from: 'date', to: 'timestamptz' },
  ]);
  // Keys are optional in the table unless `required: true`: only then is there something to relax.
  expect(texts(third)).toEqual(['add address.lines', 'optional address']);
  expect(third.schema.fields.map(({ id, name }) => `${id} ${name}`)).toEqual([
    '1 shipment_id',
    '2 parcels',
    '3 weight',
    '4 sent_on',
    '5 address',
    '6 tags',
    ...second.schema.fields.slice(6).map(({ id, name }) => `${id} ${name}`),
  ]);
  // Records of the first version are still read into the same columns.
  expect(
    evolve(third.schema, third.lastColumnId, struct('v1'), third.history).bound.fields.map(({ id }) => id),
  ).toEqual([1, 2, 3, 4, 5, 6]);
});
