import type { RecordPositions } from './record-batch.ts';

/**
 * The records section of one batch (format v2, KIP-98) into positions. Nothing is allocated but the arrays' growth.
 *
 * Invariant: every position written lies inside [from, end) of `out.bytes`, headers included, so that whoever reads
 * keys, values and headers by them needs no bounds of its own.
 */

/** Damage found by the parser; the batch reader adds the place and the code. */
export class RecordDamage extends Error {}

/** Cursor of the varint readers. Module state, so that they inline to plain loads; parsing never awaits. */
let pos = 0;

/**
 * Parses `count` records of `out.bytes[from, end)`; those with an offset below `fromOffset` are walked, not kept.
 * @param logAppendTime the time of every record, or NaN where each carries its own.
 * @throws RecordDamage
 */
export function parseRecords(
  out: RecordPositions,
  from: number,
  end: number,
  count: number,
  baseOffset: number,
  lastOffsetDelta: number,
  baseTimestamp: number,
  logAppendTime: number,
  fromOffset: number,
): void {
  // A record takes at least 7 bytes, so a count that lies cannot reserve much memory.
  if (count * 7 > end - from) throw new RecordDamage(`${count} records do not fit in ${end - from} bytes`);
  out.reserve(count);
  const { bytes, offsets, timestamps, keyStart, keyLength, valueStart, valueLength, headersStart, headersCount } = out;
  const ownTime = Number.isNaN(logAppendTime);
  pos = from;
  let kept = 0;
  let lastDelta = -1;
  for (let i = 0; i < count; i++) {
    const length = varint(bytes, end);
    const recordEnd = pos + length;
    if (length < 6 || recordEnd > end) throw new RecordDamage(`record ${i} has length ${length}`);
    pos++; // attributes: none are defined
    const timestampDelta = varlong(bytes, recordEnd);
    const offsetDelta = varint(bytes, recordEnd);
    if (offsetDelta <= lastDelta || offsetDelta > lastOffsetDelta)
      throw new RecordDamage(`record ${i} has offset delta ${offsetDelta}`);
    lastDelta = offsetDelta;
    const key = varint(bytes, recordEnd);
    keyStart[kept] = pos;
    keyLength[kept] = key;
    if (key > 0) pos += key;
    if (key < -1 || pos > recordEnd) throw new RecordDamage(`record ${i} has key length ${key}`);
    const value = varint(bytes, recordEnd);
    valueStart[kept] = pos;
    valueLength[kept] = value;
    if (value > 0) pos += value;
    if (value < -1 || pos > recordEnd) throw new RecordDamage(`record ${i} has value length ${value}`);
    const headers = varint(bytes, recordEnd);
    headersStart[kept] = pos;
    headersCount[kept] = headers;
    if (headers !== 0) skipHeaders(bytes, recordEnd, headers, i);
    if (pos !== recordEnd) throw new RecordDamage(`record ${i} ends ${recordEnd - pos} bytes before its length`);
    const offset = baseOffset + offsetDelta;
    if (offset < fromOffset) continue;
    offsets[kept] = offset;
    timestamps[kept] = ownTime ? baseTimestamp + timestampDelta : logAppendTime;
    kept++;
  }
  if (pos !== end) throw new RecordDamage(`${end - pos} bytes after the last record`);
  out.count = kept;
}

function skipHeaders(bytes: Uint8Array, end: number, count: number, record: number): void {
  // A header takes at least 2 bytes.
  if (count < 0 || count * 2 > end - pos) throw new RecordDamage(`record ${record} has ${count} headers`);
  for (let i = 0; i < count; i++) {
    const key = varint(bytes, end);
    if (key < 0) throw new RecordDamage(`record ${record} has a header without a key`);
    pos += key;
    const value = varint(bytes, end);
    if (value > 0) pos += value;
    if (value < -1 || pos > end) throw new RecordDamage(`record ${record} has a header outside of it`);
  }
}

/** Zigzag varint of at most 32 bits. */
function varint(bytes: Uint8Array, end: number): number {
  if (pos >= end) throw new RecordDamage('a number ends after the record');
  let byte = bytes[pos++]!;
  if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
  let raw = byte & 0x7f;
  for (let shift = 7; shift < 35; shift += 7) {
    if (pos >= end) throw new RecordDamage('a number ends after the record');
    byte = bytes[pos++]!;
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (shift === 28 && byte > 0x0f) break;
      return (raw >>> 1) ^ -(raw & 1);
    }
  }
  throw new RecordDamage('a number of more than 32 bits');
}

/** Zigzag varint of at most 64 bits; as a double, exact to 2^53, which is 285,000 years of milliseconds. */
function varlong(bytes: Uint8Array, end: number): number {
  const start = pos;
  let raw = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (pos >= end) throw new RecordDamage('a number ends after the record');
    const byte = bytes[pos++]!;
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
  }
  return longVarlong(bytes, start, end);
}

function longVarlong(bytes: Uint8Array, start: number, end: number): number {
  let raw = 0n;
  for (let i = 0; i < 10; i++) {
    const at = start + i;
    if (at >= end) throw new RecordDamage('a number ends after the record');
    const byte = bytes[at]!;
    raw |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) {
      pos = at + 1;
      if (raw >= 1n << 64n) break;
      return Number((raw >> 1n) ^ -(raw & 1n));
    }
  }
  throw new RecordDamage('a number of more than 64 bits');
}
