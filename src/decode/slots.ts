import type { ColumnBatch, Vector } from '../columns/batch.ts';
import { TabletopicError } from '../errors.ts';
import { isServiceColumn } from '../schema/names.ts';
import { commonType } from '../schema/promote.ts';
import type { IcebergType, ListType, MapType, NestedField, Schema, StructType } from '../schema/types.ts';

/** The place of one vector in every batch of a layout. `vector` is that of the batch attached last. */
export interface Slot {
  readonly index: number;
  /** Child indexes from the batch's columns down. */
  readonly path: readonly number[];
  readonly field: NestedField;
  vector: Vector | null;
}

/** A writer schema joined with a layout. The root has no slot of its own, except for a key decoder, whose root is the struct `_key`. */
export interface Binding<Root> {
  readonly root: Root;
  readonly slots: readonly Slot[];
  /** Top-level columns that the decoder owns. */
  readonly owned: readonly Slot[];
}

export function attach(slots: readonly Slot[], batch: ColumnBatch): void {
  for (const slot of slots) {
    let vector = batch.columns[slot.path[0]!]!;
    for (let i = 1; i < slot.path.length; i++) vector = vector.children[slot.path[i]!]!;
    slot.vector = vector;
  }
}

/** Hands out the slots of one binding: the places of a layout that a writer schema fills. */
export class Slots {
  readonly all: Slot[] = [];

  /** The top-level column that `fits`; there must be one. */
  column(layout: Schema, fits: (field: NestedField) => boolean): Slot {
    const index = layout.fields.findIndex(fits);
    return this.#add([index], layout.fields[index]!);
  }

  /** The columns of the value, but for the one with the field id `except`. */
  value(layout: Schema, except = 0): Slot[] {
    return layout.fields.flatMap((field, i) =>
      isServiceColumn(field.name) || field.id === except ? [] : [this.#add([i], field)],
    );
  }

  /** The fields of a struct column. */
  fields(slot: Slot | null): Slot[] {
    if (!slot) return [];
    return (slot.field.type as StructType).fields.map((field, i) => this.#add([...slot.path, i], field));
  }

  /** The elements of a list column; null where the writer's have no place in it: then the list cannot be written either. */
  element(slot: Slot | null, writer: ListType): Slot | null {
    if (!slot || writer['element-id'] === 0) return null;
    const list = slot.field.type as ListType;
    const field = { id: list['element-id'], name: 'element', required: list['element-required'], type: list.element };
    return this.#add([...slot.path, 0], field);
  }

  /** Keys and values of a map column. */
  entry(slot: Slot | null, writer: MapType): { readonly key: Slot | null; readonly value: Slot | null } {
    if (!slot) return { key: null, value: null };
    const map = slot.field.type as MapType;
    const key = { id: writer['key-id'], name: 'key', required: true, type: map.key };
    const value = { id: writer['value-id'], name: 'value', required: map['value-required'], type: map.value };
    return { key: this.#add([...slot.path, 0], key), value: this.#add([...slot.path, 1], value) };
  }

  #add(path: readonly number[], field: NestedField): Slot {
    const slot: Slot = { index: this.all.length, path, field, vector: null };
    this.all.push(slot);
    return slot;
  }
}

/** The column with the table's id of a writer's field; null where the field has none. */
export function columnOf(columns: readonly Slot[], { id }: NestedField): Slot | null {
  return id > 0 ? (columns.find((column) => column.field.id === id) ?? null) : null;
}

/** @throws SCHEMA_INCOMPATIBLE where the column cannot hold the writer's primitive type. */
export function checkHolds(column: NestedField, writer: IcebergType, path: string): void {
  const holds =
    typeof writer === 'string' && typeof column.type === 'string' && commonType(column.type, writer) === column.type;
  if (!holds)
    throw new TabletopicError('SCHEMA_INCOMPATIBLE', `${path}: the column cannot hold the type of the writer schema`);
}
