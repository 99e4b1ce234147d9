import type { WireReader, WireWriter } from './wire.ts';

/** A request or response body; which fields it has is said by its definition in `messages.ts`. */
export interface Message {
  [field: string]: unknown;
}

type Primitive = 'bool' | 'int8' | 'int16' | 'int32' | 'int64' | 'bigint' | 'string' | 'bytes' | 'uuid';

interface Field {
  readonly name: string;
  /** Of the value, or of each element of an array; fields for structs. */
  readonly type: Primitive | readonly Field[];
  readonly array: boolean;
  readonly from: number;
  readonly to: number;
}

/**
 * A definition in text: a line per field, `name type versions`, where `[]` before a type makes an array of it and `[]`
 * alone an array of the structs whose fields follow, indented. Versions are `3+`, `0-8` or left out (all). `int64` is a
 * JavaScript number, `bigint` the same on the wire. Every string, array and byte string may be null.
 */
export function parseDefinition(text: string): readonly Field[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  let at = 0;
  const block = (indent: number): Field[] => {
    const fields: Field[] = [];
    while (at < lines.length) {
      const line = lines[at]!;
      if (line.search(/\S/) < indent) break;
      at++;
      const [name, type, versions] = line.trim().split(/ +/) as [string, string, string?];
      const [from, to] =
        versions === undefined
          ? [0, 99]
          : versions.endsWith('+')
            ? [Number.parseInt(versions, 10), 99]
            : (versions.split('-').map(Number) as [number, number]);
      const nested = at < lines.length ? lines[at]!.search(/\S/) : 0;
      fields.push({
        name,
        array: type.startsWith('[]'),
        from,
        to,
        type: type === '[]' ? block(nested) : (type.replace('[]', '') as Primitive),
      });
    }
    return fields;
  };
  return block(lines[0]?.search(/\S/) ?? 0);
}

export function readMessage(fields: readonly Field[], reader: WireReader, version: number, flexible: boolean): Message {
  const message: Message = {};
  for (const field of fields) {
    if (version < field.from || version > field.to) continue;
    if (field.array) {
      const length = reader.length(flexible, false);
      const elements: unknown[] = [];
      for (let i = 0; i < length; i++) elements.push(readValue(field.type, reader, version, flexible));
      message[field.name] = length < 0 ? null : elements;
    } else {
      message[field.name] = readValue(field.type, reader, version, flexible);
    }
  }
  if (flexible) reader.skipTaggedFields();
  return message;
}

function readValue(type: Field['type'], reader: WireReader, version: number, flexible: boolean): unknown {
  switch (type) {
    case 'bool':
      return reader.int8() !== 0;
    case 'int8':
      return reader.int8();
    case 'int16':
      return reader.int16();
    case 'int32':
      return reader.int32();
    case 'int64':
      return Number(reader.int64());
    case 'bigint':
      return reader.int64();
    case 'uuid':
      return reader.uuid();
    case 'string':
      return reader.slice(reader.length(flexible, true))?.toString() ?? null;
    case 'bytes':
      return reader.slice(reader.length(flexible, false));
    default:
      return readMessage(type, reader, version, flexible);
  }
}

export function writeMessage(
  fields: readonly Field[],
  writer: WireWriter,
  version: number,
  flexible: boolean,
  message: Message,
): void {
  for (const field of fields) {
    if (version < field.from || version > field.to) continue;
    const value = message[field.name];
    if (field.array) {
      const elements = value as unknown[] | null | undefined;
      // A response field that a handler leaves out is an empty list.
      writer.length(elements === null ? -1 : (elements?.length ?? 0), flexible, false);
      for (const element of elements ?? []) writeValue(field.type, writer, version, flexible, element);
    } else {
      writeValue(field.type, writer, version, flexible, value);
    }
  }
  if (flexible) writer.unsignedVarint(0);
}

/** Of a field left out: zero, or null. */
function writeValue(type: Field['type'], writer: WireWriter, version: number, flexible: boolean, value: unknown): void {
  switch (type) {
    case 'bool':
      writer.int8(value === true ? 1 : 0);
      break;
    case 'int8':
      writer.int8((value as number | undefined) ?? 0);
      break;
    case 'int16':
      writer.int16((value as number | undefined) ?? 0);
      break;
    case 'int32':
      writer.int32((value as number | undefined) ?? 0);
      break;
    case 'int64':
    case 'bigint':
      writer.int64(BigInt((value as number | bigint | undefined) ?? 0));
      break;
    case 'uuid':
      writer.uuid((value as string | undefined) ?? '00000000-0000-0000-0000-000000000000');
      break;
    case 'string': {
      const bytes = value === null || value === undefined ? null : Buffer.from(value as string);
      writer.length(bytes?.length ?? -1, flexible, true);
      if (bytes) writer.bytes(bytes);
      break;
    }
    case 'bytes': {
      // Given in pieces, record batches need not be joined.
      const pieces =
        value === null || value === undefined
          ? null
          : Array.isArray(value)
            ? (value as Uint8Array[])
            : [value as Uint8Array];
      writer.length(pieces ? pieces.reduce((sum, piece) => sum + piece.length, 0) : -1, flexible, false);
      for (const piece of pieces ?? []) writer.bytes(piece);
      break;
    }
    default:
      writeMessage(type, writer, version, flexible, value as Message);
  }
}
