import { expect, test } from 'vitest';
import { toArrow } from '../../src/columns/arrow.ts';
import type { NestedField, Schema } from '../../src/schema/types.ts';
import { batchOf } from './rows.ts';
import type { Plain } from './rows.ts';

const field = (id: number, name: string, type: NestedField['type'], required = false): NestedField => ({
  id,
  name,
  type,
  required,
});

test('Arrow sees the values of the batch', () => {
  const schema: Schema = {
    type: 'struct',
    'schema-id': 0,
    fields: [
      field(1, 'b', 'boolean'),
      field(2, 'i', 'int', true),
      field(3, 'l', 'long'),
      field(4, 'f', 'float'),
      field(5, 'd', 'double'),
      field(6, 's', 'string'),
      field(7, 'bin', 'binary'),
      field(8, 'fix', 'fixed[3]'),
      field(9, 'date', 'date'),
      field(10, 'st', { type: 'struct', fields: [field(11, 'x', 'int')] }),
      field(12, 'li', { type: 'list', 'element-id': 13, 'element-required': false, element: 'string' }),
      field(14, 'm', {
        type: 'map',
        'key-id': 15,
        key: 'string',
        'value-id': 16,
        'value-required': false,
        value: 'long',
      }),
    ],
  };
  const rows: Record<string, Plain>[] = Array.from({ length: 20 }, (_, i) =>
    i % 3 === 1
      ? { i }
      : {
          b: i % 2 === 0,
          i,
          l: BigInt(i) * -(2n ** 40n),
          f: i / 2,
          d: i / 3,
          s: `ä${i}`,
          bin: Uint8Array.of(i),
          fix: Uint8Array.of(i, 1, 2),
          date: i,
          st: { x: i % 2 ? null : i },
          li: [null, `e${i}`].slice(0, i % 3),
          m: [
            ['k', BigInt(i)],
            ['n', null],
          ],
        },
  );
  const table = toArrow(batchOf(schema, rows));
  expect(table.numRows).toBe(20);
  const at = (name: string, i: number): unknown => table.getChild(name)!.get(i);
  rows.forEach((row, i) => {
    for (const name of ['b', 'i', 'l', 'f', 'd', 's', 'bin', 'fix'])
      expect(at(name, i), `${name} ${i}`).toEqual(row[name] ?? null);
    expect(at('date', i) === null ? null : Number(at('date', i))).toBe(
      row['date'] === undefined ? null : i * 86_400_000,
    );
    const shown = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)) ?? 'null');
    expect(shown(at('st', i))).toEqual(row['st'] ?? null);
    expect(shown(at('li', i))).toEqual(row['li'] ?? null);
    expect(shown(at('m', i))).toEqual(row['m'] ? { k: String(i), n: null } : null);
  });
  expect(table.schema.fields.map((f) => [f.nullable, f.metadata.get('PARQUET:field_id')]).slice(0, 3)).toEqual([
    [true, '1'],
    [false, '2'],
    [true, '3'],
  ]);
});

test('decimals keep their unscaled value in 128 bits', () => {
  for (const [type, values] of [
    ['decimal(9, 2)', [0n, -1n, 999999999n]],
    ['decimal(18, 2)', [-(10n ** 17n), 5n, -1n]],
    ['decimal(38, 2)', [10n ** 38n - 1n, -(10n ** 38n) + 1n, -1n]],
  ] as const) {
    const table = toArrow(
      batchOf(
        { type: 'struct', 'schema-id': 0, fields: [field(1, 'v', type)] },
        values.map((v) => ({ v })),
      ),
    );
    values.forEach((value, i) => {
      const words = table.getChild('v')!.get(i) as Uint32Array;
      expect(
        BigInt.asIntN(
          128,
          words.reduce((sum, word, w) => sum | (BigInt(word) << BigInt(32 * w)), 0n),
        ),
      ).toBe(value);
    });
  }
});

test('buffers are shared, not copied', () => {
  const batch = batchOf(
    { type: 'struct', 'schema-id': 0, fields: [field(1, 'l', 'long', true), field(2, 's', 'string', true)] },
    [{ l: 1n, s: 'abc' }],
  );
  const table = toArrow(batch);
  batch.columns[0]!.i32[0] = 77;
  expect(table.getChild('l')!.get(0)).toBe(77n);
  batch.columns[1]!.bytes[0] = 0x78;
  expect(table.getChild('s')!.get(0)).toBe('xbc');
});
