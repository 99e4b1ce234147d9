import { expect, test } from 'vitest';
import type { Sums } from '../real/generator.ts';
import type { PartitionReading, TableReading } from '../real/readers.ts';
import { isExact, judge, outcomeTable } from './outcome.ts';

// The judge of the fault scenarios finds what is planted.

const topic = 'orders';
const loaded = { topic, partitions: 2, n: 11 };
const sums: Sums = {
  rows: 11,
  min_id: 0,
  max_id: 10,
  sum_id: 55,
  sum_quantity: 20,
  sum_amount: 99.5,
  active: 4,
  min_event_millis: 0,
  max_event_millis: 0,
  value_bytes: 0,
};

function reading(rows: number, kafka: Omit<PartitionReading, 'topic'>[]): TableReading {
  const columns = {
    id: { min: 0, max: 10, sum: 55 },
    quantity: { min: 0, max: 9, sum: 20 },
    active: { min: false, max: true, sum: 4 },
    amount: { min: 0, max: 9, sum: 99.5 },
  };
  return { engine: 'hand', rows, columns, kafka: kafka.map((p) => ({ topic, ...p })), seconds: 0 };
}

const whole = [
  { partition: 0, count: 6, distinct: 6, min: 0, max: 5 },
  { partition: 1, count: 5, distinct: 5, min: 0, max: 4 },
];

test('a table that has every record once is exact', () => {
  const found = judge(reading(11, whole), loaded, sums, []);
  expect(found).toEqual({ records: 11, duplicates: 0, holes: 0, missing: [], sumsRight: true });
  expect(isExact(found)).toBe(true);
});

test.for([
  ['a duplicate', 12, [{ ...whole[0]!, count: 7 }, whole[1]!], { duplicates: 1, holes: 0 }],
  ['a hole', 10, [{ ...whole[0]!, count: 5, distinct: 5 }, whole[1]!], { duplicates: 0, holes: 1 }],
  [
    'a hole that a duplicate hides in the count',
    11,
    [{ ...whole[0]!, distinct: 5 }, whole[1]!],
    { duplicates: 1, holes: 1 },
  ],
  ['a partition without rows', 6, [whole[0]!], { duplicates: 0, holes: 5 }],
  ['an offset that was never loaded', 11, [{ ...whole[0]!, max: 6 }, whole[1]!], { duplicates: 0, holes: 6 }],
] as const)('%s is found', ([, rows, kafka, counts]) => {
  const found = judge(reading(rows, [...kafka]), loaded, sums, []);
  expect(found).toMatchObject(counts);
  expect(isExact(found)).toBe(false);
});

test('a lost file and wrong values are found', () => {
  expect(isExact(judge(reading(11, whole), loaded, sums, ['s3://lake/x']))).toBe(false);
  expect(isExact(judge(reading(11, whole), loaded, { ...sums, sum_quantity: 21 }, []))).toBe(false);
});

test('the table shows median and most', () => {
  const found = judge(reading(11, whole), loaded, sums, ['x']);
  const lines = outcomeTable([{ ...found, fault: 'kill', times: 3, recovery: [1, 9, 2.04] }]).split('\n');
  expect(lines[2]).toBe('| kill | 3 | 11 | 0 | 0, 1 files missing | 2.0 (9.0) |');
});
