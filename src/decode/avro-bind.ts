import type { ColumnBatch, Vector } from '../columns/batch.ts';
import { TabletopicError } from '../errors.ts';
import type { AvroPlan, PlanField } from '../schema/avro-plan.ts';
import { leastBytes } from '../schema/avro-node.ts';
import { isServiceColumn } from '../schema/names.ts';
import { commonType } from '../schema/promote.ts';
import { decimalOf } from '../schema/types.ts';
import type { IcebergType, NestedField, Schema, StructType } from '../schema/types.ts';
import { DecimalReader } from './avro-convert.ts';

/** The place of one vector in every batch of a layout. `vector` is that of the batch attached last. */
export interface Slot {
  readonly index: number;
  /** Child indexes from the batch's columns down. */
  readonly path: readonly number[];
  readonly field: NestedField;
  vector: Vector | null;
}

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

/** The root has no slot of its own, except for a key decoder, whose root is the struct `_key`. */
export interface AvroBinding {
  readonly root: AvroBound;
  readonly slots: readonly Slot[];
  /** Top-level columns that the decoder owns. */
  readonly owned: readonly Slot[];
}

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
  const binder = new Binder();
  if (target !== 'value') {
    const index = layout.fields.findIndex((field) => field.id === target);
    const slot = binder.slot([index], layout.fields[index]!);
    return { root: binder.bind(plan, struct, slot, ''), slots: binder.slots, owned: [slot] };
  }
  const owned = layout.fields.flatMap((field, i) =>
    isServiceColumn(field.name) || field.id === except ? [] : [binder.slot([i], field)],
  );
  return { root: binder.record(plan, struct, null, owned, ''), slots: binder.slots, owned };
}

export function attach(slots: readonly Slot[], batch: ColumnBatch): void {
  for (const slot of slots) {
    let vector = batch.columns[slot.path[0]!]!;
    for (let i = 1; i < slot.path.length; i++) vector = vector.children[slot.path[i]!]!;
    slot.vector = vector;
  }
}

const encoder = new TextEncoder();

class Binder {
  readonly slots: Slot[] = [];

  slot(path: readonly number[], field: NestedField): Slot {
    const slot: Slot = { index: this.slots.length, path, field, vector: null };
    this.slots.push(slot);
    return slot;
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
        if (slot) checkType(type, slot.field, path);
        const decimal = plan.convert === 'decimal' ? new DecimalReader(decimalOf(plan.type)!.precision) : null;
        return { ...node(), decimal };
      }
      case 'enum':
        return { ...node(), symbols: plan.symbols.map((symbol) => encoder.encode(symbol)) };
      case 'optional':
        return node([this.bind(plan.inner, type, slot, path)]);
      case 'record':
      case 'union': {
        const fields = slot
          ? (slot.field.type as StructType).fields.map((field, i) => this.slot([...slot.path, i], field))
          : [];
        return this.record(plan, type as StructType, slot, fields, path);
      }
      case 'array': {
        const list = type as Extract<IcebergType, { type: 'list' }>;
        const inner = slot && list['element-id'] > 0 ? this.slot([...slot.path, 0], elementOf(slot.field.type)) : null;
        // Without its items the list itself cannot be written either.
        const own = inner ? slot : null;
        return {
          ...node([this.bind(plan.items, list.element, inner, `${path}.element`)], leastBytes(plan.items.node)),
          slot: own,
        };
      }
      case 'map': {
        const map = type as Extract<IcebergType, { type: 'map' }>;
        const target = slot?.field.type as Extract<IcebergType, { type: 'map' }> | undefined;
        const key =
          slot && this.slot([...slot.path, 0], { id: map['key-id'], name: 'key', required: true, type: 'string' });
        const value =
          slot &&
          this.slot([...slot.path, 1], {
            id: map['value-id'],
            name: 'value',
            required: target!['value-required'],
            type: target!.value,
          });
        const keys: AvroBound = {
          plan: { op: 'json', node: plan.node, nullable: false, type: 'string' },
          path: `${path}.key`,
          slot: key,
          children: [],
          missing: [],
          symbols: [],
          decimal: null,
          least: 0,
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
      const column =
        bound && bound.id > 0 ? (columns.find((candidate) => candidate.field.id === bound.id) ?? null) : null;
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

function elementOf(type: IcebergType): NestedField {
  const list = type as Extract<IcebergType, { type: 'list' }>;
  return { id: list['element-id'], name: 'element', required: list['element-required'], type: list.element };
}

function checkType(writer: IcebergType, column: NestedField, path: string): void {
  const holds =
    typeof writer === 'string' && typeof column.type === 'string' && commonType(column.type, writer) === column.type;
  if (!holds)
    throw new TabletopicError('SCHEMA_INCOMPATIBLE', `${path}: the column cannot hold the type of the writer schema`);
}
