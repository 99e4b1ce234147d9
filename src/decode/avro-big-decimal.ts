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
  if (size > MOST_DIGITS / 2 || Math.abs(scale) > MOST_DIGITS)
    cursor.outOfRange(`the number has more than ${MOST_DIGITS} digits`);
  const hex = Buffer.from(outer.bytes.subarray(at, at + size)).toString('hex');
  const bytes = encoder.encode(plain(size === 0 ? 0n : BigInt.asIntN(8 * size, BigInt(`0x${hex}`)), scale));
  putBytes(vector, bytes, 0, bytes.length);
}

function plain(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
