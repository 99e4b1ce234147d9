import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assignIds, evolve } from '../../src/schema/evolve.ts';
import { extraField, isExtraColumn } from '../../src/schema/extra-column.ts';
import { grown, leavesIn } from '../../src/schema/grow.ts';
import type { IcebergType, NestedField, StructType } from '../../src/schema/types.ts';

const fields = (types: Readonly<Record<string, IcebergType>>): NestedField[] =>
  Object.entries(types).map(([name, type]) => ({ id: 0, name, required: false, type }));
const struct = (types: Readonly<Record<string, IcebergType>>): StructType => ({
  type: 'struct',
  fields: fields(types),
});
const list = (element: IcebergType): IcebergType => ({
  type: 'list',
  'element-id': 0,
  'element-required': false,
  element,
});

describe('a table of JSON grows', () => {
  test('up to the cap; the rest makes `_extra` where it stands', () => {
    const table = struct({ a: 'long', o: struct({ b: 'long' }) });
    const more = struct({
      c: 'string',
      o: struct({ d: 'date', e: 'long' }),
      l: list(struct({ f: 'long', g: 'long' })),
    });
    const after = grown(table, more, 5);
    expect(after.fields.map(({ name }) => name)).toEqual(['a', 'o', 'c', 'l', '_extra'].filter((name) => name !== 'l'));
    expect((after.fields[1]!.type as StructType).fields.map(({ name }) => name)).toEqual(['b', 'd', 'e']);
    const roomy = grown(table, more, 6);
    expect(
      ((roomy.fields[3]!.type as Extract<IcebergType, { type: 'list' }>).element as StructType).fields.map(
        ({ name }) => name,
      ),
    ).toEqual(['f', '_extra']);
  });

  test('what the table has stays as it is, whatever it would be', () => {
    const table = struct({ a: 'long', o: 'string' });
    expect(grown(table, struct({ a: 'string', o: struct({ x: 'long' }) }), 10)).toEqual(table);
  });

  test('`_extra` is asked for once, and steps aside for a field of that name', () => {
    const extra: StructType = { type: 'struct', fields: [extraField([])] };
    const once = grown(struct({ a: 'long' }), extra, 10);
    expect(once.fields.map(({ name }) => name)).toEqual(['a', '_extra']);
    expect(grown(once, extra, 10)).toEqual(once);
    const taken = grown(struct({ _EXTRA: 'long' }), extra, 10);
    expect(taken.fields.map((field) => [field.name, isExtraColumn(field)])).toEqual([
      ['_EXTRA', false],
      ['_extra_2', true],
    ]);
    // A later member of that name goes inside of it.
    expect(grown(once, struct({ _extra: 'long' }), 10)).toEqual(once);
  });

  test('any two records in any order: never above the cap, nothing removed or changed, and the table can follow', () => {
    const types: fc.Arbitrary<IcebergType> = fc.letrec<{ type: IcebergType }>((tie) => ({
      type: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<IcebergType>('long', 'string', 'date'),
        fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('type'), { minKeys: 1, maxKeys: 3 }).map(struct),
        tie('type').map(list),
      ),
    })).type;
    const record = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), types, { maxKeys: 4 }).map(struct);
    fc.assert(
      fc.property(record, record, fc.integer({ min: 1, max: 12 }), fc.boolean(), (x, y, cap, siblings) => {
        let table: StructType & { 'schema-id': number } = { type: 'struct', fields: [], 'schema-id': 0 };
        let last = 0;
        for (const more of [x, y, x]) {
          const wanted = grown(table, more, cap, siblings);
          const { schema, lastColumnId, incompatible, changes } = evolve(table, last, wanted);
          expect(incompatible).toEqual([]);
          expect(changes.every(({ kind }) => kind === 'add')).toBe(true);
          expect(leavesIn(schema, true)).toBeLessThanOrEqual(cap);
          expect(grown(schema, more, cap, siblings)).toEqual({ type: 'struct', fields: schema.fields });
          table = schema;
          last = lastColumnId;
        }
        expect(assignIds(table, 1).lastId).toBe(last);
      }),
      { numRuns: 500 },
    );
  });
});
