import { deepStrictEqual, ok } from 'node:assert/strict';
import { python, readers } from '../real/readers.ts';
import type { Sums } from '../real/generator.ts';
import type { TableQuery, TableReading } from '../real/readers.ts';
import type { Environment } from '../real/stack.ts';
import type { Workload } from './workloads.ts';

/** Fails unless PyIceberg, or who else reads, finds in the table what the generator says that the records add up to: each row, and once. */
export async function checkRows(
  { catalog, s3 }: Environment,
  table: string,
  expected: Sums,
  { shape }: Pick<Workload, 'shape'>,
  read: (query: TableQuery) => Promise<TableReading> = readers.pyiceberg,
): Promise<void> {
  const access = { type: 'rest', uri: catalog.uri, s3 } as const;
  const {
    sum_fields: more = {},
    min_body,
    max_body,
    ...items
  }: Partial<NonNullable<Sums['more']>> = expected.more ?? {};
  const text = min_body === undefined ? [] : ['body'];
  const reading = await read({
    catalog: access,
    table,
    columns: ['id', 'quantity', 'amount', 'active', ...Object.keys(more), ...text],
  });
  const { id, quantity, amount, active, body } = reading.columns;
  deepStrictEqual(
    [reading.rows, id, quantity?.sum, active?.sum],
    [
      expected.rows,
      { min: expected.min_id, max: expected.max_id, sum: expected.sum_id },
      expected.sum_quantity,
      expected.active,
    ],
  );
  ok(Math.abs(Number(amount?.sum) / expected.sum_amount - 1) < 1e-9, 'sum of amount');
  deepStrictEqual(Object.fromEntries(Object.keys(more).map((name) => [name, reading.columns[name]?.sum])), more);
  if (min_body !== undefined) deepStrictEqual([body?.min, body?.max], [min_body, max_body]);
  ok(reading.kafka?.every(({ count, distinct }) => count === distinct) ?? true, 'an offset is there twice');
  if (shape.items === true)
    deepStrictEqual(JSON.parse(await python('sum_items.py', JSON.stringify({ catalog: access, table }))), items);
}
