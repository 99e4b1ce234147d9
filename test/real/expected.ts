import { expect } from 'vitest';
import type { Sums } from './generator.ts';
import type { PartitionReading, TableReading } from './readers.ts';

export interface Loaded {
  topic: string;
  partitions: number;
  /** Records of the topic, all from the generator, loaded from id 0 in one go or in consecutive parts. */
  n: number;
}

/** How the generator spreads n records: record i is in partition i % partitions, each partition in order from offset 0. */
export function expectedPartitions({ topic, partitions, n }: Loaded): PartitionReading[] {
  return Array.from({ length: partitions }, (_, partition) => {
    const count = Math.max(0, Math.ceil((n - partition) / partitions));
    return { topic, partition, count, distinct: count, min: 0, max: count - 1 };
  }).filter((p) => p.count > 0);
}

/**
 * Fails unless an engine found every generated record exactly once: row count and sums as the generator computes them, and for
 * each partition as many distinct offsets as rows, from 0 to the last. Sums of doubles may differ by rounding.
 */
export function expectEveryRecordOnce(reading: TableReading, sums: Sums, loaded: Loaded): void {
  const { id, amount, quantity, active } = reading.columns;
  expect({ rows: reading.rows, id, quantity: quantity?.sum, active: active?.sum }, reading.engine).toEqual({
    rows: sums.rows,
    id: { min: sums.min_id, max: sums.max_id, sum: sums.sum_id },
    quantity: sums.sum_quantity,
    active: sums.active,
  });
  expect(Math.abs(Number(amount?.sum) / sums.sum_amount - 1), `${reading.engine}: sum of amount`).toBeLessThan(1e-9);
  expect(reading.kafka, reading.engine).toEqual(expectedPartitions(loaded));
}
