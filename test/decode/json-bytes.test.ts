import { expect, test } from 'vitest';
import type { InferOptions } from '../../src/decode/infer.ts';
import { untypedBinding } from '../../src/decode/json-place.ts';
import type { PrimitiveType } from '../../src/schema/types.ts';
import { decodeBoth, fields, layoutOf, utf8 } from './json-lab.ts';

// Strings and keys are read in words of four bytes, short numbers before all others: each place within a word, and each
// edge between the ways of reading.
const options: InferOptions = { numbers: 'auto', columns: {}, jsonColumns: {}, maxColumns: 1_000, nanos: 'micros' };

/** The first record is another, so that the column has room for those that count. */
function decode(type: PrimitiveType, texts: readonly (string | Uint8Array)[]): ReturnType<typeof decodeBoth> {
  const layout = layoutOf({ type: 'struct', fields: fields({ a: type }) });
  const first = type === 'string' ? '{"a":"first"}' : '{"a":0}';
  const { rows, ...rest } = decodeBoth(untypedBinding(layout, options), layout, [first, ...texts]);
  return { ...rest, rows: rows.slice(1) };
}

const head = utf8('{"a":"');
const tail = utf8('"}');
/** An object whose member `a` is a string of these bytes. */
function stringOf(bytes: readonly number[]): Uint8Array {
  return Uint8Array.from([...head, ...bytes, ...tail]);
}

/** Each place of strings of up to 9 bytes. */
const places = Array.from({ length: 10 }, (_, length) => Array.from({ length }, (_, at) => ({ length, at }))).flat();

test.each([0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7e, 0x7f])('byte %i is a character like others, at each place', (byte) => {
  const values = places.map(({ length, at }) => Array.from({ length }, (_, i) => (i === at ? byte : 0x78)));
  const { rows, interpreted } = decode('string', values.map(stringOf));
  expect(rows).toEqual(values.map((value) => ({ a: String.fromCharCode(...value) })));
  expect(interpreted).toBe(0);
});

test.each([0x00, 0x01, 0x0a, 0x1f, 0x22, 0x5c, 0x80, 0xa0, 0xa2, 0xdc, 0xff])(
  'byte %i alone is no character of a string, at each place',
  (byte) => {
    const values = places.map(({ length, at }) => Array.from({ length }, (_, i) => (i === at ? byte : 0x78)));
    const { rows } = decode('string', values.map(stringOf));
    expect(rows).toEqual([]);
  },
);

test.each(['é', '€', '😀', '\\n', '\\"', '\\u00e9'])('%s, at each place', (character) => {
  const texts = places.map(({ length, at }) => 'x'.repeat(at) + character + 'x'.repeat(length - at));
  const { rows, interpreted } = decode(
    'string',
    texts.map((text) => `{"a":"${text}"}`),
  );
  expect(rows).toEqual(texts.map((text) => ({ a: JSON.parse(`"${text}"`) as string })));
  expect(interpreted).toBe(0);
});

test('a string whose quote is the last byte of all, of each length', () => {
  for (let length = 0; length < 9; length++) {
    expect(decode('string', [`{"a":"${'x'.repeat(length)}"}`]).rows).toEqual([{ a: 'x'.repeat(length) }]);
    // What stands behind the record is not part of it.
    const { rows } = decode('string', [`{"a":"${'x'.repeat(length)}`, '"}', '{"a":"b"}']);
    expect(rows).toEqual([{ a: 'b' }]);
  }
});

test('strings of all lengths while the column grows: none is cut, none reaches into the slack', () => {
  const texts = Array.from({ length: 400 }, (_, i) => 'abcdefghijklmnopqrstuvwxyz'.repeat(4).slice(0, i % 97));
  const { rows, interpreted } = decode(
    'string',
    texts.map((a) => JSON.stringify({ a })),
  );
  expect(rows).toEqual(texts.map((a) => ({ a })));
  expect(interpreted).toBe(0);
});

test('numbers of each count of digits, with a dot at each place, before each byte that may follow', () => {
  const texts = ['9', '0'].flatMap((first) =>
    Array.from({ length: 19 }, (_, n) => first + '987654321098765432'.slice(0, n)).flatMap((digits) =>
      Array.from({ length: digits.length }, (_, dot) =>
        dot === 0 ? digits : `${digits.slice(0, dot)}.${digits.slice(dot)}`,
      ),
    ),
  );
  for (const after of ['}', ',"b":1}', ' }', '\n,"b":1}', 'e0}', '.}', '.0}', 'x}', '-}', '', ']', '0}']) {
    const records = texts.flatMap((text) => [`{"a":${text}${after}`, `{"a":-${text}${after}`]);
    for (const type of ['long', 'double', 'decimal(18, 4)'] as const) {
      const layout = layoutOf({ type: 'struct', fields: fields({ a: type, b: 'long' }) });
      decodeBoth(untypedBinding(layout, options), layout, records);
    }
  }
  const plain = texts.filter((text) => /^(?:0|[1-9]\d*)$/.test(text) && BigInt(text) < 2n ** 63n);
  const { rows, interpreted } = decode(
    'long',
    plain.map((text) => `{"a":-${text}}`),
  );
  expect(rows).toEqual(plain.map((text) => ({ a: -BigInt(text) })));
  expect(interpreted).toBe(plain.filter((text) => text.length > 18).length);
});

const alike = Array.from({ length: 10 }, (_, i) => 'abcdefghij'.slice(0, i));

test.each([
  ['ASCII', alike.flatMap((name) => [`${name}x`, `${name}y`])],
  ['of two bytes a character', alike.flatMap((name) => [`${name}é`, `${name}ê`])],
])('keys that are alike, %s, in any order, also with white space before the colon', (_, names) => {
  const layout = layoutOf({ type: 'struct', fields: fields(Object.fromEntries(names.map((name) => [name, 'long']))) });
  const odd = names.filter((_name, i) => i % 2 === 1);
  const orders = [names, names.toReversed(), odd, [...names.slice(7), ...names.slice(0, 7)], names];
  const texts = orders.flatMap((order) =>
    ['', ' ', ''].map((space) => `{${order.map((name) => `"${name}"${space}:${names.indexOf(name)}`).join(',')}}`),
  );
  const { rows, interpreted } = decodeBoth(untypedBinding(layout, options), layout, texts);
  expect(rows).toEqual(
    orders.flatMap((order) => {
      const row = Object.fromEntries(names.map((name, i) => [name, order.includes(name) ? BigInt(i) : null]));
      return [row, row, row];
    }),
  );
  // A key that is not ASCII is known only where it is expected.
  if (names[0] === 'x') expect(interpreted).toBe(0);
});

test('only a colon stands between key and value', () => {
  const others = Array.from({ length: 0x7f }, (_, byte) => String.fromCharCode(byte)).filter((byte) => byte !== ':');
  const names = ['x', 'xy', 'xyz', 'wxyz'];
  const layout = layoutOf({ type: 'struct', fields: fields(Object.fromEntries(names.map((name) => [name, 'long']))) });
  for (const name of names) {
    const { rows } = decodeBoth(untypedBinding(layout, options), layout, [
      `{"${name}":1}`,
      ...others.map((byte) => `{"${name}"${byte}1}`),
    ]);
    expect(rows).toHaveLength(1);
  }
});
