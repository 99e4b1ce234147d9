import { typeName } from './new-column.ts';
import { columnDoc, sourceName } from './names.ts';
import type { IcebergType, NestedField, PrimitiveType } from './types.ts';

/**
 * JSON without schema under `onIncompatible: new-column`: `<name>_<type>` beside the column of a member, for the member's
 * values that this column cannot hold. Each value stands in exactly one of them.
 *
 * A sibling is known by its doc, which also says whose it is: a source may have a field that is called as it is.
 *
 * Breaks: test/decode/json-siblings.test.ts, "a field of the source that is called as a sibling is another column".
 */
const DOC = 'Values that do not fit the column of that name.';

export function siblingField(source: string, type: IcebergType): NestedField {
  const name = `${source}_${typeName(type)}`;
  return { id: 0, name, required: false, type, doc: columnDoc(source, name, DOC)! };
}

export function isSibling(field: NestedField): boolean {
  return (field.doc?.endsWith(DOC) ?? false) && sourceName(field) !== field.name;
}

/**
 * True where values of JSON that would make a column of `type` are the business of a column of type `column`, also those
 * that it cannot hold: they are of its kind, and dead letters. Only a fraction is another kind than a whole number.
 */
export function takesKind(column: IcebergType, type: IcebergType): boolean {
  if (typeof column === 'string' && typeof type === 'string')
    return column === type || (kindOf(column) === kindOf(type) && !(isWhole(column) && !isWhole(type)));
  if (typeof column === 'string' || typeof type === 'string') return false;
  if (column.type === 'list' && type.type === 'list') return takesKind(column.element, type.element);
  if (column.type === 'map' && type.type === 'map') return takesKind(column.value, type.value);
  return column.type === 'struct' && type.type === 'struct';
}

function kindOf(type: PrimitiveType): 'boolean' | 'number' | 'string' {
  if (type === 'boolean') return 'boolean';
  // Dates, times, UUIDs and bytes are strings in JSON.
  return isWhole(type) || type === 'float' || type === 'double' || type.startsWith('decimal') ? 'number' : 'string';
}

function isWhole(type: PrimitiveType): boolean {
  return type === 'int' || type === 'long';
}
