import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ColumnBatch, Vector } from '../../src/columns/batch.ts';
import type { Schema } from '../../src/schema/types.ts';
import { appendPlain, batchOf, plainRows } from './rows.ts';
import type { Plain } from './rows.ts';

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'b', required: false, type: 'boolean' },
    { id: 2, name: 's', required: false, type: 'string' },
    {
      id: 3,
      name: 'st',
      required: false,
      type: {
        type: 'struct',
        fields: [
          { id: 4, name: 'n', required: true, type: 'long' },
          {
            id: 5,
            name: 'l',
            required: false,
            type: { type: 'list', 'element-id': 6, 'element-required': false, element: 'boolean' },
          },
        ],
      },
    },
  ],
};
const row = fc.record({
  b: fc.option(fc.boolean()),
  s: fc.option(fc.string()),
  st: fc.option(
    fc.record({
      n: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      l: fc.option(fc.array(fc.option(fc.boolean()), { maxLength: 3 })),
    }),
  ),
}) as unknown as fc.Arbitrary<Record<string, Plain>>;

/** Bits at and after the length, which a writer may rely on being 0. */
function strayBits(vector: Vector): number {
  let found = 0;
  for (const bits of [vector.validity ?? new Uint8Array(0), vector.bits]) {
    for (let i = vector.length; i < bits.length * 8; i++) found += (bits[i >> 3]! >> (i & 7)) & 1;
  }
  return vector.children.reduce((sum, child) => sum + strayBits(child), found);
}

test('rows that are cut off leave nothing behind for those that follow', () => {
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 20 }),
      fc.array(row, { maxLength: 20 }),
      fc.nat(20),
      (first, second, cut) => {
        const batch = batchOf(schema, first);
        const kept = Math.min(cut, first.length);
        batch.truncate(kept);
        for (const column of batch.columns) expect(strayBits(column)).toBe(0);
        for (const next of second)
          for (const column of batch.columns) appendPlain(column, next[column.field.name] ?? null);
        batch.rows += second.length;
        expect(plainRows(batch)).toEqual(plainRows(batchOf(schema, [...first.slice(0, kept), ...second])));
      },
    ),
  );
});

test('a value that was begun and not counted is cut off whole', () => {
  const batch = new ColumnBatch(schema);
  const struct = batch.columns[2]!;
  struct.reserve(1);
  struct.validity![0]! |= 1;
  const [number, list] = struct.children as [Vector, Vector];
  appendPlain(number, 7n);
  appendPlain(list.children[0]!, true);
  batch.truncate(0);
  expect([struct.length, number.length, list.length, list.children[0]!.length]).toEqual([0, 0, 0, 0]);
  expect(strayBits(struct)).toBe(0);
});

test('reserve keeps what is there', () => {
  const vector = new Vector({ id: 1, name: 's', required: false, type: 'string' });
  for (let i = 0; i < 5000; i++) appendPlain(vector, `value ${i}`);
  expect(vector.length).toBe(5000);
  expect(Buffer.from(vector.bytes.subarray(vector.offsets[4999], vector.offsets[5000])).toString()).toBe('value 4999');
  expect(vector.bytes.length - vector.byteCapacity).toBe(8);
});
