import type { Vector } from '../columns/batch.ts';
import { decimalOf } from '../schema/types.ts';
import { codingOf } from './json-leaf.ts';
import type { CodingOf } from './json-leaf.ts';
import type { JsonMembers, JsonPlace } from './json-place.ts';

/** The first four bytes of `true`, `false` and `null`, as little-endian words. */
export const TRUE = 0x65757274;
export const FALS = 0x736c6166;
export const NULL = 0x6c6c756e;

/** What the byte decoder expects at one place. */
export const Expect = {
  string: 0,
  long: 1,
  int: 2,
  double: 3,
  boolean: 4,
  decimal: 5,
  struct: 6,
  list: 7,
  map: 8,
  float: 9,
  /** The JSON text of any value. */
  text: 10,
  /** A string in a column that is not text: see `coding`. */
  coded: 11,
  other: 12,
} as const;
export type Expected = (typeof Expect)[keyof typeof Expect];

/** A column (or list element) that the byte decoder fills. */
export class JsonNode {
  readonly vector: Vector;
  readonly expect: Expected;
  readonly required: boolean;
  /** Decimal: fraction digits, and the first magnitude that has too many digits. */
  readonly scale: number;
  readonly limit: number;
  /** Struct: its fields. */
  readonly object: JsonObjectNode | null;
  /** List: its element; map: its value. */
  readonly element: JsonNode | null;
  /** What a string is read as. */
  readonly coding: CodingOf;
  /** Map: hashes of the keys of the entry being read. */
  readonly keys: Set<number> = new Set();
  /** Member of an object: bytes of its key with quotes and colon, its first and last word among `words`, the used bits of the last. */
  keyLength = 0;
  keyFirst = 0;
  keyLast = 0;
  keyMask = 0;
  /** String: the vector's bytes as they were when `words` was made of them. */
  bytes: Uint8Array | null = null;
  words: DataView = new DataView(new ArrayBuffer(0));

  constructor(place: JsonPlace) {
    const { vector } = place;
    const decimal = decimalOf(vector.field.type);
    this.vector = vector;
    this.required = vector.field.required;
    this.coding = codingOf(vector, place.read);
    this.expect = expectOf(place);
    this.scale = decimal?.scale ?? 0;
    this.limit = decimal ? 10 ** decimal.precision : 0;
    this.object = place.members && new JsonObjectNode(place.members);
    this.element = place.inner && new JsonNode(place.inner);
  }

  /** Makes `words` of the vector's bytes, which are others than before. */
  hold(): void {
    const { bytes } = this.vector;
    this.bytes = bytes;
    this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

/**
 * The fields of an object. The order in which they are expected is learned: after each field stands the one that
 * followed it last, so that producers may write keys in any order as long as it is mostly the same.
 */
export class JsonObjectNode {
  readonly fields: readonly JsonNode[];
  /** The keys of all fields as UTF-8, in quotes and with the colon, each padded to whole words, as little-endian words. */
  readonly words: Int32Array;
  /** The same, not padded. */
  readonly keys: readonly Uint8Array[];
  /** Index expected after field i, at i + 1; at 0 the first. */
  readonly next: Int32Array;
  /** Number of the object in which field i was met last. */
  readonly seen: Float64Array;
  epoch = 0;
  /** The column of members without a field, or null. */
  readonly extra: Vector | null;
  /** Of the members of this object without a field: start and end of key and value. */
  readonly extras: number[] = [];
  /** Hashes of their keys. */
  readonly extraKeys: Set<number> = new Set();
  /** There are no columns but fields. */
  readonly plain: boolean;
  /** Columns that no object fills. */
  readonly missing: readonly Vector[];
  /** Keys that are known and have no field. */
  readonly ignored: ReadonlySet<string>;
  readonly #byHash = new Map<number, number[]>();

  constructor({ places, extra, missing, ignored }: JsonMembers) {
    this.fields = places.map((place) => new JsonNode(place));
    this.extra = extra;
    // A value that fits its column is the only one that is decided here.
    this.missing = [...missing, ...places.flatMap(({ siblings }) => siblings.map(({ vector }) => vector))];
    this.plain = extra === null && this.missing.length === 0;
    this.ignored = new Set(ignored);
    // As JSON writes it: in another spelling, records go to the interpreted decoder.
    const keys = places.map((place) => Buffer.from(`${JSON.stringify(place.key)}:`, 'utf8'));
    this.keys = keys;
    const padded = Buffer.concat(keys.map((key) => Buffer.concat([key, new Uint8Array(-key.length & 3)])));
    this.words = Int32Array.from({ length: padded.length / 4 }, (_, i) => padded.readInt32LE(4 * i));
    let words = 0;
    this.fields.forEach((field, i) => {
      field.keyLength = keys[i]!.length;
      field.keyFirst = words;
      words += (field.keyLength + 3) >> 2;
      field.keyLast = words - 1;
      field.keyMask = -1 >>> (8 * (-field.keyLength & 3));
    });
    this.next = Int32Array.from({ length: keys.length + 1 }, (_, i) => (i < keys.length ? i : -1));
    this.seen = new Float64Array(keys.length);
    keys.forEach((key, i) => {
      const hash = hashOf(key, 1, key.length - 2);
      const same = this.#byHash.get(hash);
      if (same) same.push(i);
      else this.#byHash.set(hash, [i]);
    });
  }

  /** Index of the field whose key stands at [start, end) (quotes left out), or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    for (const i of this.#byHash.get(hashOf(bytes, start, end)) ?? [])
      if (this.#same(this.fields[i]!, bytes, start, end)) return i;
    return -1;
  }

  #same({ keyLength, keyFirst }: JsonNode, bytes: Uint8Array, start: number, end: number): boolean {
    if (keyLength !== end - start + 3) return false;
    for (let at = start; at < end; at++) {
      const k = 4 * keyFirst + 1 + at - start;
      if (((this.words[k >> 2]! >> ((k & 3) * 8)) & 0xff) !== bytes[at]) return false;
    }
    return true;
  }
}

export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}

function expectOf({ vector, read, inner }: JsonPlace): Expected {
  if (read === 'text') return Expect.text;
  if (read === 'nanos') return Expect.coded;
  if (read !== 'plain' && read !== 'unscaled') return Expect.other;
  switch (vector.kind) {
    case 'bool':
      return Expect.boolean;
    case 'f32':
      return Expect.float;
    case 'f64':
      return Expect.double;
    case 'struct':
      return Expect.struct;
    case 'list':
      return Expect.list;
    case 'map':
      return inner && vector.children[0]!.field.type === 'string' ? Expect.map : Expect.other;
    case 'bytes':
      return vector.field.type === 'string' ? Expect.string : Expect.coded;
    case 'i32':
    case 'i64': {
      if (decimalOf(vector.field.type)) return Expect.decimal;
      if (vector.field.type === 'long') return Expect.long;
      return vector.field.type === 'int' ? Expect.int : Expect.coded;
    }
    case 'fixed':
      return Expect.coded;
  }
}
