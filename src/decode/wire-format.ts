import type { RecordPositions } from '../source/record-batch.ts';

/** Schema keys that are not registry ids. */
/** The bytes carry no schema id: they are the payload. */
export const PLAIN_KEY = -1;
/** Every record of the run is null (tombstones): no schema is needed. */
export const NULL_KEY = -2;
/** No schema id can be read from the record: DECODE_WIRE_FORMAT. */
export const INVALID_KEY = -3;
/** This and everything below stands for a schema GUID, see `guidOf`. */
const FIRST_GUID_KEY = -4;

/**
 * Keys with a message index (Protobuf): a registry id or the key of a GUID, away from zero by a multiple of this. Ids have
 * 31 bits, so that both are found again.
 */
const INDEX_STEP = 2 ** 32;

const PREFIX = 5;
const GUID_HEADER = 17;
/** Levels of a message index, and different ones in a topic: beyond it the bytes are not what they should be. */
const MOST_LEVELS = 32;
const MOST_INDEXES = 4096;

/** The registry id of a key; null: it stands for something else. */
export function registryIdOf(key: number): number | null {
  return key < 0 ? null : key % INDEX_STEP;
}

/**
 * Reads which writer schema a record names, and sets where its payload starts and ends.
 *
 * `confluent`: the last header `__value_schema_id` (`__key_schema_id` for keys), whose value is byte 0 and the 4-byte
 * schema id or byte 1 and the 16-byte schema GUID, and the value is the payload; without the header byte 0 and the
 * 4-byte id stand before the payload (Confluent's header and prefix serializers). `plain`: the bytes are the payload.
 * `auto`: as `confluent`, but what carries no id is `PLAIN_KEY` instead of `INVALID_KEY`.
 *
 * `indexed`: the schemas are Protobuf, and behind each id stands which message of the schema it is, as zigzag varints: how
 * many indexes, then one for each level; 0 is short for [0]. Each message of a schema has a key of its own. Otherwise only
 * ids that `index` was told of are read so.
 *
 * Nothing is allocated per record.
 */
export class WireFormatReader {
  /** Of the last run: key of the writer schema, and the index after its last record. */
  schemaId: number = PLAIN_KEY;
  end = 0;
  readonly #format: 'confluent' | 'plain' | 'auto';
  readonly #key: boolean;
  readonly #headerName: Uint8Array;
  readonly #guids: string[] = [];
  readonly #guidWords = new Int32Array(4);
  #guidKey = 0;

  /** Base keys of Protobuf schemas; null: all are. */
  readonly #indexed: Set<number> | null;
  /** Message indexes seen, as text. */
  readonly #paths: string[] = [];
  /** The message index read last. */
  readonly #levels = new Int32Array(MOST_LEVELS);
  #levelCount = 0;
  #pathText = '';

  constructor(format: 'confluent' | 'plain' | 'auto', part: 'value' | 'key' = 'value', indexed = false) {
    this.#indexed = indexed ? null : new Set();
    this.#format = format;
    this.#key = part === 'key';
    this.#headerName = new TextEncoder().encode(`__${part}_schema_id`);
  }

  /**
   * The longest run of records from `from`, at most to `to`, with one schema key. Nulls belong to any run. The payload
   * positions of the run are set. Returns this reader, whose `schemaId` and `end` describe the run.
   */
  nextRun(positions: RecordPositions, from: number, to: number): this {
    const starts = this.#key ? positions.keyStart : positions.valueStart;
    const lengths = this.#key ? positions.keyLength : positions.valueLength;
    const { payloadStart, payloadLength } = positions;
    let run = NULL_KEY;
    let i = from;
    for (; i < to; i++) {
      const length = lengths[i]!;
      if (length < 0) {
        payloadStart[i] = starts[i]!;
        payloadLength[i] = -1;
        continue;
      }
      const key = this.#read(positions, i, starts[i]!, length);
      if (key !== run) {
        if (run !== NULL_KEY) break;
        run = key;
      }
      payloadStart[i] = starts[i]! + this.#prefix;
      payloadLength[i] = length - this.#prefix;
    }
    this.schemaId = run;
    this.end = i;
    return this;
  }

