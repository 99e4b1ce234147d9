import type { Vector } from '../columns/batch.ts';
import { avroRuntime } from './avro-runtime.ts';
import type { ProtoBound } from './protobuf-bind.ts';
import { protobufJsonText } from './protobuf-json-text.ts';
import type { MessageTypes } from './protobuf-json-text.ts';
import { TreeParser, checkRequired } from './protobuf-tree.ts';

/** What generated decoders call. A result of -1, false or null stands for "not by this code": the record is then interpreted. */

/** The value read last: two signed 32-bit words. */
export class ProtoCursor {
  low = 0;
  high = 0;
  /** Values of which digits were cut so far. */
  cut = 0;
}

/** UTF-8 of an enum's value, with the slack that `copy` needs. */
export class EnumText {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly length: number;

  constructor(text: string) {
    const utf8 = Buffer.from(text);
    this.length = utf8.length;
    this.bytes = new Uint8Array(utf8.length + 8);
    this.bytes.set(utf8);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** Varint at `p` of at most 64 bits; the index after it, or -1. */
function varint(cursor: ProtoCursor, bytes: Uint8Array, p: number, end: number): number {
  let byte = bytes[p++]!;
  let low = byte & 0x7f;
  let high = 0;
  let shift = 7;
  while (byte >= 0x80) {
    if (p >= end) return -1;
    byte = bytes[p++]!;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else {
      if (shift === 63 && byte > 1) return -1;
      high |= bits << (shift - 32);
    }
    shift += 7;
  }
  cursor.low = low;
  cursor.high = high;
  return p;
}

/** Moves over an unknown field whose tag was read; groups are left to the interpreted decoder. */
function skip(cursor: ProtoCursor, bytes: Uint8Array, p: number, end: number, tag: number): number {
  if (tag >>> 3 === 0) return -1;
  switch (tag & 7) {
    case 0:
      return varint(cursor, bytes, p, end);
    case 1:
      return end - p < 8 ? -1 : p + 8;
    case 2: {
      const start = varint(cursor, bytes, p, end);
      if (start < 0 || cursor.high !== 0 || cursor.low < 0 || cursor.low > end - start) return -1;
      return start + cursor.low;
    }
    case 5:
      return end - p < 4 ? -1 : p + 4;
    default:
      return -1;
  }
}

/** A Timestamp or Duration in [p, end) as microseconds (or nanoseconds) in `low` and `high`; false: not plainly one. */
function time(
  cursor: ProtoCursor,
  bytes: Uint8Array,
  p: number,
  end: number,
  duration: boolean,
  wantNanos: boolean,
): boolean {
  let [low, high, nanos] = [0, 0, 0];
  while (p < end) {
    const tag = bytes[p++]!;
    if (tag !== 8 && tag !== 16) return false;
    p = varint(cursor, bytes, p, end);
    if (p < 0) return false;
    if (tag === 16) nanos = cursor.low;
    else {
      low = cursor.low;
      high = cursor.high;
    }
  }
  if (p !== end || nanos > 999_999_999 || nanos < (duration ? -999_999_999 : 0)) return false;
  if (nanos !== 0 && high < 0 !== nanos < 0 && duration && (high | low) !== 0) return false;
  const micros = wantNanos ? 0 : Math.trunc(nanos / 1000);
  if (!wantNanos && micros * 1000 !== nanos) cursor.cut++;
  scale(cursor, low, high, 1_000_000, micros);
  if (cursor.high !== cursor.high >> 0) return false;
  if (wantNanos) scale(cursor, cursor.low, cursor.high, 1000, nanos);
  const fits = cursor.high === cursor.high >> 0;
  cursor.high |= 0;
  return fits;
}

/** `(high, low) * factor + add`; `cursor.high` is left beyond 32 bits where the result is beyond 64. */
function scale(cursor: ProtoCursor, low: number, high: number, factor: number, add: number): void {
  const product = (low >>> 0) * factor + add;
  const carry = Math.floor(product / 0x1_0000_0000);
  cursor.low = (product - carry * 0x1_0000_0000) | 0;
  cursor.high = high * factor + carry;
}

/** An unsigned 64-bit integer as a big-endian decimal. */
function decimal(vector: Vector, row: number, low: number, high: number): void {
  const { bytes, width } = vector;
  let at = (row + 1) * width;
  for (let shift = 0; shift < 32; shift += 8) bytes[--at] = low >>> shift;
  for (let shift = 0; shift < 32; shift += 8) bytes[--at] = high >>> shift;
  while (at > row * width) bytes[--at] = 0;
}

/** What a message left to the tree parser becomes: its JSON text in UTF-8, or nothing where it only has to be right. */
function part(
  bound: ProtoBound,
  types: MessageTypes,
  bytes: Uint8Array,
  view: DataView,
  p: number,
  end: number,
  depth: number,
): Uint8Array {
  const { plan, path } = bound;
  if (plan.op !== 'json' && plan.op !== 'present') return EMPTY;
  const value = new TreeParser(bytes, view, p).message(plan.of, end, path, depth);
  checkRequired(plan.of, value, path);
  return plan.op === 'json' ? Buffer.from(protobufJsonText(plan.of, value, types, path)) : EMPTY;
}

const EMPTY = new Uint8Array(0);

/** Whether two of the keys [from, to) are equal. */
function sameKeys(keys: Vector, from: number, to: number): boolean {
  const seen = new Set<string | number>();
  for (let i = from; i < to; i++) {
    const size = seen.size;
    seen.add(keyAt(keys, i));
    if (seen.size === size) return true;
  }
  return false;
}

function keyAt(keys: Vector, i: number): string | number {
  switch (keys.kind) {
    case 'bool':
      return (keys.bits[i >> 3]! >> (i & 7)) & 1;
    case 'i32':
      return keys.i32[i]!;
    case 'i64':
      return `${keys.i32[2 * i]} ${keys.i32[2 * i + 1]}`;
    case 'fixed':
      return Buffer.from(keys.bytes.subarray(i * keys.width, (i + 1) * keys.width)).toString('latin1');
    default:
      return Buffer.from(keys.bytes.subarray(keys.offsets[i], keys.offsets[i + 1])).toString('latin1');
  }
}

/** The name of an enum's number, or its digits. */
function enumText(bound: ProtoBound, number: number): EnumText {
  const names = bound.plan.op === 'enum' ? bound.plan.of.names : null;
  return new EnumText(names?.get(number) ?? String(number));
}

export const protoRuntime = {
  varint,
  skip,
  time,
  decimal,
  part,
  sameKeys,
  enumText,
  text: avroRuntime.text,
  copy: avroRuntime.copy,
  grow: avroRuntime.grow,
};
export type ProtoRuntime = typeof protoRuntime;
