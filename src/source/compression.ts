import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { lz4Decompress, snappyDecompress } from '@platformatic/wasm-utils';
import { free } from '../free.ts';

/** Bits 0–2 of a record batch's attributes (KIP-98, zstd: KIP-110). */
export const Codec = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type CodecName = keyof typeof Codec;

/** Name of a codec number, or undefined where Kafka has none. */
export function codecName(codec: number): CodecName | undefined {
  return (Object.keys(Codec) as CodecName[]).find((name) => Codec[name] === codec);
}

/**
 * The decompressed bytes, in memory of their own.
 * @param limit most bytes that may come out: a batch that claims more is refused before it costs memory.
 * @throws Error (uncoded: the reader of the batch knows the place) when the data is damaged or exceeds the limit.
 */
export function decompress(codec: number, data: Uint8Array, limit: number): Uint8Array {
  switch (codec) {
    case Codec.gzip:
      return gunzipSync(data, zlibOptions(data, limit));
    case Codec.zstd:
      return zstdDecompressSync(data, zlibOptions(data, limit));
    case Codec.snappy:
      return isXerial(data) ? xerial(data, limit) : snappyBlock(data, limit);
    case Codec.lz4:
      return lz4(data, limit);
    default:
      throw new Error(`unknown compression codec ${codec}`);
  }
}

/** Gives back what `decompress` gave, of which nobody looks at anything any more. */
export function release(codec: number, bytes: Uint8Array): void {
  // Small results may be part of a pool, which others use; those of WebAssembly are left to the collector.
  const own = codec === Codec.gzip || codec === Codec.zstd;
  if (own && bytes.buffer.byteLength > Buffer.poolSize) free(bytes.buffer);
}

/** One output piece for most batches: zlib's default of 16 KiB costs a copy per piece, 1 MiB is too much for a small batch. */
function zlibOptions(data: Uint8Array, limit: number): { chunkSize: number; maxOutputLength: number } {
  return { chunkSize: Math.min(1 << 20, Math.max(1 << 14, data.length * 8)), maxOutputLength: limit };
}

/** A snappy block begins with its decompressed length as a varint (format_description.txt, 1). */
function snappyBlock(data: Uint8Array, limit: number): Uint8Array {
  let length = 0;
  let at = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = data[at++];
    if (byte === undefined || shift > 28) throw new Error('snappy: damaged length');
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > limit) throw tooLarge(limit);
  if (length === 0) return new Uint8Array(0);
  const out = snappyDecompress(asBuffer(data));
  if (out.length !== length) throw new Error('snappy: damaged data');
  return out;
}

/** Framing of the Java client (xerial snappy-java `SnappyOutputStream`): 8 magic bytes, two int32, then [int32 length, block]. */
const XERIAL_MAGIC = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00);
const XERIAL_HEADER = 16;

function isXerial(data: Uint8Array): boolean {
  return data.length >= XERIAL_HEADER && XERIAL_MAGIC.every((byte, i) => data[i] === byte);
}

function xerial(data: Uint8Array, limit: number): Uint8Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const blocks: Uint8Array[] = [];
  let total = 0;
  for (let at = XERIAL_HEADER; at < data.length;) {
    if (at + 4 > data.length) throw new Error('snappy: truncated block length');
    const length = view.getInt32(at);
    at += 4;
    if (length < 0 || at + length > data.length) throw new Error('snappy: truncated block');
    const block = snappyBlock(data.subarray(at, at + length), limit - total);
    blocks.push(block);
    total += block.length;
    at += length;
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks, total);
}

/** LZ4 frame (lz4_Frame_format.md): the blocks are walked first, since the library has no limit of its own. */
function lz4(data: Uint8Array, limit: number): Uint8Array {
  const size = lz4Size(data);
  if (size > limit) throw tooLarge(limit);
  if (size === 0) return new Uint8Array(0);
  const out = lz4Decompress(asBuffer(data));
  if (out.length !== size) throw new Error('lz4: damaged data');
  return out;
}

const LZ4_MAGIC = 0x184d2204;

/** Decompressed size of one LZ4 frame: the sequences' lengths, without the copying. */
function lz4Size(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 7 || view.getUint32(0, true) !== LZ4_MAGIC) throw new Error('lz4: not a frame');
  const flags = data[4]!;
  const blockChecksum = (flags & 0x10) !== 0 ? 4 : 0;
  let at = 7 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0);
  let size = 0;
  for (;;) {
    if (at + 4 > data.length) throw new Error('lz4: no end mark');
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return size;
    const length = word & 0x7fffffff;
    if (at + length > data.length) throw new Error('lz4: truncated block');
    size += word > 0x7fffffff ? length : lz4BlockSize(data, at, at + length);
    at += length + blockChecksum;
  }
}

/** Decompressed size of one LZ4 block (lz4_Block_format.md): token, literals, 2-byte offset, match of at least 4. */
function lz4BlockSize(data: Uint8Array, from: number, end: number): number {
  let at = from;
  let size = 0;
  while (at < end) {
    const token = data[at++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255 && at < end) literals += more = data[at++]!;
    }
    at += literals;
    size += literals;
    if (at > end) throw new Error('lz4: truncated literals');
    if (at === end) break;
    at += 2;
    let match = token & 15;
    if (match === 15) {
      let more = 255;
      while (more === 255 && at < end) match += more = data[at++]!;
    }
    size += match + 4;
  }
  return size;
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function tooLarge(limit: number): Error {
  return new Error(`decompresses to more than ${limit} bytes`);
}
