import { type ChunkPages, PLAIN, type ValuesPage, decodeHybrid, isDictionary } from './page-reader.ts';

/** Values of whole chunks in typed arrays, no object for a row. Null: the chunk is encoded in another way. */

/** int32 or int64 by row, NaN where there is none; exact up to 2^53. */
export function intValues({ dictionary, pages }: ChunkPages, type: string, rows: number): Float64Array | null {
  const wide = type === 'INT64';
  if (!wide && type !== 'INT32') return null;
  const words = dictionary === null ? null : plainInts(dictionary.bytes, dictionary.values, wide);
  const out = new Float64Array(rows);
  let row = 0;
  for (const page of pages) {
    const target = out.subarray(row, row + page.rows);
    row += page.rows;
    const values = page.present === null ? target : new Float64Array(page.values);
    if (page.encoding === PLAIN) fillInts(page.bytes, wide, values);
    else if (isDictionary(page.encoding) && words !== null) {
      const indices = indicesOf(page);
      for (let i = 0; i < indices.length; i++) values[i] = words[indices[i]!]!;
    } else return null;
    if (page.present !== null) spread(values, page.present, target);
  }
  return row === rows ? out : null;
}

export interface NameValues {
  readonly names: readonly string[];
  /** Index of each row's name; -1 where there is none. */
  readonly index: Int32Array;
}

/** Strings of which few are different. */
export function nameValues({ dictionary, pages }: ChunkPages, type: string, rows: number): NameValues | null {
  if (type !== 'BYTE_ARRAY') return null;
  const names = new Names();
  const words = dictionary === null ? null : plainNames(dictionary.bytes, dictionary.values, names);
  const index = new Int32Array(rows).fill(-1);
  let row = 0;
  for (const page of pages) {
    let values: Int32Array;
    if (page.encoding === PLAIN) values = plainNames(page.bytes, page.values, names);
    else if (isDictionary(page.encoding) && words !== null) {
      values = indicesOf(page);
      for (let i = 0; i < values.length; i++) values[i] = words[values[i]!]!;
    } else return null;
    if (page.present === null) index.set(values, row);
    else for (let i = 0, next = 0; i < page.rows; i++) if (page.present[i] === 1) index[row + i] = values[next++]!;
    row += page.rows;
  }
  return row === rows ? { names: names.all, index } : null;
}

function indicesOf({ bytes, values }: ValuesPage): Int32Array {
  const indices = new Int32Array(values);
  if (values > 0) decodeHybrid(bytes, 1, bytes.length, bytes[0]!, indices);
  return indices;
}

function plainInts(bytes: Uint8Array, count: number, wide: boolean): Float64Array {
  const out = new Float64Array(count);
  fillInts(bytes, wide, out);
  return out;
}

/** Both sides are little-endian: Parquet by its format, the arrays on every processor that Node runs on. */
function fillInts(bytes: Uint8Array, wide: boolean, out: Float64Array): void {
  const length = out.length * (wide ? 8 : 4);
  // A copy, for alignment; the `slice` of a Buffer makes none.
  const aligned = new Uint8Array(bytes.subarray(0, length)).buffer;
  if (!wide) return out.set(new Int32Array(aligned, 0, out.length));
  const low = new Uint32Array(aligned, 0, out.length * 2);
  const high = new Int32Array(aligned, 0, out.length * 2);
  for (let i = 0; i < out.length; i++) out[i] = high[2 * i + 1]! * 4_294_967_296 + low[2 * i]!;
}

function spread(values: Float64Array, present: Uint8Array, out: Float64Array): void {
  for (let i = 0, next = 0; i < out.length; i++) out[i] = present[i] === 1 ? values[next++]! : Number.NaN;
}

/** Each name once; the same as before is found without making a string. */
class Names {
  readonly all: string[] = [];
  readonly #index = new Map<string, number>();
  #last: Uint8Array = new Uint8Array(0);
  #lastIndex = -1;

  of(bytes: Uint8Array): number {
    if (this.#lastIndex >= 0 && same(bytes, this.#last)) return this.#lastIndex;
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
    let index = this.#index.get(name);
    if (index === undefined) {
      index = this.all.push(name) - 1;
      this.#index.set(name, index);
    }
    this.#last = bytes;
    this.#lastIndex = index;
    return index;
  }
}

function plainNames(bytes: Uint8Array, count: number, names: Names): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Int32Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = at + 4 + view.getUint32(at, true);
    out[i] = names.of(bytes.subarray(at + 4, end));
    at = end;
  }
  return out;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
