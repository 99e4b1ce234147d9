import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAccounted, encodeAccounted } from '../../src/commit/accounted.ts';
import { packNumbers, unpackNumbers } from '../../src/commit/packed.ts';
import { decodeStatement, encodeStatement, statementSubject } from '../../src/commit/statement.ts';
import type { OffsetRange, OffsetsMap } from '../../src/commit/commit.ts';

const offset = fc.oneof(
  fc.nat(1_000_000),
  fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  fc.constant(Number.MAX_SAFE_INTEGER),
);

const topic = fc
  .array(fc.record({ first: offset, span: fc.nat(1000), epoch: fc.integer({ min: -1, max: 100 }) }), { maxLength: 150 })
  .chain((partitions) =>
    fc.record({
      id: fc.uuid(),
      cluster: fc.string(),
      first: fc.constant(partitions.map(({ first, span }) => Math.min(first, Number.MAX_SAFE_INTEGER - span))),
      next: fc.constant(partitions.map(({ first, span }) => Math.min(first, Number.MAX_SAFE_INTEGER - span) + span)),
      epoch: fc.constant(partitions.map(({ epoch }) => epoch)),
      gaps: fc.array(fc.tuple(fc.nat(10), fc.nat(), fc.nat(), fc.string()), { maxLength: 3 }),
    }),
  );

const entry = fc.record({
  checkpointId: fc.uuid(),
  file: fc.webUrl(),
  count: fc.nat(),
  ranges: fc.array(fc.tuple(fc.string(), fc.nat(5000), offset, offset), { maxLength: 3 }),
});

const statement = fc.record({
  offsets: fc.dictionary(fc.string(), topic, { maxKeys: 3 }).map((map) => map as OffsetsMap),
  deadLetters: fc.record({
    inline: fc.array(entry, { maxLength: 4 }),
    older: fc.option(fc.record({ file: fc.webUrl(), checkpoints: fc.nat(), count: fc.nat() })),
  }),
});

describe('packed numbers', () => {
  test('come back, whatever their length and jumps', () => {
    const number = fc.oneof(
      fc.integer(),
      fc.maxSafeInteger(),
      fc.constantFrom(0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
    );
    fc.assert(
      fc.property(fc.array(number, { maxLength: 300 }), (numbers) => {
        expect(unpackNumbers(JSON.parse(JSON.stringify(packNumbers(numbers))))).toEqual(numbers);
      }),
    );
  });

  test('stay readable up to 64 and are small above', () => {
    const numbers = Array.from({ length: 65 }, (_, i) => 1_000_000_000 + i * 1000);
    expect(packNumbers(numbers.slice(0, 64))).toEqual(numbers.slice(0, 64));
    expect(typeof packNumbers(numbers)).toBe('string');
    expect((packNumbers(numbers) as string).length).toBeLessThan(64);
  });

  test.each([
    ['a number of another kind', [1.5]],
    ['no list', { length: 0 }],
    ['not base64 of deflate', 'AAAA'],
    ['null', null],
  ])('refuse %s', (_, value) => {
    expect(() => unpackNumbers(value)).toThrow(SyntaxError);
  });

  test('a number takes ten bytes at the most', () => {
    // 1 as a varint with zeros before it.
    const padded = (length: number): string =>
      deflateRawSync(Uint8Array.from([...new Array<number>(length - 1).fill(0x80), 0]).with(0, 0x82)).toString(
        'base64',
      );
    expect(unpackNumbers(padded(10))).toEqual([1]);
    expect(() => unpackNumbers(padded(11))).toThrow('too long');
  });
});

describe('the offsets statement', () => {
  test('comes back', () => {
    fc.assert(
      fc.property(statement, (value) => {
        expect(decodeStatement(encodeStatement(value))).toEqual(value);
      }),
    );
  });

  test('a topic may bear any name that Kafka allows', () => {
    const offsets = Object.fromEntries([
      [
        '__proto__',
        { id: '00000000-0000-4000-8000-000000000001', cluster: 'c', first: [0], next: [7], epoch: [1], gaps: [] },
      ],
    ]);
    const value = { offsets, deadLetters: { inline: [], older: null } };
    expect(Object.keys(decodeStatement(encodeStatement(value)).offsets)).toEqual(['__proto__']);
  });

  test('has the form of DESIGN §2', () => {
    const offsets = {
      orders: {
        id: 'u',
        cluster: 'c',
        first: [0, 0, 0],
        next: [1200, 988, 1004],
        epoch: [3, 3, 4],
        gaps: [[1, 500, 520, 'retention'] as const],
      },
    };
    expect(encodeStatement({ offsets, deadLetters: { inline: [], older: null } })).toBe(
      '{"v":1,"topics":{"orders":{"id":"u","cluster":"c","first":[0,0,0],"next":[1200,988,1004],"epoch":[3,3,4],"gaps":[[1,500,520,"retention"]]}}}',
    );
  });

  test('names the snapshot it is about without loss of digits', () => {
    const text = encodeStatement({ offsets: {}, deadLetters: { inline: [], older: null } }, 8271638172635172635n);
    expect(statementSubject(text)).toBe(8271638172635172635n);
    expect(statementSubject('{"v":1}')).toBeNull();
    expect(statementSubject('not json')).toBeNull();
  });

  test.each([
    ['a later version', '{"v":2,"topics":{}}'],
    [
      'lists of different lengths',
      '{"v":1,"topics":{"t":{"id":"a","cluster":"b","first":[0],"next":[1,2],"epoch":[0,0],"gaps":[]}}}',
    ],
    [
      'an end before the beginning',
      '{"v":1,"topics":{"t":{"id":"a","cluster":"b","first":[5],"next":[4],"epoch":[0],"gaps":[]}}}',
    ],
    ['no topic id', '{"v":1,"topics":{"t":{"cluster":"b","first":[],"next":[],"epoch":[]}}}'],
    ['no topics', '{"v":1}'],
    ['cut off text', '{"v":1,"topics":{'],
  ])('is refused with %s', (_, text) => {
    expect(() => decodeStatement(text)).toThrow(SyntaxError);
  });
});

describe('accounted', () => {
  const counts = fc.record({
    rows: fc.nat(1000),
    deadLetters: fc.nat(10),
    aborted: fc.nat(10),
    control: fc.nat(10),
    absent: fc.nat(10),
  });
  const range = fc
    .record({ topic: fc.constantFrom('a', 'b'), partition: fc.nat(100), start: fc.nat(1_000_000), accounted: counts })
    .map((value): OffsetRange => ({
      ...value,
      epoch: 0,
      end: value.start + Object.values(value.accounted).reduce((sum, count) => sum + count, 0),
    }));

  test('comes back, topic by topic', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 90 }), (ranges) => {
        const expected = ['a', 'b']
          .flatMap((name) => ranges.filter(({ topic: of }) => of === name))
          .map(({ epoch: _, ...rest }) => rest);
        expect(decodeAccounted(encodeAccounted(ranges))).toEqual(expected);
      }),
    );
  });

  test('is refused where the counts do not add up', () => {
    const text = encodeAccounted([
      {
        topic: 'a',
        partition: 0,
        start: 0,
        end: 3,
        accounted: { rows: 1, deadLetters: 0, aborted: 0, control: 1, absent: 0 },
      },
    ]);
    expect(() => decodeAccounted(text)).toThrow(/does not add up/);
  });
});
