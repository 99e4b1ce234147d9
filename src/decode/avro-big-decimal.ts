import type { Vector } from '../columns/batch.ts';
import { AvroCursor } from './avro-cursor.ts';
import { putBytes } from './vectors.ts';

/** Digits of a number that is written out; beyond, an exponent of a few bytes would make megabytes of zeros. */
const MOST_DIGITS = 10_000;

const encoder = new TextEncoder();

/**
 * Avro `big-decimal`: bytes that hold the unscaled value (as Avro bytes) and the scale (as Avro int). Appends the plain
 * decimal number as text.
 */
export function appendBigDecimal(vector: Vector, outer: AvroCursor, start: number, length: number): void {
  const cursor = new AvroCursor();
  cursor.open(outer.bytes, outer.view, start, start + length);
  cursor.path = outer.path;
  const size = cursor.length();
  const at = cursor.take(size);
  const scale = cursor.int();
  if (cursor.p !== cursor.end) cursor.fail('bytes follow a big-decimal');
  const bytes = encoder.encode(decimalText(cursor, at, size, scale));
  putBytes(vector, bytes, 0, bytes.length);
}

/** Debezium's VariableScaleDecimal: the scale as an int, then the unscaled value as bytes. The plain decimal number. */
export function scaledDecimal(cursor: AvroCursor): string {
  const scale = cursor.int();
  const size = cursor.length();
  return decimalText(cursor, cursor.take(size), size, scale);
}

function decimalText(cursor: AvroCursor, at: number, size: number, scale: number): string {
  if (size > MOST_DIGITS / 2 || Math.abs(scale) > MOST_DIGITS)
    cursor.outOfRange(`the number has more than ${MOST_DIGITS} digits`);
  const hex = Buffer.from(cursor.bytes.subarray(at, at + size)).toString('hex');
  return plain(size === 0 ? 0n : BigInt.asIntN(8 * size, BigInt(`0x${hex}`)), scale);
}

function plain(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
