import { validUtf8 } from './avro-cursor.ts';
import { DecodeStop } from './stop.ts';
import { wireTypeOf } from '../schema/protobuf-node.ts';
import type { ProtoField, ProtoMessage, ProtoScalar, ProtoType } from '../schema/protobuf-node.ts';

/** Deepest nesting of messages and groups, as Protobuf's own parsers have it. */
export const MOST_DEPTH = 100;

/** 64-bit integers are BigInts, bytes and strings views of the record, enums their number. */
export type ProtoValue = number | bigint | boolean | Uint8Array | MessageValue | ProtoValue[] | MapEntries;

/** Map entries by key: a later entry replaces an earlier one. */
export class MapEntries {
  readonly entries = new Map<string, { readonly key: ProtoValue; readonly value: ProtoValue }>();
}

/** The fields that a message has, by number. */
export class MessageValue {
  readonly fields = new Map<number, ProtoValue>();
}

const fieldsOf = new WeakMap<ProtoMessage, ReadonlyMap<number, ProtoField>>();

function fieldMap(message: ProtoMessage): ReadonlyMap<number, ProtoField> {
  let map = fieldsOf.get(message);
  if (!map) fieldsOf.set(message, (map = new Map(message.fields.map((field) => [field.number, field]))));
  return map;
}

/** Of a number or boolean. */
export function scalarText(value: ProtoValue): string {
  return typeof value === 'object' ? '' : `${value}`;
}

/** The value that a field without presence has where the bytes have none. */
export function defaultOf(type: ProtoType): ProtoValue {
  if (typeof type !== 'string') return type.kind === 'enum' ? type.first : new MessageValue();
  switch (type) {
    case 'string':
    case 'bytes':
      return new Uint8Array(0);
    case 'bool':
      return false;
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return 0n;
    default:
      return 0;
  }
}

/**
 * Parses one message by the rules of Protobuf's encoding: the last one wins, messages in several pieces are merged,
 * packed and unpacked are both taken, unknown fields are skipped. Recursive and plain: the oracle.
 */
export class TreeParser {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #p: number;

  constructor(bytes: Uint8Array, view: DataView, start: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.#p = start;
  }

  /** The message in [position, end). */
  message(of: ProtoMessage, end: number, path: string, depth = 0): MessageValue {
    const value = new MessageValue();
    this.#merge(of, value, end, path, depth, 0);
    return value;
  }

  /** Reads fields up to `end`, or in a group up to its end tag. */
  #merge(of: ProtoMessage, into: MessageValue, end: number, path: string, depth: number, group: number): void {
    if (depth > MOST_DEPTH) fail(path, `messages are nested deeper than ${MOST_DEPTH} levels`);
    const fields = fieldMap(of);
    while (this.#p < end) {
      const { number, wire } = this.#tag(end, path);
      if (wire === 4) {
        if (number !== group) fail(path, 'a group ends that did not begin');
        return;
      }
      const field = fields.get(number);
      if (!field || !this.#known(of, field, wire, into, end, path, depth)) this.#skip(number, wire, end, path, depth);
    }
    if (group !== 0) fail(path, 'the bytes end inside a group');
  }

