import { expect } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import type { Decoder } from '../../src/decode/decoder.ts';
import type { Schema } from '../../src/schema/types.ts';
import { breaches, positionsOf, rowsOf } from './rows.ts';

/** Decodes all records, going on after failures, as the pipeline does; `look` sees the batch in the end. */
export function decodeAll(
  decoder: Decoder,
  layout: Schema,
  values: readonly (Uint8Array | null)[],
  look: (batch: ColumnBatch) => void = () => undefined,
): { rows: unknown[]; failed: Record<number, string>; cut: number } {
  const positions = positionsOf(values);
  const batch = new ColumnBatch(layout);
  const failed: Record<number, string> = {};
  let rows = 0;
  for (let i = 0; i < values.length;) {
    const stop = decoder.decode(positions, i, values.length, batch);
    rows += stop - i;
    if (stop < values.length) failed[stop] = `${decoder.failure.code} ${decoder.failure.reason}`;
    expect(breaches(batch, rows)).toEqual([]);
    i = stop + 1;
  }
  look(batch);
  return { rows: rowsOf(batch, rows), failed, cut: decoder.digitsCut ?? 0 };
}
