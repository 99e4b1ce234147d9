import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { untypedBinding } from '../../src/decode/json-place.ts';
import { mutated } from './fuzz.ts';
import { decodeBoth, fields, layoutOf, utf8 } from './json-lab.ts';

const options = {
  numbers: 'auto',
  columns: {},
  jsonColumns: {},
  maxColumns: 1000,
  nanos: 'micros',
  onIncompatible: 'dead-letter',
} as const;

const layout = layoutOf({
  type: 'struct',
  fields: fields({
    id: 'long',
    count: 'int',
    price: 'double',
    ok: 'boolean',
    name: 'string',
    at: 'timestamptz',
    amount: 'decimal(9, 2)',
    tags: { type: 'list', 'element-id': 0, 'element-required': false, element: 'string' },
    été: 'string',
  }),
});
const binding = untypedBinding(layout, options);
const decode = (values: readonly (string | Uint8Array | null)[]): ReturnType<typeof decodeBoth> =>
  decodeBoth(binding, layout, values);

const FIRST =
  '{"id":1,"count":2,"price":3.25,"ok":true,"name":"a","at":"2026-01-31T23:59:59Z","amount":1.5,"tags":["x"],"été":"é"}';
const KEYS = ['id', 'count', 'price', 'ok', 'name', 'at', 'amount', 'tags', 'été'];

const digits = (max: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: max }).map((all) => all.join(''));
const number = fc
  .tuple(fc.constantFrom('', '', '-'), digits(20), fc.constantFrom('', '', '.', 'e', 'E-', '.5e'), digits(12))
  .map(([sign, whole, mark, rest]) => `${sign}${whole}${mark}${mark === '' ? '' : rest}`);
const text = fc
  .array(fc.constantFrom('a', 'bc"', '\\', '\n', 'é', '😀', '\u0000', 'long enough for many words', ' '), {
    maxLength: 6,
  })
  .map((parts) => JSON.stringify(parts.join('')));
const any = fc.oneof(
  number,
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  text,
  fc.constantFrom(
    'true',
    'false',
    'null',
    'nul',
    'tru',
    '[]',
    '{}',
    '["y",null]',
    '"2026-01-31T23:59:59.123456789Z"',
    '"',
    '',
  ),
);
/** In the order of FIRST; most values fit. */
const record = fc
  .record({
    id: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String), any),
    count: fc.oneof(fc.integer().map(String), any),
    price: fc.oneof(number, any),
    ok: fc.oneof(fc.constantFrom('true', 'false', 'null'), any),
    name: fc.oneof(text, any),
    rest: any,
    odd: fc.nat({ max: 8 }),
  })
  .map(({ odd, rest, ...values }) => {
    const usual = ['1', '2', '3.5', 'true', '"a"', '"2026-01-31T23:59:59.1234567Z"', '-1.25', '["x","y"]', '"é"'];
    const own = [values.id, values.count, values.price, values.ok, values.name];
    return `{${KEYS.map((key, i) => `"${key}":${i === odd ? (own[i] ?? rest) : usual[i]!}`).join(',')}}`;
  });

describe('JSON by code for the order of the keys', () => {
  test('values of any kind in any column: the same rows, failures and cut digits', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), (records) => void decode([FIRST, ...records])),
      { numRuns: 3000 },
    );
  });

  test('damaged records between whole ones: the same rows and failures', () => {
    const values = mutated([utf8(FIRST)], [...utf8('{}[]",:\\0-.eEu é')]);
    fc.assert(
      fc.property(fc.array(values, { maxLength: 5 }), (records) => {
        const { compiled } = decode([FIRST, FIRST, ...records, FIRST]);
        expect(compiled).toBeGreaterThanOrEqual(2);
      }),
      { numRuns: 3000 },
    );
  });

  test('the code takes every record that is written like the first', () => {
    const others = [
      FIRST,
      FIRST.replace('"a"', '"\\u00e9 \\" and text that is longer than a word"'),
      FIRST.replace('3.25', '-0.0'),
      FIRST.replace('3.25', '12345678901234567.5e-3'),
      FIRST.replace('"id":1', '"id":-922337203685477580'),
      FIRST.replace('2,', 'null,').replace('true', 'null').replace('"a"', 'null').replace('3.25', 'null'),
      FIRST.replace('59Z', '59.123456789Z'),
    ];
    const { rows, compiled, cut } = decode([FIRST, ...others]);
    expect(compiled).toBe(others.length);
    expect(rows[2]!['name']).toBe('é " and text that is longer than a word');
    expect(rows[3]!['price']).toBe(-0);
    expect(rows[5]!['id']).toBe(-922337203685477580n);
    expect(cut).toBe(1);
  });

  test('a space behind commas and colons, as Python writes it', () => {
    const spaced = '{"id": 7, "count": 8, "name": "b"}';
    expect(decode([spaced, spaced, spaced]).compiled).toBe(2);
    expect(decode([spaced, '{"id":7, "count": 8, "name": "b"}', spaced]).rows).toHaveLength(3);
  });

  test('members that the first record lacks are null in all that lack them, and read where they are', () => {
    const { rows, compiled } = decode(['{"id":1,"name":"a"}', '{"id":2,"name":"b"}', '{"id":3,"name":"c","ok":true}']);
    expect(compiled).toBe(1);
    expect(rows.map(({ ok }) => ok)).toEqual([null, null, true]);
  });

  test('a record ends where it ends: what stands behind it belongs to another', () => {
    for (let at = 1; at < FIRST.length; at++) {
      const { rows, failed } = decode([FIRST, FIRST.slice(0, at), FIRST.slice(at), FIRST]);
      expect(rows.length + Object.keys(failed).length).toBe(4);
      expect(rows.filter(({ name }) => name === 'a').length).toBeLessThan(4);
    }
  });

  test('orders that change: code is made for another, and given up at last', () => {
    const keys = ['id', 'count', 'price'];
    const turned = (turn: number): string =>
      `{${[...keys.slice(turn % 3), ...keys.slice(0, turn % 3)].map((key) => `"${key}":${turn}`).join(',')}}`;
    const blocks = Array.from({ length: 400 }, (_, i) => turned(i < 50 ? 0 : i < 200 ? 1 : i));
    const { rows } = decode(blocks);
    expect(rows.map(({ id }) => Number(id))).toEqual(blocks.map((block) => (JSON.parse(block) as { id: number }).id));
    expect(decode(blocks).compiled).toBe(0);
    expect(decode(blocks.slice(0, 200)).compiled).toBeGreaterThan(100);
  });

  test('keys with quotes and backslashes are met as JSON writes them, and only so', () => {
    const odd = layoutOf({ type: 'struct', fields: fields({ 'a\\nb': 'long', 'c"d': 'long' }) });
    const good = '{"a\\\\nb":1,"c\\"d":2}';
    const values = [good, good, '{"a\\nb":3}', '{"c"d":4}'];
    const { rows, failed, compiled } = decodeBoth(untypedBinding(odd, options), odd, values);
    expect(rows).toEqual([
      { 'a\\nb': 1n, 'c"d': 2n },
      { 'a\\nb': 1n, 'c"d': 2n },
    ]);
    expect(Object.keys(failed)).toEqual(['2', '3']);
    expect(compiled).toBe(1);
  });
});
