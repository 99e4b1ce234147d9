import type { FieldAliases, FieldHistory, KnownField } from './evolve.ts';
import { sourceName } from './names.ts';
import type { IcebergType, StructType } from './types.ts';

/** `<message>#<number>`, and the registry id of the schema that says so, of which a larger one is newer. */
interface ProtobufField {
  readonly field: string;
  readonly version: number | null;
}

function parsed(text: string): ProtobufField {
  const at = text.indexOf('@');
  return at < 0 ? { field: text, version: null } : { field: text.slice(0, at), version: Number(text.slice(at + 1)) };
}

function entryOf(known: KnownField | undefined, alias: string): ProtobufField | null {
  const { field } = parsed(alias);
  return known?.protobuf?.map(parsed).find((one) => one.field === field) ?? null;
}

/** Whether a column is this Protobuf field; `alias` is the field's entry in `FieldAliases`. */
export function isProtobufField(known: KnownField | undefined, alias: FieldAliases[string]): boolean {
  return typeof alias === 'string' && entryOf(known, alias) !== null;
}

/** Whether a column is a field of the same message with another number: then its name means nothing. */
export function isOtherProtobufField(known: KnownField | undefined, alias: FieldAliases[string]): boolean {
  if (typeof alias !== 'string' || !known?.protobuf) return false;
  const { field } = parsed(alias);
  const message = field.slice(0, field.lastIndexOf('#') + 1);
  return known.protobuf.map(parsed).some((one) => one.field.startsWith(message) && one.field !== field);
}

/** Whether this schema is newer than the one that the column has its name from; null: nobody knows. */
export function isNewer(known: KnownField | undefined, alias: FieldAliases[string]): boolean | null {
  if (typeof alias !== 'string') return null;
  const before = entryOf(known, alias)?.version ?? null;
  const { version } = parsed(alias);
  return before === null || version === null ? null : version > before;
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
    if (typeof alias === 'string' && field.id > 0) {
      const known = history[field.id];
      const after = withField(known, alias, sourceName(field));
      if (after !== known) history = { ...history, [field.id]: after };
    }
    history = withProtobuf(history, field.type, aliases, `${at}.`);
  }
  return history;
}

function withField(known: KnownField | undefined, alias: string, name: string): KnownField {
  const entry = entryOf(known, alias);
  const isKnown = entry !== null && isNewer(known, alias) !== true && (entry.version !== null || !alias.includes('@'));
  if (known && isKnown && known.names.includes(name)) return known;
  const others = (known?.protobuf ?? []).filter((one) => parsed(one).field !== parsed(alias).field);
  const names = known?.names ?? [];
  return {
    names: names.includes(name) ? names : [...names, name],
    protobuf: isKnown ? known!.protobuf! : [...others, alias],
  };
}
