import { KEY_COLUMN } from '../schema/names.ts';
import type { ProtoField } from '../schema/protobuf-node.ts';
import type { MessagePlan, ProtoPlan } from '../schema/protobuf-plan.ts';
import type { IcebergType, ListType, MapType, Schema, StructType } from '../schema/types.ts';
import type { MessageTypes } from './protobuf-json-text.ts';
import { Slots, checkHolds, columnOf } from './slots.ts';
import type { Binding, Slot } from './slots.ts';

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

export interface ProtoBinding extends Binding<ProtoBound> {
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
  const slots = new Slots();
  const column = part === 'key' ? slots.column(layout, (field) => field.name === KEY_COLUMN) : null;
  const columns = column ? slots.fields(column) : slots.value(layout);
  const root = new Binder(slots).message(plan, struct, column, columns, '', null);
  return { root, slots: slots.all, owned: column ? [column] : columns, types };
}

class Binder {
  readonly #slots: Slots;

  constructor(slots: Slots) {
    this.#slots = slots;
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
      const column = columnOf(columns, bound);
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
      case 'message':
        return this.message(plan, type as StructType, slot, this.#slots.fields(slot), path, field);
      case 'list': {
        const list = type as ListType;
        const inner = this.#slots.element(slot, list);
        const items = this.#bind(plan.items, list.element, inner, `${path}.element`, null);
        return node([items], inner && slot, mostItems(inner));
      }
      case 'map': {
        const map = type as MapType;
        const { key, value } = this.#slots.entry(slot, map);
        const keys = this.#bind(plan.key, map.key, key, `${path}.key`, null);
        return node([keys, this.#bind(plan.values, map.value, value, `${path}.value`, null)], slot, mostItems(value));
      }
      default:
        if (slot) checkHolds(slot.field, type, path);
        return node();
    }
  }
}

function mostItems(items: Slot | null): number {
  const columns = items ? leaves(items.field.type) : 0;
  return columns > FEW_COLUMNS ? Math.floor(MOST_CELLS / columns) : Infinity;
}

function leaves(type: IcebergType): number {
  if (typeof type === 'string') return 1;
  if (type.type === 'struct') return type.fields.reduce((sum, field) => sum + leaves(field.type), 0);
  return 1;
}
