import type { Vector } from './batch.ts';

/** Marks value `i` as present. */
export function setPresent(vector: Vector, i: number): void {
  if (vector.validity) vector.validity[i >> 3]! |= 1 << (i & 7);
}

/** Marks the `count` values after the last as present; room for them is reserved. */
export function setPresentRange(vector: Vector, count: number): void {
  const { validity } = vector;
  if (!validity) return;
  let i = vector.length;
  const end = i + count;
  for (; i < end && (i & 7) !== 0; i++) validity[i >> 3]! |= 1 << (i & 7);
  const whole = end & ~7;
  if (i < whole) {
    validity.fill(0xff, i >> 3, whole >> 3);
    i = whole;
  }
  for (; i < end; i++) validity[i >> 3]! |= 1 << (i & 7);
}

/** Copies a short run of bytes; for these a loop costs less than `subarray` and `set`. */
export function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > 32) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
}
