import { decimalOf } from '../schema/types.ts';
import { daysOf, hoursOf, microsOfNanos, monthsOfDays, yearsOfDays } from './calendar.ts';
import type { Vector } from './batch.ts';
import { hashBytes, hashLong } from './murmur3.ts';
import type { PartitionValue } from './partition-value.ts';
import type { Transform } from './transform.ts';

/**
 * Values of one partition field by rows, as small codes: equal values have equal codes. Codes live as long as the
 * object, so that batches of one file agree on them; `values[code]` is what the tuple holds.
 */
export class Coding {
  readonly values: PartitionValue[] = [];
  #null = -1;
  readonly #numbers = new Map<number, number>();
  /** 64-bit keys: by high word, then by low word. */
  readonly #longs = new Map<number, Map<number, number>>();
  readonly #texts = new Map<string, number>();

  ofNull(): number {
    if (this.#null < 0) this.#null = this.values.push(null) - 1;
    return this.#null;
  }

  ofNumber(key: number, value: (key: number) => PartitionValue): number {
    let code = this.#numbers.get(key);
    if (code === undefined) this.#numbers.set(key, (code = this.values.push(value(key)) - 1));
    return code;
  }

  ofLong(low: number, high: number, value: (low: number, high: number) => PartitionValue): number {
    let lows = this.#longs.get(high);
    if (lows === undefined) this.#longs.set(high, (lows = new Map()));
    let code = lows.get(low);
    if (code === undefined) lows.set(low, (code = this.values.push(value(low, high)) - 1));
    return code;
  }

  ofBytes(bytes: Uint8Array, start: number, end: number, value: (bytes: Uint8Array) => PartitionValue): number {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end);
    let code = this.#texts.get(key);
    if (code === undefined) this.#texts.set(key, (code = this.values.push(value(bytes.slice(start, end))) - 1));
    return code;
  }
}

/** Gives the code of a present value of the vector. */
export type Coder = (vector: Vector, i: number) => number;

const asIs = (key: number): number => key;
const asBoolean = (key: number): boolean => key === 1;
const asText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const asBytes = (bytes: Uint8Array): Uint8Array => bytes;

/** The coder of a transform over a column of the vector's type; `resultType` has accepted the pair. */
export function coderFor(transform: Transform, vector: Vector, coding: Coding): Coder {
  const type = vector.field.type;
  switch (transform.kind) {
    case 'void':
      return () => coding.ofNull();
    case 'identity':
      return identity(vector, coding);
    case 'truncate':
      return truncate(vector, coding, transform.width);
    case 'bucket': {
      const hash = hashOf(vector);
      return (v, i) => coding.ofNumber((hash(v, i) & 0x7fffffff) % transform.width, asIs);
    }
    case 'hour': {
      const hours = ofMicros(vector, hoursOf);
      return (v, i) => coding.ofNumber(hours(v, i), asIs);
    }
    default: {
      const days: Coder = type === 'date' ? (v, i) => v.i32[i]! : ofMicros(vector, daysOf);
      if (transform.kind === 'day') return (v, i) => coding.ofNumber(days(v, i), asIs);
      const unit = transform.kind === 'month' ? monthsOfDays : yearsOfDays;
      return (v, i) => coding.ofNumber(unit(days(v, i)), asIs);
    }
  }
}

function identity(vector: Vector, coding: Coding): Coder {
  const decimal = decimalOf(vector.field.type) !== null;
  switch (vector.kind) {
    case 'bool':
      return (v, i) => coding.ofNumber((v.bits[i >> 3]! >> (i & 7)) & 1, asBoolean);
    case 'i32': {
      const value = decimal ? (key: number): PartitionValue => unscaled(BigInt(key)) : asIs;
      return (v, i) => coding.ofNumber(v.i32[i]!, value);
    }
    case 'i64': {
      const value = decimal ? (low: number, high: number): PartitionValue => unscaled(long(low, high)) : long;
      return (v, i) => coding.ofLong(v.i32[2 * i]!, v.i32[2 * i + 1]!, value);
    }
    // By their bits: a map of numbers would take −0 for 0.
    case 'f32':
      return (v, i) => coding.ofLong(floatBits(v.f32[i]!, 0), floatBits(v.f32[i]!, 1), float);
    case 'f64':
      return (v, i) => coding.ofLong(floatBits(v.f64[i]!, 0), floatBits(v.f64[i]!, 1), float);
    case 'fixed': {
      const value = decimal ? (bytes: Uint8Array): PartitionValue => unscaled(fromBigEndian(bytes)) : asBytes;
      return (v, i) => coding.ofBytes(v.bytes, i * v.width, (i + 1) * v.width, value);
    }
    default: {
      const value = vector.field.type === 'string' ? asText : asBytes;
      return (v, i) => coding.ofBytes(v.bytes, v.offsets[i]!, v.offsets[i + 1]!, value);
    }
  }
}