  /** The GUID that a key stands for, in canonical hyphenated form; null for a key that is a registry id. */
  guidOf(key: number): string | null {
    return key < 0 ? (this.#guids[FIRST_GUID_KEY - (key % INDEX_STEP)] ?? null) : null;
  }

  /** The message index of a key; null: it has none. */
  indexOf(key: number): readonly number[] | null {
    const path = this.#paths[Math.floor(Math.abs(key) / INDEX_STEP) - 1];
    return path === undefined ? null : path.split('.').map(Number);
  }

  /** Schemas of this key, which has no message index, are Protobuf: the records that name it have one. */
  index(key: number): void {
    this.#indexed?.add(key);
  }

  /** Bytes before the payload of the record read last. */
  #prefix = 0;

  #read(positions: RecordPositions, i: number, start: number, length: number): number {
    this.#prefix = 0;
    if (this.#format === 'plain') return PLAIN_KEY;
    if (positions.headersCount[i]! > 0) {
      const key = this.#fromHeaders(positions, i);
      if (key !== PLAIN_KEY) return key;
    }
    if (length >= PREFIX && positions.bytes[start] === 0) {
      const id = positions.view.getInt32(start + 1);
      if (id >= 0) {
        this.#prefix = PREFIX;
        if (!this.#isIndexed(id)) return id;
        this.#at = start + PREFIX;
        const key = this.#withIndex(positions.bytes, id, start + length);
        this.#prefix = this.#at - start;
        return key;
      }
    }
    return this.#format === 'auto' ? PLAIN_KEY : INVALID_KEY;
  }

  #at = 0;

  /** `PLAIN_KEY` where no header names a schema. */
  #fromHeaders(positions: RecordPositions, i: number): number {
    const { bytes, view } = positions;
    let key = PLAIN_KEY;
    this.#at = positions.headersStart[i]!;
    for (let n = positions.headersCount[i]!; n > 0; n--) {
      const nameLength = this.#varint(bytes);
      const matches = nameLength === this.#headerName.length && this.#isName(bytes, this.#at);
      this.#at += nameLength;
      const length = this.#varint(bytes);
      const at = this.#at;
      if (nameLength < 0 || at + length > bytes.length) return INVALID_KEY;
      if (length > 0) this.#at += length;
      if (!matches || length < 0) continue;
      key = this.#header(bytes, view, at, length);
    }
    return key;
  }

  /** What a header with this name says. */
  #header(bytes: Uint8Array, view: DataView, at: number, length: number): number {
    const id = length >= PREFIX && bytes[at] === 0 ? view.getInt32(at + 1) : -1;
    const hasGuid = length >= GUID_HEADER && bytes[at] === 1;
    if (id < 0 && !hasGuid) return INVALID_KEY;
    const key = hasGuid ? this.#guid(view, at + 1) : id;
    const used = hasGuid ? GUID_HEADER : PREFIX;
    // Without an index it is the first message of the schema.
    if (length === used) return this.#isIndexed(key) ? this.#pathKey(key, '0') : key;
    if (this.#indexed && this.#format !== 'auto') return INVALID_KEY;
    const next = this.#at;
    this.#at = at + used;
    const indexed = this.#withIndex(bytes, key, at + length);
    const isWhole = this.#at === at + length;
    this.#at = next;
    return isWhole ? indexed : INVALID_KEY;
  }

  #isIndexed(key: number): boolean {
    return this.#indexed === null || (this.#indexed.size > 0 && this.#indexed.has(key));
  }

  /** The key with the message index that stands at `#at`; moves behind it. */
  #withIndex(bytes: Uint8Array, key: number, end: number): number {
    if (this.#at >= end) return INVALID_KEY;
    if (bytes[this.#at] === 0) {
      this.#at++;
      return this.#pathKey(key, '0');
    }
    const levels = this.#varint(bytes);
    if (levels < 1 || levels > MOST_LEVELS) return INVALID_KEY;
    let isSame = levels === this.#levelCount;
    for (let level = 0; level < levels; level++) {
      const index = this.#varint(bytes);
      if (index < 0 || this.#at > end) return INVALID_KEY;
      if (this.#levels[level] !== index) isSame = false;
      this.#levels[level] = index;
    }
    if (!isSame) this.#pathText = this.#levels.subarray(0, (this.#levelCount = levels)).join('.');
    return this.#pathKey(key, this.#pathText);
  }

  #pathKey(key: number, path: string): number {
    let index = this.#paths.indexOf(path);
    if (index < 0) {
      if (this.#paths.length === MOST_INDEXES) return INVALID_KEY;
      index = this.#paths.push(path) - 1;
    }
    const step = (index + 1) * INDEX_STEP;
    return key < 0 ? key - step : key + step;
  }

  #isName(bytes: Uint8Array, at: number): boolean {
    const name = this.#headerName;
    for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false;
    return true;
  }

  /** Signed varint of the record format (KIP-98). */
  #varint(bytes: Uint8Array): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.#at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return (value >>> 1) ^ -(value & 1);
  }

  #guid(view: DataView, at: number): number {
    const words = this.#guidWords;
    let same = this.#guidKey !== 0;
    for (let i = 0; i < 4; i++) {
      const word = view.getInt32(at + 4 * i);
      if (words[i] !== word) same = false;
      words[i] = word;
    }
    if (same) return this.#guidKey;
    const hex = Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
    const guid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    let index = this.#guids.indexOf(guid);
    if (index < 0) index = this.#guids.push(guid) - 1;
    this.#guidKey = FIRST_GUID_KEY - index;
    return this.#guidKey;
  }
}
