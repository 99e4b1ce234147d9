import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { snappyCompress } from '@platformatic/wasm-utils';
import { free } from '../free.ts';
import { Codec } from './format.ts';
import type { ParquetOptions } from './parquet.ts';

/** Codec code for the metadata, and the compression of one page. The result is an array of exactly its size. */
export interface Compressor {
  readonly codec: number;
  compress(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
}

export const UNCOMPRESSED: Compressor = { codec: Codec.none, compress: copy };

export function compressorFor(options: Pick<ParquetOptions, 'compression' | 'compressionLevel'>): Compressor {
  const { compression, compressionLevel } = options;
  switch (compression) {
    case 'none':
      return UNCOMPRESSED;
    case 'snappy':
      return {
        codec: Codec.snappy,
        compress: (bytes) => copy(snappyCompress(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))),
      };
    // One chunk for the whole result: growing it piece by piece costs more than the memory, which is given back at once.
    case 'gzip':
      return {
        codec: Codec.gzip,
        compress: (bytes) => fit(gzipSync(bytes, { level: compressionLevel, chunkSize: room(bytes) })),
      };
    case 'zstd':
      return {
        codec: Codec.zstd,
        compress: (bytes) =>
          fit(
            zstdCompressSync(bytes, {
              params: { [constants.ZSTD_c_compressionLevel]: compressionLevel },
              chunkSize: room(bytes),
              pledgedSrcSize: bytes.length,
            }),
          ),
      };
  }
}

function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** A chunk that is much larger than what it holds would be kept by the collector, one for each page. */
function fit(result: Uint8Array): Uint8Array<ArrayBuffer> {
  const own = copy(result);
  // Small chunks are part of a pool, which others use.
  if (result.buffer.byteLength > Buffer.poolSize) free(result.buffer);
  return own;
}

/** More than either codec can need for incompressible input. */
function room(bytes: Uint8Array): number {
  return bytes.length + (bytes.length >> 6) + 1024;
}
