import { expectedPartitions } from '../real/expected.ts';
import type { Loaded } from '../real/expected.ts';
import type { Sums } from '../real/generator.ts';
import type { TableReading } from '../real/readers.ts';

/** What a reader that is not ours found in a table, against what was loaded. */
export interface Found {
  readonly records: number;
  /** Rows beyond the first of a (partition, offset). */
  readonly duplicates: number;
  /** (partition, offset)s that were loaded and have no row. */
  readonly holes: number;
  /** Files that snapshots name and the store has not. */
  readonly missing: readonly string[];
  /** Whether ids and values add up to the generator's own sums. */
  readonly sumsRight: boolean;
}

/** A fault's line in the table. */
export interface Outcome extends Found {
  readonly fault: string;
  /** How often the fault happened. */
  readonly times: number;
  /** From each fault to the next commit that makes progress, as the scenario says; empty where nothing is interrupted. */
  readonly recovery: readonly number[];
}

/** Counts by offsets. The smallest and largest offset bound what is there: distinct offsets outside of what was loaded are no holes filled. */
export function judge(reading: TableReading, loaded: Loaded, sums: Sums, missing: readonly string[]): Found {
  const partitions = reading.kafka ?? [];
  const expected = expectedPartitions(loaded);
  let [duplicates, holes] = [0, 0];
  for (const { count, distinct } of partitions) duplicates += count - distinct;
  for (const { partition, count, max } of expected) {
    const found = partitions.find((p) => p.topic === loaded.topic && p.partition === partition);
    const inside = found !== undefined && found.min >= 0 && found.max <= max;
    holes += found === undefined ? count : inside ? count - found.distinct : count;
  }
  const { id, quantity, active, amount } = reading.columns;
  const sumsRight =
    reading.rows === sums.rows &&
    Number(id?.sum) === sums.sum_id &&
    Number(quantity?.sum) === sums.sum_quantity &&
    Number(active?.sum) === sums.active &&
    Math.abs(Number(amount?.sum) / sums.sum_amount - 1) < 1e-9;
  return { records: loaded.n, duplicates, holes, missing, sumsRight };
}

export function isExact({ duplicates, holes, missing, sumsRight }: Found): boolean {
  return duplicates === 0 && holes === 0 && missing.length === 0 && sumsRight;
}

/** The table in Markdown. */
export function outcomeTable(outcomes: readonly Outcome[]): string {
  return [
    '| fault | times | records | duplicates | holes | seconds to recover: median (most) |',
    '| --- | --- | --- | --- | --- | --- |',
    ...outcomes.map(outcomeLine),
  ].join('\n');
}

export function outcomeLine(outcome: Outcome): string {
  const { fault, times, records, duplicates, holes, recovery, missing, sumsRight } = outcome;
  const wrong = [
    ...(missing.length === 0 ? [] : [`${missing.length} files missing`]),
    ...(sumsRight ? [] : ['sums wrong']),
  ];
  const cells = [fault, times, records, duplicates, [holes, ...wrong].join(', '), seconds(recovery)];
  return `| ${cells.join(' | ')} |`;
}

function seconds(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted.length === 0 ? '–' : `${sorted[sorted.length >> 1]!.toFixed(1)} (${sorted.at(-1)!.toFixed(1)})`;
}
