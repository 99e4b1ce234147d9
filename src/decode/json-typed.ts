import type { ColumnBatch, Vector } from '../columns/batch.ts';
import { isExtraColumn } from '../schema/extra-column.ts';
import type { JsonPlan, JsonStruct } from '../schema/json-plan.ts';
import { convertJsonSchema } from '../schema/json-schema.ts';
import type { JsonSchemaOptions } from '../schema/json-schema.ts';
import type { IcebergType, StructType } from '../schema/types.ts';
import type { BoundSchema } from './decoder.ts';
import type { InferOptions } from './infer.ts';
import { ownedBy, vectorsOf } from './json-place.ts';
import type { JsonBinding, JsonMembers, JsonPlace, JsonTarget, Part } from './json-place.ts';

/**
 * Joins a bound JSON Schema with a layout by field id. `bound.struct` must be what `convertJsonSchema` made of the same text
 * with the same options, with ids. What the schema does not name is kept in `_extra`, whether or not the schema allows it.
 */
export function typedBinding(
  bound: BoundSchema,
  options: JsonSchemaOptions & InferOptions,
  part: Part = 'value',
): JsonBinding {
  const { plan, wrapped } = convertJsonSchema(bound.text, bound.references, options);
  return {
    part,
    unknown: 'extra',
    typed: true,
    asksSiblings: false,
    options,
    attach(batch: ColumnBatch): JsonTarget {
      const owned = ownedBy(batch, part);
      const vectors = vectorsOf(owned, part);
      if (!wrapped) return { owned, members: membersOf(plan as JsonStruct, bound.struct, vectors), whole: null };
      const field = bound.struct.fields[0]!;
      const vector = columnOf(vectors, field.id);
      const missing = vectors.filter((other) => other !== vector);
      return {
        owned,
        members: { places: [], extra: null, missing, ignored: [] },
        whole: vector && placeOf('value', plan, field.type, vector),
      };
    },
  };
}

function membersOf(plan: JsonStruct, struct: StructType, vectors: readonly Vector[]): JsonMembers {
  const ignored: string[] = [];
  const places = plan.members.flatMap(({ key, plan: inner }, i): JsonPlace[] => {
    const field = struct.fields[i]!;
    const vector = columnOf(vectors, field.id);
    const place = vector && placeOf(key, inner, field.type, vector);
    // A column that was dropped on purpose: the values have no place, and are no extra members.
    if (!place) ignored.push(key);
    return place ? [place] : [];
  });
  const filled = new Set(places.map((place) => place.vector));
  const rest = vectors.filter((vector) => !filled.has(vector));
  const extra = rest.find((vector) => isExtraColumn(vector.field)) ?? null;
  return { places, extra, missing: rest.filter((vector) => vector !== extra), ignored };
}

/** Null where a list has no place for its elements. */
function placeOf(key: string, plan: JsonPlan, type: IcebergType, vector: Vector): JsonPlace | null {
  const place = { key, path: '', vector, read: 'plain', members: null, inner: null, siblings: [] } as const;
  switch (plan.op) {
    case 'leaf':
      return { ...place, read: plan.read };
    case 'struct':
      return { ...place, members: membersOf(plan, type as StructType, vector.children) };
    case 'list': {
      const list = type as Extract<IcebergType, { type: 'list' }>;
      if (list['element-id'] !== vector.children[0]!.field.id) return null;
      return { ...place, inner: placeOf('element', plan.element, list.element, vector.children[0]!) };
    }
    case 'map': {
      const map = type as Extract<IcebergType, { type: 'map' }>;
      return { ...place, inner: placeOf('value', plan.value, map.value, vector.children[1]!) };
    }
  }
}

function columnOf(vectors: readonly Vector[], id: number): Vector | null {
  return id > 0 ? (vectors.find((vector) => vector.field.id === id) ?? null) : null;
}
