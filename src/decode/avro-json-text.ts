import type { AvroNode } from '../schema/avro-node.ts';
import { leastBytes } from '../schema/avro-node.ts';
import type { AvroCursor } from './avro-cursor.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The JSON text of a value of a recursive type (DESIGN §6): records and maps are objects, bytes and fixed are base64,
 * logical types are their base, a long has all its digits, NaN and infinities are strings, and of a union the value
 * stands without the name of its branch.
 */
export function avroJsonText(node: AvroNode, cursor: AvroCursor): string {
  switch (node.kind) {
    case 'null':
      return 'null';
    case 'boolean':
      return String(cursor.boolean());
    case 'int':
      return String(cursor.int());
    case 'long': {
      cursor.long();
      return String((BigInt(cursor.high) << 32n) | BigInt(cursor.low >>> 0));
    }
    case 'float':
      return numberText(cursor.view.getFloat32(cursor.take(4), true));
    case 'double':
      return numberText(cursor.view.getFloat64(cursor.take(8), true));
    case 'bytes':
      return base64(cursor, cursor.length());
    case 'fixed':
      return base64(cursor, node.size);
    case 'string':
      return JSON.stringify(text(cursor));
    case 'enum':
      return JSON.stringify(node.symbols[cursor.index(node.symbols.length, 'enum symbol')]);
    case 'union':
      return avroJsonText(node.branches[cursor.index(node.branches.length, 'union branch')]!, cursor);
    case 'record': {
      cursor.descend();
      const members = node.fields.map((field) => `${JSON.stringify(field.name)}:${avroJsonText(field.node, cursor)}`);
      cursor.ascend();
      return `{${members.join(',')}}`;
    }
    case 'array': {
      const items: string[] = [];
      cursor.descend();
      const least = leastBytes(node.items);
      for (let count = cursor.block(least); count > 0; count = cursor.block(least)) {
        while (count-- > 0) items.push(avroJsonText(node.items, cursor));
      }
      cursor.ascend();
      return `[${items.join(',')}]`;
    }
    case 'map': {
      const members: string[] = [];
      cursor.descend();
      for (let count = cursor.block(1); count > 0; count = cursor.block(1)) {
        while (count-- > 0) members.push(`${JSON.stringify(text(cursor))}:${avroJsonText(node.values, cursor)}`);
      }
      cursor.ascend();
      return `{${members.join(',')}}`;
    }
  }
}

function text(cursor: AvroCursor): string {
  const start = cursor.text();
  return decoder.decode(cursor.bytes.subarray(start, cursor.p));
}

function base64(cursor: AvroCursor, length: number): string {
  const start = cursor.take(length);
  return `"${Buffer.from(cursor.bytes.subarray(start, start + length)).toString('base64')}"`;
}

function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}
