import type { Vector } from '../columns/batch.ts';
import type { AvroCursor } from './avro-cursor.ts';
import { validUtf8 } from './avro-cursor.ts';
import { millisToMicros, nanosToMicros, parseUuid, timeMicros } from './avro-convert.ts';
import { readValue } from './avro-value.ts';

/** What generated decoders call. A result of -1 or false stands for "not by this code": the record is then interpreted. */

/** Zigzag varint at `p` into `cursor.low` and `cursor.high`; the index after it, or -1. */
function long(cursor: AvroCursor, bytes: Uint8Array, p: number, end: number): number {
  let byte = bytes[p++]!;
  let low = byte & 0x7f;
  let high = 0;
  let shift = 7;
  while (byte >= 0x80) {
    if (p >= end) return -1;
    byte = bytes[p++]!;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else {
      if (shift > 56) return longest(cursor, bytes, p - 1, end, low, high);
      high |= bits << (shift - 32);
    }
    shift += 7;
  }
  const sign = -(low & 1);
  cursor.low = ((low >>> 1) | (high << 31)) ^ sign;
  cursor.high = (high >>> 1) ^ sign;
  return p;
}

/** The tenth byte, of which one bit counts. */
function longest(cursor: AvroCursor, bytes: Uint8Array, p: number, end: number, low: number, high: number): number {
  if (p >= end || bytes[p]! > 1) return -1;
  high |= bytes[p]! << 31;
  const sign = -(low & 1);
  cursor.low = ((low >>> 1) | (high << 31)) ^ sign;
  cursor.high = (high >>> 1) ^ sign;
  return p + 1;
}

/**
 * Copies a string word by word and looks at its bytes on the way; false where it is not valid UTF-8. The target has 8
 * bytes of slack.
 */
function text(
  bytes: Uint8Array,
  view: DataView,
  p: number,
  length: number,
  to: Uint8Array,
  target: DataView,
  at: number,
): boolean {
  if (length > 96 || p + length + 8 > bytes.length) {
    to.set(bytes.subarray(p, p + length), at);
    return validUtf8(bytes, p, p + length);
  }
  let any = 0;
  let i = 0;
  for (; i + 8 <= length; i += 8) {
    any |= view.getInt32(p + i, true) | view.getInt32(p + i + 4, true);
    target.setBigInt64(at + i, view.getBigInt64(p + i, true), true);
  }
  const rest = length - i;
  if (rest > 0) {
    target.setBigInt64(at + i, view.getBigInt64(p + i, true), true);
    // Words that overlap, or of fewer bytes than a word the low ones.
    if (rest >= 4) any |= view.getInt32(p + i, true) | view.getInt32(p + length - 4, true);
    else any |= view.getInt32(p + i, true) & (-1 >>> (8 * (4 - rest)));
  }
  return (any & 0x80808080) === 0 || validUtf8(bytes, p, p + length);
}

/** Copies bytes word by word; the target has 8 bytes of slack. */
function copy(
  bytes: Uint8Array,
  view: DataView,
  p: number,
  length: number,
  to: Uint8Array,
  target: DataView,
  at: number,
): void {
  if (length > 96 || p + length + 8 > bytes.length) {
    to.set(bytes.subarray(p, p + length), at);
    return;
  }
  for (let i = 0; i < length; i += 8) target.setBigInt64(at + i, view.getBigInt64(p + i, true), true);
}

/** Room for `length` more bytes after row `row`, whose vector does not count its rows while generated code runs. */
function grow(vector: Vector, row: number, length: number): DataView {
  vector.length = row;
  vector.reserveBytes(length);
  return new DataView(vector.bytes.buffer, vector.bytes.byteOffset, vector.bytes.byteLength);
}

export const avroRuntime = { long, text, copy, grow, millisToMicros, nanosToMicros, parseUuid, timeMicros, readValue };
export type AvroRuntime = typeof avroRuntime;
