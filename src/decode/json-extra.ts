import type { Vector } from '../columns/batch.ts';
import { copyText } from './json-escapes.ts';
import { hashOf } from './json-layout.ts';
import type { JsonObjectNode } from './json-layout.ts';
import { skipValue } from './json-skip.ts';
import { slot } from './vectors.ts';

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Notes a member for `_extra`, with the key [key, after) and its value at `p`; the result is the index after the value, or -1. */
export function extraMember(
  node: JsonObjectNode,
  bytes: Uint8Array,
  key: number,
  after: number,
  p: number,
  limit: number,
): number {
  const end = skipValue(bytes, p, limit);
  if (end < 0) return -1;
  if (node.extras.length === 0) node.extraKeys.clear();
  const hash = hashOf(bytes, key, after);
  // Met twice, or it only looks so.
  if (node.extraKeys.has(hash)) return -1;
  node.extraKeys.add(hash);
  node.extras.push(key, after, p, end);
  return end;
}

/** Appends what was noted of one object as the text of an object: keys and values as they were written. */
export function putExtra(node: JsonObjectNode, vector: Vector, bytes: Uint8Array): void {
  const { extras } = node;
  if (extras.length === 0) return vector.appendNull();
  let length = 1;
  for (let k = 0; k < extras.length; k += 4)
    length += extras[k + 1]! - extras[k]! + extras[k + 3]! - extras[k + 2]! + 2;
  const i = slot(vector);
  vector.reserveBytes(length);
  const target = vector.bytes;
  let to = vector.offsets[i]!;
  for (let k = 0; k < extras.length; k += 4) {
    target[to++] = k === 0 ? OPEN : COMMA;
    to = copy(bytes, extras[k]!, extras[k + 1]!, target, to);
    target[to++] = COLON;
    to = copy(bytes, extras[k + 2]!, extras[k + 3]!, target, to);
  }
  target[to++] = CLOSE;
  vector.offsets[i + 1] = to;
  vector.length++;
  return undefined;
}

function copy(bytes: Uint8Array, start: number, end: number, target: Uint8Array, to: number): number {
  copyText(bytes, start, end - start, target, to);
  return to + end - start;
}
