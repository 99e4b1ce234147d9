import type { AvroPlan, PlanField } from '../schema/avro-plan.ts';
import { leastBytes } from '../schema/avro-node.ts';
import { decimalOf } from '../schema/types.ts';
import type { IcebergType, ListType, MapType, Schema, StructType } from '../schema/types.ts';
import { DecimalReader } from './avro-convert.ts';
import { Slots, checkHolds, columnOf } from './slots.ts';
import type { Binding, Slot } from './slots.ts';

/** A plan joined with the columns that it writes. `slot` null: the bytes are walked over. */
export interface AvroBound {
  readonly plan: AvroPlan;
  /** Dotted path, for reasons. */
  readonly path: string;
  readonly slot: Slot | null;
  /** Record: fields; union: branches; optional: the inner one, with the same slot; array and map: items or values. */
  readonly children: readonly AvroBound[];
  /** Columns of a struct that the writer does not have. */
  readonly missing: readonly Slot[];
  /** UTF-8 of an enum's symbols. */
  readonly symbols: readonly Uint8Array[];
  readonly decimal: DecimalReader | null;
  /** Of an array or map: fewest bytes of an item. */
  readonly least: number;
}

export type AvroBinding = Binding<AvroBound>;

/**
 * Joins a plan with a layout by field id. Both structs have the shape of the plan: `struct` carries the table's ids.
 * `value`: the columns of the value, but for the one with the field id `except`. Else the struct column of that field id.
 */
export function bindAvro(
  plan: AvroPlan,
  struct: StructType,
  layout: Schema,
  target: 'value' | number,
  except = 0,
): AvroBinding {
  const slots = new Slots();
  const binder = new Binder(slots);
  if (target !== 'value') {
    const column = slots.column(layout, (field) => field.id === target);
    return { root: binder.bind(plan, struct, column, ''), slots: slots.all, owned: [column] };
  }
  const owned = slots.value(layout, except);
  return { root: binder.record(plan, struct, null, owned, ''), slots: slots.all, owned };
}

const encoder = new TextEncoder();

class Binder {
  readonly #slots: Slots;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  bind(plan: AvroPlan, type: IcebergType, slot: Slot | null, path: string): AvroBound {
    const node = (children: readonly AvroBound[] = [], least = 0): AvroBound => ({
      plan,
      path,
      slot,
      children,
      missing: [],
      symbols: [],
      decimal: null,
      least,
    });
    switch (plan.op) {
      case 'null':
      case 'present':
      case 'json':
        return node();
      case 'leaf': {
        if (slot) checkHolds(slot.field, type, path);
        const decimal = plan.convert === 'decimal' ? new DecimalReader(decimalOf(plan.type)!.precision) : null;
        return { ...node(), decimal };
      }
      case 'enum':
        return { ...node(), symbols: plan.symbols.map((symbol) => encoder.encode(symbol)) };
      case 'optional':
        return node([this.bind(plan.inner, type, slot, path)]);
      case 'record':
      case 'union':
        return this.record(plan, type as StructType, slot, this.#slots.fields(slot), path);
      case 'array': {
        const list = type as ListType;
        const inner = this.#slots.element(slot, list);
        const items = this.bind(plan.items, list.element, inner, `${path}.element`);
        return { ...node([items], leastBytes(plan.items.node)), slot: inner && slot };
      }
      case 'map': {
        const map = type as MapType;
        const { key, value } = this.#slots.entry(slot, map);
        const keys: AvroBound = {
          ...node(),
          plan: { op: 'json', node: plan.node, nullable: false, type: 'string' },
          path: `${path}.key`,
          slot: key,
        };
        return node(
          [this.bind(plan.values, map.value, value, `${path}.value`), keys],
          1 + leastBytes(plan.values.node),
        );
      }
    }
  }

  record(plan: AvroPlan, struct: StructType, slot: Slot | null, columns: readonly Slot[], path: string): AvroBound {
    const fields: readonly PlanField[] = plan.op === 'record' ? plan.fields : plan.op === 'union' ? plan.branches : [];
    const missing = new Set(columns);
    const children = fields.map((field): AvroBound => {
      const bound = field.column < 0 ? null : struct.fields[field.column]!;
      const column = bound && columnOf(columns, bound);
      if (column) missing.delete(column);
      const name = bound?.name ?? '';
      const child = this.bind(
        field.plan,
        bound?.type ?? field.plan.type,
        field.plan.op === 'null' ? null : column,
        path === '' ? name : `${path}.${name}`,
      );
      // A list whose element has no id is walked over: its column is filled as one that the writer does not have.
      if (column && !child.slot && field.plan.op !== 'null') missing.add(column);
      return child;
    });
    return { plan, path, slot, children, missing: [...missing], symbols: [], decimal: null, least: 0 };
  }
}
