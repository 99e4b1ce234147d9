import { TabletopicError } from '../errors.ts';
import { isServiceColumn } from '../schema/names.ts';
import { commonType } from '../schema/promote.ts';
import type { ProtoField } from '../schema/protobuf-node.ts';
import type { MessagePlan, ProtoPlan } from '../schema/protobuf-plan.ts';
import type { IcebergType, ListType, MapType, NestedField, Schema, StructType } from '../schema/types.ts';
import type { Slot } from './avro-bind.ts';
import type { MessageTypes } from './protobuf-json-text.ts';

/** A plan joined with the columns that it writes. `slot` null: the value is read and dropped. */
export interface ProtoBound {
  readonly plan: ProtoPlan;
  /** Dotted path, for reasons. */
  readonly path: string;
  readonly slot: Slot | null;
  /** Of a field of a message; null for items, keys, values and the record itself. */
  readonly field: ProtoField | null;
  /** Message: fields; list: items; map: key and value. */
  readonly children: readonly ProtoBound[];
  /** Columns of a struct that the writer does not have. */
  readonly missing: readonly Slot[];
  /** Most items of a list or map in one record: those with many columns take much more memory than bytes. */
  readonly most: number;
}

/** The root has no slot of its own, except for a key decoder, whose root is the struct `_key`. */
export interface ProtoBinding {
  readonly root: ProtoBound;
  readonly slots: readonly Slot[];
  /** Top-level columns that the decoder owns. */
  readonly owned: readonly Slot[];
  readonly types: MessageTypes;
}

/** Values of the items of one list or map in one record. */
const MOST_CELLS = 4 << 20;
/** Up to here the items of a record take no more than some tens of bytes for each of its bytes. */
const FEW_COLUMNS = 16;

/** Joins a plan with a layout by field id. Both structs have the shape of the plan: `struct` carries the table's ids. */
export function bindProtobuf(
  plan: MessagePlan,
  struct: StructType,
  layout: Schema,
  part: 'value' | 'key',
  types: MessageTypes,
): ProtoBinding {
  const binder = new Binder();
  if (part === 'key') {
    const index = layout.fields.findIndex((field) => field.name === '_key');
    const slot = binder.slot([index], layout.fields[index]!);
    const columns = (slot.field.type as StructType).fields.map((field, i) => binder.slot([index, i], field));
    return { root: binder.message(plan, struct, slot, columns, '', null), slots: binder.slots, owned: [slot], types };
  }
  const owned = layout.fields.flatMap((field, i) => (isServiceColumn(field.name) ? [] : [binder.slot([i], field)]));
  return { root: binder.message(plan, struct, null, owned, '', null), slots: binder.slots, owned, types };
}

class Binder {
  readonly slots: Slot[] = [];

  slot(path: readonly number[], field: NestedField): Slot {
    const slot: Slot = { index: this.slots.length, path, field, vector: null };
    this.slots.push(slot);
    return slot;
  }

  message(
    plan: MessagePlan,
    struct: StructType,
    slot: Slot | null,
    columns: readonly Slot[],
    path: string,
    field: ProtoField | null,
  ): ProtoBound {
    const missing = new Set(columns);
    const children = plan.fields.map((member, i): ProtoBound => {
      const bound = struct.fields[i]!;
      const column = bound.id > 0 ? (columns.find((candidate) => candidate.field.id === bound.id) ?? null) : null;
      const child = this.#bind(
        member.plan,
        bound.type,
        column,
        path === '' ? bound.name : `${path}.${bound.name}`,
        member.field,
      );
      if (child.slot) missing.delete(child.slot);
      return child;
    });
    return { plan, path, slot, field, children, missing: [...missing], most: Infinity };
  }

  #bind(plan: ProtoPlan, type: IcebergType, slot: Slot | null, path: string, field: ProtoField | null): ProtoBound {
    const node = (children: readonly ProtoBound[] = [], own = slot, most = Infinity): ProtoBound => ({
      plan,
      path,
      slot: own,
      field,
      children,
      missing: [],
      most,
    });
    switch (plan.op) {
      case 'message': {
        const columns = slot
          ? (slot.field.type as StructType).fields.map((inner, i) => this.slot([...slot.path, i], inner))
          : [];
        return this.message(plan, type as StructType, slot, columns, path, field);
      }
      case 'list': {
        const list = type as ListType;
        const inner = slot && list['element-id'] > 0 ? this.slot([...slot.path, 0], elementOf(slot.field.type)) : null;
        // Without its items the list itself cannot be written either.
        const own = inner ? slot : null;
        return node(
          [this.#bind(plan.items, list.element, inner, `${path}.element`, null)],
          own,
          mostItems(inner ? [inner] : []),
        );
      }
      case 'map': {
        const map = type as MapType;
        const target = slot?.field.type as MapType | undefined;
        const key =
          slot && this.slot([...slot.path, 0], { id: map['key-id'], name: 'key', required: true, type: target!.key });
        const value =
          slot &&
          this.slot([...slot.path, 1], {
            id: map['value-id'],
            name: 'value',
            required: target!['value-required'],
            type: target!.value,
          });
        return node(
          [
            this.#bind(plan.key, map.key, key, `${path}.key`, null),
            this.#bind(plan.values, map.value, value, `${path}.value`, null),
          ],
          slot,
          mostItems(value ? [value] : []),
        );
      }
      default:
        if (slot) checkType(type, slot.field, path);
        return node();
    }
  }
}

function mostItems(items: readonly Slot[]): number {
  const columns = items.reduce((sum, { field }) => sum + leaves(field.type), 0);
  return columns > FEW_COLUMNS ? Math.floor(MOST_CELLS / columns) : Infinity;
}

function leaves(type: IcebergType): number {
  if (typeof type === 'string') return 1;
  if (type.type === 'struct') return type.fields.reduce((sum, field) => sum + leaves(field.type), 0);
  return 1;
}

function elementOf(type: IcebergType): NestedField {
  const list = type as ListType;
  return { id: list['element-id'], name: 'element', required: list['element-required'], type: list.element };
}

function checkType(writer: IcebergType, column: NestedField, path: string): void {
  const holds =
    typeof writer === 'string' && typeof column.type === 'string' && commonType(column.type, writer) === column.type;
  if (!holds)
    throw new TabletopicError('SCHEMA_INCOMPATIBLE', `${path}: the column cannot hold the type of the writer schema`);
}
