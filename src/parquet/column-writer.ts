import type { Vector } from '../columns/batch.ts';
import { free } from '../free.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { boundsFor } from './bounds.ts';
import type { Bounds } from './bounds.ts';
import { ChunkPages } from './chunk-pages.ts';
import type { EncodedChunk } from './chunk-pages.ts';
import type { Compressor } from './compress.ts';
import { Dictionary } from './dictionary.ts';
import type { DictionaryHabit } from './dictionary-habit.ts';
import { Encoding } from './format.ts';
import { LevelBuffer } from './level-buffer.ts';
import type { LeafSpan } from './levels.ts';
import { SCRATCH } from './page.ts';
import type { ParquetOptions } from './parquet.ts';
import { asWords, encodePlain, plainBytes } from './plain.ts';
import { bitWidth, encodeHybrid } from './rle.ts';
import type { Leaf } from './schema-elements.ts';

/** Level entries looked at together: page limits are checked between such slices. */
const SLICE = 2048;
/** Bytes kept free before plain values: levels that fit stand there, and the page is put together without a copy. */
const ROOM = 32;
/** Rows after which a data page is closed whatever its bytes, so that the page index prunes. */
const PAGE_ROWS = 20_000;
/** Values after which a dictionary that found hardly any value twice is given up. */
const EARLY = 1024;

export interface ColumnChunk extends EncodedChunk {
  readonly leaf: Leaf;
}

/**
 * Encodes one leaf column, page by page.
 *
 * Invariants: a page begins and ends at a row; dictionary-encoded pages of a chunk stand before plain ones; what is held
 * in memory is the page under way, the dictionary (at most `dictionarySize` and a slice) and finished pages.
 */
export class ColumnWriter {
  readonly leaf: Leaf;
  readonly #options: ParquetOptions;
  readonly #compressor: Compressor;
  readonly #bounds: Bounds;
  readonly #definition: LevelBuffer;
  readonly #repetition: LevelBuffer;
  readonly #plain = new ByteBuffer();
  #pages: ChunkPages;
  #started = false;
  #tried = false;
  /** Present values of the chunk. */
  #chunkValues = 0;
  /** Pages of the chunk whose values are indexes into its dictionary. */
  #indexedPages = 0;
  #dictionary: Dictionary | null = null;
  /** Values of the page under way are `#indexes` into the dictionary, not `#plain`. */
  #indexed = false;
  #indexes: Int32Array = new Int32Array(0);
  readonly #habit: DictionaryHabit;
  #entries = 0;
  #rows = 0;
  #present = 0;
  /** What the present values of the page take in PLAIN encoding. */
  #plainSize = 0;

  constructor(leaf: Leaf, options: ParquetOptions, compressor: Compressor, habit: DictionaryHabit) {
    this.leaf = leaf;
    this.#options = options;
    this.#compressor = compressor;
    this.#habit = habit;
    this.#bounds = boundsFor(leaf, options.fullMetrics.includes(leaf.fieldId));
    this.#definition = new LevelBuffer(leaf.maxDefinition, leaf.maxDefinition);
    this.#repetition = new LevelBuffer(leaf.maxRepetition, 0);
    this.#pages = new ChunkPages(compressor);
  }

  /** Bytes of the open chunk's finished pages. */
  get pagesSize(): number {
    return this.#pages.size;
  }

