import { IdSource, freshType } from './assign-ids.ts';
import { evolve, typeText } from './evolve.ts';
import type { Evolution, FieldAliases, FieldHistory } from './evolve.ts';
import { KEY_COLUMN } from './names.ts';
import type { NestedField, Schema, StructType } from './types.ts';

/** The writer's path of the column itself, where that is left out. */
export const WHOLE_KEY = '';

/** The column of decoded keys; a record may have none. */
export function keyColumn(struct: StructType): NestedField {
  const fields = struct.fields.map((field) => ({ ...field, required: false }));
  return { id: 0, name: KEY_COLUMN, required: false, type: { type: 'struct', fields }, doc: 'The key of the record' };
}

/**
 * As `evolve`, for the schema of keys: their fields are those of the struct `_key`, which is added with the first of
 * them. Paths begin with the column; `bound` is the key's own struct.
 */
export function evolveKey(
  table: Schema,
  lastColumnId: number,
  writer: StructType,
  history: FieldHistory = {},
  aliases: FieldAliases = {},
  ignored: ReadonlySet<string> = new Set(),
): Evolution {
  const column = table.fields.find((field) => field.name === KEY_COLUMN);
  const unchanged = { schema: table, lastColumnId, history, changes: [], incompatible: [] };
  if (!column) {
    if (writer.fields.length === 0 || ignored.has(WHOLE_KEY)) return { ...unchanged, bound: writer };
    const ids = new IdSource(lastColumnId);
    const added = keyColumn(writer);
    const id = ids.next();
    const type = freshType(added.type, ids) as StructType;
    const inner = evolve({ ...type, 'schema-id': 0 }, ids.last, writer, history, aliases);
    return {
      ...unchanged,
      history: inner.history,
      schema: { ...table, fields: [...table.fields, { ...added, id, type }] },
      lastColumnId: ids.last,
      changes: [{ kind: 'add', path: KEY_COLUMN, to: typeText(added.type) }],
      bound: inner.bound,
    };
  }
  if (typeof column.type === 'string' || column.type.type !== 'struct') {
    const incompatible = [{ path: KEY_COLUMN, writerPath: '', from: typeText(column.type), to: typeText(writer) }];
    return { ...unchanged, incompatible, bound: writer };
  }
  const before: Schema = { ...column.type, 'schema-id': table['schema-id'] };
  const result = evolve(before, lastColumnId, writer, history, aliases, ignored);
  const inside = <T extends { readonly path: string }>(list: readonly T[]): T[] =>
    list.map((entry) => ({ ...entry, path: `${KEY_COLUMN}.${entry.path}` }));
  const changed = result.schema !== before || column.required;
  const after = { ...column, required: false, type: { type: 'struct' as const, fields: result.schema.fields } };
  return {
    ...result,
    schema: changed ? { ...table, fields: table.fields.map((field) => (field === column ? after : field)) } : table,
    changes: [...(column.required ? [{ kind: 'optional' as const, path: KEY_COLUMN }] : []), ...inside(result.changes)],
    incompatible: inside(result.incompatible),
  };
}
