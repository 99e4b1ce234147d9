import * as fc from 'fast-check';
import { expect } from 'vitest';
import type { ColumnBatch, Vector } from '../../src/columns/batch.ts';
import type { Decoder } from '../../src/decode/decoder.ts';
import { TabletopicError } from '../../src/errors.ts';
import type { Schema } from '../../src/schema/types.ts';
import { decodeAll } from './decode-all.ts';

/** TABLETOPIC_FUZZ_SECONDS: how long each fuzz target looks. */
export const seconds = Number(process.env['TABLETOPIC_FUZZ_SECONDS'] ?? 3);
export const runs = { numRuns: 1_000_000, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false };
/** For a test of one target. */
export const timeout: number = (seconds + 60) * 1000;

/** A single input that takes as long hangs, however slow the machine. */
const HANGS_MS = 20_000;
/** Values in all vectors of a batch, for inputs of some kilobytes. */
const MOST_VALUES = 8 << 20;

/** One of the seeds with up to six changes; `typical`: bytes that mean something in the format. */
export function mutated(seeds: readonly Uint8Array[], typical: readonly number[]): fc.Arbitrary<Uint8Array> {
  const mutation = fc.tuple(
    fc.constantFrom('set', 'insert', 'delete', 'copy', 'cut'),
    fc.nat(),
    fc.nat(),
    fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...typical)),
  );
  return fc.tuple(fc.constantFrom(...seeds), fc.array(mutation, { maxLength: 6 })).map(([seed, changes]) => {
    const bytes = [...seed];
    for (const [kind, a, b, byte] of changes) {
      const at = a % (bytes.length + 1);
      const count = b % 16;
      if (kind === 'set') bytes[at] = byte;
      else if (kind === 'insert') bytes.splice(at, 0, byte);
      else if (kind === 'delete') bytes.splice(at, count);
      else if (kind === 'copy')
        bytes.splice(at, 0, ...bytes.slice(b % (bytes.length + 1), (b % (bytes.length + 1)) + count));
      else bytes.length = at;
    }
    return Uint8Array.from(bytes);
  });
}

/** Every record is a row or a failure, the same by both decoders, in bounded time and memory. */
export function rowsOrFailures(
  decoders: readonly [Decoder, Decoder],
  layout: Schema,
  values: readonly Uint8Array[],
): void {
  const [first, second] = decoders.map((decoder) =>
    inTime(() => decodeAll(decoder, layout, values, (batch) => expect(valuesIn(batch)).toBeLessThan(MOST_VALUES))),
  );
  expect(first).toEqual(second);
  expect(first!.rows.length + Object.keys(first!.failed).length).toBe(values.length);
}

/** A schema gives columns or is refused as unsupported. */
export function columnsOrRefusal(convert: () => { readonly struct: { readonly fields: readonly unknown[] } }): void {
  try {
    const { struct } = inTime(convert);
    expect(struct.fields.length).toBeLessThanOrEqual(10_000);
  } catch (error) {
    if (!(error instanceof TabletopicError) || error.code !== 'SCHEMA_UNSUPPORTED') throw error;
  }
}

export function inTime<T>(run: () => T): T {
  const began = performance.now();
  const result = run();
  expect(performance.now() - began).toBeLessThan(HANGS_MS);
  return result;
}

function valuesIn({ columns }: ColumnBatch): number {
  const count = (vectors: readonly Vector[]): number =>
    vectors.reduce((sum, { capacity, children }) => sum + capacity + count(children), 0);
  return count(columns);
}