  /** Bytes of the page under way and the dictionary, before compression. */
  get rawSize(): number {
    const values = this.#indexed ? this.#present * 2 + this.#dictionary!.values.length : this.#plainSize;
    return values + (this.leaf.maxDefinition > 0 ? this.#entries >> 3 : 0);
  }

  /** Memory held. */
  get heldBytes(): number {
    return this.#pages.size + this.openPageBytes + (this.#dictionary?.heldBytes ?? 0);
  }

  /** Memory held that `endPage` gives back. */
  get openPageBytes(): number {
    return this.#plain.capacity + 4 * this.#indexes.length + this.#definition.heldBytes + this.#repetition.heldBytes;
  }

  append(span: LeafSpan): void {
    if (!this.#started) this.#startChunk();
    let entry = 0;
    let value = 0;
    while (entry < span.entries) {
      let end = this.#sliceEnd(span, entry, SLICE);
      let count = presentIn(span, entry, end, this.leaf.maxDefinition);
      if (this.leaf.kind === 'bytes') {
        for (
          let size = SLICE >> 1;
          size > 0 && plainBytes(span.vector, span.values, value, value + count) > this.#options.pageSize;
          size >>= 1
        ) {
          end = this.#sliceEnd(span, entry, size);
          count = presentIn(span, entry, end, this.leaf.maxDefinition);
        }
      }
      this.#slice(span, entry, end, value, value + count);
      entry = end;
      value += count;
    }
  }

  /** Closes the page under way before its time, and gives its memory back. */
  endPage(): void {
    if (this.#entries > 0) this.#flushPage();
    this.#plain.release();
    this.#releaseIndexes();
    this.#definition.release();
    this.#repetition.release();
  }

  /** Closes the row group's chunk. */
  finishChunk(): ColumnChunk {
    if (this.#entries > 0) this.#flushPage();
    if (this.#chunkValues > 0) this.#habit.finished(this.#chunkValues, this.#tried, this.#indexedPages > 0);
    const chunk = this.#pages.finish(this.#indexedPages > 0 ? this.#dictionary : null);
    this.#pages = new ChunkPages(this.#compressor);
    this.#indexedPages = 0;
    this.#indexed = false;
    this.#dictionary = null;
    this.#started = false;
    this.#chunkValues = 0;
    return { leaf: this.leaf, ...chunk };
  }

  /** Once there is something for it: whether its dictionary is worth trying may be known by then. */
  #startChunk(): void {
    this.#started = true;
    this.#tried = this.#options.dictionarySize > 0 && this.leaf.kind !== 'bool' && this.#habit.tries;
    this.#indexed = this.#tried;
    this.#dictionary = this.#indexed ? new Dictionary(dictionaryWidth(this.leaf)) : null;
  }

  /** End of a slice of about `size` entries; the rows that it begins are whole. */
  #sliceEnd(span: LeafSpan, from: number, size: number): number {
    let end = Math.min(from + size, span.entries);
    if (span.repetition) while (end < span.entries && span.repetition[end] !== 0) end++;
    return end;
  }

  #slice(span: LeafSpan, from: number, to: number, valueFrom: number, valueTo: number): void {
    this.#definition.append(span.definition, from, to);
    this.#repetition.append(span.repetition, from, to);
    this.#entries += to - from;
    this.#rows += rowsIn(span, from, to);
    if (valueTo > valueFrom) this.#values(span.vector, span.values, valueFrom, valueTo);
    const size = this.#indexed ? this.#present * 2 : this.#plainSize;
    if (size >= this.#options.pageSize || this.#rows >= PAGE_ROWS) this.#flushPage();
  }

  #values(vector: Vector, values: Int32Array | null, from: number, to: number): void {
    this.#chunkValues += to - from;
    this.#plainSize += this.#plainSizeOf(vector, values, from, to);
    if (!this.#indexed) {
      this.#bounds.add(vector, values, from, to);
      this.#startPlain();
      if (this.leaf.kind === 'bool') this.#bits(vector, values, from, to);
      else encodePlain(this.#plain, vector, values, from, to);
      this.#present += to - from;
      return;
    }
    const dictionary = this.#dictionary!;
    const at = this.#present;
    this.#present += to - from;
    this.#reserveIndexes(this.#present);
    switch (this.leaf.kind) {
      case 'i32':
        dictionary.encode32(vector.i32, values, from, to, this.#indexes, at);
        break;
      case 'f32':
        dictionary.encode32(asWords(vector.f32), values, from, to, this.#indexes, at);
        break;
      case 'i64':
        dictionary.encode64(vector.i32, values, from, to, this.#indexes, at);
        break;
      case 'f64':
        dictionary.encode64(asWords(vector.f64), values, from, to, this.#indexes, at);
        break;
      default:
        dictionary.encodeBytes(vector.bytes, vector.offsets, values, from, to, this.#indexes, at);
    }
    if (this.leaf.kind === 'bytes' || this.leaf.kind === 'fixed')
      dictionary.bound(this.#bounds, this.#indexes, at, this.#present);
    else this.#bounds.add(vector, values, from, to);
    this.#reconsider(dictionary);
  }

  /** Gives the dictionary up where it finds hardly any value twice, and ends it where it is full. */
  #reconsider(dictionary: Dictionary): void {
    const first = this.#indexedPages === 0;
    if (first && this.#present >= EARLY && dictionary.size * 10 > this.#present * 9 && !this.#mayFit(dictionary))
      this.#giveUp(dictionary);
    else if (dictionary.values.length > this.#options.dictionarySize) {
      if (first && !this.#pays(dictionary)) this.#giveUp(dictionary);
      else {
        this.#flushPage();
        this.#indexed = false;
      }
    }
  }

  /**
   * Whether all values of the column may take at most half of the room, as those that are few enough to meet again later
   * do: of n draws out of d values about n² / 2d find one that was drawn before.
   */
  #mayFit(dictionary: Dictionary): boolean {
    const again = this.#present - dictionary.size;
    const distinct = this.#present ** 2 / (2 * again);
    return distinct * (dictionary.values.length / dictionary.size) <= this.#options.dictionarySize / 2;
  }

  #pays(dictionary: Dictionary): boolean {
    const packed = (this.#present * bitWidth(dictionary.size - 1)) >> 3;
    return dictionary.values.length + packed < this.#plainSize;
  }

  /** Goes on plain, the values of the page under way included; no page has been written with the dictionary. */
  #giveUp(dictionary: Dictionary): void {
    this.#startPlain();
    this.#plain.reserve(this.#plainSize);
    dictionary.plain(this.#indexes, this.#present, this.#plain);
    this.#dictionary = null;
    this.#indexed = false;
    this.#releaseIndexes();
  }

  #releaseIndexes(): void {
    free(this.#indexes.buffer);
    this.#indexes = new Int32Array(0);
  }

  #plainSizeOf(vector: Vector, values: Int32Array | null, from: number, to: number): number {
    switch (this.leaf.kind) {
      case 'bytes':
        return plainBytes(vector, values, from, to);
      case 'bool':
        return ((this.#present + to - from) >> 3) - (this.#present >> 3);
      default:
        return (to - from) * dictionaryWidth(this.leaf);
    }
  }

  /** Booleans, one bit each, lowest first. */
  #bits(vector: Vector, values: Int32Array | null, from: number, to: number): void {
    const plain = this.#plain;
    const first = this.#present;
    const end = ROOM + ((first + to - from + 7) >> 3);
    plain.reserve(end - plain.length);
    plain.bytes.fill(0, plain.length, end);
    plain.length = end;
    const { bits } = vector;
    const out = plain.bytes;
    for (let k = from, at = first; k < to; k++, at++) {
      const i = values === null ? k : values[k]!;
      out[ROOM + (at >> 3)]! |= ((bits[i >> 3]! >> (i & 7)) & 1) << (at & 7);
    }
  }

  #flushPage(): void {
    // A page of nulls says nothing about the dictionary, and needs none.
    if (this.#indexed && this.#present > 0 && this.#indexedPages === 0 && !this.#pays(this.#dictionary!))
      this.#giveUp(this.#dictionary!);
    const indexed = this.#indexed && this.#present > 0;
    SCRATCH.clear();
    this.#repetition.encode(SCRATCH);
    this.#definition.encode(SCRATCH);
    if (indexed) {
      const width = bitWidth(this.#dictionary!.size - 1);
      this.#indexedPages++;
      SCRATCH.byte(width);
      encodeHybrid(SCRATCH, this.#indexes, 0, this.#present, width);
    }
    const encoding = indexed ? Encoding.plainDictionary : Encoding.plain;
    const { min, max, nans } = this.#bounds.take();
    this.#pages.add(indexed ? SCRATCH.used() : this.#plainPage(), {
      encoding,
      entries: this.#entries,
      rows: this.#rows,
      nulls: this.#entries - this.#present,
      nans,
      min,
      max,
    });
    // A page of one huge value must not leave its size behind.
    const usual = 4 * this.#options.pageSize;
    if (SCRATCH.capacity > usual) SCRATCH.release();
    if (this.#plain.capacity > usual) this.#plain.release();
    else this.#plain.clear();
    this.#entries = 0;
    this.#rows = 0;
    this.#present = 0;
    this.#plainSize = 0;
    this.#dictionary?.nextPage();
  }

  #startPlain(): void {
    if (this.#plain.length > 0) return;
    this.#plain.reserve(ROOM);
    this.#plain.length = ROOM;
  }

  /** Levels, which are in `SCRATCH`, and the plain values. */
  #plainPage(): Uint8Array {
    const plain = this.#plain;
    const levels = SCRATCH.used();
    if (plain.length === 0) return levels;
    if (levels.length <= ROOM) {
      plain.bytes.set(levels, ROOM - levels.length);
      return plain.bytes.subarray(ROOM - levels.length, plain.length);
    }
    SCRATCH.append(plain.bytes.subarray(ROOM, plain.length));
    return SCRATCH.used();
  }

  #reserveIndexes(length: number): void {
    if (length <= this.#indexes.length) return;
    const indexes = new Int32Array(Math.max(length, this.#indexes.length * 2));
    indexes.set(this.#indexes);
    this.#indexes = indexes;
  }
}

/** Bytes of a value in a dictionary or plain page; -1: its length stands before it. */
function dictionaryWidth(leaf: Leaf): number {
  switch (leaf.kind) {
    case 'i32':
    case 'f32':
      return 4;
    case 'i64':
    case 'f64':
      return 8;
    case 'fixed':
      return leaf.width;
    default:
      return -1;
  }
}

function presentIn(span: LeafSpan, from: number, to: number, max: number): number {
  const { definition } = span;
  if (definition === null) return to - from;
  let count = 0;
  // Without a branch, which on levels of lists could not be foreseen: of 0 alone the word before it has its highest bit.
  for (let i = from; i < to; i++) count += ((definition[i]! ^ max) - 1) >>> 31;
  return count;
}

function rowsIn(span: LeafSpan, from: number, to: number): number {
  const { repetition } = span;
  if (repetition === null) return to - from;
  let count = 0;
  for (let i = from; i < to; i++) count += (repetition[i]! - 1) >>> 31;
  return count;
}
