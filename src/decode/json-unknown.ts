import { extraField } from '../schema/extra-column.ts';
import { sourceName } from '../schema/names.ts';
import type { IcebergType, NestedField, StructType } from '../schema/types.ts';
import { kindOf, membersToStruct, mergeShapes } from './infer.ts';
import type { Shape } from './infer.ts';
import type { JsonBinding, JsonMembers, JsonPlace } from './json-place.ts';
import { shapeOf } from './json-shape.ts';
import { holderOf, withoutPlace } from './json-siblings.ts';
import type { JsonSlice } from './json-slice.ts';
import { isText, parseText } from './json-value.ts';
import { hasColumn } from './draft.ts';
import { DecodeStop } from './stop.ts';

/** The members of one record that have no column, at every level where an object meets a struct. */
export class UnknownMembers {
  found = false;
  readonly #binding: JsonBinding;
  /** By the object's place: for each key (and kind, where each kind has a column) where it first stood, and its shape. */
  readonly #shapes = new Map<JsonMembers, Map<string, { name: string; at: number; shape: Shape }>>();

  constructor(binding: JsonBinding) {
    this.#binding = binding;
  }

  /** @throws DecodeStop DECODE_JSON for a key that no column name can hold. */
  look(members: JsonMembers, object: ReadonlyMap<string, JsonSlice>): void {
    const byKey = new Map(members.places.map((place) => [place.key, place]));
    let at = 0;
    for (const [key, value] of object) {
      const place = byKey.get(key);
      if (place) this.#known(members, place, value, at);
      else if (!members.ignored.includes(key)) this.#unknown(members, key, value, at);
      at++;
    }
  }

  /** Why the record stops: what columns it would need. */
  stop(members: JsonMembers): DecodeStop {
    const names = [...this.#shapes.values()]
      .flatMap((keys) => [...keys.values()].map(({ name }) => name))
      .slice(0, 10)
      .map((name) => JSON.stringify(name))
      .join(', ');
    return new DecodeStop('SCHEMA_INCOMPATIBLE', `the table has no column for ${names}`, this.#struct(members, ''));
  }

  #known(members: JsonMembers, place: JsonPlace, value: JsonSlice, at: number): void {
    const shape = withoutPlace(this.#binding, place, value);
    if (!shape) this.#inside(place.siblings.length === 0 ? place : (holderOf(place, value) ?? place), value);
    else if (!members.extra || this.#binding.unknown === 'columns') this.#add(members, place.key, at, shape);
  }

  #unknown(members: JsonMembers, key: string, value: JsonSlice, at: number): void {
    const { extra } = members;
    const { typed, unknown } = this.#binding;
    // A member that is called as the column of extra members is stays inside of it.
    if (extra && (unknown === 'extra' || sourceName(extra.field) === key)) return;
    const shape = typed ? EMPTY : shapeOf(parseText(value.text));
    if (!typed && !hasColumn(shape)) return;
    if (unknown === 'columns' && !isText(key))
      throw new DecodeStop('DECODE_JSON', 'a key has a lone surrogate, which no UTF-8 can hold');
    this.#add(members, key, at, shape);
  }

  #add(members: JsonMembers, key: string, at: number, shape: Shape): void {
    this.found = true;
    let keys = this.#shapes.get(members);
    if (!keys) this.#shapes.set(members, (keys = new Map()));
    const id = this.#binding.asksSiblings ? `${key}\0${kindOf(shape)}` : key;
    const known = keys.get(id);
    keys.set(id, {
      name: key,
      at: Math.min(at, known?.at ?? at),
      shape: known ? mergeShapes(known.shape, shape) : shape,
    });
  }

  #inside({ members, inner, vector }: JsonPlace, value: JsonSlice): void {
    if (members && value.kind === 'object') this.look(members, value.members());
    else if (inner && nested(inner)) {
      if (vector.kind === 'list' && value.kind === 'array') for (const item of value.items()) this.#inside(inner, item);
      if (vector.kind === 'map' && value.kind === 'object')
        for (const item of value.members().values()) this.#inside(inner, item);
    }
  }

  /** New members, and the columns that have new ones inside. */
  #struct(members: JsonMembers, prefix: string): StructType {
    const places = members.places.flatMap((place) => [place, ...place.siblings]);
    const fields: NestedField[] = places.flatMap((place) => {
      const type = this.#type(place, `${prefix}${place.key}`);
      return type ? [{ ...place.vector.field, type }] : [];
    });
    const shapes = [...(this.#shapes.get(members)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
    if (shapes.length > 0 && this.#binding.unknown === 'extra')
      fields.push(extraField(members.places.flatMap(({ key, vector }) => [key, vector.field.name])));
    else if (shapes.length > 0) fields.push(...membersToStruct(shapes, this.#binding.options, prefix).fields);
    return { type: 'struct', fields };
  }

  #type({ members, inner, vector }: JsonPlace, path: string): IcebergType | null {
    if (members) {
      const struct = this.#struct(members, `${path}.`);
      return struct.fields.length > 0 ? struct : null;
    }
    const { type } = vector.field;
    const within = inner && nested(inner) ? this.#type(inner, `${path}.${inner.key}`) : null;
    if (!within || typeof type === 'string') return null;
    if (type.type === 'list') return { ...type, element: within };
    return type.type === 'map' ? { ...type, value: within } : null;
  }
}

const EMPTY: Shape = shapeOf(null);

/** True where structs stand below. */
function nested(place: JsonPlace): boolean {
  return place.members !== null || (place.inner !== null && nested(place.inner));
}
