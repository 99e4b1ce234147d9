import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';

describe('parseJson', () => {
  it('keeps every digit of 63-bit snapshot ids', () => {
    const text =
      '{"current-snapshot-id":8271638172635172635,"refs":{"7":{"snapshot-id":8271638172635172635},"2":{"snapshot-id":4611686018427387905}}}';
    expect(parseJson(text)).toEqual({
      'current-snapshot-id': 8271638172635172635n,
      refs: { 7: { 'snapshot-id': 8271638172635172635n }, 2: { 'snapshot-id': 4611686018427387905n } },
    });
  });

  it('gives small snapshot ids as bigint too, and null as null', () => {
    expect(parseJson('{"snapshot-id" : 12, "parent-snapshot-id":null, "sequence-number":12}')).toEqual({
      'snapshot-id': 12n,
      'parent-snapshot-id': null,
      'sequence-number': 12,
    });
  });

  it('tells apart two ids that round to the same double', () => {
    expect(
      parseJson('[{"snapshot-id":9007199254740993},{"snapshot-id":9007199254740992},{"snapshot-id":9007199254740994}]'),
    ).toEqual([
      { 'snapshot-id': 9007199254740993n },
      { 'snapshot-id': 9007199254740992n },
      { 'snapshot-id': 9007199254740994n },
    ]);
  });

  it('leaves text and decimals alone', () => {
    const text =
      '{"summary":{"source-snapshot-id":"8271638172635172635","o":"{\\"snapshot-id\\":8271638172635172635,[9007199254740993]}"},"d":12345678901234567890.5,"e":1e30,"n":[9007199254740993,-9007199254740993]}';
    expect(parseJson(text)).toEqual({
      summary: {
        'source-snapshot-id': '8271638172635172635',
        o: '{"snapshot-id":8271638172635172635,[9007199254740993]}',
      },
      d: Number.parseFloat('12345678901234567890.5'),
      e: 1e30,
      n: [9007199254740993n, -9007199254740993n],
    });
  });

  it('reads back what stringifyJson wrote', () => {
    const long = fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((v) => (v >= -(2n ** 53n) && v <= 2n ** 53n ? v + 2n ** 54n : v));
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.integer(),
        long,
        fc.constant(null),
        fc.array(tie('node')),
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((key) => key !== '__proto__' && !key.endsWith('snapshot-id')),
          tie('node'),
          { noNullPrototype: true },
        ),
      ),
    })).node;
    fc.assert(
      fc.property(tree, fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (value, id) => {
        const whole = { 'a-snapshot-id': id, value };
        expect(parseJson(stringifyJson(whole))).toEqual(whole);
      }),
    );
  });
});

describe('stringifyJson', () => {
  it('writes bigint as plain digits and leaves its argument as it was', () => {
    const value = { a: [1n, { b: 8271638172635172635n }], c: 'x' };
    expect(stringifyJson(value)).toBe('{"a":[1,{"b":8271638172635172635}],"c":"x"}');
    expect(value.a[0]).toBe(1n);
  });
});
