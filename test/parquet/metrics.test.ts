import { describe, expect, test } from 'vitest';
import type { NestedField, PrimitiveType } from '../../src/schema/types.ts';
import type { Plain } from '../columns/rows.ts';
import { encode, metadataOf, schemaOf } from './files.ts';

const field = (id: number, type: NestedField['type'], required = false): NestedField => ({
  id,
  name: `f${id}`,
  type,
  required,
});

/** Bounds in the manifest of one column, as hexadecimal. */
function bounds(type: PrimitiveType, values: readonly Plain[], full = false): [string | null, string | null] {
  const { metrics } = encode(
    schemaOf(field(1, type)),
    values.map((v) => ({ f1: v })),
    { fullMetrics: full ? [1] : [] },
  );
  const hex = (bytes: Uint8Array | undefined): string | null => (bytes ? Buffer.from(bytes).toString('hex') : null);
  return [hex(metrics.lowerBounds.get(1)), hex(metrics.upperBounds.get(1))];
}

const utf8 = (text: string): string => Buffer.from(text).toString('hex');

// Expected bytes follow the Iceberg spec, Appendix D, "Binary single-value serialization".
describe('bounds in single-value serialization', () => {
  test('boolean, int, long, date', () => {
    expect(bounds('boolean', [true, false, null])).toEqual(['00', '01']);
    expect(bounds('boolean', [true])).toEqual(['01', '01']);
    expect(bounds('int', [3, -2, 7])).toEqual(['feffffff', '07000000']);
    expect(bounds('date', [null, 5])).toEqual(['05000000', '05000000']);
    expect(bounds('long', [-1n, 0n, 4294967296n, 4294967295n])).toEqual(['ffffffffffffffff', '0000000001000000']);
    expect(bounds('long', [2147483648n, 1n, 4294967295n])).toEqual(['0100000000000000', 'ffffffff00000000']);
    expect(bounds('timestamptz_ns', [1n, -1n])).toEqual(['ffffffffffffffff', '0100000000000000']);
    expect(bounds('timestamptz', [-4294967297n, -4294967296n])).toEqual(['fffffffffeffffff', '00000000ffffffff']);
  });

  test('floating point: no NaN; zeros are −0.0 below and +0.0 above', () => {
    expect(bounds('double', [NaN, 1, NaN, -1])).toEqual(['000000000000f0bf', '000000000000f03f']);
    expect(bounds('double', [0])).toEqual(['0000000000000080', '0000000000000000']);
    expect(bounds('float', [-0, 0])).toEqual(['00000080', '00000000']);
    expect(bounds('double', [NaN])).toEqual([null, null]);
    expect(bounds('double', [Infinity, -Infinity])).toEqual(['000000000000f0ff', '000000000000f07f']);
  });

  test('decimals: unscaled, big-endian, fewest bytes', () => {
    for (const type of ['decimal(9, 2)', 'decimal(18, 2)', 'decimal(30, 2)'] as const) {
      expect(bounds(type, [1n, -1n])).toEqual(['ff', '01']);
      expect(bounds(type, [128n, -128n, 0n])).toEqual(['80', '0080']);
      expect(bounds(type, [-129n, 1420n])).toEqual(['ff7f', '058c']);
    }
  });

  test('strings: 16 code points, the upper one incremented', () => {
    expect(bounds('string', ['abc', 'b', null])).toEqual([utf8('abc'), utf8('b')]);
    expect(bounds('string', ['0123456789abcdef', ''])).toEqual(['', utf8('0123456789abcdef')]);
    expect(bounds('string', ['0123456789abcdefg'])).toEqual([utf8('0123456789abcdef'), utf8('0123456789abcdeg')]);
    expect(bounds('string', ['🌍'.repeat(17)])).toEqual([utf8('🌍'.repeat(16)), utf8(`${'🌍'.repeat(15)}🌎`)]);
    expect(bounds('string', ['🌍'.repeat(400)])).toEqual([utf8('🌍'.repeat(16)), utf8(`${'🌍'.repeat(15)}🌎`)]);
    // U+D7FF is followed by the surrogates, which are no characters.
    expect(bounds('string', ['\ud7ff'.repeat(17)])[1]).toBe(utf8(`${'\ud7ff'.repeat(15)}\ue000`));
    expect(bounds('string', [`a${'\u{10ffff}'.repeat(16)}`])[1]).toBe(utf8('b'));
    expect(bounds('string', ['\u{10ffff}'.repeat(17)])).toEqual([utf8('\u{10ffff}'.repeat(16)), null]);
  });

  test('strings are ordered by their bytes, not by UTF-16 units', () => {
    expect(bounds('string', ['\uffee', '\u{10000}'])).toEqual([utf8('\uffee'), utf8('\u{10000}')]);
  });

  test('binary: 16 bytes', () => {
    expect(bounds('binary', [new Uint8Array(20).fill(9)])).toEqual(['09'.repeat(16), `${'09'.repeat(15)}0a`]);
    expect(bounds('binary', [new Uint8Array(20).fill(255)])).toEqual(['ff'.repeat(16), null]);
    expect(bounds('binary', [Uint8Array.of(255), Uint8Array.of(1)])).toEqual(['01', 'ff']);
  });

  test('full metrics are untruncated', () => {
    expect(bounds('string', ['x'.repeat(500), 'y'.repeat(300)], true)).toEqual([
      utf8('x'.repeat(500)),
      utf8('y'.repeat(300)),
    ]);
    // The second begins as the bound before it, which has no room for it.
    const [short, long] = ['x'.repeat(10), 'x'.repeat(100)];
    expect(bounds('string', [short, long], true)).toEqual([utf8(short), utf8(long)]);
  });

  test('uuid has none', () => {
    expect(bounds('uuid', [new Uint8Array(16)])).toEqual([null, null]);
  });
});

