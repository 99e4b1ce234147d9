import { at } from '../schema/at.ts';
import type { PrimitiveType } from '../schema/types.ts';
import type { InferOptions } from './infer.ts';
import { kindOf, mergeShapes } from './shape.ts';
import type { Shape } from './shape.ts';

/** What a place of JSON values would be as a column, before it is decided which places become columns. */
export type Draft =
  | { readonly kind: 'leaf'; readonly type: PrimitiveType; readonly count: number }
  | { readonly kind: 'struct'; readonly fields: readonly { readonly name: string; readonly draft: Draft }[] }
  | { readonly kind: 'list' | 'map'; readonly inner: Draft };

/** A leaf with the number of times that a value was seen there. */
export type Leaf = Extract<Draft, { kind: 'leaf' }>;

/** Null where nothing was seen that makes a column. `struct`: the place is an object whatever was seen. */
export function draftOf(shape: Shape, options: InferOptions, path: string, struct = false): Draft | null {
  const declared = struct ? undefined : at(options.columns, path);
  if (declared !== undefined) return { kind: 'leaf', type: declared, count: Number.POSITIVE_INFINITY };
  const kind = kindOf(shape);
  const kept = struct ? undefined : at(options.jsonColumns, path);
  if (kept === 'json') return kind === null ? null : { kind: 'leaf', type: 'string', count: Number.POSITIVE_INFINITY };
  if (kept === 'map' && kind === 'object') {
    const values = shape.fields.map((field) => field.shape).reduce(mergeShapes);
    const inner = draftOf(values, options, `${path}.value`);
    return inner && { kind: 'map', inner };
  }
  // Where nothing was seen there may be declared columns below.
  if (struct || kind === 'object' || (kind === null && shape.fields.length > 0)) {
    const prefix = path === '' ? '' : `${path}.`;
    const fields = shape.fields
      .toSorted((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1))
      .flatMap(({ name, shape: inner }) => {
        const draft = draftOf(inner, options, `${prefix}${name}`);
        return draft ? [{ name, draft }] : [];
      });
    return fields.length > 0 ? { kind: 'struct', fields } : null;
  }
  switch (kind) {
    case null:
      return null;
    case 'array': {
      const inner = shape.element && draftOf(shape.element, options, `${path}.element`);
      return inner && { kind: 'list', inner };
    }
    case 'number':
      return leaf(options.numbers !== 'auto' ? options.numbers : shape.double > 0 ? 'double' : 'long', shape);
    default:
      return leaf(kind, shape);
  }
}

/** All leaves, in the order of the document. */
export function leaves(draft: Draft): Leaf[] {
  switch (draft.kind) {
    case 'leaf':
      return [draft];
    case 'struct':
      return draft.fields.flatMap((field) => leaves(field.draft));
    default:
      return leaves(draft.inner);
  }
}

function leaf(type: PrimitiveType, { boolean, long, double, string, object, array }: Shape): Leaf {
  return { kind: 'leaf', type, count: boolean + long + double + string + object + array };
}

/** False for what makes no column yet: nulls, and objects and arrays with nothing but such inside. */
export function hasColumn(shape: Shape): boolean {
  const kind = kindOf(shape);
  if (kind === 'object') return shape.fields.some((field) => hasColumn(field.shape));
  if (kind === 'array') return shape.element !== null && hasColumn(shape.element);
  return kind !== null;
}
