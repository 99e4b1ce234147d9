import { isUtf8 } from 'node:buffer';
import { DecodeStop } from './stop.ts';

/** Deepest nesting of values of recursive types. */
const MOST_DEPTH = 500;
/** Items without bytes (nulls, empty records) in one record: otherwise a few bytes could stand for any amount of memory. */
const MOST_EMPTY_ITEMS = 65_536;

/**
 * Reads the primitives of Avro's binary encoding (Avro 1.12, "Binary Encoding") from one record. Every method stays
 * inside [p, end) and throws a DecodeStop with the path of the field (`path`) where the bytes do not fit.
 */
export class AvroCursor {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  p = 0;
  end = 0;
  /** The value read by `long`: two 32-bit words, both signed. */
  low = 0;
  high = 0;
  path = '';
  /** Values of which digits were cut so far: nanoseconds in a column of microseconds. */
  cut = 0;
  #depth = 0;
  #emptyItems = 0;

  open(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    this.bytes = bytes;
    this.view = view;
    this.p = start;
    this.end = end;
    this.#depth = 0;
    this.#emptyItems = 0;
  }

  fail(problem: string): never {
    throw new DecodeStop('DECODE_AVRO', `${this.path || 'the record'}: ${problem}`);
  }

  outOfRange(problem: string): never {
    throw new DecodeStop('VALUE_OUT_OF_RANGE', `${this.path || 'the record'}: ${problem}`);
  }

  /** Zigzag varint of up to 64 bits into `low` and `high`. */
  long(): void {
    let [low, high] = [0, 0];
    for (let shift = 0; ; shift += 7) {
      if (this.p >= this.end) this.fail('the bytes end inside a number');
      const byte = this.bytes[this.p++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (shift === 63 && byte > 1) this.fail('a number has more than 64 bits');
      if (byte < 0x80) break;
    }
    const sign = -(low & 1);
    this.low = ((low >>> 1) | (high << 31)) ^ sign;
    this.high = (high >>> 1) ^ sign;
  }

  int(): number {
    this.long();
    if (this.high !== this.low >> 31) this.fail('an int has more than 32 bits');
    return this.low;
  }

  /** A length or size that fits in what is left. */
  length(): number {
    this.long();
    if (this.high !== 0 || this.low < 0 || this.low > this.end - this.p) this.fail('a length goes beyond the bytes');
    return this.low;
  }

  /** Moves over `length` bytes and returns where they start. */
  take(length: number): number {
    if (length > this.end - this.p) this.fail('the bytes end early');
    const start = this.p;
    this.p += length;
    return start;
  }

  /** Moves over a string and returns where it starts; it ends at `p`. */
  text(): number {
    const length = this.length();
    const start = this.take(length);
    if (!validUtf8(this.bytes, start, this.p)) this.fail('a string is not valid UTF-8');
    return start;
  }

  boolean(): boolean {
    const byte = this.bytes[this.take(1)]!;
    if (byte > 1) this.fail('a boolean is neither 0 nor 1');
    return byte === 1;
  }

  /** Index of an enum symbol or union branch. */
  index(count: number, what: string): number {
    const index = this.int();
    if (index < 0 || index >= count) this.fail(`there is no ${what} ${index}`);
    return index;
  }

  /** Count of the next block of an array or map, 0 at the end. `least`: fewest bytes of an item. */
  block(least: number): number {
    this.long();
    if (this.high < 0) {
      // A negative count is followed by the block's size in bytes.
      [this.low, this.high] = [-this.low | 0, this.low === 0 ? -this.high | 0 : ~this.high];
      const [low, high] = [this.low, this.high];
      this.length();
      [this.low, this.high] = [low, high];
    }
    const count = this.low;
    if (this.high !== 0 || count < 0) this.fail('a block has too many items');
    if (least > 0) {
      if (count > (this.end - this.p) / least) this.fail('a block has more items than bytes');
    } else {
      this.#emptyItems += count;
      if (this.#emptyItems > MOST_EMPTY_ITEMS) this.fail(`there are more than ${MOST_EMPTY_ITEMS} items without bytes`);
    }
    return count;
  }

  /** Around values of recursive types. */
  descend(): void {
    if (++this.#depth > MOST_DEPTH) this.fail(`values are nested deeper than ${MOST_DEPTH} levels`);
  }

  ascend(): void {
    this.#depth--;
  }
}

/** True where bytes [start, end) are valid UTF-8. Short ASCII is seen without a call into native code. */
export function validUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start <= 64) {
    let any = 0;
    for (let i = start; i < end; i++) any |= bytes[i]!;
    if (any < 0x80) return true;
  }
  return isUtf8(bytes.subarray(start, end));
}
