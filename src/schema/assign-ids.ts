import type { IcebergType, NestedField, StructType } from './types.ts';

/**
 * Gives every field a fresh id, level by level as Iceberg's AssignFreshIds does: first all fields of a struct, then
 * what is inside each of them in turn. `lastId` is the highest id given, or `firstId - 1` where there is no field.
 */
export function assignIds(struct: StructType, firstId: number): { struct: StructType; lastId: number } {
  const ids = new IdSource(firstId - 1);
  return { struct: freshStruct(struct, ids), lastId: ids.last };
}

export class IdSource {
  last: number;

  constructor(last: number) {
    this.last = last;
  }

  next(): number {
    return ++this.last;
  }
}

/** The same type with fresh ids at every level. */
export function freshType(type: IcebergType, ids: IdSource): IcebergType {
  if (typeof type === 'string') return type;
  switch (type.type) {
    case 'struct':
      return freshStruct(type, ids);
    case 'list': {
      const id = ids.next();
      return { ...type, 'element-id': id, element: freshType(type.element, ids) };
    }
    case 'map': {
      const key = ids.next();
      const value = ids.next();
      return {
        ...type,
        'key-id': key,
        'value-id': value,
        key: freshType(type.key, ids),
        value: freshType(type.value, ids),
      };
    }
  }
}

function freshStruct(struct: StructType, ids: IdSource): StructType {
  const numbered: NestedField[] = struct.fields.map((field) => ({ ...field, id: ids.next() }));
  return { type: 'struct', fields: numbered.map((field) => ({ ...field, type: freshType(field.type, ids) })) };
}
