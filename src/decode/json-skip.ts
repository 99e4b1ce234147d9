import { hexDigit } from './avro-convert.ts';
import { validUtf8 } from './avro-cursor.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const DOT = 0x2e;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const MOST_DEPTH = 256;

/** For each open level whether it is an object. Used within one call at a time. */
const objects = new Uint8Array(MOST_DEPTH);

/**
 * Index after the JSON value that begins at `p` (RFC 8259, strictly), or -1 for what is not JSON, not UTF-8, or nested
 * deeper than 256 levels. Nothing is allocated.
 */
export function skipValue(bytes: Uint8Array, p: number, end: number): number {
  let depth = 0;
  for (;;) {
    p = blank(bytes, p, end);
    if (p >= end) return -1;
    const byte = bytes[p]!;
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      const object = byte === OPEN_OBJECT;
      p = blank(bytes, p + 1, end);
      if (p >= end) return -1;
      if (bytes[p] === (object ? CLOSE_OBJECT : CLOSE_ARRAY)) p++;
      else {
        if (depth === MOST_DEPTH) return -1;
        objects[depth++] = object ? 1 : 0;
        if (object) p = skipKey(bytes, p, end);
        if (p < 0) return -1;
        continue;
      }
    } else p = byte === QUOTE ? skipString(bytes, p, end) : skipScalar(bytes, p, end);
    if (p < 0) return -1;
    // A value has ended: so may the levels around it.
    for (;;) {
      if (depth === 0) return p;
      p = blank(bytes, p, end);
      if (p >= end) return -1;
      const next = bytes[p++]!;
      const object = objects[depth - 1] === 1;
      if (next === COMMA) {
        if (object) {
          p = skipKey(bytes, blank(bytes, p, end), end);
          if (p < 0) return -1;
        }
        break;
      }
      if (next !== (object ? CLOSE_OBJECT : CLOSE_ARRAY)) return -1;
      depth--;
    }
  }
}

/** Index after the key that begins at `p` and its colon, or -1. */
function skipKey(bytes: Uint8Array, p: number, end: number): number {
  p = skipString(bytes, p, end);
  if (p < 0) return -1;
  p = blank(bytes, p, end);
  return p < end && bytes[p] === COLON ? p + 1 : -1;
}

function blank(bytes: Uint8Array, p: number, end: number): number {
  while (p < end) {
    const byte = bytes[p]!;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
    p++;
  }
  return p;
}

function skipString(bytes: Uint8Array, p: number, end: number): number {
  if (p >= end || bytes[p] !== QUOTE) return -1;
  const start = p + 1;
  let any = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return any >= 0x80 && !validUtf8(bytes, start, at) ? -1 : at + 1;
    if (byte < 0x20) return -1;
    any |= byte;
    if (byte !== BACKSLASH) continue;
    at++;
    if (at >= end) return -1;
    switch (bytes[at]) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f:
      case 0x62:
      case 0x66:
      case 0x6e:
      case 0x72:
      case 0x74:
        break;
      case 0x75:
        if (at + 4 >= end) return -1;
        for (let i = 1; i <= 4; i++) if (hexDigit(bytes[at + i]!) < 0) return -1;
        at += 4;
        break;
      default:
        return -1;
    }
  }
  return -1;
}

function skipScalar(bytes: Uint8Array, p: number, end: number): number {
  switch (bytes[p]) {
    case 0x74:
      return word(bytes, p, end, 'true');
    case 0x66:
      return word(bytes, p, end, 'false');
    case 0x6e:
      return word(bytes, p, end, 'null');
    default:
      return skipNumber(bytes, p, end);
  }
}

function word(bytes: Uint8Array, p: number, end: number, text: string): number {
  if (p + text.length > end) return -1;
  for (let i = 0; i < text.length; i++) if (bytes[p + i] !== text.charCodeAt(i)) return -1;
  return p + text.length;
}

function skipNumber(bytes: Uint8Array, p: number, end: number): number {
  if (bytes[p] === MINUS) p++;
  const zero = p < end && bytes[p] === 0x30;
  const whole = digits(bytes, p, end);
  if (whole === p || (zero && whole > p + 1)) return -1;
  p = whole;
  if (p < end && bytes[p] === DOT) {
    const fraction = digits(bytes, p + 1, end);
    if (fraction === p + 1) return -1;
    p = fraction;
  }
  if (p < end && (bytes[p]! | 0x20) === 0x65) {
    p++;
    if (p < end && (bytes[p] === 0x2b || bytes[p] === MINUS)) p++;
    const exponent = digits(bytes, p, end);
    if (exponent === p) return -1;
    p = exponent;
  }
  return p;
}

function digits(bytes: Uint8Array, p: number, end: number): number {
  while (p < end && bytes[p]! >= 0x30 && bytes[p]! <= 0x39) p++;
  return p;
}
