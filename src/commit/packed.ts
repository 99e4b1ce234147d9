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

/** What lists were packed to, or unpacked from: each commit states most lists of the one before once more. */
const packedOf = new WeakMap<readonly number[], string>();

export function packNumbers(numbers: readonly number[]): PackedNumbers {
  if (numbers.length <= PLAIN_NUMBERS) return numbers;
  let packed = packedOf.get(numbers);
  if (packed === undefined) {
    packed = deflateRawSync(Uint8Array.from(varints(numbers))).toString('base64');
    packedOf.set(numbers, packed);
  }
  return packed;
}

/** Below this a number, doubled, is exact and so are all steps here; larger ones take BigInt, which is ten times slower. */
const EXACT = 2 ** 51;

function varints(numbers: readonly number[]): number[] {
  const bytes: number[] = [];
  let before = 0;
  for (const number of numbers) {
    if (Math.abs(number) < EXACT && Math.abs(before) < EXACT) {
      const delta = number - before;
      let rest = delta >= 0 ? delta * 2 : -delta * 2 - 1;
      for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
      bytes.push(rest);
    } else {
      const delta = BigInt(number) - BigInt(before);
      let rest = delta >= 0n ? delta * 2n : -delta * 2n - 1n;
      for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
      bytes.push(Number(rest));
    }
    before = number;
  }
  return bytes;
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
  const numbers = numbersOf(bytes);
  if (numbers.length > PLAIN_NUMBERS) packedOf.set(numbers, packed);
  return numbers;
}

/** Bytes of a varint that are exact as a number. */
const EXACT_BYTES = 7;

function numbersOf(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let value = 0;
  for (let at = 0; at < bytes.length;) {
    const from = at;
    while (bytes[at]! & 0x80) at++;
    if (at >= bytes.length) throw new SyntaxError('a packed list ends within a number');
    at++;
    if (at - from > 10) throw new SyntaxError('a packed list holds a number that is too long');
    if (at - from <= EXACT_BYTES) {
      let rest = 0;
      for (let i = at - 1; i >= from; i--) rest = rest * 0x80 + (bytes[i]! & 0x7f);
      value += rest % 2 === 1 ? -((rest + 1) / 2) : rest / 2;
    } else {
      let rest = 0n;
      for (let i = at - 1; i >= from; i--) rest = (rest << 7n) | BigInt(bytes[i]! & 0x7f);
      value = Number(BigInt(value) + (rest & 1n ? -((rest + 1n) / 2n) : rest / 2n));
    }
    if (!Number.isSafeInteger(value)) throw new SyntaxError('a packed list holds a number beyond 2^53');
    numbers.push(value);
  }
  return numbers;
}
