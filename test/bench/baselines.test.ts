import { describe, expect, it } from 'vitest';
import { moved } from './baselines.ts';

const was = { rate: { median: 100, min: 90, max: 110 } };

describe('what moved against a baseline', () => {
  it.each([
    ['inside what the baseline had', 108],
    ['outside it by less than noise', 104],
  ])('nothing: %s', (_, median) => {
    const narrow = { rate: { median: 100, min: 99, max: 101 } };
    expect(moved(median === 104 ? narrow : was, { rate: { median, min: 1, max: 1000 } })).toEqual([]);
  });

  it('a median outside of it, in percent of what it was', () => {
    const is = { rate: { median: 120, min: 115, max: 125 } };
    expect(moved(was, is)).toEqual([{ figure: 'rate', was: was.rate, is: is.rate, percent: 19.999999999999996 }]);
  });

  it('nothing of a figure that the baseline does not have', () => {
    expect(moved({}, was)).toEqual([]);
  });
});
