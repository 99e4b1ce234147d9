import type { Vector } from '../columns/batch.ts';
import type { JsonRead } from '../schema/json-plan.ts';
import { decimalOf } from '../schema/types.ts';
import { parseUuid } from './avro-convert.ts';
import { decodeBase64 } from './base64.ts';
import { fitsPrecision, putDecimal } from './json-bind.ts';
import { unscaled } from './json-number.ts';
import { DateTimeText } from './json-time.ts';
import { putBytes, putI32, putI64, slot } from './vectors.ts';

/** What a JSON string is read as. */
export const Coding = {
  /** The column takes no string, or takes it as it is. */
  none: 0,
  date: 1,
  time: 2,
  timestamp: 3,
  timestamptz: 4,
  uuid: 5,
  base64: 6,
  timestamptz_ns: 7,
  decimal: 8,
  unscaled: 9,
  timestamp_ns: 10,
} as const;
export type CodingOf = (typeof Coding)[keyof typeof Coding];

export function codingOf(vector: Vector, read: JsonRead): CodingOf {
  if (read === 'nanos') return Coding.timestamptz_ns;
  if (read === 'unscaled') return Coding.unscaled;
  if (read !== 'plain') return Coding.none;
  const { type } = vector.field;
  if (typeof type !== 'string') return Coding.none;
  if (decimalOf(type)) return Coding.decimal;
  switch (type) {
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
    case 'uuid':
      return Coding[type];
    default:
      return type === 'binary' || vector.kind === 'fixed' ? Coding.base64 : Coding.none;
  }
}

/** The form that a string must have, for reasons. */
const FORMS: Readonly<Record<CodingOf, string>> = {
  [Coding.none]: '',
  [Coding.date]: 'a date (2026-01-31)',
  [Coding.time]: 'a time of day without time zone (23:59:59.999999)',
  [Coding.timestamp]: 'a date and time without time zone (2026-01-31T23:59:59.999999)',
  [Coding.timestamptz]: 'a date and time with time zone (RFC 3339: 2026-01-31T23:59:59.999999Z)',
  [Coding.uuid]: 'a UUID',
  [Coding.base64]: 'base64 (RFC 4648, with padding)',
  [Coding.timestamptz_ns]: 'a date and time with time zone (RFC 3339: 2026-01-31T23:59:59.999999999Z)',
  [Coding.decimal]: 'a decimal number',
  [Coding.unscaled]: 'base64 (RFC 4648, with padding) of an unscaled value',
  [Coding.timestamp_ns]: 'a date and time without time zone (2026-01-31T23:59:59.999999999)',
};

const MICROS_PER_SECOND = 1_000_000;
const TWO_16 = 0x1_0000;
const TWO_32 = 0x1_0000_0000;
const encoder = new TextEncoder();

/**
 * JSON strings in columns that are not text: dates and times, UUIDs, bytes, decimals.
 *
 * Nothing is coerced: years are 0001 to 9999 (also once the offset is applied), a leap second (`:60`) and 24:00 are
 * refused, a timestamptz must have an offset and a timestamp must not. Of more than six digits of a second those beyond
 * are cut where `nanos` is `micros`, and counted unless they are zeros; else the value is refused, as is one of more than
 * nine in a column of nanoseconds.
 */
export class JsonLeafReader {
  /** Values of which digits were cut. */
  cut = 0;
  /** Why the last value was not taken. */
  code: 'DECODE_JSON' | 'VALUE_OUT_OF_RANGE' = 'DECODE_JSON';
  reason = '';
  readonly #nanos: 'micros' | 'long' | 'error' | 'native';
  readonly #time = new DateTimeText();

  constructor(nanos: 'micros' | 'long' | 'error' | 'native') {
    this.#nanos = nanos;
  }

  text(vector: Vector, coding: CodingOf, text: string): boolean {
    const bytes = encoder.encode(text);
    return this.put(vector, coding, bytes, 0, bytes.length);
  }

