import type { RecordPositions } from '../source/record-batch.ts';

const BEFORE = Buffer.from('{"schema":');
const BETWEEN = Buffer.from(',"payload":');
const NULL = Buffer.from('null');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
/** Different schemas that one worker keeps of a table, and their bytes; records of others are read without. */
const MOST = 1_000;
const MOST_BYTES = 16 << 20;
/** Far from registry ids and from the other keys of records without one. */
const FIRST_KEY = -1_900_000_000;

/**
 * Kafka Connect's JSON with schema: `{"schema":{…},"payload":…}`, as the JsonConverter writes it, without spaces. Each
 * schema gets a key. What looks otherwise has none and is read as JSON without schema.
 */
export class InlineSchemas {
  readonly #texts: string[] = [];
  readonly #keys = new Map<string, number>();
  #last: Uint8Array = new Uint8Array(0);
  #lastKey = 0;
  #bytes = 0;

  /** The schema text of a key, or null for a key of other kind. */
  textOf(key: number): string | null {
    return this.#texts[key - FIRST_KEY] ?? null;
  }

  /** The key of the record's schema, and its payload set to what the schema describes; null where there is none. */
  take({ bytes, payloadStart, payloadLength }: RecordPositions, i: number): number | null {
    const start = payloadStart[i]!;
    const end = start + payloadLength[i]!;
    const at = start + BEFORE.length;
    if (bytes[end - 1] !== CLOSE || !stands(bytes, start, BEFORE) || bytes[at] !== OPEN) return null;
    const same = stands(bytes, at, this.#last) && this.#last.length > 0;
    const after = same ? at + this.#last.length : endOfObject(bytes, at, end);
    if (after < 0 || !stands(bytes, after, BETWEEN)) return null;
    const key = same ? this.#lastKey : this.#keyOf(bytes.slice(at, after));
    if (key === null) return null;
    const payload = after + BETWEEN.length;
    payloadStart[i] = payload;
    payloadLength[i] = stands(bytes, payload, NULL) ? -1 : end - 1 - payload;
    return key;
  }

  #keyOf(schema: Uint8Array): number | null {
    const text = Buffer.from(schema).toString('utf8');
    let key = this.#keys.get(text);
    if (key === undefined) {
      if (this.#texts.length >= MOST || this.#bytes + schema.length > MOST_BYTES) return null;
      this.#bytes += schema.length;
      key = FIRST_KEY + this.#texts.push(text) - 1;
      this.#keys.set(text, key);
    }
    this.#last = schema;
    this.#lastKey = key;
    return key;
  }
}

function stands(bytes: Uint8Array, at: number, what: Uint8Array): boolean {
  if (at + what.length > bytes.length) return false;
  for (let i = 0; i < what.length; i++) if (bytes[at + i] !== what[i]) return false;
  return true;
}

/** Index after the object that begins at `at`, or -1. */
function endOfObject(bytes: Uint8Array, at: number, end: number): number {
  let depth = 0;
  for (let i = at; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      for (i++; i < end && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++;
    } else if (byte === OPEN) depth++;
    else if (byte === CLOSE && --depth === 0) return i + 1;
  }
  return -1;
}
