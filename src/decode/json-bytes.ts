import type { Vector } from '../columns/batch.ts';
import { Expect, FALS, JsonNode, JsonObjectNode, NULL, TRUE, hashOf } from './json-layout.ts';
import { JsonDigits, POWERS } from './json-digits.ts';
import { extraMember, putExtra } from './json-extra.ts';
import { JsonLeafReader } from './json-leaf.ts';
import { doubleOf, fitsFloat } from './json-number.ts';
import { orderOf } from './json-order.ts';
import type { JsonOrder } from './json-order.ts';
import type { JsonBinding, JsonTarget } from './json-place.ts';
import { skipValue } from './json-skip.ts';
import { putAnyString, putString } from './json-string.ts';
import { putBool, putBytes, putI32, putI64, putList, slot } from './vectors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const MOST_NUMBER_BYTES = 64;
/** A JSON number with a fraction or an exponent. */
const FRACTION = /^-?(?:0|[1-9]\d*)(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)$/;
const TWO_32 = 0x1_0000_0000;

/**
 * Reads JSON objects of a known shape from bytes into vectors: no JavaScript string, no object per value.
 *
 * It takes only what is plainly right and gives up (-1) on everything else, in the middle of whatever it wrote: the
 * caller cuts the record back and gives it to the interpreted decoder, which decodes it or says why it cannot be. So a
 * number that needs care, a key met twice, an unknown key with a value, or invalid UTF-8 is never decided here.
 */
export class JsonBytes {
  readonly #root: JsonObjectNode;
  readonly #record: JsonNode | null;
  readonly #strings: JsonLeafReader;
  readonly #typed: boolean;
  readonly #full: boolean;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #end = 0;
  readonly #number = new JsonDigits();

  constructor(target: JsonTarget, { options, typed, unknown }: JsonBinding) {
    this.#root = new JsonObjectNode(target.members);
    this.#record = target.whole && new JsonNode(target.whole);
    this.#strings = new JsonLeafReader(options.nanos);
    this.#typed = typed;
    this.#full = unknown === 'extra';
  }

  /** Values of the last row of which digits were cut. */
  get cut(): number {
    return this.#strings.cut;
  }

  /** Appends one row from bytes [start, end); false where the record is not plainly right. */
  row(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
    this.begin(bytes, view, end);
    let p = this.#blank(start);
    if (p >= end) return false;
    if (this.#record) {
      p = this.#value(this.#record, p);
      for (const column of this.#root.missing) column.appendNull();
    } else {
      if (bytes[p] !== OPEN_OBJECT) return false;
      p = this.#object(this.#root, p + 1);
    }
    return p >= 0 && this.#blank(p) === end;
  }

  /** Reads a record that ends at `end`, member by member. */
  begin(bytes: Uint8Array, view: DataView, end: number): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#end = end;
    this.#strings.cut = 0;
  }

  /** Appends the value that begins at `p`; the result is the index after it, or -1. */
  member(field: JsonNode, p: number): number {
    return this.#value(field, p);
  }

  /** How the members of the last row stood, for code that takes such records; null where it would not pay. */
  order(start: number): JsonOrder | null {
    return this.#record ? null : orderOf(this.#root, this.#bytes, start);
  }

