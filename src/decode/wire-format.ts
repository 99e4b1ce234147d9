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

const PREFIX = 5;
const GUID_HEADER = 17;

/**
 * Reads which writer schema a record names, and sets where its payload starts and ends.
 *
 * `confluent`: the last header `__value_schema_id` (`__key_schema_id` for keys), whose value is byte 0 and the 4-byte
 * schema id or byte 1 and the 16-byte schema GUID, and the value is the payload; without the header byte 0 and the
 * 4-byte id stand before the payload (Confluent's header and prefix serializers). `plain`: the bytes are the payload.
 * `auto`: as `confluent`, but what carries no id is `PLAIN_KEY` instead of `INVALID_KEY`.
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

  constructor(format: 'confluent' | 'plain' | 'auto', part: 'value' | 'key' = 'value') {
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
    return this.#guids[FIRST_GUID_KEY - key] ?? null;
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
        return id;
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
      if (length === PREFIX && bytes[at] === 0 && view.getInt32(at + 1) >= 0) key = view.getInt32(at + 1);
      else if (length === GUID_HEADER && bytes[at] === 1) key = this.#guid(view, at + 1);
      else key = INVALID_KEY;
    }
    return key;
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
