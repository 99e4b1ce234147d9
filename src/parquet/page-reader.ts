import type { Compressors } from 'hyparquet';

/** Pages of one column chunk, with their levels taken off: for leaves outside of lists and maps. */

/** How a chunk is stored, from the footer and the schema. */
export interface ChunkForm {
  readonly codec: string;
  readonly type: string;
  /** Optional fields on the way to the leaf, itself included. */
  readonly maxDefinition: number;
}

export interface ValuesPage {
  readonly encoding: number;
  /** Rows of the page. */
  readonly rows: number;
  /** Where a row has a value; null: everywhere. */
  readonly present: Uint8Array | null;
  /** How many rows have a value. */
  readonly values: number;
  readonly bytes: Uint8Array;
}

export interface DictionaryPage {
  readonly values: number;
  readonly bytes: Uint8Array;
}

export interface ChunkPages {
  readonly dictionary: DictionaryPage | null;
  readonly pages: readonly ValuesPage[];
}

/** Codes of parquet.thrift. */
export const PLAIN = 0;
const PLAIN_DICTIONARY = 2;
const RLE = 3;
const RLE_DICTIONARY = 8;
const DATA_PAGE = 0;
const DICTIONARY_PAGE = 2;
const DATA_PAGE_V2 = 3;

export function isDictionary(encoding: number): boolean {
  return encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY;
}

/** Null where the chunk has pages of another form (index pages are passed over): read it another way. */
export function readPages(bytes: Uint8Array, form: ChunkForm, compressors: Compressors): ChunkPages | null {
  const decompress = (input: Uint8Array, size: number): Uint8Array | null =>
    form.codec === 'UNCOMPRESSED' ? input : (compressors[form.codec as keyof Compressors]?.(input, size) ?? null);
  const width = 32 - Math.clz32(form.maxDefinition);
  let dictionary: DictionaryPage | null = null;
  const pages: ValuesPage[] = [];
  for (let at = 0; at < bytes.length;) {
    const thrift = new CompactReader(bytes, at);
    const header = thrift.struct();
    const compressed = number(header[3]);
    const body = bytes.subarray(thrift.at, thrift.at + compressed);
    at = thrift.at + compressed;
    const size = number(header[2]);
    if (header[1] === DICTIONARY_PAGE) {
      const page = header[7] as Fields;
      const raw = decompress(body, size);
      if (raw === null || (number(page[2]) !== PLAIN && number(page[2]) !== PLAIN_DICTIONARY)) return null;
      dictionary = { values: number(page[1]), bytes: raw };
    } else if (header[1] === DATA_PAGE) {
      const page = header[5] as Fields;
      const raw = decompress(body, size);
      if (raw === null || (width > 0 && number(page[3]) !== RLE)) return null;
      const levels = width === 0 ? 0 : 4 + u32(raw, 0);
      pages.push(page1(raw, width === 0 ? 0 : 4, levels, number(page[1]), number(page[2]), form.maxDefinition, width));
    } else if (header[1] === DATA_PAGE_V2) {
      const page = header[8] as Fields;
      const [definition, repetition] = [number(page[5]), number(page[6])];
      const levels = definition + repetition;
      const values = page[7] === false ? body.subarray(levels) : decompress(body.subarray(levels), size - levels);
      if (values === null) return null;
      const whole = page1(body, repetition, levels, number(page[1]), number(page[4]), form.maxDefinition, width);
      pages.push({ ...whole, bytes: values });
    }
  }
  return { dictionary, pages };
}

/** A page whose definition levels stand at [from, to), its values after them. */
function page1(
  raw: Uint8Array,
  from: number,
  to: number,
  rows: number,
  encoding: number,
  max: number,
  width: number,
): ValuesPage {
  const bytes = raw.subarray(to);
  if (width === 0 || isUniform(raw, from, max, rows)) return { encoding, rows, present: null, values: rows, bytes };
  const levels = new Int32Array(rows);
  decodeHybrid(raw, from, to, width, levels);
  const present = new Uint8Array(rows);
  let values = 0;
  for (let i = 0; i < rows; i++) if (levels[i] === max) values += present[i] = 1;
  return { encoding, rows, present, values, bytes };
}

