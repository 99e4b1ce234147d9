import { isUtf8 } from 'node:buffer';
import { TabletopicError } from '../errors.ts';
import { copyBytes, setPresent, setPresentRange } from './append.ts';
import type { Vector } from './batch.ts';

/** The part of `RecordView` that headers are read from. */
interface HeaderBytes {
  readonly bytes: Uint8Array;
  readonly headersStart: Int32Array;
  readonly headersCount: Int32Array;
}

/** Where the last varint ended. */
let position = 0;

/**
 * Appends the headers of records [from, to) to a list of {key, value}, straight from the record bytes (Kafka record
 * format v2: key length, key, value length or -1, value; lengths zigzag varints). A key that is not UTF-8 gets
 * replacement characters, as in the Java client. Room in the list itself is reserved.
 */
export function appendHeaders(list: Vector, records: HeaderBytes, from: number, to: number): void {
  const element = list.children[0]!;
  const keys = element.children.find((child) => child.field.name === 'key')!;
  const values = element.children.find((child) => child.field.name === 'value')!;
  const others = element.children.filter((child) => child !== keys && child !== values);
  const { bytes, headersStart, headersCount } = records;
  if (noneIn(headersCount, from, to)) {
    list.offsets.fill(element.length, list.length + 1, list.length + 1 + to - from);
    setPresentRange(list, to - from);
    list.length += to - from;
    return;
  }
  for (let i = from; i < to; i++) {
    const count = headersCount[i]!;
    position = headersStart[i]!;
    // Each header takes two bytes at least.
    if (count * 2 > bytes.length - position) corrupt();
    element.reserve(count);
    for (let k = 0; k < count; k++) {
      appendSlice(keys, bytes, length(bytes), true);
      appendSlice(values, bytes, length(bytes), false);
      for (const other of others) other.appendNull();
      setPresent(element, element.length++);
    }
    const row = list.length++;
    list.offsets[row + 1] = element.length;
    setPresent(list, row);
  }
}

function noneIn(counts: Int32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (counts[i] !== 0) return false;
  return true;
}

function appendSlice(vector: Vector, bytes: Uint8Array, size: number, text: boolean): void {
  const start = position;
  if (start + size > bytes.length || (text && size < 0)) corrupt();
  if (size < 0) {
    vector.appendNull();
    return;
  }
  position = start + size;
  if (text && !isText(bytes, start, position)) {
    const replaced = Buffer.from(new TextDecoder().decode(bytes.subarray(start, position)));
    append(vector, replaced, 0, replaced.length);
  } else append(vector, bytes, start, size);
}

function append(vector: Vector, bytes: Uint8Array, start: number, size: number): void {
  vector.reserveBytes(size);
  const row = vector.length++;
  const at = vector.offsets[row]!;
  copyBytes(bytes, start, size, vector.bytes, at);
  vector.offsets[row + 1] = at + size;
  setPresent(vector, row);
}

function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 0x7f) return isUtf8(bytes.subarray(start, end));
  return true;
}

/** A zigzag varint of at most 32 bits at `position`. */
function length(bytes: Uint8Array): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[position++];
    if (byte === undefined) corrupt();
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      const size = (value >>> 1) ^ -(value & 1);
      if (size < -1) corrupt();
      return size;
    }
  }
  return corrupt();
}

function corrupt(): never {
  throw new TabletopicError('KAFKA_CORRUPT_BATCH', 'the headers of a record do not lie within its batch');
}