/** Numbers down to a multiple of the width; strings to as many code points, binary to as many bytes. */
function truncate(vector: Vector, coding: Coding, width: number): Coder {
  const decimal = decimalOf(vector.field.type) !== null;
  switch (vector.kind) {
    case 'i32': {
      const value = decimal ? (key: number): PartitionValue => unscaled(BigInt(key)) : asIs;
      return (v, i) => coding.ofNumber(v.i32[i]! - (((v.i32[i]! % width) + width) % width), value);
    }
    case 'i64': {
      const size = BigInt(width);
      const value = decimal ? unscaled : (key: bigint): PartitionValue => key;
      return (v, i) => {
        const full = long(v.i32[2 * i]!, v.i32[2 * i + 1]!);
        const cut = BigInt.asIntN(64, full - (((full % size) + size) % size));
        return coding.ofLong(Number(BigInt.asIntN(32, cut)), Number(cut >> 32n), () => value(cut));
      };
    }
    case 'fixed': {
      const size = BigInt(width);
      return (v, i) => {
        const full = fromBigEndian(v.bytes.subarray(i * v.width, (i + 1) * v.width));
        const cut = unscaled(full - (((full % size) + size) % size));
        return coding.ofBytes(cut, 0, cut.length, asBytes);
      };
    }
    default: {
      if (vector.field.type === 'binary')
        return (v, i) =>
          coding.ofBytes(v.bytes, v.offsets[i]!, Math.min(v.offsets[i + 1]!, v.offsets[i]! + width), asBytes);
      return (v, i) =>
        coding.ofBytes(v.bytes, v.offsets[i]!, codePointsEnd(v.bytes, v.offsets[i]!, v.offsets[i + 1]!, width), asText);
    }
  }
}

/** The spec's hash of a value of the vector's type (Appendix B). */
function hashOf(vector: Vector): Coder {
  const decimal = decimalOf(vector.field.type) !== null;
  const ofDecimal = (value: bigint): number => {
    const bytes = unscaled(value);
    return hashBytes(bytes, 0, bytes.length);
  };
  switch (vector.kind) {
    case 'i32':
      return decimal ? (v, i) => ofDecimal(BigInt(v.i32[i]!)) : (v, i) => hashLong(v.i32[i]!, v.i32[i]! >> 31);
    case 'i64':
      return decimal ? (v, i) => ofDecimal(long(v.i32[2 * i]!, v.i32[2 * i + 1]!)) : ofMicros(vector, hashLong);
    case 'fixed':
      if (decimal) return (v, i) => ofDecimal(fromBigEndian(v.bytes.subarray(i * v.width, (i + 1) * v.width)));
      return (v, i) => hashBytes(v.bytes, i * v.width, (i + 1) * v.width);
    default:
      return (v, i) => hashBytes(v.bytes, v.offsets[i]!, v.offsets[i + 1]!);
  }
}

const MICROS = new Int32Array(2);

/** Of a 64-bit number; of nanoseconds the microseconds, rounded down, by which the spec's transforms go. */
function ofMicros(vector: Vector, of: (low: number, high: number) => number): Coder {
  const { type } = vector.field;
  if (type !== 'timestamp_ns' && type !== 'timestamptz_ns') return (v, i) => of(v.i32[2 * i]!, v.i32[2 * i + 1]!);
  return (v, i) => {
    microsOfNanos(v.i32[2 * i]!, v.i32[2 * i + 1]!, MICROS);
    return of(MICROS[0]!, MICROS[1]!);
  };
}

function codePointsEnd(utf8: Uint8Array, start: number, end: number, count: number): number {
  let seen = 0;
  for (let i = start; i < end; i++) if ((utf8[i]! & 0xc0) !== 0x80 && seen++ === count) return i;
  return end;
}

function long(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

const FLOAT = new Float64Array(1);
const WORDS = new Int32Array(FLOAT.buffer);

function floatBits(value: number, word: 0 | 1): number {
  FLOAT[0] = value;
  return WORDS[word]!;
}

function float(low: number, high: number): number {
  WORDS[0] = low;
  WORDS[1] = high;
  return FLOAT[0]!;
}

/** Two's complement, big-endian, fewest bytes. */
export function unscaled(value: bigint): Uint8Array {
  let size = 1;
  while (BigInt.asIntN(size * 8, value) !== value) size++;
  const bytes = new Uint8Array(size);
  for (let i = size - 1, rest = BigInt.asUintN(size * 8, value); i >= 0; i--, rest >>= 8n)
    bytes[i] = Number(rest & 0xffn);
  return bytes;
}

function fromBigEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}
