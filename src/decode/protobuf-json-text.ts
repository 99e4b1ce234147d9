import type { ProtoEnum, ProtoField, ProtoMessage, ProtoType } from '../schema/protobuf-node.ts';
import { TreeParser, defaultOf, scalarText } from './protobuf-tree.ts';
import type { MapEntries, MessageValue, ProtoValue } from './protobuf-tree.ts';
import { DecodeStop } from './stop.ts';

/** Characters of one text: the defaults of fields without presence could make any amount of a few bytes. */
const MOST_TEXT = 64 << 20;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Finds the types of `Any` values. */
export interface MessageTypes {
  message(name: string): ProtoMessage | null;
}

/**
 * ProtoJSON (Protobuf documentation, "ProtoJSON Format") with the field names of the schema, and with the defaults of
 * fields that have no presence. Beyond it: a NaN or infinity inside a Value is a string, and the value of an Any whose
 * type the schema does not know is base64 under `value`.
 */
export function protobufJsonText(of: ProtoMessage, value: MessageValue, types: MessageTypes, path: string): string {
  return new Writer(types, path).message(of, value, 0);
}

class Writer {
  readonly #types: MessageTypes;
  readonly #path: string;
  #written = 0;

  constructor(types: MessageTypes, path: string) {
    this.#types = types;
    this.#path = path;
  }

  message(of: ProtoMessage, value: MessageValue, depth: number): string {
    const special = this.#special(of, value, depth);
    return special ?? `{${this.#members(of, value, depth).join(',')}}`;
  }

  #members(of: ProtoMessage, value: MessageValue, depth: number): string[] {
    return of.fields.flatMap((field) => {
      const found = value.fields.get(field.number);
      if (found === undefined && (field.rule === 'optional' || field.rule === 'required')) return [];
      return [this.#count(`${JSON.stringify(field.name)}:${this.#field(field, found, depth)}`)];
    });
  }

