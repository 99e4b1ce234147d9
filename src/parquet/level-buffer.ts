import { free } from '../free.ts';
import type { ByteBuffer } from './byte-buffer.ts';
import { bitWidth, encodeHybrid, encodeRun } from './rle.ts';

/** The definition or repetition levels of the page under way. While all stand at `uniform` only their number is kept. */
export class LevelBuffer {
  readonly max: number;
  readonly #uniform: number;
  #levels: Uint8Array = new Uint8Array(0);
  #length = 0;
  #mixed = false;

  /** `uniform`: the common level, for which nothing is stored (the maximum for definition, 0 for repetition). */
  constructor(max: number, uniform: number) {
    this.max = max;
    this.#uniform = uniform;
  }

  get heldBytes(): number {
    return this.#levels.length;
  }

  /** `levels[from … to-1]`; null: all at the common level. */
  append(levels: Uint8Array | null, from: number, to: number): void {
    const end = this.#length + to - from;
    if (levels !== null && !this.#mixed) {
      this.#mixed = true;
      this.#reserve(end);
      this.#levels.fill(this.#uniform, 0, this.#length);
    }
    if (this.#mixed) {
      this.#reserve(end);
      if (levels === null) this.#levels.fill(this.#uniform, this.#length, end);
      else this.#levels.set(levels.subarray(from, to), this.#length);
    }
    this.#length = end;
  }

  /** As a v1 data page holds them: length and hybrid runs; nothing at all where the maximum is 0. Starts over. */
  encode(out: ByteBuffer): void {
    const length = this.#length;
    this.#length = 0;
    if (this.max === 0) return;
    const width = bitWidth(this.max);
    const start = out.length;
    out.int32(0);
    if (this.#mixed) encodeHybrid(out, this.#levels, 0, length, width);
    else encodeRun(out, this.#uniform, length, width);
    out.view.setInt32(start, out.length - start - 4, true);
    this.#mixed = false;
  }

  /** Gives the memory of an empty buffer back. */
  release(): void {
    free(this.#levels.buffer);
    this.#levels = new Uint8Array(0);
  }

  #reserve(length: number): void {
    if (length <= this.#levels.length) return;
    const levels = new Uint8Array(Math.max(length, this.#levels.length * 2, 1024));
    levels.set(this.#levels.subarray(0, this.#length));
    this.#levels = levels;
  }
}
