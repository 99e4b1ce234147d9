import type { PositionBatch } from '../../src/parquet/positions.ts';

export interface RowPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A batch row by row; null for a row without a position. */
export function rowsOf({ rows, topics, topic, partition, offset }: PositionBatch): (RowPosition | null)[] {
  return Array.from({ length: rows }, (_, i) =>
    topic[i]! < 0 || Number.isNaN(partition[i]) || Number.isNaN(offset[i])
      ? null
      : { topic: topics[topic[i]!]!, partition: partition[i]!, offset: offset[i]! },
  );
}

export function batchOf(rows: readonly (RowPosition | null)[]): PositionBatch {
  const topics = [...new Set(rows.flatMap((row) => (row === null ? [] : [row.topic])))];
  return {
    rows: rows.length,
    topics,
    topic: Int32Array.from(rows, (row) => (row === null ? -1 : topics.indexOf(row.topic))),
    partition: Float64Array.from(rows, (row) => row?.partition ?? Number.NaN),
    offset: Float64Array.from(rows, (row) => row?.offset ?? Number.NaN),
  };
}