test('many values: the bounds are those of a plain sort by bytes', () => {
  let seed = 7;
  const next = (n: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % n;
  };
  for (const [name, alphabet] of [
    ['shared prefixes', 'ab'],
    ['spread', 'abcdefghijklmnopqrstuvwxyz'],
  ] as const) {
    const values = Array.from({ length: 5000 }, () =>
      `pre${Array.from({ length: next(14) }, () => alphabet[next(alphabet.length)]).join('')}`.slice(0, 16),
    );
    const sorted = [...values].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const dictionarySize of [0, 1 << 20]) {
      const { metrics } = encode(
        schemaOf(field(1, 'string')),
        values.map((v) => ({ f1: v })),
        { dictionarySize },
      );
      expect(Buffer.from(metrics.lowerBounds.get(1)!).toString(), name).toBe(sorted[0]);
      expect(Buffer.from(metrics.upperBounds.get(1)!).toString(), name).toBe(sorted.at(-1));
    }
  }
});

test('counts: one value a row outside lists, nothing inside', () => {
  const schema = schemaOf(
    field(1, 'double'),
    field(2, { type: 'struct', fields: [field(3, 'int', true), field(4, 'string')] }),
    field(5, { type: 'list', 'element-id': 6, 'element-required': false, element: 'int' }),
  );
  const { metrics, bytes } = encode(schema, [
    { f1: NaN, f2: { f3: 1, f4: 'a' }, f5: [1, null] },
    { f1: null, f2: null, f5: [] },
    { f1: 2, f2: { f3: 2, f4: null }, f5: null },
  ]);
  expect(Object.fromEntries(metrics.valueCounts)).toEqual({ 1: 3, 3: 3, 4: 3 });
  expect(Object.fromEntries(metrics.nullCounts)).toEqual({ 1: 1, 3: 1, 4: 2 });
  expect(Object.fromEntries(metrics.nanCounts)).toEqual({ 1: 1 });
  expect([...metrics.lowerBounds.keys()]).toEqual([1, 3, 4]);
  expect([...metrics.columnSizes.keys()]).toEqual([1, 3, 4, 6]);
  const chunks = metadataOf(bytes).row_groups[0]!.columns;
  expect([...metrics.columnSizes.values()].map(BigInt)).toEqual(
    chunks.map((chunk) => chunk.meta_data!.total_compressed_size),
  );
  expect(metrics.fileSize).toBe(bytes.length);
  expect(metrics.recordCount).toBe(3);
});

test('a bound that is only the start of a value says so, and encloses it', () => {
  const [short, long] = ['x'.repeat(64), 'x'.repeat(65)];
  for (const dictionarySize of [0, 1 << 20]) {
    for (const values of [
      [short, long],
      [long, short],
      [short, long, short, long],
    ]) {
      const { bytes } = encode(
        schemaOf(field(1, 'string')),
        values.map((v) => ({ f1: v })),
        { dictionarySize },
      );
      expect(metadataOf(bytes).row_groups[0]!.columns[0]!.meta_data!.statistics).toMatchObject({
        min_value: short,
        is_min_value_exact: true,
        max_value: `${'x'.repeat(63)}y`,
        is_max_value_exact: false,
      });
    }
  }
});
