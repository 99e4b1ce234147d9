import type { Vector } from '../columns/batch.ts';
import type { AvroCursor } from './avro-cursor.ts';
import { slot } from './vectors.ts';

/** Logical types: what a leaf does beyond copying. Used by the interpreted and the compiled decoder. */

const MICROS_PER_DAY = 86_400_000_000;

/** Milliseconds to microseconds on `low` and `high`; false where the result has more than 64 bits. */
export function millisToMicros(cursor: AvroCursor): boolean {
  const low = (cursor.low >>> 0) * 1000;
  const high = cursor.high * 1000 + Math.floor(low / 0x1_0000_0000);
  cursor.low = low | 0;
  cursor.high = high | 0;
  return high === cursor.high;
}

/** Nanoseconds to microseconds, rounded down; counts what is cut. */
export function nanosToMicros(cursor: AvroCursor): void {
  const high = Math.floor(cursor.high / 1000);
  const rest = (cursor.high - high * 1000) * 0x1_0000_0000 + (cursor.low >>> 0);
  const low = Math.floor(rest / 1000);
  cursor.high = high;
  cursor.low = low | 0;
  if (rest !== low * 1000) cursor.cut++;
}

/** Time of day in microseconds, from `low` and `high` in units of `scale` microseconds; -1 outside of a day. */
export function timeMicros(cursor: AvroCursor, scale: number): number {
  const micros = (cursor.high * 0x1_0000_0000 + (cursor.low >>> 0)) * scale;
  return micros >= 0 && micros < MICROS_PER_DAY ? micros : -1;
}

export function timeText(micros: number, digits: 3 | 6): string {
  const seconds = Math.floor(micros / 1e6);
  const two = (n: number): string => String(n).padStart(2, '0');
  const fraction = String(micros % 1e6)
    .padStart(6, '0')
    .slice(0, digits);
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${fraction}`;
}

/** Parses `8-4-4-4-12` hexadecimal digits into 16 bytes at `at`; false where the text is not a UUID. */
export function parseUuid(bytes: Uint8Array, start: number, length: number, to: Uint8Array, at: number): boolean {
  if (length !== 36) return false;
  let out = at;
  for (let i = start; i < start + 36;) {
    const place = i - start;
    if (place === 8 || place === 13 || place === 18 || place === 23) {
      if (bytes[i++] !== 0x2d) return false;
      continue;
    }
    const high = hexDigit(bytes[i]!);
    const low = hexDigit(bytes[i + 1]!);
    if (high < 0 || low < 0) return false;
    to[out++] = (high << 4) | low;
    i += 2;
  }
  return true;
}

export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * Decimals in two's complement. Holds the largest value of a precision, so that a wider one is refused.
 */
export class DecimalReader {
  /** The number last read: four 32-bit words, lowest first, sign extended. */
  readonly words: Int32Array = new Int32Array(4);
  readonly #limit: Uint32Array = new Uint32Array(4);

  constructor(precision: number) {
    let most = 10n ** BigInt(precision) - 1n;
    for (let i = 0; i < 4; i++, most >>= 32n) this.#limit[i] = Number(most & 0xffff_ffffn);
  }

  /** Reads big-endian bytes into `words`; false where the value has more digits than the precision. No bytes are 0. */
  read(bytes: Uint8Array, start: number, length: number): boolean {
    const { words } = this;
    const negative = length > 0 && bytes[start]! >= 0x80;
    const fill = negative ? 0xff : 0;
    // Sign bytes in front carry nothing, however many there are.
    while (length > 16) {
      if (bytes[start] !== fill) return false;
      start++;
      length--;
    }
    words.fill(negative ? -1 : 0);
    for (let i = 0; i < length; i++) {
      const word = i >> 2;
      const shift = (i & 3) * 8;
      words[word] = (words[word]! & ~(0xff << shift)) | (bytes[start + length - 1 - i]! << shift);
    }
    if (words[3]! < 0 !== negative) return false;
    return this.#fits(negative);
  }

  #fits(negative: boolean): boolean {
    const { words } = this;
    const limit = this.#limit;
    let carry = 1;
    let order = 0;
    for (let i = 0; i < 4; i++) {
      let word = words[i]! >>> 0;
      if (negative) {
        word = (~word >>> 0) + carry;
        carry = word > 0xffff_ffff ? 1 : 0;
        word >>>= 0;
      }
      if (word !== limit[i]) order = word < limit[i]! ? -1 : 1;
    }
    return order <= 0;
  }

  /** Writes `words` as value `i` of a decimal vector of any precision that is not smaller. */
  write(vector: Vector, i: number): void {
    const { words } = this;
    if (vector.kind === 'i32') vector.i32[i] = words[0]!;
    else if (vector.kind === 'i64') {
      vector.i32[2 * i] = words[0]!;
      vector.i32[2 * i + 1] = words[1]!;
    } else {
      const last = (i + 1) * vector.width - 1;
      for (let k = 0; k < vector.width; k++)
        vector.bytes[last - k] = k < 16 ? words[k >> 2]! >> ((k & 3) * 8) : words[3]! >> 31;
    }
  }

  append(vector: Vector): void {
    this.write(vector, slot(vector));
    vector.length++;
  }
}
