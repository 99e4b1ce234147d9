import type { Incompatible } from './evolve.ts';
import { sourceName } from './names.ts';
import type { IcebergType, NestedField, StructType } from './types.ts';

/**
 * The writer's struct with every field that no longer fits its column renamed to `<name>_<type>`, so that it gets a
 * column of its own (`onIncompatible: new-column`). The order of fields stays: decoders go by it.
 */
export function withNewColumns(writer: StructType, incompatible: readonly Incompatible[]): StructType {
  return incompatible.reduce((struct, { writerPath }) => renamed(struct, writerPath.split('.')), writer);
}

/** The field that the path ends in, or the one around it where the path ends in a list's element or a map's value. */
function renamed(struct: StructType, path: readonly string[]): StructType {
  // Names may hold dots: the longest name that the path begins with is meant.
  for (let length = path.length; length > 0; length--) {
    const name = path.slice(0, length).join('.');
    const index = struct.fields.findIndex((field) => field.name === name);
    if (index < 0) continue;
    const field = struct.fields[index]!;
    const inside = path.length > length ? renamedInside(field.type, path.slice(length)) : null;
    const fields = struct.fields.with(
      index,
      inside ? { ...field, type: inside } : { ...named(field), name: `${name}_${typeName(field.type)}` },
    );
    return { type: 'struct', fields };
  }
  return struct;
}

/** Without the source's name in its doc, by which it would be the old column again. */
function named(field: NestedField): NestedField {
  if (sourceName(field) === field.name) return field;
  const { doc: _, ...rest } = field;
  return rest;
}

function renamedInside(type: IcebergType, path: readonly string[]): IcebergType | null {
  if (typeof type === 'string') return null;
  if (type.type === 'struct') {
    const inner = renamed(type, path);
    return inner === type ? null : inner;
  }
  const rest = path.slice(1);
  if (rest.length === 0) return null;
  if (type.type === 'list') {
    const element = renamedInside(type.element, rest);
    return element && { ...type, element };
  }
  const value = renamedInside(type.value, rest);
  return value && { ...type, value };
}

/** `decimal(10, 2)` → `decimal_10_2`, a struct → `struct`. */
export function typeName(type: IcebergType): string {
  return typeof type === 'string' ? type.replaceAll(/[^a-z0-9]+/g, '_').replace(/_$/, '') : type.type;
}
