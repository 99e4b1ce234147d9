import { deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * Lists of integers in statements: a JSON array up to 64 numbers; above that base64 of raw deflate (RFC 1951) of zigzag
 * varints (LEB128) of the differences, the first from 0. Exact for all safe integers.
 */
export type PackedNumbers = readonly number[] | string;

/** Longest list that is written as a plain array. */
export const PLAIN_NUMBERS = 64;

/** Most bytes that a packed list may unpack to: a summary is never trusted to be small. */
const MAX_UNPACKED = 64 * 1024 * 1024;

export function packNumbers(numbers: readonly number[]): PackedNumbers {
  if (numbers.length <= PLAIN_NUMBERS) return numbers;
  const bytes: number[] = [];
  let before = 0n;
  for (const number of numbers) {
    const value = BigInt(number);
    const delta = value - before;
    before = value;
    let rest = delta >= 0n ? delta * 2n : -delta * 2n - 1n;
    while (rest >= 0x80n) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
  }
  return deflateRawSync(Uint8Array.from(bytes)).toString('base64');
}

/** Throws `SyntaxError` where the text is no list of safe integers. */
export function unpackNumbers(packed: unknown): readonly number[] {
  if (Array.isArray(packed)) {
    if (!packed.every((number) => Number.isSafeInteger(number)))
      throw new SyntaxError('a list holds something else than integers');
    return packed as number[];
  }
  if (typeof packed !== 'string') throw new SyntaxError('neither a list nor a packed list of numbers');
  let bytes: Uint8Array;
  try {
    bytes = inflateRawSync(Buffer.from(packed, 'base64'), { maxOutputLength: MAX_UNPACKED });
  } catch (cause) {
    throw new SyntaxError('a packed list of numbers does not unpack', { cause });
  }
  const numbers: number[] = [];
  let value = 0n;
  let rest = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    rest |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (shift > 70n) throw new SyntaxError('a packed list holds a number that is too long');
    if (byte & 0x80) continue;
    value += rest & 1n ? -((rest + 1n) / 2n) : rest / 2n;
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new SyntaxError('a packed list holds a number beyond 2^53');
    numbers.push(number);
    rest = 0n;
    shift = 0n;
  }
  if (shift !== 0n) throw new SyntaxError('a packed list ends within a number');
  return numbers;
}
