import type { Vector } from '../columns/batch.ts';
import { decimalOf } from '../schema/types.ts';
import type { Leaf } from './schema-elements.ts';

/** The smallest or largest value of a page, PLAIN-encoded without a length; `exact` is false for a kept prefix. */
export interface Bound {
  readonly bytes: Uint8Array;
  readonly exact: boolean;
}

/**
 * Smallest and largest value of the page under way. `add` takes the values `from … to-1` of a span (`values` as in
 * `LeafSpan`); `take` gives what was found and starts over.
 */
export interface Bounds {
  add(vector: Vector, values: Int32Array | null, from: number, to: number): void;
  /** A dictionary entry of the page, each once: `length` bytes of `view` from `start` on. */
  addBytes(view: DataView, start: number, length: number): void;
  take(): { readonly min: Bound | null; readonly max: Bound | null; readonly nans: number };
}

/** Bytes kept of a string or binary bound where full metrics are not asked for: 16 code points of any kind. */
export const KEPT = 64;

/** Bounds for a leaf; `full` keeps whole values. None for uuid: Java's readers compare them signed (DESIGN §6). */
export function boundsFor(leaf: Leaf, full: boolean): Bounds {
  switch (leaf.kind) {
    case 'bool':
      return new BoolBounds();
    case 'i32':
      return new Int32Bounds();
    case 'i64':
      return new Int64Bounds();
    case 'f32':
      return new FloatBounds(4);
    case 'f64':
      return new FloatBounds(8);
    default:
      if (leaf.type === 'uuid') return new NoBounds();
      return new BytesBounds(
        leaf.kind === 'fixed' ? leaf.width : -1,
        decimalOf(leaf.type) !== null,
        full || leaf.kind === 'fixed' ? 0x7fffffff : KEPT,
      );
  }
}

const NOTHING = { min: null, max: null, nans: 0 } as const;

class NoBounds implements Bounds {
  add(): void {}
  addBytes(): void {}
  take(): typeof NOTHING {
    return NOTHING;
  }
}

class BoolBounds implements Bounds {
  #seen = 0;

  add(vector: Vector, values: Int32Array | null, from: number, to: number): void {
    const { bits } = vector;
    for (let k = from; k < to && this.#seen !== 3; k++) {
      const i = values === null ? k : values[k]!;
      this.#seen |= 1 << ((bits[i >> 3]! >> (i & 7)) & 1);
    }
  }

  addBytes(): void {}

  take(): ReturnType<Bounds['take']> {
    const seen = this.#seen;
    this.#seen = 0;
    if (seen === 0) return NOTHING;
    return { min: exact(Uint8Array.of((seen & 1) === 1 ? 0 : 1)), max: exact(Uint8Array.of(seen >> 1)), nans: 0 };
  }
}

class Int32Bounds implements Bounds {
  #any = false;
  #min = 0;
  #max = 0;

