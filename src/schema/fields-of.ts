import type { IcebergType, NestedField, StructType } from './types.ts';

/** Name of a field of `written` that `current` does not have, by id at every level; null: there is none. */
export function missingField(written: StructType, current: StructType): string | null {
  const ids = new Set(fieldsOf(current).map(({ id }) => id));
  return fieldsOf(written).find(({ id }) => !ids.has(id))?.name ?? null;
}

/** Fields at every level, elements, keys and values of lists and maps among them. */
export function fieldsOf(type: IcebergType): Pick<NestedField, 'id' | 'name'>[] {
  if (typeof type === 'string') return [];
  switch (type.type) {
    case 'struct':
      return type.fields.flatMap((field) => [field, ...fieldsOf(field.type)]);
    case 'list':
      return [{ id: type['element-id'], name: 'element' }, ...fieldsOf(type.element)];
    case 'map':
      return [
        { id: type['key-id'], name: 'key' },
        { id: type['value-id'], name: 'value' },
        ...fieldsOf(type.key),
        ...fieldsOf(type.value),
      ];
  }
}
