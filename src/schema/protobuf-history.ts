import type { FieldAliases, FieldHistory, KnownField } from './evolve.ts';
import { sourceName } from './names.ts';
import type { IcebergType, StructType } from './types.ts';

/** Whether a column is this Protobuf field; `alias` is the field's entry in `FieldAliases`. */
export function isProtobufField(known: KnownField | undefined, alias: FieldAliases[string]): boolean {
  return typeof alias === 'string' && (known?.protobuf?.includes(alias) ?? false);
}

/** Whether a column is a field of the same message with another number: then its name means nothing. */
export function isOtherProtobufField(known: KnownField | undefined, alias: FieldAliases[string]): boolean {
  if (typeof alias !== 'string' || !known?.protobuf) return false;
  const message = alias.slice(0, alias.lastIndexOf('#') + 1);
  return known.protobuf.some((one) => one.startsWith(message) && one !== alias);
}

/**
 * The history with the Protobuf fields of a writer's struct that has the table's field ids. The very object given where
 * all are known.
 */
export function withProtobuf(
  history: FieldHistory,
  bound: IcebergType,
  aliases: FieldAliases,
  path: string,
): FieldHistory {
  if (typeof bound === 'string') return history;
  if (bound.type === 'list') return withProtobuf(history, bound.element, aliases, `${path}element.`);
  if (bound.type === 'map') return withProtobuf(history, bound.value, aliases, `${path}value.`);
  return withFields(history, bound, aliases, path);
}

function withFields(before: FieldHistory, struct: StructType, aliases: FieldAliases, path: string): FieldHistory {
  let history = before;
  for (const field of struct.fields) {
    const at = `${path}${field.name}`;
    const alias = aliases[at];
    const known = history[field.id];
    if (typeof alias === 'string' && field.id > 0 && !known?.protobuf?.includes(alias)) {
      const names = known?.names ?? [sourceName(field)];
      history = { ...history, [field.id]: { names, protobuf: [...(known?.protobuf ?? []), alias] } };
    }
    history = withProtobuf(history, field.type, aliases, `${at}.`);
  }
  return history;
}
