import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { snappyCompress } from '@platformatic/wasm-utils';
import { Codec } from './format.ts';
import type { ParquetOptions } from './parquet.ts';

/** Codec code for the metadata, and the compression of one page. The result may share memory: copy what is kept. */
export interface Compressor {
  readonly codec: number;
  compress(bytes: Uint8Array): Uint8Array;
}

export function compressorFor(options: Pick<ParquetOptions, 'compression' | 'compressionLevel'>): Compressor {
  const { compression, compressionLevel } = options;
  switch (compression) {
    case 'none':
      return { codec: Codec.none, compress: (bytes) => bytes };
    case 'snappy':
      return {
        codec: Codec.snappy,
        compress: (bytes) => snappyCompress(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)),
      };
    // One chunk for the whole result: growing it piece by piece costs more than the memory, which is given back at once.
    case 'gzip':
      return {
        codec: Codec.gzip,
        compress: (bytes) => gzipSync(bytes, { level: compressionLevel, chunkSize: room(bytes) }),
      };
    case 'zstd':
      return {
        codec: Codec.zstd,
        compress: (bytes) =>
          zstdCompressSync(bytes, {
            params: { [constants.ZSTD_c_compressionLevel]: compressionLevel },
            chunkSize: room(bytes),
            pledgedSrcSize: bytes.length,
          }),
      };
  }
}

/** More than either codec can need for incompressible input. */
function room(bytes: Uint8Array): number {
  return bytes.length + (bytes.length >> 6) + 1024;
}
