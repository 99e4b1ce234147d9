import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OffsetBitmap } from '../../src/maintain/offset-bitmap.ts';

test('agrees with a set of numbers', () => {
  // Around the bounds of words and segments.
  const offset = fc.oneof(
    fc.integer({ min: 0, max: 200 }),
    fc.integer({ min: 1_048_500, max: 1_048_700 }),
    fc.integer({ min: 5_000_000_000, max: 5_000_000_100 }),
  );
  fc.assert(
    fc.property(fc.array(offset), offset, offset, (offsets, a, b) => {
      const bitmap = new OffsetBitmap();
      const set = new Set<number>();
      for (const each of offsets) {
        expect(bitmap.add(each)).toBe(!set.has(each));
        set.add(each);
      }
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      expect(bitmap.size).toBe(set.size);
      expect(bitmap.has(from)).toBe(set.has(from));
      expect(bitmap.count(from, to)).toBe([...set].filter((each) => each >= from && each < to).length);
      const holes = bitmap.holes(from, to, 1000);
      expect(holes.reduce((sum, hole) => sum + hole.to - hole.from, 0)).toBe(to - from - bitmap.count(from, to));
      for (const hole of holes) expect(bitmap.count(hole.from, hole.to)).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test('names at most as many holes as asked', () => {
  const bitmap = new OffsetBitmap();
  for (let offset = 1; offset < 100; offset += 2) bitmap.add(offset);
  expect(bitmap.holes(0, 100, 2)).toEqual([
    { from: 0, to: 1 },
    { from: 2, to: 3 },
  ]);
});
