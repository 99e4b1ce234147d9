import { ColumnBatch } from '../../src/columns/batch.ts';
import type { Vector } from '../../src/columns/batch.ts';
import { decimalOf } from '../../src/schema/types.ts';
import type { Schema } from '../../src/schema/types.ts';

/**
 * Rows as plain values, the slow way, for tests: null; boolean; number (int, date, float, double); bigint (long, time,
 * timestamps, unscaled decimals); string; bytes (binary, fixed, uuid); object (struct); array (list); array of
 * [key, value] (map).
 */
export type Plain =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Plain[]
  | { readonly [name: string]: Plain };

export function batchOf(schema: Schema, rows: readonly Record<string, Plain>[]): ColumnBatch {
  const batch = new ColumnBatch(schema);
  for (const row of rows) for (const column of batch.columns) appendPlain(column, row[column.field.name] ?? null);
  batch.rows = rows.length;
  return batch;
}

export function appendPlain(vector: Vector, value: Plain): void {
  if (value === null) {
    vector.appendNull();
    return;
  }
  vector.reserve(1);
  const i = vector.length++;
  if (vector.validity) vector.validity[i >> 3]! |= 1 << (i & 7);
  switch (vector.kind) {
    case 'bool':
      if (value) vector.bits[i >> 3]! |= 1 << (i & 7);
      break;
    case 'i32':
      vector.i32[i] = Number(value);
      break;
    case 'i64':
      new DataView(vector.i32.buffer).setBigInt64(i * 8, value as bigint, true);
      break;
    case 'f32':
      vector.f32[i] = value as number;
      break;
    case 'f64':
      vector.f64[i] = value as number;
      break;
    case 'fixed':
      vector.bytes.set(
        typeof value === 'bigint' ? bigEndian(value, vector.width) : (value as Uint8Array),
        i * vector.width,
      );
      break;
    case 'bytes': {
      const bytes = typeof value === 'string' ? Buffer.from(value) : (value as Uint8Array);
      // `reserveBytes` looks at `offsets[length]`, which is not written yet.
      vector.length--;
      vector.reserveBytes(bytes.length);
      vector.length++;
      vector.bytes.set(bytes, vector.offsets[i]);
      vector.offsets[i + 1] = vector.offsets[i]! + bytes.length;
      break;
    }
    case 'struct':
      for (const child of vector.children)
        appendPlain(child, (value as Record<string, Plain>)[child.field.name] ?? null);
      break;
    case 'list':
      for (const item of value as Plain[]) appendPlain(vector.children[0]!, item);
      vector.offsets[i + 1] = vector.children[0]!.length;
      break;
    case 'map':
      for (const [key, item] of value as unknown as [Plain, Plain][]) {
        appendPlain(vector.children[0]!, key);
        appendPlain(vector.children[1]!, item);
      }
      vector.offsets[i + 1] = vector.children[0]!.length;
      break;
  }
}

/** Value `i` of the vector in the form that `appendPlain` takes. */
export function plainAt(vector: Vector, i: number): Plain {
  if (vector.isNull(i)) return null;
  switch (vector.kind) {
    case 'bool':
      return ((vector.bits[i >> 3]! >> (i & 7)) & 1) === 1;
    case 'i32':
      return decimalOf(vector.field.type) ? BigInt(vector.i32[i]!) : vector.i32[i]!;
    case 'i64':
      return new DataView(vector.i32.buffer).getBigInt64(i * 8, true);
    case 'f32':
      return vector.f32[i]!;
    case 'f64':
      return vector.f64[i]!;
    case 'fixed': {
      const bytes = vector.bytes.slice(i * vector.width, (i + 1) * vector.width);
      return decimalOf(vector.field.type) ? signed(bytes) : bytes;
    }
    case 'bytes': {
      const bytes = vector.bytes.slice(vector.offsets[i], vector.offsets[i + 1]);
      return vector.field.type === 'string' ? Buffer.from(bytes).toString() : bytes;
    }
    case 'struct':
      return Object.fromEntries(vector.children.map((child) => [child.field.name, plainAt(child, i)]));
    case 'list':
      return range(vector, i).map((j) => plainAt(vector.children[0]!, j));
    case 'map':
      return range(vector, i).map((j) => [plainAt(vector.children[0]!, j), plainAt(vector.children[1]!, j)]);
  }
}

export function plainRows(batch: ColumnBatch): Record<string, Plain>[] {
  return Array.from({ length: batch.rows }, (_, i) =>
    Object.fromEntries(batch.columns.map((c) => [c.field.name, plainAt(c, i)])),
  );
}

export function bigEndian(value: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  for (let i = width - 1, rest = BigInt.asUintN(width * 8, value); i >= 0; i--, rest >>= 8n)
    bytes[i] = Number(rest & 0xffn);
  return bytes;
}

export function signed(bytes: Uint8Array): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

function range(vector: Vector, i: number): number[] {
  const start = vector.offsets[i]!;
  return Array.from({ length: vector.offsets[i + 1]! - start }, (_, k) => start + k);
}
