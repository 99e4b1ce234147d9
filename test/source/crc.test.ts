import { expect, test } from 'vitest';
import { crc32c, loadCrc32c } from '../../src/source/crc.ts';

const withoutNative = loadCrc32c(() => {
  throw new Error('no binding');
});

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
const vectors: [string, Uint8Array, number][] = [
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['32 bytes of zeroes', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 incrementing bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['nothing', new Uint8Array(0), 0],
];

test.each(vectors)('CRC-32C of %s', (_name, bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum);
  expect(withoutNative(bytes)).toBe(sum);
});

test('the fallback agrees on a view into a larger buffer', () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919) >> 3);
  expect(withoutNative(bytes.subarray(3, 99_991))).toBe(crc32c(bytes.slice(3, 99_991)));
});
