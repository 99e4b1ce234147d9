import type { AvroNode } from '../schema/avro-node.ts';
import { doubleOf, longOf, unscaled } from './json-number.ts';
import { JsonNumber, isObject, isText } from './json-value.ts';
import type { JsonValue } from './json-value.ts';
import { DecodeStop } from './stop.ts';

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * A JSON value as Kafka Connect's JsonConverter writes it, in Avro's binary encoding of its schema: bytes are base64, a
 * decimal is the base64 of its unscaled value or a number (`decimal.format: NUMERIC`), a missing field is null.
 *
 * @throws DecodeStop DECODE_JSON with the path where the value is not of its type.
 */
export function jsonToAvro(node: AvroNode, value: JsonValue): Uint8Array {
  const writer = new AvroWriter();
  writer.value(node, value, '');
  return Buffer.concat(writer.parts);
}

class AvroWriter {
  readonly parts: Uint8Array[] = [];

  value(node: AvroNode, value: JsonValue, path: string): void {
    switch (node.kind) {
      case 'null':
        if (value !== null) throw stop(path, 'null');
        return;
      case 'boolean':
        if (typeof value !== 'boolean') throw stop(path, 'a boolean');
        this.parts.push(Uint8Array.of(value ? 1 : 0));
        return;
      case 'int':
      case 'long': {
        const whole = value instanceof JsonNumber ? longOf(value.text) : null;
        if (whole === null || (node.kind === 'int' && BigInt.asIntN(32, whole) !== whole)) throw stop(path, node.kind);
        return this.#long(whole);
      }
      case 'float':
      case 'double':
        return this.#double(node.kind, value, path);
      case 'string':
        if (typeof value !== 'string' || !isText(value)) throw stop(path, 'a string');
        return this.#bytes(Buffer.from(value, 'utf8'));
      case 'bytes':
        return this.#bytes(bytesOf(node.logical?.name === 'decimal' ? node.logical.scale : null, value, path));
      case 'union': {
        const branch = node.branches.findIndex((inner) => (inner.kind === 'null') === (value === null));
        if (branch < 0) throw stop(path, 'a value');
        this.#long(BigInt(branch));
        return this.value(node.branches[branch]!, value, path);
      }
      case 'record': {
        if (!isObject(value)) throw stop(path, 'an object');
        for (const field of node.fields) {
          const inner = Object.hasOwn(value, field.name) ? value[field.name]! : null;
          this.value(field.node, inner, path === '' ? field.name : `${path}.${field.name}`);
        }
        return;
      }
      case 'array': {
        if (!Array.isArray(value)) throw stop(path, 'an array');
        const items = value as readonly JsonValue[];
        if (items.length > 0) this.#long(BigInt(items.length));
        for (const item of items) this.value(node.items, item, `${path}.element`);
        return this.#long(0n);
      }
      case 'map': {
        if (!isObject(value)) throw stop(path, 'an object');
        const entries = Object.entries(value);
        if (entries.length > 0) this.#long(BigInt(entries.length));
        for (const [key, inner] of entries) {
          this.#bytes(Buffer.from(key, 'utf8'));
          this.value(node.values, inner, `${path}.value`);
        }
        return this.#long(0n);
      }
      default:
        throw stop(path, `a value of ${node.kind}`);
    }
  }

  /** Infinities and not-a-number are strings, as Jackson writes them. */
  #double(kind: 'float' | 'double', value: JsonValue, path: string): void {
    const special = value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : null;
    const number = special ?? (value instanceof JsonNumber ? doubleOf(value.text) : null);
    if (number === null) throw stop(path, 'a number');
    const bytes = Buffer.alloc(kind === 'float' ? 4 : 8);
    if (kind === 'float') bytes.writeFloatLE(number);
    else bytes.writeDoubleLE(number);
    this.parts.push(bytes);
  }

  #bytes(bytes: Uint8Array): void {
    this.#long(BigInt(bytes.length));
    this.parts.push(bytes);
  }

  /** Zigzag varint. */
  #long(value: bigint): void {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    const bytes: number[] = [];
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
    this.parts.push(Uint8Array.from(bytes));
  }
}

function bytesOf(scale: number | null, value: JsonValue, path: string): Uint8Array {
  if (typeof value === 'string' && BASE64.test(value)) return Buffer.from(value, 'base64');
  const number = scale !== null && value instanceof JsonNumber ? unscaled(value.text, scale) : null;
  if (number === null) throw stop(path, scale === null ? 'base64' : 'a decimal');
  let size = 1;
  while (BigInt.asIntN(8 * size, number) !== number) size++;
  const hex = BigInt.asUintN(8 * size, number).toString(16);
  return Buffer.from(hex.padStart(2 * size, '0'), 'hex');
}

function stop(path: string, wanted: string): DecodeStop {
  return new DecodeStop('DECODE_JSON', `${path || 'the payload'}: is not ${wanted}, as its schema says`);
}
