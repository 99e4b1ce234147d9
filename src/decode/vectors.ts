import type { ColumnBatch, Vector } from '../columns/batch.ts';
import { isServiceColumn } from '../schema/names.ts';
import { DecodeStop } from './stop.ts';

/**
 * Appending one value to a vector whose length is kept: what the interpreted decoders do for every value, and the
 * compiled ones inside lists. All of them grow the vector as needed.
 */
export function setValid(vector: Vector, i: number): void {
  const { validity } = vector;
  if (validity !== null) validity[i >> 3]! |= 1 << (i & 7);
}

/** The slot of the next value, marked as present; arrays must be read after it, which may replace them. The caller writes the value and counts the slot: `vector.length++`. */
export function slot(vector: Vector): number {
  const i = vector.length;
  if (i === vector.capacity) vector.reserve(1);
  setValid(vector, i);
  return i;
}

export function putI32(vector: Vector, value: number): void {
  const i = slot(vector);
  vector.i32[i] = value;
  vector.length++;
}

export function putI64(vector: Vector, low: number, high: number): void {
  const i = slot(vector);
  vector.i32[2 * i] = low;
  vector.i32[2 * i + 1] = high;
  vector.length++;
}

export function putBool(vector: Vector, value: boolean): void {
  const i = slot(vector);
  if (value) vector.bits[i >> 3]! |= 1 << (i & 7);
  vector.length++;
}

/** Copies `length` bytes of `from`; for kinds `bytes` and `fixed`. */
export function putBytes(vector: Vector, from: Uint8Array, start: number, length: number): void {
  const i = slot(vector);
  if (vector.kind === 'fixed') copyBytes(from, start, length, vector.bytes, i * vector.width);
  else {
    const at = vector.offsets[i]!;
    if (at + length > vector.byteCapacity) vector.reserveBytes(length);
    copyBytes(from, start, length, vector.bytes, at);
    vector.offsets[i + 1] = at + length;
  }
  vector.length++;
}

export function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length < 32) for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
  else to.set(from.subarray(start, start + length), at);
}

/** Ends a list or map: its children hold everything up to here. */
export function putList(vector: Vector): void {
  const i = slot(vector);
  vector.offsets[i + 1] = vector.children[0]!.length;
  vector.length++;
}

/**
 * What a record without a value is in a top-level column.
 *
 * @throws DecodeStop SCHEMA_INCOMPATIBLE where the column is required.
 */
export function appendNullRow(column: Vector): void {
  if (column.field.required)
    throw new DecodeStop(
      'SCHEMA_INCOMPATIBLE',
      `${column.field.name}: the record has no value, and the column is required`,
    );
  column.appendNull();
}

/** Appends `count` nulls. */
export function appendNulls(vector: Vector, count: number): void {
  vector.reserve(count);
  for (let i = 0; i < count; i++) vector.appendNull();
}

/** The columns that a value decoder owns: all but those of the service. */
export function valueColumns(batch: ColumnBatch): Vector[] {
  return batch.columns.filter((column) => !isServiceColumn(column.field.name));
}
