import { leastBytes } from '../schema/avro-node.ts';
import type { AvroNode } from '../schema/avro-node.ts';
import type { AvroCursor } from './avro-cursor.ts';

/** Walks over one value. */
export function skipValue(node: AvroNode, cursor: AvroCursor): void {
  switch (node.kind) {
    case 'null':
      return;
    case 'boolean':
      cursor.take(1);
      return;
    case 'int':
    case 'long':
    case 'enum':
      cursor.long();
      return;
    case 'float':
      cursor.take(4);
      return;
    case 'double':
      cursor.take(8);
      return;
    case 'fixed':
      cursor.take(node.size);
      return;
    case 'bytes':
    case 'string':
      cursor.take(cursor.length());
      return;
    case 'union':
      return skipValue(node.branches[cursor.index(node.branches.length, 'union branch')]!, cursor);
    case 'record':
      cursor.descend();
      for (const field of node.fields) skipValue(field.node, cursor);
      cursor.ascend();
      return;
    case 'array':
    case 'map': {
      const [item, least] =
        node.kind === 'array' ? [node.items, leastBytes(node.items)] : [node.values, 1 + leastBytes(node.values)];
      cursor.descend();
      for (let count = cursor.block(least); count > 0; count = cursor.block(least))
        while (count-- > 0) {
          if (node.kind === 'map') cursor.take(cursor.length());
          skipValue(item, cursor);
        }
      cursor.ascend();
    }
  }
}
