import { expect } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import type { Decoder } from '../../src/decode/decoder.ts';
import { InterpretedJson } from '../../src/decode/json-interpreted.ts';
import type { JsonBinding } from '../../src/decode/json-place.ts';
import { JsonDecoder } from '../../src/decode/json.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import type { IcebergType, NestedField, Schema, StructType } from '../../src/schema/types.ts';
import { breaches, positionsOf, rowsOf } from './rows.ts';

export interface Decoded {
  readonly rows: Record<string, unknown>[];
  readonly failed: Record<number, { code: string; reason: string; unknownFields?: StructType }>;
  readonly cut: number;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export function layoutOf(struct: StructType): Schema {
  return { ...assignIds(struct, 1).struct, 'schema-id': 0 };
}

export function fields(types: Readonly<Record<string, IcebergType>>): NestedField[] {
  return Object.entries(types).map(([name, type]) => ({ id: 0, name, required: false, type }));
}

function decodeAll(decoder: Decoder, layout: Schema, values: readonly (Uint8Array | null)[], slack = 0): Decoded {
  const positions = positionsOf(values, slack);
  const batch = new ColumnBatch(layout);
  const failed: Decoded['failed'] = {};
  let rows = 0;
  for (let i = 0; i < values.length;) {
    const stop = decoder.decode(positions, i, values.length, batch);
    rows += stop - i;
    expect(breaches(batch, rows)).toEqual([]);
    if (stop < values.length) failed[stop] = { ...decoder.failure };
    i = stop + 1;
  }
  return { rows: rowsOf(batch, rows), failed, cut: decoder.digitsCut ?? 0 };
}

/** Behind the records, so that generated code takes the last ones too. */
const SLACK = 256;

/**
 * By the interpreted decoder, by bytes, and by code for the order of the first record: all must agree on everything. And
 * how many records left the byte decoder, and how many the code took.
 */
export function decodeBoth(
  binding: JsonBinding,
  layout: Schema,
  values: readonly (string | Uint8Array | null)[],
): Decoded & { interpreted: number; compiled: number } {
  const bytes = values.map((value) => (typeof value === 'string' ? utf8(value) : value));
  const decoder = new JsonDecoder(binding);
  const result = decodeAll(decoder, layout, bytes);
  expect(result).toEqual(decodeAll(new InterpretedJson(binding), layout, bytes));
  expect(result.rows.length + Object.keys(result.failed).length).toBe(values.length);
  const compiling = new JsonDecoder(binding, 1);
  expect(decodeAll(compiling, layout, bytes, SLACK)).toEqual(result);
  return { ...result, interpreted: decoder.interpreted, compiled: compiling.compiled };
}
