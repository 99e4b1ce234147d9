import type { Bounds } from './bounds.ts';
import { ByteBuffer } from './byte-buffer.ts';

/** Bytes up to which values are compared as four words. */
const SHORT = 16;
/** Words of an entry of byte strings, half a cache line: all that a look at it reads. */
const ENTRY = 8;
/** Where in an entry its words stand; the hash, the only one of an entry of 4 or 8 bytes, is the first. */
const [START, LENGTH, SEEN, WORDS] = [1, 2, 3, 4] as const;

/**
 * The dictionary of a column chunk: PLAIN-encoded distinct values, found by an open-addressing hash table over typed
 * arrays. No key object per value. One class for all widths; `width` is the bytes of a value, -1 for variable length
 * (stored with its 4-byte length in front, as PLAIN asks).
 */
export class Dictionary {
  readonly width: number;
  readonly values: ByteBuffer = new ByteBuffer();
  size = 0;
  /**
   * Of each entry its hash, and of byte strings where in `values` they start, their length, the page that looked at them
   * for its bounds, and of at most `SHORT` bytes the words that they are compared by.
   */
  #entries: Int32Array = new Int32Array(0);
  #stride = 1;
  /** Number of the page that looks at entries for its bounds, and how many it has seen. */
  #page = 1;
  #seen = 0;
  /** Entry + 1 by slot; 0 is free. */
  #slots: Int32Array = new Int32Array(0);
  #mask = 0;

  constructor(width: number) {
    this.width = width;
  }

