import { free, WORTH_FREEING } from '../free.ts';
import type { ByteSink } from './parquet.ts';

/** Pieces up to this size are put together before they are handed on. */
const SMALL = 32 << 10;
const BLOCK = 256 << 10;
const FIRST = 4 << 10;

/** Counts the position in the file, and hands small pieces on together: a file with many columns is thousands of them. */
export class SinkBuffer {
  readonly #sink: ByteSink;
  #block: Uint8Array | null = null;
  #used = 0;
  /** Bytes taken so far. */
  position = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  get heldBytes(): number {
    return this.#block?.length ?? 0;
  }

  /** Takes the bytes; the caller does not touch them again. */
  write(bytes: Uint8Array): void {
    this.position += bytes.length;
    if (bytes.length > SMALL) {
      this.flush();
      this.#sink.write(bytes);
      return;
    }
    if (this.#block && this.#used + bytes.length > this.#block.length) this.flush();
    // The first block is small: a file that was just opened holds nothing but its magic number.
    this.#block ??= new Uint8Array(Math.max(bytes.length, this.position <= FIRST ? FIRST : BLOCK));
    this.#block.set(bytes, this.#used);
    this.#used += bytes.length;
    // The pages of many files that are closed at once would stand in memory twice until the collector comes by.
    if (bytes.length > WORTH_FREEING && bytes.length === bytes.buffer.byteLength) free(bytes.buffer);
  }

  flush(): void {
    const block = this.#block;
    if (block && this.#used > 0) {
      this.#sink.write(this.#used === block.length ? block : block.slice(0, this.#used));
      if (this.#used < block.length) free(block.buffer);
    }
    this.#block = null;
    this.#used = 0;
  }
}
