import type { JsonNode, JsonObjectNode } from './json-layout.ts';

const SPACE = 0x20;

/** How one producer writes an object: the same members in the same order, without white space or with one space behind comma and colon. */
export interface JsonOrder {
  /** In the order of the records: the index of the column, and its key with the brace or comma before it and the colon after it. */
  readonly members: readonly { readonly column: number; readonly key: Uint8Array }[];
  readonly fields: readonly JsonNode[];
}

/** The order of the object that was read last and began at `start`; null where records cannot be told by it. */
export function orderOf(node: JsonObjectNode, bytes: Uint8Array, start: number): JsonOrder | null {
  const { fields, keys, next, seen, epoch } = node;
  const texts = new Set(keys.map((key) => Buffer.from(key).toString('latin1')));
  // Two columns of one key: the interpreted decoder fills both.
  if (!node.plain || texts.size < keys.length) return null;
  const members: { column: number; key: Uint8Array }[] = [];
  const met = seen.reduce((sum, last) => sum + (last === epoch ? 1 : 0), 0);
  if (met === 0 || fields.some(({ required }, i) => required && seen[i] !== epoch)) return null;
  for (let column = next[0]!; members.length < met; column = next[column + 1]!) {
    const key = keys[column];
    if (!key) return null;
    const space = members.length > 0 ? members[0]!.key.at(-1) === SPACE : bytes[start + 1 + key.length] === SPACE;
    const before = members.length === 0 ? '{' : space ? ', ' : ',';
    members.push({ column, key: Buffer.concat([Buffer.from(before), key, Buffer.from(space ? ' ' : '')]) });
  }
  return { members, fields };
}