  /** Appends the string [start, end), which has no escapes; false, and nothing appended, where it cannot be taken. */
  put(vector: Vector, coding: CodingOf, bytes: Uint8Array, start: number, end: number): boolean {
    switch (coding) {
      case Coding.none:
        return false;
      case Coding.uuid: {
        const i = vector.length;
        vector.reserve(1);
        if (!parseUuid(bytes, start, end - start, vector.bytes, i * 16)) return this.#form(coding);
        slot(vector);
        vector.length++;
        return true;
      }
      case Coding.base64:
      case Coding.unscaled: {
        const decoded = decodeBase64(bytes, start, end);
        if (!decoded) return this.#form(coding);
        if (coding === Coding.unscaled) return this.#unscaled(vector, decoded);
        if (vector.kind === 'fixed' && decoded.length !== vector.width)
          return this.#range(`the value has ${decoded.length} bytes, and the column ${vector.width}`);
        putBytes(vector, decoded, 0, decoded.length);
        return true;
      }
      case Coding.decimal: {
        const value = unscaled(
          Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'),
          decimalOf(vector.field.type)!.scale,
        );
        return value === null ? this.#form(coding) : this.#decimal(vector, value);
      }
      default:
        return this.#dateTime(vector, coding, bytes, start, end);
    }
  }

  #dateTime(vector: Vector, coding: CodingOf, bytes: Uint8Array, start: number, end: number): boolean {
    const time = this.#time;
    const parsed =
      coding === Coding.date
        ? time.date(bytes, start, end)
        : coding === Coding.time
          ? time.timeOfDay(bytes, start, end)
          : time.dateTime(bytes, start, end, coding === Coding.timestamptz || coding === Coding.timestamptz_ns);
    if (!parsed) return time.leap ? this.#range('a leap second has no place in a column of times') : this.#form(coding);
    if (time.outside) return this.#range('the year is not in 0001 to 9999');
    if (coding === Coding.date) putI32(vector, time.days);
    else if (coding === Coding.timestamp_ns || coding === Coding.timestamptz_ns) return this.#nanoseconds(vector);
    else {
      if (time.nanos % 1000 > 0 || time.more) {
        if (this.#nanos !== 'micros') return this.#range('the time has more than six digits of a second');
        this.cut++;
      }
      putMicros(vector, time.seconds, Math.floor(time.nanos / 1000));
    }
    return true;
  }

  #nanoseconds(vector: Vector): boolean {
    const { seconds, nanos, more } = this.#time;
    if (more) return this.#range('the time has more than nine digits of a second');
    const value = BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
    if (BigInt.asIntN(64, value) !== value) return this.#range('nanoseconds since 1970 are beyond 64 bits');
    putI64(vector, Number(BigInt.asIntN(32, value)), Number(value >> 32n));
    return true;
  }

  #unscaled(vector: Vector, bytes: Uint8Array): boolean {
    const hex = Buffer.from(bytes).toString('hex');
    return this.#decimal(vector, hex === '' ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`)));
  }

  #decimal(vector: Vector, value: bigint): boolean {
    if (!fitsPrecision(vector, value)) return this.#range('the number has more digits than the column');
    putDecimal(vector, value);
    return true;
  }

  #form(coding: CodingOf): false {
    this.code = 'DECODE_JSON';
    this.reason = `the value is not ${FORMS[coding]}`;
    return false;
  }

  #range(reason: string): false {
    this.code = 'VALUE_OUT_OF_RANGE';
    this.reason = reason;
    return false;
  }
}

/** Seconds (below 2^48) and microseconds as a 64-bit number of microseconds. */
export function putMicros(vector: Vector, seconds: number, micros: number): void {
  const upper = Math.floor(seconds / TWO_16);
  const scaled = upper * MICROS_PER_SECOND;
  const high = Math.floor(scaled / TWO_16);
  const low = (scaled - high * TWO_16) * TWO_16 + (seconds - upper * TWO_16) * MICROS_PER_SECOND + micros;
  putI64(vector, low | 0, high + Math.floor(low / TWO_32));
}
