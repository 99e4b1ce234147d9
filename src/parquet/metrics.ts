import { lower, manifestBound, upper } from './bound-values.ts';
import type { Bound } from './bounds.ts';
import type { WrittenRowGroup } from './footer.ts';
import type { FileMetrics } from './parquet.ts';

/**
 * Metrics of the whole file for the manifest (DESIGN §6, "Metrics"). Column sizes for every leaf; counts and bounds only
 * for those outside lists and maps. A leaf counts one value a row, a null of a struct above it being its null too.
 */
export function fileMetrics(
  rowGroups: readonly WrittenRowGroup[],
  fullMetrics: readonly number[],
  recordCount: number,
  fileSize: number,
): FileMetrics {
  const columnSizes = new Map<number, number>();
  const valueCounts = new Map<number, number>();
  const nullCounts = new Map<number, number>();
  const nanCounts = new Map<number, number>();
  const lowerBounds = new Map<number, Uint8Array>();
  const upperBounds = new Map<number, Uint8Array>();
  const columns = rowGroups[0]?.chunks.length ?? 0;
  for (let column = 0; column < columns; column++) {
    const { leaf } = rowGroups[0]!.chunks[column]!;
    let size = 0;
    let entries = 0;
    let nulls = 0;
    let nans = 0;
    let min: Bound | null = null;
    let max: Bound | null = null;
    for (const group of rowGroups) {
      const chunk = group.chunks[column]!;
      size += chunk.size;
      entries += chunk.entries;
      nulls += chunk.nulls;
      nans += chunk.nans;
      min = lower(leaf, min, chunk.min);
      max = upper(leaf, max, chunk.max);
    }
    const id = leaf.fieldId;
    columnSizes.set(id, size);
    if (leaf.maxRepetition > 0) continue;
    valueCounts.set(id, entries);
    nullCounts.set(id, nulls);
    if (leaf.kind === 'f32' || leaf.kind === 'f64') nanCounts.set(id, nans);
    const full = fullMetrics.includes(id);
    const low = manifestBound(leaf, min, 'lower', full);
    const high = manifestBound(leaf, max, 'upper', full);
    if (low) lowerBounds.set(id, low);
    if (high) upperBounds.set(id, high);
  }
  return {
    recordCount,
    fileSize,
    columnSizes,
    valueCounts,
    nullCounts,
    nanCounts,
    lowerBounds,
    upperBounds,
    splitOffsets: rowGroups.map((group) => group.chunks[0]!.offset),
  };
}