  /** Index of the first byte that is not white space. */
  #blank(p: number): number {
    const bytes = this.#bytes;
    while (p < this.#end) {
      const byte = bytes[p]!;
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
      p++;
    }
    return p;
  }

  /** `p` stands after the opening brace; the result after the closing one. */
  #object(node: JsonObjectNode, p: number): number {
    const bytes = this.#bytes;
    const { fields, next, seen, words } = node;
    const epoch = ++node.epoch;
    let met = 0;
    let before = 0;
    let key = 0;
    let keyEnd = 0;
    if (!node.plain) node.extras.length = 0;
    if (bytes[p]! <= 0x20) p = this.#blank(p);
    if (bytes[p] === CLOSE_OBJECT) p++;
    else {
      for (;;) {
        let field = next[before]!;
        let after = field >= 0 ? this.#matches(words, fields[field]!, p) : -1;
        if (after < 0) {
          key = p;
          keyEnd = this.#keyEnd(p);
          if (keyEnd < 0) return -1;
          field = node.find(bytes, p + 1, keyEnd - 1);
          if (field >= 0) next[before] = field;
          after = this.#blank(keyEnd);
          if (bytes[after] !== COLON) return -1;
          after++;
        }
        p = after;
        if (bytes[p]! <= 0x20) p = this.#blank(p);
        if (field < 0) p = this.#unknown(node, key, keyEnd, p);
        else {
          if (seen[field] === epoch) return -1;
          seen[field] = epoch;
          met++;
          p = this.#value(fields[field]!, p);
          before = field + 1;
        }
        if (p < 0 || p >= this.#end) return -1;
        if (bytes[p]! <= 0x20) p = this.#blank(p);
        if (bytes[p] !== COMMA) {
          if (bytes[p] === CLOSE_OBJECT) break;
          return -1;
        }
        p++;
        if (bytes[p]! <= 0x20) p = this.#blank(p);
      }
      p++;
    }
    if (p > this.#end) return -1;
    if (met < fields.length) {
      for (let i = 0; i < fields.length; i++) {
        if (seen[i] === epoch) continue;
        if (fields[i]!.required) return -1;
        fields[i]!.vector.appendNull();
      }
    }
    return node.plain || this.#others(node) ? p : -1;
  }

  /** Columns that are no fields. */
  #others(node: JsonObjectNode): boolean {
    if (node.extra) putExtra(node, node.extra, this.#bytes);
    for (const column of node.missing) {
      if (column.field.required) return false;
      column.appendNull();
    }
    return true;
  }

  /** Index after the key, with its quotes and the colon, if it is that of the field, else -1. */
  #matches(words: Int32Array, field: JsonNode, p: number): number {
    const view = this.#view;
    const last = field.keyLast;
    const after = p + field.keyLength;
    if (after + 3 > view.byteLength) return -1;
    for (let k = field.keyFirst; k < last; k++, p += 4) if (view.getInt32(p, true) !== words[k]) return -1;
    return ((view.getInt32(p, true) ^ words[last]!) & field.keyMask) === 0 ? after : -1;
  }

  /** Index after a key without escapes and of ASCII only, else -1. */
  #keyEnd(p: number): number {
    const bytes = this.#bytes;
    if (bytes[p] !== QUOTE) return -1;
    for (let i = p + 1; i < this.#end; i++) {
      const byte = bytes[i]!;
      if (byte === QUOTE) return i + 1;
      if (byte < 0x20 || byte === BACKSLASH || byte >= 0x80) return -1;
    }
    return -1;
  }

  /** Of ASCII bytes. */
  #text(start: number, end: number): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start).toString('latin1');
  }

  #unknown(node: JsonObjectNode, key: number, after: number, p: number): number {
    if (node.ignored.size > 0 && node.ignored.has(this.#text(key + 1, after - 1)))
      return skipValue(this.#bytes, p, this.#end);
    if (node.extra) return this.#full ? extraMember(node, this.#bytes, key, after, p, this.#end) : -1;
    return this.#typed ? -1 : this.#nothing(p);
  }

  /** An unknown key may stand before null, {} or []: these make no column. */
  #nothing(p: number): number {
    if (p + 4 <= this.#end && this.#view.getInt32(p, true) === NULL) return p + 4;
    const bytes = this.#bytes;
    return (bytes[p] === OPEN_OBJECT && bytes[p + 1] === CLOSE_OBJECT) ||
      (bytes[p] === OPEN_ARRAY && bytes[p + 1] === CLOSE_ARRAY)
      ? p + 2
      : -1;
  }

  #value(node: JsonNode, p: number): number {
    if (this.#bytes[p] === 0x6e) {
      if (node.required || p + 4 > this.#end || this.#view.getInt32(p, true) !== NULL) return -1;
      node.vector.appendNull();
      return p + 4;
    }
    switch (node.expect) {
      case Expect.string:
        return putString(node, this.#bytes, this.#view, p, this.#end);
      case Expect.long:
      case Expect.int:
        return this.#whole(node, p);
      case Expect.double:
        return this.#double(node.vector, p);
      case Expect.decimal:
        return this.#decimal(node, p);
      case Expect.boolean:
        return this.#boolean(node.vector, p);
      case Expect.struct: {
        if (this.#bytes[p] !== OPEN_OBJECT) return -1;
        const after = this.#object(node.object!, p + 1);
        if (after < 0) return -1;
        slot(node.vector);
        node.vector.length++;
        return after;
      }
      case Expect.list:
        return this.#list(node, p);
      case Expect.map:
        return this.#map(node, p);
      case Expect.float:
        return this.#float(node.vector, p);
      case Expect.text: {
        const end = skipValue(this.#bytes, p, this.#end);
        if (end >= 0) putBytes(node.vector, this.#bytes, p, end - p);
        return end;
      }
      case Expect.coded:
        return this.#coded(node, p);
      case Expect.other:
        return -1;
    }
  }

  /** A string without escapes, all ASCII, in a column that is not text. */
  #coded(node: JsonNode, p: number): number {
    const after = this.#keyEnd(p);
    return after >= 0 && this.#strings.put(node.vector, node.coding, this.#bytes, p + 1, after - 1) ? after : -1;
  }

  #map(node: JsonNode, p: number): number {
    const bytes = this.#bytes;
    if (bytes[p] !== OPEN_OBJECT) return -1;
    const keys = node.vector.children[0]!;
    node.keys.clear();
    p = this.#blank(p + 1);
    if (bytes[p] === CLOSE_OBJECT) p++;
    else {
      for (;;) {
        const at = keys.length;
        p = putAnyString(keys, bytes, p, this.#end);
        if (p < 0) return -1;
        const hash = hashOf(keys.bytes, keys.offsets[at]!, keys.offsets[at + 1]!);
        // Met twice, or it only looks so.
        if (node.keys.has(hash)) return -1;
        node.keys.add(hash);
        p = this.#blank(p);
        if (bytes[p] !== COLON) return -1;
        p = this.#value(node.element!, this.#blank(p + 1));
        if (p < 0) return -1;
        p = this.#blank(p);
        if (p >= this.#end) return -1;
        const byte = bytes[p++];
        if (byte === CLOSE_OBJECT) break;
        if (byte !== COMMA) return -1;
        p = this.#blank(p);
      }
    }
    putList(node.vector);
    return p;
  }

  #list(node: JsonNode, p: number): number {
    const bytes = this.#bytes;
    if (bytes[p] !== OPEN_ARRAY) return -1;
    p = this.#blank(p + 1);
    if (bytes[p] === CLOSE_ARRAY) p++;
    else {
      for (;;) {
        p = this.#value(node.element!, p);
        if (p < 0) return -1;
        p = this.#blank(p);
        if (p >= this.#end) return -1;
        const byte = bytes[p++];
        if (byte === CLOSE_ARRAY) break;
        if (byte !== COMMA) return -1;
        p = this.#blank(p);
      }
    }
    putList(node.vector);
    return p;
  }

  #boolean(vector: Vector, p: number): number {
    if (p + 5 > this.#end) return -1;
    const word = this.#view.getInt32(p, true);
    if (word === TRUE) {
      putBool(vector, true);
      return p + 4;
    }
    if (word !== FALS || this.#bytes[p + 4] !== 0x65) return -1;
    putBool(vector, false);
    return p + 5;
  }

  #whole(node: JsonNode, p: number): number {
    const number = this.#number;
    const after = number.read(this.#bytes, p, this.#end);
    const { count } = number;
    if (after < 0 || number.fraction > 0 || count > 18) return -1;
    let low: number;
    let high = 0;
    if (count < 9) low = number.digits;
    else if (count <= 15) {
      const { value } = number;
      low = value | 0;
      high = Math.floor(value / TWO_32);
    } else {
      // high * 10^(count - 9) + digits in two words: the power is below 2^30, so its halves times high are exact.
      const power = POWERS[count - 9]!;
      const upper = number.high * (power >>> 16);
      const lower = number.high * (power & 0xffff) + number.digits;
      const sum = (lower % TWO_32) + (upper % 0x10000) * 0x10000;
      low = sum | 0;
      high = Math.floor(upper / 0x10000) + Math.floor(lower / TWO_32) + (sum >= TWO_32 ? 1 : 0);
    }
    if (number.negative) {
      high = low === 0 ? -high : ~high;
      low = -low | 0;
    }
    if (node.expect === Expect.long) putI64(node.vector, low, high);
    else {
      if (high !== low >> 31) return -1;
      putI32(node.vector, low);
    }
    return after;
  }

  #double(vector: Vector, p: number): number {
    const number = this.#number;
    const after = number.read(this.#bytes, p, this.#end);
    if (after < 0 || number.count > 15) return this.#longDouble(vector, p);
    // Both are exact below 2^53 and 10^22, so their quotient is the nearest double.
    const value = number.value / POWERS[number.fraction]!;
    const i = slot(vector);
    vector.f64[i] = number.negative ? -value : value;
    vector.length++;
    return after;
  }

  /** A double with an exponent or more than 15 digits, by its text. */
  #longDouble(vector: Vector, p: number): number {
    const end = this.#fractionEnd(p);
    if (end < 0) return -1;
    const i = slot(vector);
    vector.f64[i] = this.#parsed;
    vector.length++;
    return end;
  }

  #float(vector: Vector, p: number): number {
    const end = this.#fractionEnd(p);
    if (end < 0 || !fitsFloat(this.#parsed)) return -1;
    const i = slot(vector);
    vector.f32[i] = this.#parsed;
    vector.length++;
    return end;
  }

  #parsed = 0;

  /** Index after a number with a fraction or an exponent, parsed by its text; whole numbers are left to others: they must be exact. */
  #fractionEnd(p: number): number {
    let end = p;
    while (end < this.#end && isNumberByte(this.#bytes[end]!)) end++;
    if (end - p > MOST_NUMBER_BYTES) return -1;
    const text = this.#text(p, end);
    const value = FRACTION.test(text) ? doubleOf(text) : null;
    this.#parsed = value ?? 0;
    return value === null ? -1 : end;
  }

  #decimal(node: JsonNode, p: number): number {
    if (this.#bytes[p] === QUOTE) return this.#coded(node, p);
    const number = this.#number;
    const after = number.read(this.#bytes, p, this.#end);
    if (after < 0 || number.fraction > node.scale || number.count + node.scale - number.fraction > 15) return -1;
    const magnitude = number.value * POWERS[node.scale - number.fraction]!;
    if (magnitude >= node.limit) return -1;
    const value = number.negative ? -magnitude : magnitude;
    if (node.vector.kind === 'i32') putI32(node.vector, value | 0);
    else putI64(node.vector, value | 0, Math.floor(value / TWO_32));
    return after;
  }
}

function isNumberByte(byte: number): boolean {
  return (
    (byte >= ZERO && byte <= 0x39) || byte === DOT || byte === MINUS || byte === 0x2b || byte === 0x65 || byte === 0x45
  );
}
