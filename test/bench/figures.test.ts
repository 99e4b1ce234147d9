import { describe, expect, it } from 'vitest';
import { cpuAt, perSecond, short, shortSpread, spreadOf, steadyOf, trendOf } from './figures.ts';

const sample = (at: number, cpuSeconds: number): { at: number; cpuSeconds: number; residentMiB: number } => ({
  at,
  cpuSeconds,
  residentMiB: 100,
});

describe('the spread of runs', () => {
  it('is median, least and most, in whatever order they came', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spreadOf([5])).toEqual({ median: 5, min: 5, max: 5 });
  });

  it('is refused where nothing ran', () => expect(() => spreadOf([])).toThrow('no runs'));

  it('is printed short', () => {
    expect([short(12_345), short(9_999), short(1.25)]).toEqual(['12k', '9999', '1.3']);
    expect(shortSpread({ median: 20_000, min: 10_000, max: 30_400 })).toBe('20k (10k–30k)');
  });
});

describe('processor time at a moment', () => {
  const samples = [sample(1, 2), sample(3, 6)];

  it('lies between the samples around it', () => expect(cpuAt(samples, 2)).toBe(4));
  it('grows from nothing before the first', () => expect(cpuAt(samples, 0.5)).toBe(1));
  it('is the last one afterwards', () => expect(cpuAt(samples, 9)).toBe(6));
  it('is nothing without samples', () => expect(cpuAt([], 1)).toBe(0));
});

describe('the steady state', () => {
  const samples = [sample(10, 15), sample(20, 35), sample(40, 75)];

  it('begins with the first commit that has rows and ends with the last but one', () => {
    const commits = [
      { at: 1, rows: 0 },
      { at: 10, rows: 100 },
      { at: 20, rows: 1100 },
      { at: 40, rows: 1200 },
    ];
    expect(steadyOf(commits, samples)).toEqual({ seconds: 10, rows: 1000, rowsPerSecond: 100, rowsPerCpuSecond: 50 });
  });

  it('passes over commits without new rows', () => {
    const commits = [
      { at: 10, rows: 100 },
      { at: 20, rows: 300 },
      { at: 25, rows: 300 },
      { at: 40, rows: 400 },
    ];
    expect(steadyOf(commits, samples)).toMatchObject({ seconds: 10, rows: 200 });
  });

  it('is not known with two commits', () => {
    expect(
      steadyOf(
        [
          { at: 10, rows: 100 },
          { at: 20, rows: 300 },
        ],
        samples,
      ),
    ).toBeNull();
  });
});

it('there is one sample for each second, with the rows readable by then', () => {
  const samples = [0, 0.4, 0.9, 1.1, 1.6, 2.2].map((at) => sample(at, at));
  const rows = perSecond(samples, [{ at: 1, rows: 7 }]).map(({ at, rows }) => [at, rows]);
  expect(rows).toEqual([
    [0, 0],
    [1.1, 7],
    [2.2, 7],
  ]);
});

it('the trend of memory is that of the samples from a time on', () => {
  const samples = [500, 100, 102, 104, 106].map((residentMiB, at) => ({ at, cpuSeconds: 0, residentMiB }));
  expect(trendOf(samples, 1)).toBeCloseTo(2);
  expect(trendOf(samples, 0)).toBeLessThan(0);
});
