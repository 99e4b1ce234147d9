import { gzipSync, zstdCompressSync } from 'node:zlib';
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils';
import { describe, expect, test } from 'vitest';
import { Codec, codecName, decompress } from '../../src/source/compression.ts';

const text = Buffer.from(
  'Kafka topics as Iceberg tables; '.repeat(20_000) +
    Buffer.from(Uint8Array.from({ length: 3000 }, (_, i) => (i * i) >> 2)).toString('base64'),
);

function xerial(blocks: Buffer[]): Buffer {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  return Buffer.concat([
    header,
    ...blocks.flatMap((block) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(block.length);
      return [length, block];
    }),
  ]);
}

const encodings: [string, number, (data: Buffer) => Buffer][] = [
  ['gzip', Codec.gzip, (data) => gzipSync(data)],
  ['zstd', Codec.zstd, (data) => zstdCompressSync(data)],
  ['snappy', Codec.snappy, (data) => snappyCompress(data)],
  [
    'snappy, framed as by the Java client',
    Codec.snappy,
    (data) =>
      xerial([snappyCompress(data.subarray(0, data.length >> 1)), snappyCompress(data.subarray(data.length >> 1))]),
  ],
  ['lz4', Codec.lz4, (data) => lz4Compress(data)],
];

describe.each(encodings)('%s', (_name, codec, encode) => {
  test('gives the bytes back', () => {
    expect(Buffer.compare(decompress(codec, encode(text), text.length), text)).toBe(0);
  });

  test('gives small and empty input back', () => {
    for (const length of [1, 20])
      expect([...decompress(codec, encode(text.subarray(0, length)), 100)]).toEqual([...text.subarray(0, length)]);
    expect(decompress(codec, encode(Buffer.alloc(0)), 100)).toHaveLength(0);
  });

  test('stops at the limit', () => {
    expect(() => decompress(codec, encode(text), text.length - 1)).toThrow();
  });

  test('refuses a bomb without making its bytes', () => {
    const bomb = encode(Buffer.alloc(64 << 20));
    const before = process.memoryUsage().arrayBuffers;
    expect(() => decompress(codec, bomb, 1 << 20)).toThrow();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 << 20);
  });

  test('refuses truncated data, at every cut of a small input', () => {
    const data = encode(text.subarray(0, 400));
    for (let cut = 1; cut < data.length; cut++) {
      let out: Uint8Array | undefined;
      try {
        out = decompress(codec, data.subarray(0, cut), 1000);
      } catch {
        continue;
      }
      expect(out.length).toBeLessThan(400);
    }
  });

  test('works on after damaged input', () => {
    const data = encode(text);
    for (let at = 0; at < data.length; at += Math.ceil(data.length / 50)) {
      const copy = Buffer.from(data);
      copy[at] = copy[at]! ^ 0x55;
      try {
        decompress(codec, copy, 1 << 20);
      } catch {
        /* either is right: Kafka's checksum covers the damage */
      }
    }
    expect(Buffer.compare(decompress(codec, encode(text), text.length), text)).toBe(0);
  });
});

// Written by lz4 1.9.4: `printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcd' | lz4 -c`, the second with `-BX -BD` (block checksums, linked blocks).
test.each([
  '04224d186440a70b0000001f6101000850616162636400000000a9ec1d6d',
  '04224d187440bd0b0000001f61010008506161626364a82d419d00000000a9ec1d6d',
])('lz4 frame of the reference implementation %#', (hex) => {
  expect(Buffer.from(decompress(Codec.lz4, Buffer.from(hex, 'hex'), 100)).toString()).toBe(
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcd',
  );
});

test('a codec that Kafka does not have is refused', () => {
  expect(() => decompress(5, text, 1000)).toThrow(/codec 5/);
  expect(codecName(5)).toBeUndefined();
  expect(codecName(4)).toBe('zstd');
});