/** One run of the highest level over all rows: what columns without nulls have. */
function isUniform(bytes: Uint8Array, from: number, max: number, rows: number): boolean {
  let at = from;
  let header = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    header |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return (header & 1) === 0 && header >>> 1 >= rows && bytes[at] === max;
}

/** Parquet's RLE / bit-packing hybrid in [from, to), until `out` is full. `width`: 0 to 32 bits. */
export function decodeHybrid(bytes: Uint8Array, from: number, to: number, width: number, out: Int32Array): void {
  const widthBytes = (width + 7) >> 3;
  let at = from;
  for (let filled = 0; filled < out.length && at < to;) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      header |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if ((header & 1) === 0) {
      let value = 0;
      for (let i = 0; i < widthBytes; i++) value |= bytes[at++]! << (8 * i);
      const end = Math.min(out.length, filled + (header >>> 1));
      out.fill(value, filled, end);
      filled = end;
    } else {
      const count = (header >>> 1) * 8;
      unpack(bytes, at, width, out, filled, Math.min(out.length, filled + count));
      at += ((header >>> 1) * width) | 0;
      filled += count;
    }
  }
}

function unpack(bytes: Uint8Array, start: number, width: number, out: Int32Array, from: number, to: number): void {
  const mask = width === 32 ? -1 : (1 << width) - 1;
  let at = start;
  if (width > 24) {
    // Bits beyond 32 do not fit into the word of below.
    for (let i = from; i < to; i++) {
      const bit = (i - from) * width;
      let value = 0;
      for (let b = 0; b < width; b++) value |= ((bytes[start + ((bit + b) >> 3)]! >>> ((bit + b) & 7)) & 1) << b;
      out[i] = value;
    }
    return;
  }
  let word = 0;
  let bits = 0;
  for (let i = from; i < to; i++) {
    while (bits < width) {
      word |= bytes[at++]! << bits;
      bits += 8;
    }
    out[i] = word & mask;
    word >>>= width;
    bits -= width;
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

type Field = number | boolean | null | Fields;
interface Fields {
  [id: number]: Field;
}

function number(field: Field | undefined): number {
  return typeof field === 'number' ? field : 0;
}

/** Thrift's compact protocol, as far as page headers need it: integers, booleans and structs; the rest is passed over. */
class CompactReader {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  struct(): Fields {
    const fields: Fields = {};
    for (let id = 0; ;) {
      const head = this.#bytes[this.at++];
      if (head === undefined || head === 0) return fields;
      id = head >> 4 === 0 ? this.#zigzag() : id + (head >> 4);
      fields[id] = this.#value(head & 15);
    }
  }

  #value(type: number): Field {
    switch (type) {
      case 1:
        return true;
      case 2:
        return false;
      case 3:
        return this.#bytes[this.at++]!;
      case 4:
      case 5:
      case 6:
        return this.#zigzag();
      case 7:
        this.at += 8;
        return null;
      case 8:
        // Not `at += varint`: the varint moves `at` itself.
        this.at = this.#varint() + this.at;
        return null;
      case 9:
      case 10: {
        const head = this.#bytes[this.at++]!;
        const size = head >> 4 === 15 ? this.#varint() : head >> 4;
        for (let i = 0; i < size; i++) this.#element(head & 15);
        return null;
      }
      case 12:
        return this.struct();
      default:
        throw new RangeError(`a page header has a field of type ${type}`);
    }
  }

  /** In lists a boolean takes a byte. */
  #element(type: number): void {
    if (type === 1 || type === 2) this.at++;
    else this.#value(type);
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
}
