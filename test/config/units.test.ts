import { expect, test } from 'vitest';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.ts';

test.each([
  ['500ms', 500],
  ['60s', 60_000],
  ['10m', 600_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
  ['1.5 s', 1500],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ['64KiB', 65_536],
  ['128MiB', 134_217_728],
  ['1GiB', 1_073_741_824],
  ['10MB', 10_000_000],
  ['512B', 512],
])('%s is %i bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', '60', '60 sec', '-1s', '1M', 's', '1e3s', '1constructor'])('%j is refused', (text) => {
  expect(parseDuration(text)).toBeNull();
  expect(parseSize(text)).toBeNull();
});

test('written back in the largest unit that is exact', () => {
  expect([90_000, 3_600_000, 1500, 0].map(formatDuration)).toEqual(['90s', '1h', '1500ms', '0ms']);
  expect([65_536, 1_073_741_824, 1000].map(formatSize)).toEqual(['64KiB', '1GiB', '1000B']);
});
