import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addFirst, applyRanges, changedTopic } from '../../src/commit/vector.ts';
import type { OffsetRange, OffsetsMap } from '../../src/commit/commit.ts';

const ids = { t: { id: 'id', cluster: 'c' } };
const at = (...next: number[]): OffsetsMap => ({
  t: { id: 'id', cluster: 'c', first: next.map(() => 0), next, epoch: next.map(() => -1), gaps: [] },
});
const range = (partition: number, start: number, end: number, more: Partial<OffsetRange> = {}): OffsetRange => ({
  topic: 't',
  partition,
  start,
  end,
  epoch: 1,
  accounted: { rows: end - start, deadLetters: 0, aborted: 0, control: 0, absent: 0 },
  ...more,
});

describe('applying ranges to the vector', () => {
  test('moves each partition to the end of its range, and only those', () => {
    const applied = applyRanges(at(5, 7, 9), [range(0, 5, 8), range(2, 9, 9)], ids);
    expect(applied).toMatchObject({ fits: true, offsets: { t: { next: [8, 7, 9], epoch: [1, -1, 1] } } });
  });

  test('is all or nothing: one range that does not begin where the table stands drops the others', () => {
    const before = at(5, 7);
    expect(applyRanges(before, [range(0, 5, 8), range(1, 6, 9)], ids)).toMatchObject({
      fits: false,
      reason: expect.stringContaining('t-1 stands at 7'),
    });
    expect(before).toEqual(at(5, 7));
  });

  test('takes joining ranges of one partition, refuses overlapping ones', () => {
    expect(applyRanges(at(0), [range(0, 0, 3), range(0, 3, 5)], ids).fits).toBe(true);
    expect(applyRanges(at(0), [range(0, 0, 3), range(0, 2, 5)], ids).fits).toBe(false);
    expect(applyRanges(at(0), [range(0, 0, 3), range(0, 4, 5)], ids).fits).toBe(false);
  });

  test('refuses another topic or cluster of the same name, and what the table does not hold', () => {
    expect(applyRanges(at(0), [range(0, 0, 1)], { t: { id: 'new', cluster: 'c' } }).fits).toBe(false);
    expect(applyRanges(at(0), [range(0, 0, 1)], { t: { id: 'id', cluster: 'other' } }).fits).toBe(false);
    expect(applyRanges(at(0), [range(1, 0, 1)], ids).fits).toBe(false);
    expect(applyRanges({}, [range(0, 0, 1)], ids).fits).toBe(false);
  });

  test('records gaps and keeps an epoch that the range does not know', () => {
    const applied = applyRanges(
      at(0),
      [range(0, 0, 9, { epoch: -1, gaps: [{ from: 2, to: 4, reason: 'retention' }] })],
      ids,
    );
    expect(applied).toMatchObject({ fits: true, offsets: { t: { epoch: [-1], gaps: [[0, 2, 4, 'retention']] } } });
  });

  test('whatever is tried, the vector moves by exactly what was applied', () => {
    const tries = fc.array(fc.record({ partition: fc.nat(2), start: fc.nat(6), length: fc.nat(4) }), { maxLength: 40 });
    fc.assert(
      fc.property(tries, (list) => {
        let offsets = at(0, 0, 0);
        const taken: boolean[][] = [[], [], []];
        for (const { partition, start, length } of list) {
          const applied = applyRanges(offsets, [range(partition, start, start + length)], ids);
          if (!applied.fits) continue;
          offsets = applied.offsets;
          for (let o = start; o < start + length; o++) {
            expect(taken[partition]![o], `offset ${o} twice`).toBeUndefined();
            taken[partition]![o] = true;
          }
        }
        offsets['t']!.next.forEach((next, p) => expect([...taken[p]!].filter(Boolean).length).toBe(next));
      }),
    );
  });
});

describe('first offsets', () => {
  test('a new topic begins as asked, a partition that appears later at 0', () => {
    const more: OffsetsMap = {
      ...at(100, 100, 100),
      u: { id: 'u', cluster: 'c', first: [50], next: [50], epoch: [2], gaps: [] },
    };
    expect(addFirst(at(7), more)).toEqual({
      t: { id: 'id', cluster: 'c', first: [0, 0, 0], next: [7, 0, 0], epoch: [-1, -1, -1], gaps: [] },
      u: more['u'],
    });
  });

  test('nothing is added twice, and no offset that is known moves', () => {
    expect(addFirst(at(7, 8), at(1, 1))).toBeNull();
    expect(addFirst(null, at(3))).toEqual(at(3));
    expect(addFirst({}, {})).toBeNull();
  });
});

test('a changed topic is named with both sides', () => {
  expect(changedTopic(at(0), ids)).toBeNull();
  expect(changedTopic(at(0), { t: { id: 'new', cluster: 'c' } })).toEqual({
    topic: 't',
    table: ids.t,
    kafka: { id: 'new', cluster: 'c' },
  });
  expect(changedTopic(at(0), { other: { id: 'x', cluster: 'y' } })).toBeNull();
});
