import { describe, expect, test } from 'vitest';
import { expectEveryRecordOnce, expectedPartitions } from './expected.ts';
import type { Sums } from './generator.ts';
import type { TableReading } from './readers.ts';

const topic = 'orders';
const loaded = { topic, partitions: 2, n: 5 };

const sums: Sums = {
  rows: 5,
  min_id: 0,
  max_id: 4,
  sum_id: 10,
  sum_quantity: 15,
  sum_amount: 2.5,
  active: 3,
  min_event_millis: 0,
  max_event_millis: 0,
  value_bytes: 0,
};

function reading(): TableReading {
  return {
    engine: 'test',
    rows: 5,
    columns: {
      id: { min: 0, max: 4, sum: 10 },
      amount: { min: 0.1, max: 1, sum: 2.5000000000001 },
      quantity: { min: 1, max: 5, sum: 15 },
      active: { min: false, max: true, sum: 3 },
    },
    kafka: [
      { topic, partition: 0, count: 3, distinct: 3, min: 0, max: 2 },
      { topic, partition: 1, count: 2, distinct: 2, min: 0, max: 1 },
    ],
    seconds: 0,
  };
}

describe('the check of a table against what was loaded', () => {
  test('passes a table with every record once', () => {
    expect(() => expectEveryRecordOnce(reading(), sums, loaded)).not.toThrow();
  });

  const faults: [string, (r: TableReading) => void][] = [
    ['a row too many', (r) => (r.rows = 6)],
    ['a wrong sum', (r) => (r.columns['id']!.sum = 11)],
    ['a wrong sum of doubles', (r) => (r.columns['amount']!.sum = 2.51)],
    ['a column that is not there', (r) => delete r.columns['quantity']],
    ['an offset twice', (r) => (r.kafka![0]!.distinct = 2)],
    ['an offset missing at the end', (r) => (r.kafka![1]!.max = 0)],
    ['a partition missing', (r) => r.kafka!.pop()],
    ['no positions', (r) => (r.kafka = null)],
  ];

  test.each(faults)('sees %s', (_, spoil) => {
    const spoilt = reading();
    spoil(spoilt);
    expect(() => expectEveryRecordOnce(spoilt, sums, loaded)).toThrow();
  });

  test('leaves out partitions without records', () => {
    expect(expectedPartitions({ topic, partitions: 4, n: 2 }).map((p) => [p.partition, p.count])).toEqual([
      [0, 1],
      [1, 1],
    ]);
  });
});
