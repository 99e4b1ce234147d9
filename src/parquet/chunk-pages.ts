import type { Compressor } from './compress.ts';
import { UNCOMPRESSED } from './compress.ts';
import type { Dictionary } from './dictionary.ts';
import { dataPage, dictionaryPage } from './page.ts';
import type { DataPage, EncodedPage, PageFacts } from './page.ts';

/**
 * Bytes that the pages of a chunk must have on average for it to be compressed. What compression takes off fewer is not
 * worth the 30 µs that a call costs: a table of many partitions or commits is mostly such chunks.
 */
const WORTH = 256;

/** The pages of one column in one row group. */
export interface EncodedChunk {
  /** Of all pages. */
  readonly codec: number;
  readonly dictionary: EncodedPage | null;
  readonly pages: readonly DataPage[];
}

/**
 * The finished pages of a chunk.
 *
 * Invariant: all pages have one codec, as the format wants it of a chunk; they stand as they are until there are bytes
 * enough to compress.
 */
export class ChunkPages {
  readonly #compressor: Compressor;
  #pages: DataPage[] = [];
  #codec: Compressor = UNCOMPRESSED;
  /** Bytes in the file so far. */
  size = 0;

  constructor(compressor: Compressor) {
    this.#compressor = compressor;
  }

  get count(): number {
    return this.#pages.length;
  }

  /** Takes a copy of `raw`. */
  add(raw: Uint8Array, facts: PageFacts): void {
    if (this.#isWorth(raw.length)) this.#compress();
    const page = dataPage(raw, facts, this.#codec);
    this.#pages.push(page);
    this.size += page.size;
  }

  finish(dictionary: Dictionary | null): EncodedChunk {
    const raw = dictionary?.values.used();
    if (raw && this.#isWorth(raw.length)) this.#compress();
    return {
      codec: this.#codec.codec,
      dictionary: raw ? dictionaryPage(raw, dictionary!.size, this.#codec) : null,
      pages: this.#pages,
    };
  }

  #isWorth(next: number): boolean {
    return this.size + next > WORTH * (this.#pages.length + 1);
  }

  #compress(): void {
    if (this.#codec === this.#compressor) return;
    this.#codec = this.#compressor;
    this.#pages = this.#pages.map((page) => dataPage(page.body, page, this.#codec));
    this.size = this.#pages.reduce((sum, page) => sum + page.size, 0);
  }
}
