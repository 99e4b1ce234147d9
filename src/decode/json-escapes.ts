import type { Vector } from '../columns/batch.ts';
import { hexDigit } from './avro-convert.ts';
import { validUtf8 } from './avro-cursor.ts';
import { setValid } from './vectors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Appends a JSON string whose characters begin at `start`; the result is the index after its closing quote, or -1. In UTF-8
 * a string is never longer than in JSON with escapes.
 */
export function putEscaped(vector: Vector, bytes: Uint8Array, start: number, limit: number): number {
  let end = start;
  while (end < limit && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
  if (end >= limit) return -1;
  vector.reserve(1);
  const i = vector.length;
  const from = vector.offsets[i]!;
  vector.reserveBytes(end - start);
  const target = vector.bytes;
  let to = from;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 0x20) return -1;
    if (byte !== BACKSLASH) {
      target[to++] = byte;
      continue;
    }
    const plain = unescaped(bytes[++at]!);
    if (plain >= 0) {
      target[to++] = plain;
      continue;
    }
    if (bytes[at] !== 0x75) return -1;
    let unit = hex4(bytes, at + 1, end);
    at += 4;
    if (unit < 0) return -1;
    if (unit >= 0xd800 && unit < 0xe000) {
      if (unit >= 0xdc00 || bytes[at + 1] !== BACKSLASH || bytes[at + 2] !== 0x75) return -1;
      const low = hex4(bytes, at + 3, end);
      if (low < 0xdc00 || low >= 0xe000) return -1;
      unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      at += 6;
    }
    to = putCharacter(target, to, unit);
  }
  if (!validUtf8(target, from, to)) return -1;
  setValid(vector, i);
  vector.offsets[i + 1] = to;
  vector.length++;
  return end + 1;
}

export function copyText(bytes: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length < 48) for (let i = 0; i < length; i++) to[at + i] = bytes[start + i]!;
  else to.set(bytes.subarray(start, start + length), at);
}

function hex4(bytes: Uint8Array, p: number, end: number): number {
  if (p + 4 > end) return -1;
  let unit = 0;
  for (let i = 0; i < 4; i++) {
    const digit = hexDigit(bytes[p + i]!);
    if (digit < 0) return -1;
    unit = (unit << 4) | digit;
  }
  return unit;
}

/** The character after a backslash, or -1. */
function unescaped(byte: number): number {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
      return byte;
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    default:
      return -1;
  }
}

function putCharacter(target: Uint8Array, at: number, code: number): number {
  if (code < 0x80) target[at++] = code;
  else if (code < 0x800) {
    target[at++] = 0xc0 | (code >> 6);
    target[at++] = 0x80 | (code & 0x3f);
  } else {
    if (code < 0x10000) target[at++] = 0xe0 | (code >> 12);
    else {
      target[at++] = 0xf0 | (code >> 18);
      target[at++] = 0x80 | ((code >> 12) & 0x3f);
    }
    target[at++] = 0x80 | ((code >> 6) & 0x3f);
    target[at++] = 0x80 | (code & 0x3f);
  }
  return at;
}
