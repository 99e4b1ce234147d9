import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { convertAvro } from '../../src/schema/avro.ts';
import { assignIds, evolve } from '../../src/schema/evolve.ts';
import type { Schema } from '../../src/schema/types.ts';

const options = { timeOfDay: 'time', nanos: 'micros', unions: 'optional' } as const;
const version = (name: string): ReturnType<typeof convertAvro> =>
  convertAvro(
    readFileSync(new URL(`../../schemas/examples/evolution/orders/${name}.avsc`, import.meta.url), 'utf8'),
    {},
    options,
  );

test('the example chain of an order: widened and added, then renamed, with one change that no column can follow', () => {
  const { struct, lastId } = assignIds(version('v1').struct, 1);
  const first: Schema = { ...struct, 'schema-id': 0 };
  const second = evolve(first, lastId, version('v2').struct);
  expect(second.incompatible).toEqual([]);
  expect(second.changes.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
    'add address.country',
    'add placed_at',
    'optional address.fax',
    'optional tags.element',
    'widen quantity',
    'widen total',
  ]);
  const { struct: writer, aliases } = version('v3');
  const third = evolve(second.schema, second.lastColumnId, writer, second.history, aliases);
  expect(third.incompatible).toEqual([{ path: 'quantity', writerPath: 'quantity', from: 'long', to: 'string' }]);
  expect(third.schema.fields.map(({ id, name, required }) => `${id} ${name} ${required}`)).toEqual([
    '1 order_id true',
    '2 customer_login true',
    '3 quantity true',
    '4 total true',
    '5 address false',
    '6 tags false',
    '11 placed_at false',
  ]);
  // Records of the first version are still read into the same columns.
  expect(
    evolve(third.schema, third.lastColumnId, version('v1').struct, third.history).bound.fields.map(({ id }) => id),
  ).toEqual([1, 2, 3, 4, 5, 6]);
});
