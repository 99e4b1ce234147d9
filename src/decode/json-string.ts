import type { Vector } from '../columns/batch.ts';
import { validUtf8 } from './avro-cursor.ts';
import { copyText, putEscaped } from './json-escapes.ts';
import type { JsonNode } from './json-layout.ts';
import { slot } from './vectors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Appends the string that begins at `p`, its quote included, copying it word by word while it is looked at; the result is
 * the index after its closing quote, or -1. Escapes, and what the vector has no room for yet, are left to `putAnyString`.
 */
export function putString(node: JsonNode, bytes: Uint8Array, view: DataView, p: number, end: number): number {
  if (bytes[p] !== QUOTE) return -1;
  const start = p + 1;
  const { vector } = node;
  const i = slot(vector);
  const to = vector.offsets[i]!;
  if (node.bytes !== vector.bytes) node.hold();
  const { words } = node;
  // A word must be readable behind the record, and none of the string's bytes may stand in the slack of the vector.
  const most = Math.min(vector.byteCapacity - to - 3, view.byteLength - start - 4);
  let any = 0;
  for (let k = 0; k <= most; k += 4) {
    const word = view.getInt32(start + k, true);
    words.setInt32(to + k, word, true);
    // Of each byte the highest bit, where it is a quote, a backslash or a control character; a borrow can only set those
    // above the first that is one.
    const quote = (word ^ 0x22222222) - 0x01010101;
    const backslash = (word ^ 0x5c5c5c5c) - 0x01010101;
    const special = (quote | backslash | (word - 0x20202020)) & ~word & 0x80808080;
    if (special === 0) {
      any |= word;
      continue;
    }
    const bit = 31 - Math.clz32(special & -special);
    const after = start + k + (bit >> 3);
    if (after >= end || bytes[after] !== QUOTE) break;
    any |= word & ((1 << bit) - 1);
    if ((any & 0x80808080) !== 0 && !validUtf8(bytes, start, after)) return -1;
    vector.offsets[i + 1] = to + after - start;
    vector.length++;
    return after + 1;
  }
  return putAnyString(vector, bytes, p, end);
}

/** As `putString`, byte by byte. */
export function putAnyString(vector: Vector, bytes: Uint8Array, p: number, end: number): number {
  if (bytes[p] !== QUOTE) return -1;
  const start = p + 1;
  let at = start;
  let any = 0;
  for (; ; at++) {
    if (at >= end) return -1;
    const byte = bytes[at]!;
    if (byte === QUOTE) break;
    if (byte === BACKSLASH) return putEscaped(vector, bytes, start, end);
    if (byte < 0x20) return -1;
    any |= byte;
  }
  const length = at - start;
  if (any >= 0x80 && !validUtf8(bytes, start, at)) return -1;
  const i = slot(vector);
  const to = vector.offsets[i]!;
  if (to + length > vector.byteCapacity) vector.reserveBytes(length);
  copyText(bytes, start, length, vector.bytes, to);
  vector.offsets[i + 1] = to + length;
  vector.length++;
  return at + 1;
}
