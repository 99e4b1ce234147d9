import { expect, test } from 'vitest';
import { DeadLetterRate } from '../../src/pipeline/dead-letter-rate.ts';

/** Dead letters that are taken in a row. */
function burst(rate: DeadLetterRate, topic = 't'): number {
  let taken = 0;
  while (taken < 10_000 && rate.takes(topic)) taken++;
  return taken;
}

test('a burst is taken up to the allowance: the share of 1,000 records', () => {
  // Each dead letter is a record too, and gives its share back: 50 / 0.95.
  expect(burst(new DeadLetterRate(0.05))).toBe(52);
  expect(burst(new DeadLetterRate(0.5))).toBe(1000);
});

test('one is always taken', () => {
  expect(burst(new DeadLetterRate(0.0001))).toBe(1);
});

test('below the share a topic goes on for ever, above it does not, however they come', () => {
  const steady = (bad: number, good: number): number => {
    const rate = new DeadLetterRate(0.05);
    for (let round = 0; round < 5000; round++) {
      rate.rows('t', good);
      for (let i = 0; i < bad; i++) if (!rate.takes('t')) return round;
    }
    return Number.POSITIVE_INFINITY;
  };
  expect(steady(1, 20)).toBe(Number.POSITIVE_INFINITY);
  expect(steady(40, 800)).toBe(Number.POSITIVE_INFINITY);
  expect(steady(1, 15)).toBeLessThan(1000);
});

test('good records before a burst do not add to the allowance, and topics do not share it', () => {
  const rate = new DeadLetterRate(0.05);
  rate.rows('t', 1_000_000);
  expect(burst(rate)).toBe(52);
  expect(burst(rate, 'other')).toBe(52);
  rate.rows('t', 100);
  expect(burst(rate)).toBe(5);
  rate.reset();
  expect(burst(rate)).toBe(52);
});
