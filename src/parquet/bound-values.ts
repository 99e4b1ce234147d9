import { decimalOf } from '../schema/types.ts';
import type { Bound } from './bounds.ts';
import { KEPT } from './bounds.ts';
import type { Leaf } from './schema-elements.ts';

/** Order of two PLAIN-encoded values of the leaf, as the format's column orders define it: negative, zero, positive. */
export function compareValues(leaf: Leaf, a: Uint8Array, b: Uint8Array): number {
  switch (leaf.kind) {
    case 'i32':
      return view(a).getInt32(0, true) - view(b).getInt32(0, true);
    case 'i64': {
      const order = view(a).getInt32(4, true) - view(b).getInt32(4, true);
      return order !== 0 ? order : view(a).getUint32(0, true) - view(b).getUint32(0, true);
    }
    case 'f32':
      return view(a).getFloat32(0, true) - view(b).getFloat32(0, true);
    case 'f64':
      return Math.sign(view(a).getFloat64(0, true) - view(b).getFloat64(0, true)) || 0;
    case 'fixed':
      if (decimalOf(leaf.type) && a[0] !== b[0]) return view(a).getInt8(0) - view(b).getInt8(0);
      return Buffer.compare(a, b);
    default:
      return Buffer.compare(a, b);
  }
}

/** The smaller of two lower bounds. Of equal ones the exact: it is a value, the other the start of a longer one. */
export function lower(leaf: Leaf, a: Bound | null, b: Bound | null): Bound | null {
  if (!a || !b) return a ?? b;
  const order = compareValues(leaf, a.bytes, b.bytes);
  return order < 0 || (order === 0 && a.exact) ? a : b;
}

/** The larger of two upper bounds. Of equal ones the prefix: a longer value starts with it. */
export function upper(leaf: Leaf, a: Bound | null, b: Bound | null): Bound | null {
  if (!a || !b) return a ?? b;
  const order = compareValues(leaf, a.bytes, b.bytes);
  return order > 0 || (order === 0 && !a.exact) ? a : b;
}

/** Bounds for Parquet statistics and page indexes: at most 64 bytes; null where an upper bound cannot be had. */
export function statisticsBound(leaf: Leaf, bound: Bound | null, side: 'lower' | 'upper'): Bound | null {
  if (!bound || leaf.kind !== 'bytes') return bound;
  if (bound.exact && bound.bytes.length <= KEPT) return bound;
  const cut = leaf.type === 'string' ? wholeCodePoints(bound.bytes.subarray(0, KEPT)) : bound.bytes.subarray(0, KEPT);
  return cutBound(leaf, cut, side);
}

/**
 * Bounds for the manifest in single-value serialization (Iceberg spec, Appendix D). Unless `full`: strings cut to 16
 * code points, binary to 16 bytes (fixed likewise), the upper one incremented, or left out where it cannot be.
 */
export function manifestBound(
  leaf: Leaf,
  bound: Bound | null,
  side: 'lower' | 'upper',
  full: boolean,
): Uint8Array | null {
  if (!bound) return null;
  if (decimalOf(leaf.type)) return fewestBytes(leaf.kind === 'fixed' ? bound.bytes : bound.bytes.slice().reverse());
  if (full || (leaf.kind !== 'bytes' && leaf.kind !== 'fixed')) return bound.bytes;
  const cut = leaf.type === 'string' ? firstCodePoints(bound.bytes, 16) : bound.bytes.subarray(0, 16);
  if (cut.length === bound.bytes.length && bound.exact) return bound.bytes;
  return cutBound(leaf, cut, side)?.bytes ?? null;
}

function cutBound(leaf: Leaf, cut: Uint8Array, side: 'lower' | 'upper'): Bound | null {
  const bytes = side === 'lower' ? cut.slice() : leaf.type === 'string' ? nextString(cut) : nextBytes(cut);
  return bytes && { bytes, exact: false };
}

/** The smallest byte string above all that start with `prefix`, or null for 0xff… */
function nextBytes(prefix: Uint8Array): Uint8Array | null {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i]!;
    if (byte === 0xff) continue;
    const next = prefix.slice(0, i + 1);
    next[i] = byte + 1;
    return next;
  }
  return null;
}

/** The same for UTF-8, in whole code points: the last one that has a successor is replaced by it. */
function nextString(prefix: Uint8Array): Uint8Array | null {
  const points = Array.from(new TextDecoder().decode(prefix), (c) => c.codePointAt(0)!);
  for (let i = points.length - 1; i >= 0; i--) {
    const point = points[i]!;
    if (point === 0x10ffff) continue;
    // The surrogates are no characters: the successor of U+D7FF is U+E000.
    const next = point === 0xd7ff ? 0xe000 : point + 1;
    return new TextEncoder().encode(String.fromCodePoint(...points.slice(0, i), next));
  }
  return null;
}

function firstCodePoints(utf8: Uint8Array, count: number): Uint8Array {
  let seen = 0;
  for (let i = 0; i < utf8.length; i++) {
    if ((utf8[i]! & 0xc0) === 0x80) continue;
    if (seen++ === count) return utf8.subarray(0, i);
  }
  return wholeCodePoints(utf8);
}

/** Leaves out the beginning of a character at the end. */
function wholeCodePoints(utf8: Uint8Array): Uint8Array {
  let start = utf8.length - 1;
  while (start > 0 && (utf8[start]! & 0xc0) === 0x80) start--;
  if (start < 0) return utf8;
  const first = utf8[start]!;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return utf8.length - start < length ? utf8.subarray(0, start) : utf8;
}

/** Two's complement, big-endian, without bytes that only repeat the sign. */
function fewestBytes(bigEndian: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bigEndian.length - 1) {
    const sign = bigEndian[start]!;
    const next = bigEndian[start + 1]! & 0x80;
    if (!((sign === 0 && next === 0) || (sign === 0xff && next !== 0))) break;
    start++;
  }
  return bigEndian.slice(start);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
