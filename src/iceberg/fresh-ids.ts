import type { IcebergType, NestedField, Schema, StructType } from '../schema/types.ts';

/**
 * Numbers a schema anew from 1, as Java's `AssignFreshIds` does at createTable: all fields of a struct first, then what is
 * nested in each. Answers also the new id of each old one, by which specs and sort orders follow.
 */
export function assignFreshIds(schema: Schema): {
  schema: Schema;
  lastColumnId: number;
  idOf: ReadonlyMap<number, number>;
} {
  let last = 0;
  const idOf = new Map<number, number>();
  const next = (old: number): number => {
    idOf.set(old, ++last);
    return last;
  };
  const struct = (type: StructType): NestedField[] => {
    const ids = type.fields.map((field) => next(field.id));
    return type.fields.map((field, i) => ({ ...field, id: ids[i]!, type: nested(field.type) }));
  };
  const nested = (type: IcebergType): IcebergType => {
    if (typeof type === 'string') return type;
    if (type.type === 'struct') return { type: 'struct', fields: struct(type) };
    if (type.type === 'list') {
      const id = next(type['element-id']);
      return { ...type, 'element-id': id, element: nested(type.element) };
    }
    const [keyId, valueId] = [next(type['key-id']), next(type['value-id'])];
    return { ...type, 'key-id': keyId, key: nested(type.key), 'value-id': valueId, value: nested(type.value) };
  };
  const fields = struct(schema);
  const identifiers = schema['identifier-field-ids'];
  return {
    schema: {
      ...schema,
      fields,
      ...(identifiers && { 'identifier-field-ids': identifiers.map((id) => idOf.get(id) ?? id) }),
    },
    lastColumnId: last,
    idOf,
  };
}

/** Largest field id of a schema, at any depth; 0 without fields. */
export function highestId(type: IcebergType): number {
  if (typeof type === 'string') return 0;
  if (type.type === 'struct')
    return type.fields.reduce((max, field) => Math.max(max, field.id, highestId(field.type)), 0);
  if (type.type === 'list') return Math.max(type['element-id'], highestId(type.element));
  return Math.max(type['key-id'], highestId(type.key), type['value-id'], highestId(type.value));
}
