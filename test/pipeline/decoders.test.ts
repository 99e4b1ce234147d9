import { expect, test } from 'vitest';
import type { BoundSchema } from '../../src/decode/decoder.ts';
import { Decoders } from '../../src/pipeline/decoders.ts';
import type { Layout, WorkerTableOptions } from '../../src/pipeline/messages.ts';
import type { IcebergType, NestedField, StructType } from '../../src/schema/types.ts';

const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });
const struct = (...fields: NestedField[]): StructType => ({ type: 'struct', fields });
const bound = (own: StructType): BoundSchema => ({ format: 'avro', text: '', references: {}, struct: own });
const layout = (own: StructType): Layout => ({ schema: { ...own, 'schema-id': 1 } }) as Layout;
const [id, n, inner] = [field(1, 'id', 'long'), field(2, 'n', 'int'), field(3, 'inner', struct(field(4, 'a', 'int')))];

/** Who knows schema 7, bound to id and n, 8 to id alone, and 9 to a field inside of a struct. */
function known(): Decoders {
  const decoders = new Decoders({} as WorkerTableOptions, 'value');
  decoders.answer({ part: 'value', key: 7, bound: bound(struct(id, n)) });
  decoders.answer({ part: 'value', key: 8, bound: bound(struct(id)) });
  decoders.answer({ part: 'value', key: 9, bound: bound(struct(id, inner)) });
  decoders.answer({ part: 'value', key: 10, refused: { code: 'SCHEMA_INCOMPATIBLE', reason: 'no' } });
  return decoders;
}

test('a layout with more columns leaves what is known', () => {
  const decoders = known();
  decoders.forget(layout(struct(id, n, inner, field(5, 'more', 'int'))));
  expect([7, 8, 9, 10].map((key) => decoders.knows(key))).toEqual([true, true, true, true]);
});

test('schemas bound to a column that the layout lacks are asked for again, though a new one has its name', () => {
  const decoders = known();
  decoders.forget(layout(struct(id, inner, field(5, 'n', 'int'))));
  expect([7, 8, 9, 10].map((key) => decoders.knows(key))).toEqual([false, true, true, true]);
});

test('so are those bound to a field inside of a struct', () => {
  const decoders = known();
  decoders.forget(layout(struct(id, n, field(3, 'inner', struct(field(5, 'a', 'int'))))));
  expect([7, 8, 9, 10].map((key) => decoders.knows(key))).toEqual([true, true, false, true]);
});

test('fields that are not written need no column', () => {
  const decoders = known();
  decoders.answer({ part: 'value', key: 11, bound: bound(struct(id, field(0, 'left_out', 'int'))) });
  decoders.forget(layout(struct(id, n, inner)));
  expect(decoders.knows(11)).toBe(true);
});
