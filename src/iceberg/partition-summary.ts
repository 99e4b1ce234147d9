import type { PartitionValue } from '../columns/partition-value.ts';
import type { PartitionColumn } from './manifest-schema.ts';
import type { PartitionSummary } from './manifest-types.ts';
import { compareValues, toBytes } from './single-value.ts';

type Value = Exclude<PartitionValue, null>;

/** Ranges of partition values over the files of a manifest, by which engines skip whole manifests. */
export class PartitionSummaries {
  readonly #columns: readonly {
    readonly column: PartitionColumn;
    nulls: boolean;
    nans: boolean;
    lower: Value | null;
    upper: Value | null;
    ambiguous: boolean;
  }[];

  constructor(columns: readonly PartitionColumn[]) {
    this.#columns = columns.map((column) => ({
      column,
      nulls: false,
      nans: false,
      lower: null,
      upper: null,
      ambiguous: false,
    }));
  }

  add(partition: ReadonlyMap<number, PartitionValue>): void {
    for (const state of this.#columns) {
      const value = partition.get(state.column.id) ?? null;
      if (value === null) {
        state.nulls = true;
      } else if (typeof value === 'number' && Number.isNaN(value)) {
        state.nans = true;
      } else if (state.lower === null || state.upper === null) {
        state.lower = state.upper = value;
      } else {
        const { type } = state.column;
        // Java compares uuids as two signed numbers, the spec unsigned: where they disagree, no bounds are better than wrong ones.
        const order = compareValues(value, state.lower, type);
        if (type === 'uuid' && order !== 0) state.ambiguous = true;
        if (order < 0) state.lower = value;
        if (compareValues(value, state.upper, type) > 0) state.upper = value;
      }
    }
  }

  /** Null where bounds cannot be given: a summary without bounds would say that all values are null. */
  result(): PartitionSummary[] | null {
    if (this.#columns.some((state) => state.ambiguous)) return null;
    return this.#columns.map(({ column, nulls, nans, lower, upper }) => ({
      containsNull: nulls,
      containsNan: nans,
      lowerBound: lower === null ? null : toBytes(lower, column.type),
      upperBound: upper === null ? null : toBytes(upper, column.type),
    }));
  }
}