  #field(field: ProtoField, value: ProtoValue | undefined, depth: number): string {
    if (field.rule === 'repeated') {
      const items = (value ?? []) as readonly ProtoValue[];
      return `[${items.map((item) => this.#value(field.type, item, depth)).join(',')}]`;
    }
    if (field.rule === 'map') {
      const members = [...((value as MapEntries | undefined)?.entries.values() ?? [])].map(
        (entry) => `${JSON.stringify(textOf(entry.key))}:${this.#value(field.type, entry.value, depth)}`,
      );
      return `{${members.join(',')}}`;
    }
    return this.#value(field.type, value ?? defaultOf(field.type), depth);
  }

  #value(type: ProtoType, value: ProtoValue, depth: number): string {
    if (typeof type !== 'string') {
      if (type.kind === 'enum') return enumText(type, value as number);
      return this.message(type, value as MessageValue, depth + 1);
    }
    switch (type) {
      case 'bool':
        return scalarText(value);
      case 'string':
        return this.#count(JSON.stringify(textOf(value)));
      case 'bytes':
        return this.#count(`"${Buffer.from(value as Uint8Array).toString('base64')}"`);
      case 'float':
        return numberText(shortestFloat(value as number));
      case 'double':
        return numberText(value as number);
      default:
        return typeof value === 'bigint' ? `"${value}"` : scalarText(value);
    }
  }

  /** Types with a form of their own; null: none of them. */
  #special(of: ProtoMessage, value: MessageValue, depth: number): string | null {
    if (!of.name.startsWith('google.protobuf.')) return null;
    const field = (number: number): ProtoField => of.fields.find((one) => one.number === number)!;
    const get = (number: number): ProtoValue => value.fields.get(number) ?? defaultOf(field(number).type);
    switch (of.name.slice('google.protobuf.'.length)) {
      case 'DoubleValue':
      case 'FloatValue':
      case 'Int64Value':
      case 'UInt64Value':
      case 'Int32Value':
      case 'UInt32Value':
      case 'BoolValue':
      case 'StringValue':
      case 'BytesValue':
        return this.#value(field(1).type, get(1), depth);
      case 'Struct':
        return this.#field(field(1), value.fields.get(1), depth);
      case 'ListValue':
        return this.#field(field(1), value.fields.get(1), depth);
      case 'Value': {
        const kind = of.fields.find((one) => one.number > 1 && value.fields.has(one.number));
        return kind ? this.#value(kind.type, value.fields.get(kind.number)!, depth) : 'null';
      }
      case 'Timestamp':
        return `"${timestampText(get(1) as bigint, get(2) as number, this.#path)}"`;
      case 'Duration':
        return `"${durationText(get(1) as bigint, get(2) as number, this.#path)}"`;
      case 'FieldMask':
        return JSON.stringify(
          ((value.fields.get(1) ?? []) as readonly ProtoValue[]).map((path) => camelCase(textOf(path))).join(','),
        );
      case 'Any':
        return this.#any(textOf(get(1)), get(2) as Uint8Array, depth);
      default:
        return null;
    }
  }

  #any(url: string, bytes: Uint8Array, depth: number): string {
    if (url === '' && bytes.length === 0) return '{}';
    const type = `"@type":${JSON.stringify(url)}`;
    const of = this.#types.message(url.slice(url.lastIndexOf('/') + 1));
    if (!of) return this.#count(`{${type},"value":"${Buffer.from(bytes).toString('base64')}"}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const value = new TreeParser(bytes, view, 0).message(of, bytes.length, this.#path, depth + 1);
    const special = this.#special(of, value, depth + 1);
    if (special !== null) return `{${type},"value":${special}}`;
    return `{${[type, ...this.#members(of, value, depth + 1)].join(',')}}`;
  }

  #count(text: string): string {
    this.#written += text.length;
    if (this.#written > MOST_TEXT)
      throw new DecodeStop('VALUE_OUT_OF_RANGE', `${this.#path}: its JSON text has more than ${MOST_TEXT} characters`);
    return text;
  }
}

function enumText(type: ProtoEnum, number: number): string {
  if (type.name === 'google.protobuf.NullValue') return 'null';
  const name = type.names.get(number);
  return name === undefined ? String(number) : JSON.stringify(name);
}

function textOf(value: ProtoValue): string {
  return value instanceof Uint8Array ? decoder.decode(value) : scalarText(value);
}

function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}

/** The number with the fewest digits that is this float. */
function shortestFloat(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

const LEAST_SECONDS = -62_135_596_800n;
const MOST_SECONDS = 253_402_300_799n;
const MOST_DURATION = 315_576_000_000n;

/** RFC 3339 in UTC, with 0, 3, 6 or 9 digits. */
function timestampText(seconds: bigint, nanos: number, path: string): string {
  if (seconds < LEAST_SECONDS || seconds > MOST_SECONDS || nanos < 0 || nanos > 999_999_999)
    throw new DecodeStop('VALUE_OUT_OF_RANGE', `${path}: a Timestamp is not between the years 1 and 9999`);
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${whole}${fraction(nanos)}Z`;
}

function durationText(seconds: bigint, nanos: number, path: string): string {
  const mixed = (seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0);
  if (mixed || seconds < -MOST_DURATION || seconds > MOST_DURATION || Math.abs(nanos) > 999_999_999)
    throw new DecodeStop('VALUE_OUT_OF_RANGE', `${path}: a Duration is beyond what Protobuf allows`);
  const sign = seconds < 0n || nanos < 0 ? '-' : '';
  return `${sign}${seconds < 0n ? -seconds : seconds}${fraction(Math.abs(nanos))}s`;
}

function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.endsWith('000000') ? digits.slice(0, 3) : digits.endsWith('000') ? digits.slice(0, 6) : digits}`;
}

function camelCase(path: string): string {
  return path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
