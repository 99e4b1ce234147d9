const VALUES: Int8Array = new Int8Array(256).fill(-1);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;
const PAD = 0x3d;

/**
 * The bytes of base64 text [start, end) in the one canonical spelling (RFC 4648, section 4: padded, no line breaks, unused
 * bits 0), or null.
 */
export function decodeBase64(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  const length = end - start;
  if (length % 4 !== 0) return null;
  const pad = length === 0 || bytes[end - 1] !== PAD ? 0 : bytes[end - 2] === PAD ? 2 : 1;
  const decoded = new Uint8Array((length / 4) * 3 - pad);
  let bits = 0;
  let count = 0;
  let at = 0;
  for (let i = start; i < end - pad; i++) {
    const value = VALUES[bytes[i]!]!;
    if (value < 0) return null;
    bits = ((bits << 6) | value) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    decoded[at++] = bits >> count;
  }
  return (bits & ((1 << count) - 1)) === 0 ? decoded : null;
}
