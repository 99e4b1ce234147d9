import { extraField, isExtraColumn } from './extra-column.ts';
import { isServiceColumn, sourceName } from './names.ts';
import { isSibling, siblingField, takesKind } from './sibling-column.ts';
import type { IcebergType, NestedField, StructType } from './types.ts';

/** Columns that hold values: leaves at every level, without those of the service (`top`) and without `_extra`. */
export function leavesIn(type: IcebergType, top = false): number {
  if (typeof type === 'string') return 1;
  switch (type.type) {
    case 'struct':
      return type.fields.reduce(
        (sum, field) =>
          isExtraColumn(field) || (top && isServiceColumn(field.name)) ? sum : sum + leavesIn(field.type),
        0,
      );
    case 'list':
      return leavesIn(type.element);
    case 'map':
      return leavesIn(type.value);
  }
}

/**
 * The table's own columns, and with them the new ones of `fields` for which there is room: a table of JSON without schema
 * has at most `most` leaves. What has no room makes the struct that it would stand in have the column `_extra`. A field
 * that the table has stays as it is; `siblings`: one of another kind gets a column beside it (`onIncompatible: new-column`).
 */
export function grown(table: StructType, fields: StructType, most: number, siblings = false): StructType {
  const room = { left: most - leavesIn(table, true), siblings };
  const own = table.fields.filter((field) => !isServiceColumn(field.name));
  return overlaid({ type: 'struct', fields: own }, fields, room);
}

interface Room {
  left: number;
  readonly siblings: boolean;
}

function overlaid(table: StructType, fields: StructType, room: Room): StructType {
  const extra = table.fields.find(isExtraColumn);
  const columns: NestedField[] = [...table.fields];
  let more = false;
  for (const field of fields.fields) {
    const name = sourceName(field);
    const own = columns.filter((column) => column !== extra && sourceName(column) === name);
    const taker = own.find((column) => takesKind(column.type, field.type));
    if (isExtraColumn(field)) more = true;
    else if (taker) columns[columns.indexOf(taker)] = { ...taker, type: overlaidType(taker.type, field.type, room) };
    else if (own.some((column) => !isSibling(column))) {
      const type = room.siblings ? fitted(field.type, room) : null;
      if (type) columns.push(siblingField(name, type));
      else if (room.siblings) more = true;
    } else {
      // A member that is called as `_extra` is stays inside of it.
      const type = extra && sourceName(extra) === name ? null : fitted(field.type, room);
      if (type) columns.push({ ...field, id: 0, required: false, type });
      else more = true;
    }
  }
  // A new field of the source keeps its name, and the sibling that would have it steps aside.
  const added = columns.splice(table.fields.length);
  columns.push(...added.filter((field) => !isSibling(field)), ...added.filter(isSibling));
  return { type: 'struct', fields: more && !extra ? withExtra(columns) : columns };
}

function overlaidType(table: IcebergType, type: IcebergType, room: Room): IcebergType {
  if (typeof table === 'string' || typeof type === 'string') return table;
  if (table.type === 'struct' && type.type === 'struct') return overlaid(table, type, room);
  if (table.type === 'list' && type.type === 'list')
    return { ...table, element: overlaidType(table.element, type.element, room) };
  if (table.type === 'map' && type.type === 'map')
    return { ...table, value: overlaidType(table.value, type.value, room) };
  return table;
}

/** As much of the type as there is room for; null for none of it. */
function fitted(type: IcebergType, room: Room): IcebergType | null {
  if (typeof type === 'string') return room.left-- > 0 ? type : null;
  switch (type.type) {
    case 'struct': {
      const fields = type.fields.flatMap((field) => {
        const inner = fitted(field.type, room);
        return inner ? [{ ...field, type: inner }] : [];
      });
      if (fields.length === 0) return null;
      return { type: 'struct', fields: fields.length === type.fields.length ? fields : withExtra(fields) };
    }
    case 'list': {
      const element = fitted(type.element, room);
      return element && { ...type, element };
    }
    case 'map': {
      const value = fitted(type.value, room);
      return value && { ...type, value };
    }
  }
}

function withExtra(fields: readonly NestedField[]): NestedField[] {
  return [...fields, extraField(fields.flatMap((field) => [field.name, sourceName(field)]))];
}