  /** Memory held, bytes. */
  get heldBytes(): number {
    return this.values.capacity + 4 * (this.#entries.length + this.#slots.length);
  }

  /** Entries of 4-byte values `source[i]` into `out` from `at`. */
  encode32(source: Int32Array, values: Int32Array | null, from: number, to: number, out: Int32Array, at: number): void {
    this.#prepare(to - from, 4);
    const { values: store } = this;
    let slots = this.#slots;
    let last = 0;
    let lastEntry = -1;
    for (let k = from; k < to; k++) {
      const value = source[values === null ? k : values[k]!]!;
      if (lastEntry >= 0 && value === last) {
        out[at++] = lastEntry;
        continue;
      }
      const hash = mix(value);
      let slot = hash & this.#mask;
      let entry = slots[slot]! - 1;
      while (entry >= 0 && store.view.getInt32(entry * 4, true) !== value) {
        slot = (slot + 1) & this.#mask;
        entry = slots[slot]! - 1;
      }
      if (entry < 0) {
        entry = this.size++;
        store.int32(value);
        this.#entries[entry] = hash;
        slots[slot] = entry + 1;
        if (this.size * 2 > this.#mask) slots = this.#rehash();
      }
      last = value;
      lastEntry = entry;
      out[at++] = entry;
    }
  }

  /** Entries of 8-byte values `source[2i], source[2i+1]` into `out` from `at`. */
  encode64(source: Int32Array, values: Int32Array | null, from: number, to: number, out: Int32Array, at: number): void {
    this.#prepare(to - from, 8);
    const { values: store } = this;
    let slots = this.#slots;
    let lastLow = 0;
    let lastHigh = 0;
    let lastEntry = -1;
    for (let k = from; k < to; k++) {
      const i = values === null ? k : values[k]!;
      const low = source[2 * i]!;
      const high = source[2 * i + 1]!;
      if (lastEntry >= 0 && low === lastLow && high === lastHigh) {
        out[at++] = lastEntry;
        continue;
      }
      const hash = mix(low ^ mix(high));
      let slot = hash & this.#mask;
      let entry = slots[slot]! - 1;
      while (
        entry >= 0 &&
        (store.view.getInt32(entry * 8, true) !== low || store.view.getInt32(entry * 8 + 4, true) !== high)
      ) {
        slot = (slot + 1) & this.#mask;
        entry = slots[slot]! - 1;
      }
      if (entry < 0) {
        entry = this.size++;
        store.int32(low);
        store.int32(high);
        this.#entries[entry] = hash;
        slots[slot] = entry + 1;
        if (this.size * 2 > this.#mask) slots = this.#rehash();
      }
      lastLow = low;
      lastHigh = high;
      lastEntry = entry;
      out[at++] = entry;
    }
  }

  /**
   * Entries of byte strings into `out` from `at`: `offsets[i] … offsets[i+1]` of `bytes`, or for a fixed width
   * `i * width …`. At least 8 bytes must be readable after the last value (the slack of vectors).
   */
  encodeBytes(
    bytes: Uint8Array,
    offsets: Int32Array,
    values: Int32Array | null,
    from: number,
    to: number,
    out: Int32Array,
    at: number,
  ): void {
    const count = to - from;
    if (values === null && count > 1 && this.width < 0 && isConstant(bytes, offsets, from, to)) {
      this.encodeBytes(bytes, offsets, null, from, from + 1, out, at);
      out.fill(out[at]!, at + 1, at + count);
      return;
    }
    this.#prepare(count, 0);
    const { width, values: store } = this;
    const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const entries = this.#entries;
    let slots = this.#slots;
    let lastEntry = -1;
    for (let k = from; k < to; k++) {
      const i = values === null ? k : values[k]!;
      const start = width < 0 ? offsets[i]! : i * width;
      const length = width < 0 ? offsets[i + 1]! - start : width;
      let entry: number;
      let hash: number;
      let slot: number;
      let w0 = 0;
      let w1 = 0;
      let w2 = 0;
      let w3 = 0;
      if (length <= SHORT) {
        // First and last words, which overlap: all bytes without a loop, whose end could not be foreseen.
        if (length > 8) {
          w0 = source.getInt32(start, true);
          w1 = source.getInt32(start + 4, true);
          w2 = source.getInt32(start + length - 8, true);
          w3 = source.getInt32(start + length - 4, true);
        } else if (length >= 4) {
          w0 = source.getInt32(start, true);
          w1 = source.getInt32(start + length - 4, true);
        } else if (length > 0) w0 = source.getInt32(start, true) & ((1 << (length * 8)) - 1);
        hash = hashWords(w0, w1, w2, w3, length);
        slot = hash & this.#mask;
        entry = slots[slot]! - 1;
        while (
          entry >= 0 &&
          ((entries[ENTRY * entry + LENGTH]! ^ length) |
            (entries[ENTRY * entry + WORDS]! ^ w0) |
            (entries[ENTRY * entry + WORDS + 1]! ^ w1) |
            (entries[ENTRY * entry + WORDS + 2]! ^ w2) |
            (entries[ENTRY * entry + WORDS + 3]! ^ w3)) !==
            0
        ) {
          slot = (slot + 1) & this.#mask;
          entry = slots[slot]! - 1;
        }
      } else {
        if (lastEntry >= 0 && this.#equals(lastEntry, source, start, length)) {
          out[at++] = lastEntry;
          continue;
        }
        hash = hashBytes(source, start, length);
        slot = hash & this.#mask;
        entry = slots[slot]! - 1;
        while (entry >= 0 && (entries[ENTRY * entry] !== hash || !this.#equals(entry, source, start, length))) {
          slot = (slot + 1) & this.#mask;
          entry = slots[slot]! - 1;
        }
        lastEntry = entry < 0 ? this.size : entry;
      }
      if (entry < 0) {
        entry = this.size++;
        if (width < 0) store.int32(length);
        const own = ENTRY * entry;
        entries[own] = hash;
        entries[own + START] = store.length;
        entries[own + LENGTH] = length;
        entries[own + WORDS] = w0;
        entries[own + WORDS + 1] = w1;
        entries[own + WORDS + 2] = w2;
        entries[own + WORDS + 3] = w3;
        store.copyFrom(source, start, length);
        slots[slot] = entry + 1;
        if (this.size * 2 > this.#mask) slots = this.#rehash();
      }
      out[at++] = entry;
    }
  }

  /** Byte strings among `indexes[from … to-1]` that were not given to `bounds` yet since the page began. */
  bound(bounds: Bounds, indexes: Int32Array, from: number, to: number): void {
    const entries = this.#entries;
    const page = this.#page;
    const { view } = this.values;
    for (let k = from; k < to && this.#seen < this.size; k++) {
      const own = ENTRY * indexes[k]!;
      if (entries[own + SEEN] === page) continue;
      entries[own + SEEN] = page;
      this.#seen++;
      bounds.addBytes(view, entries[own + START]!, entries[own + LENGTH]!);
    }
  }

  /** A page begins: its bounds are its own. */
  nextPage(): void {
    this.#page++;
    this.#seen = 0;
  }

  /** PLAIN encoding of the entries `indexes`, in order: what pages hold once the dictionary is given up. */
  plain(indexes: Int32Array, count: number, out: ByteBuffer): void {
    const { width, values: store } = this;
    const entries = this.#entries;
    for (let k = 0; k < count; k++) {
      const entry = indexes[k]!;
      const start = width < 0 ? entries[ENTRY * entry + START]! - 4 : entry * width;
      const length = width < 0 ? entries[ENTRY * entry + LENGTH]! + 4 : width;
      out.copyFrom(store.view, start, length);
    }
  }

  #equals(entry: number, source: DataView, start: number, length: number): boolean {
    if (this.#entries[ENTRY * entry + LENGTH] !== length) return false;
    const { view } = this.values;
    const own = this.#entries[ENTRY * entry + START]!;
    let i = 0;
    for (; i + 4 <= length; i += 4) if (view.getInt32(own + i, true) !== source.getInt32(start + i, true)) return false;
    for (; i < length; i++) if (view.getUint8(own + i) !== source.getUint8(start + i)) return false;
    return true;
  }

  /** Room for `count` new entries, so that the loops only look after the hash table. */
  #prepare(count: number, width: number): void {
    if (this.#slots.length === 0) {
      this.#slots = new Int32Array(256);
      this.#mask = 255;
      this.#stride = width > 0 ? 1 : ENTRY;
    }
    if (width > 0) this.values.reserve(Math.min(count, 64) * width);
    const need = (this.size + count) * this.#stride;
    if (need <= this.#entries.length) return;
    const entries = new Int32Array(Math.max(need, this.#entries.length * 2));
    entries.set(this.#entries);
    this.#entries = entries;
  }

  #rehash(): Int32Array {
    const slots = new Int32Array(this.#slots.length * 4);
    const mask = slots.length - 1;
    for (let entry = 0; entry < this.size; entry++) {
      let slot = this.#entries[entry * this.#stride]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = entry + 1;
    }
    this.#slots = slots;
    this.#mask = mask;
    return slots;
  }
}

function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 14);
}

function hashWords(w0: number, w1: number, w2: number, w3: number, length: number): number {
  const low = Math.imul(w0 ^ length, 0x9e3779b1 | 0) ^ Math.imul(w1, 0x85ebca6b | 0);
  return mix(low ^ Math.imul(w2, 0xc2b2ae35 | 0) ^ Math.imul(w3, 0x27d4eb2f));
}

function hashBytes(view: DataView, start: number, length: number): number {
  let h = length;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    h = Math.imul(h ^ view.getInt32(start + i, true), 0x9e3779b1 | 0);
    h ^= h >>> 15;
  }
  const rest = length - i;
  // The last bytes as the low ones of a word that reaches past the value.
  if (rest > 0) h = Math.imul(h ^ (view.getInt32(start + i, true) & ((1 << (rest * 8)) - 1)), 0x9e3779b1 | 0);
  return mix(h);
}

/** Whether the values `from … to-1` are all the same, as a topic's name is. Others are told apart by their first bytes. */
function isConstant(bytes: Uint8Array, offsets: Int32Array, from: number, to: number): boolean {
  const start = offsets[from]!;
  const end = offsets[to]!;
  const length = offsets[from + 1]! - start;
  if (end - start !== length * (to - from)) return false;
  if (Buffer.compare(bytes.subarray(start, end - length), bytes.subarray(start + length, end)) !== 0) return false;
  for (let i = from + 1, at = start + length; i < to; i++, at += length) if (offsets[i] !== at) return false;
  return true;
}