  /** Reads the field; false where its wire type is none that the field can have. */
  #known(
    of: ProtoMessage,
    field: ProtoField,
    wire: number,
    into: MessageValue,
    end: number,
    parent: string,
    depth: number,
  ): boolean {
    const { type, number, rule } = field;
    const path = parent === '' ? field.name : `${parent}.${field.name}`;
    const own = rule === 'map' ? 2 : wireTypeOf(type, field.delimited);
    const packed = rule === 'repeated' && wire === 2 && own !== 2 && own !== 3;
    if (wire !== own && !packed) return false;
    if (rule === 'map') {
      let map = into.fields.get(number) as MapEntries | undefined;
      if (!map) into.fields.set(number, (map = new MapEntries()));
      this.#entry(field, map, this.#length(end, path), path, depth);
      return true;
    }
    if (rule === 'repeated') {
      let list = into.fields.get(number) as ProtoValue[] | undefined;
      if (!list) into.fields.set(number, (list = []));
      if (!packed) list.push(this.#value(type, null, field, end, path, depth));
      else {
        const stop = this.#length(end, path);
        while (this.#p < stop) list.push(this.#value(type, null, field, stop, path, depth));
      }
      return true;
    }
    const before = into.fields.get(number);
    if (field.oneof !== null) {
      for (const other of of.fields)
        if (other.oneof === field.oneof && other !== field) into.fields.delete(other.number);
    }
    into.fields.set(number, this.#value(type, before instanceof MessageValue ? before : null, field, end, path, depth));
    return true;
  }

  #entry(field: ProtoField, map: MapEntries, end: number, path: string, depth: number): void {
    if (depth + 1 > MOST_DEPTH) fail(path, `messages are nested deeper than ${MOST_DEPTH} levels`);
    let key = defaultOf(field.key!);
    let value: ProtoValue | null = null;
    while (this.#p < end) {
      const { number, wire } = this.#tag(end, path);
      if (number === 1 && wire === wireTypeOf(field.key!, false))
        key = this.#value(field.key!, null, field, end, `${path}.key`, depth);
      else if (number === 2 && wire === wireTypeOf(field.type, false)) {
        const before = value instanceof MessageValue ? value : null;
        value = this.#value(field.type, before, field, end, `${path}.value`, depth + 1);
      } else if (wire === 4) fail(path, 'a group ends that did not begin');
      else this.#skip(number, wire, end, path, depth + 1);
    }
    const text = key instanceof Uint8Array ? Buffer.from(key).toString('latin1') : scalarText(key);
    map.entries.set(text, { key, value: value ?? defaultOf(field.type) });
  }

  #value(
    type: ProtoType,
    before: MessageValue | null,
    field: ProtoField,
    end: number,
    path: string,
    depth: number,
  ): ProtoValue {
    if (typeof type === 'string') return this.#scalar(type, end, path);
    if (type.kind === 'enum') return Number(BigInt.asIntN(32, this.#varint(end, path)));
    const value = before ?? new MessageValue();
    const delimited = field.delimited && field.rule !== 'map';
    const stop = delimited ? end : this.#length(end, path);
    this.#merge(type, value, stop, path, depth + 1, delimited ? field.number : 0);
    return value;
  }

  #scalar(type: ProtoScalar, end: number, path: string): ProtoValue {
    switch (type) {
      case 'int32':
        return Number(BigInt.asIntN(32, this.#varint(end, path)));
      case 'uint32':
        return Number(BigInt.asUintN(32, this.#varint(end, path)));
      case 'sint32': {
        const bits = Number(BigInt.asUintN(32, this.#varint(end, path)));
        return (bits >>> 1) ^ -(bits & 1);
      }
      case 'int64':
        return BigInt.asIntN(64, this.#varint(end, path));
      case 'uint64':
        return this.#varint(end, path);
      case 'sint64': {
        const bits = this.#varint(end, path);
        return (bits >> 1n) ^ -(bits & 1n);
      }
      case 'bool':
        return this.#varint(end, path) !== 0n;
      case 'float':
        return this.#view.getFloat32(this.#take(4, end, path), true);
      case 'double':
        return this.#view.getFloat64(this.#take(8, end, path), true);
      case 'fixed32':
        return this.#view.getUint32(this.#take(4, end, path), true);
      case 'sfixed32':
        return this.#view.getInt32(this.#take(4, end, path), true);
      case 'fixed64':
        return this.#view.getBigUint64(this.#take(8, end, path), true);
      case 'sfixed64':
        return this.#view.getBigInt64(this.#take(8, end, path), true);
      case 'bytes':
      case 'string': {
        const stop = this.#length(end, path);
        const start = this.#p;
        this.#p = stop;
        if (type === 'string' && !validUtf8(this.#bytes, start, stop)) fail(path, 'a string is not valid UTF-8');
        return this.#bytes.subarray(start, stop);
      }
    }
  }

  #skip(number: number, wire: number, end: number, path: string, depth: number): void {
    switch (wire) {
      case 0:
        this.#varint(end, path);
        return;
      case 1:
        this.#take(8, end, path);
        return;
      case 2:
        this.#p = this.#length(end, path);
        return;
      case 5:
        this.#take(4, end, path);
        return;
      default:
        break;
    }
    if (depth >= MOST_DEPTH) fail(path, `messages are nested deeper than ${MOST_DEPTH} levels`);
    while (this.#p < end) {
      const inner = this.#tag(end, path);
      if (inner.wire !== 4) this.#skip(inner.number, inner.wire, end, path, depth + 1);
      else if (inner.number === number) return;
      else fail(path, 'a group ends that did not begin');
    }
    fail(path, 'the bytes end inside a group');
  }

  #tag(end: number, path: string): { number: number; wire: number } {
    const tag = this.#varint(end, path);
    const wire = Number(tag & 7n);
    const number = Number(tag >> 3n);
    if (number === 0 || number > 0x1fff_ffff) fail(path, 'a field number is not valid');
    if (wire > 5) fail(path, `there is no wire type ${wire}`);
    return { number, wire };
  }

  /** A length that fits in what is left, as the position behind it. */
  #length(end: number, path: string): number {
    const length = this.#varint(end, path);
    if (length > BigInt(end - this.#p)) fail(path, 'a length goes beyond the bytes');
    return this.#p + Number(length);
  }

  #take(length: number, end: number, path: string): number {
    if (length > end - this.#p) fail(path, 'the bytes end early');
    const start = this.#p;
    this.#p += length;
    return start;
  }

  /** Unsigned, up to 64 bits in at most ten bytes. */
  #varint(end: number, path: string): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (this.#p >= end) fail(path, 'the bytes end inside a number');
      const byte = this.#bytes[this.#p++]!;
      if (shift === 63n && byte > 1) fail(path, 'a number has more than 64 bits');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
}

/** Fails where a required field is missing, at any depth. */
export function checkRequired(of: ProtoMessage, value: MessageValue, path: string): void {
  for (const field of of.fields) {
    const found = value.fields.get(field.number);
    const at = path === '' ? field.name : `${path}.${field.name}`;
    if (found === undefined) {
      if (field.rule === 'required') fail(at, 'the field is required and missing');
      continue;
    }
    const { type } = field;
    if (typeof type === 'string' || type.kind === 'enum') continue;
    if (found instanceof MessageValue) checkRequired(type, found, at);
    else if (found instanceof MapEntries)
      for (const entry of found.entries.values()) checkRequired(type, entry.value as MessageValue, `${at}.value`);
    else for (const item of found as MessageValue[]) checkRequired(type, item, at);
  }
}

function fail(path: string, problem: string): never {
  throw new DecodeStop('DECODE_PROTOBUF', `${path || 'the record'}: ${problem}`);
}
