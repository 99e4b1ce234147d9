/**
 * Murmur3, x86 variant, 32 bits, seed 0: the hash of Iceberg's bucket transform (Iceberg spec, Appendix B). All results
 * are signed 32-bit integers.
 */

/** Of the 8 bytes, little-endian, of a 64-bit integer given as two words. int, date and times hash as longs. */
export function hashLong(low: number, high: number): number {
  let h = mixHash(0, mixBlock(low));
  h = mixHash(h, mixBlock(high));
  return finish(h, 8);
}

/** Of `bytes[start … end)`: strings (UTF-8), binary, fixed, uuid, decimals (unscaled, big-endian, fewest bytes). */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let h = 0;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    h = mixHash(h, mixBlock(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)));
  }
  let rest = 0;
  for (let j = end - 1; j >= i; j--) rest = (rest << 8) | bytes[j]!;
  if (i < end) h ^= mixBlock(rest);
  return finish(h, end - start);
}

function mixBlock(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

function mixHash(hash: number, block: number): number {
  const h = hash ^ block;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, length: number): number {
  let h = hash ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
