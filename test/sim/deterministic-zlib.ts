import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

/**
 * Compression off the main thread ends whenever it ends; in a simulation it ends at once. Imported before anything that
 * takes these functions from `node:zlib`.
 */
type Callback = (error: Error | null, result?: Buffer) => void;

function atOnce(compress: (bytes: zlib.InputType, options?: never) => Buffer): (...args: unknown[]) => void {
  return (bytes, ...rest) => {
    const callback = rest.pop() as Callback;
    let result: Buffer;
    try {
      result = compress(bytes as zlib.InputType, rest[0] as never);
    } catch (error) {
      callback(error as Error);
      return;
    }
    callback(null, result);
  };
}

Object.assign(zlib, {
  deflateRaw: atOnce((bytes, options) => zlib.deflateRawSync(bytes, options)),
  inflateRaw: atOnce((bytes, options) => zlib.inflateRawSync(bytes, options)),
  zstdDecompress: atOnce((bytes, options) => zlib.zstdDecompressSync(bytes, options)),
});
syncBuiltinESMExports();