  add(vector: Vector, values: Int32Array | null, from: number, to: number): void {
    const { i32 } = vector;
    let min = this.#any ? this.#min : 0x7fffffff;
    let max = this.#any ? this.#max : -0x80000000;
    for (let k = from; k < to; k++) {
      const value = i32[values === null ? k : values[k]!]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#any ||= to > from;
    this.#min = min;
    this.#max = max;
  }

  addBytes(): void {}

  take(): ReturnType<Bounds['take']> {
    if (!this.#any) return NOTHING;
    this.#any = false;
    return { min: exact(words(this.#min)), max: exact(words(this.#max)), nans: 0 };
  }
}

class Int64Bounds implements Bounds {
  #any = false;
  #minLow = 0;
  #minHigh = 0;
  #maxLow = 0;
  #maxHigh = 0;

  add(vector: Vector, values: Int32Array | null, from: number, to: number): void {
    const { i32 } = vector;
    let minHigh = this.#any ? this.#minHigh : 0x7fffffff;
    let minLow = this.#any ? this.#minLow : 0xffffffff;
    let maxHigh = this.#any ? this.#maxHigh : -0x80000000;
    let maxLow = this.#any ? this.#maxLow : 0;
    for (let k = from; k < to; k++) {
      const i = values === null ? k : values[k]!;
      const high = i32[2 * i + 1]!;
      const low = i32[2 * i]! >>> 0;
      if (high < minHigh || (high === minHigh && low < minLow)) {
        minHigh = high;
        minLow = low;
      }
      if (high > maxHigh || (high === maxHigh && low > maxLow)) {
        maxHigh = high;
        maxLow = low;
      }
    }
    this.#any ||= to > from;
    this.#minHigh = minHigh;
    this.#minLow = minLow;
    this.#maxHigh = maxHigh;
    this.#maxLow = maxLow;
  }

  addBytes(): void {}

  take(): ReturnType<Bounds['take']> {
    if (!this.#any) return NOTHING;
    this.#any = false;
    return { min: exact(words(this.#minLow, this.#minHigh)), max: exact(words(this.#maxLow, this.#maxHigh)), nans: 0 };
  }
}

/** NaN is counted and never a bound; a zero becomes −0.0 below and +0.0 above, which compare equal but sort apart. */
class FloatBounds implements Bounds {
  readonly #size: 4 | 8;
  #any = false;
  #min = 0;
  #max = 0;
  #nans = 0;

  constructor(size: 4 | 8) {
    this.#size = size;
  }

  add(vector: Vector, values: Int32Array | null, from: number, to: number): void {
    const from64 = this.#size === 8;
    const { f32, f64 } = vector;
    let min = this.#any ? this.#min : Infinity;
    let max = this.#any ? this.#max : -Infinity;
    let nans = 0;
    for (let k = from; k < to; k++) {
      const i = values === null ? k : values[k]!;
      const value = from64 ? f64[i]! : f32[i]!;
      if (value < min) min = value;
      if (value > max) max = value;
      if (value !== value) nans++;
    }
    this.#any ||= to - from > nans;
    this.#nans += nans;
    this.#min = min;
    this.#max = max;
  }

  addBytes(): void {}

  take(): ReturnType<Bounds['take']> {
    const nans = this.#nans;
    this.#nans = 0;
    if (!this.#any) return { min: null, max: null, nans };
    this.#any = false;
    return {
      min: exact(this.#float(this.#min === 0 ? -0 : this.#min)),
      max: exact(this.#float(this.#max === 0 ? 0 : this.#max)),
      nans,
    };
  }

  #float(value: number): Uint8Array {
    return new Uint8Array(this.#size === 8 ? Float64Array.of(value).buffer : Float32Array.of(value).buffer);
  }
}

/** Byte order, unsigned (strings, binary, fixed), or two's complement (decimals). Keeps at most `kept` bytes of each. */
class BytesBounds implements Bounds {
  readonly #width: number;
  readonly #signed: boolean;
  readonly #kept: number;
  #any = false;
  #min = new DataView(new ArrayBuffer(KEPT + 8));
  #max = new DataView(new ArrayBuffer(KEPT + 8));
  #minLength = 0;
  #maxLength = 0;
  #minExact = true;
  #maxExact = true;
  /** Bytes that min and max share from the start. */
  #shared = 0;

  constructor(width: number, signed: boolean, kept: number) {
    this.#width = width;
    this.#signed = signed;
    this.#kept = kept;
  }

  add(vector: Vector, values: Int32Array | null, from: number, to: number): void {
    const { bytes, offsets } = vector;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const width = this.#width;
    let reach = this.#reach();
    for (let k = from; k < to; k++) {
      const i = values === null ? k : values[k]!;
      const start = width < 0 ? offsets[i]! : i * width;
      const length = width < 0 ? offsets[i + 1]! - start : width;
      if (length >= reach && this.#between(view, start)) continue;
      this.#widen(view, start, length);
      reach = this.#reach();
    }
  }

  /** Bytes that a value needs to be decided by `#between`: those that min and max share, and four. */
  #reach(): number {
    const reach = this.#shared + 4;
    return this.#any && !this.#signed && reach <= this.#minLength && reach <= this.#maxLength ? reach : 0x7fffffff;
  }

  /**
   * Whether a value of at least `#reach` bytes surely lies between min and max, as nearly all do: it begins as both do,
   * and the four bytes after that lie between theirs.
   */
  #between(view: DataView, start: number): boolean {
    const min = this.#min;
    const shared = this.#shared;
    const word = view.getUint32(start + shared);
    if (word <= min.getUint32(shared) || word >= this.#max.getUint32(shared)) return false;
    let i = 0;
    for (; i + 4 <= shared; i += 4) if (view.getInt32(start + i, true) !== min.getInt32(i, true)) return false;
    // One to three bytes are left: the low ones of a word that reaches past them.
    const rest = shared - i;
    return rest === 0 || (view.getInt32(start + i, true) ^ min.getInt32(i, true)) << (32 - 8 * rest) === 0;
  }

  addBytes(view: DataView, start: number, length: number): void {
    if (length < this.#reach() || !this.#between(view, start)) this.#widen(view, start, length);
  }

  #widen(view: DataView, start: number, length: number): void {
    const kept = length < this.#kept ? length : this.#kept;
    if (!this.#any) {
      this.#any = true;
      this.#setMin(view, start, kept, length, 0);
      this.#setMax(view, start, kept, length, 0);
      this.#shared = kept;
      return;
    }
    const at = mismatch(view, start, kept, this.#min, 0, this.#minLength);
    const toMin = this.#order(view, start, kept, at, this.#min, this.#minLength);
    if (toMin < 0) {
      this.#setMin(view, start, kept, length, at);
      this.#shared = mismatch(this.#min, 0, this.#minLength, this.#max, 0, this.#maxLength);
      return;
    }
    if (toMin === 0 && length === kept) this.#minExact = true;
    // Where the value leaves min before min and max part, it leaves max in the same place and direction.
    if (at < this.#shared) {
      if (toMin > 0) {
        this.#setMax(view, start, kept, length, at);
        this.#shared = at;
      }
      return;
    }
    const there =
      this.#shared +
      mismatch(
        view,
        start + this.#shared,
        kept - this.#shared,
        this.#max,
        this.#shared,
        this.#maxLength - this.#shared,
      );
    const toMax = this.#order(view, start, kept, there, this.#max, this.#maxLength);
    if (toMax > 0) {
      this.#setMax(view, start, kept, length, there);
      this.#shared = mismatch(this.#min, 0, this.#minLength, this.#max, 0, this.#maxLength);
    } else if (toMax === 0 && length > kept) this.#maxExact = false;
  }

  take(): ReturnType<Bounds['take']> {
    if (!this.#any) return NOTHING;
    this.#any = false;
    return {
      min: { bytes: new Uint8Array(this.#min.buffer.slice(0, this.#minLength)), exact: this.#minExact },
      max: { bytes: new Uint8Array(this.#max.buffer.slice(0, this.#maxLength)), exact: this.#maxExact },
      nans: 0,
    };
  }

  /** Sign of value − bound, given the first place where they differ. */
  #order(view: DataView, start: number, length: number, at: number, bound: DataView, boundLength: number): number {
    if (at === length || at === boundLength) return length - boundLength;
    if (at === 0 && this.#signed) return view.getInt8(start) - bound.getInt8(0);
    return view.getUint8(start + at) - bound.getUint8(at);
  }

  /** `same`: bytes in which it begins as the minimum before it. */
  #setMin(view: DataView, start: number, kept: number, length: number, same: number): void {
    this.#min = copied(this.#min, view, start, kept, same);
    this.#minLength = kept;
    this.#minExact = kept === length;
  }

  #setMax(view: DataView, start: number, kept: number, length: number, same: number): void {
    this.#max = copied(this.#max, view, start, kept, same);
    this.#maxLength = kept;
    this.#maxExact = kept === length;
  }
}

/**
 * The value at `start`, in `to` if that has room; `to` holds its first `same` bytes already. Values that come in order (times
 * as text) are copied one by one: nothing is allocated for them, as it would be for `subarray`.
 */
function copied(
  to: DataView<ArrayBuffer>,
  view: DataView,
  start: number,
  length: number,
  same: number,
): DataView<ArrayBuffer> {
  if (to.byteLength < length + 8) return copied(new DataView(new ArrayBuffer(length * 2 + 8)), view, start, length, 0);
  let i = same;
  for (; i + 4 <= length; i += 4) to.setInt32(i, view.getInt32(start + i, true), true);
  for (; i < length; i++) to.setUint8(i, view.getUint8(start + i));
  return to;
}

/** Index of the first byte in which `a` and `b` differ, or the length of the shorter. */
function mismatch(a: DataView, aStart: number, aLength: number, b: DataView, bStart: number, bLength: number): number {
  const length = aLength < bLength ? aLength : bLength;
  let i = 0;
  while (i + 4 <= length && a.getInt32(aStart + i, true) === b.getInt32(bStart + i, true)) i += 4;
  while (i < length && a.getUint8(aStart + i) === b.getUint8(bStart + i)) i++;
  return i;
}

function exact(bytes: Uint8Array): Bound {
  return { bytes, exact: true };
}

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}
