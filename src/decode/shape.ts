/**
 * What is known of JSON values at one place: how often each kind was seen. Plain JSON, so that it travels between
 * threads.
 *
 * Invariant: merging is commutative and associative with `emptyShape` as its neutral element, and a shape has one
 * spelling (fields are sorted by name): the order of records, partitions and workers never decides a type.
 */
export interface Shape {
  readonly boolean: number;
  /** Numbers without fraction and exponent that fit in 64 bits. */
  readonly long: number;
  readonly double: number;
  readonly string: number;
  readonly object: number;
  readonly array: number;
  /** Sorted by name. */
  readonly fields: readonly ShapeField[];
  /** Of all elements of all arrays seen here. */
  readonly element: Shape | null;
}

export interface ShapeField {
  readonly name: string;
  /** Smallest index at which the field stood in its object: columns come in this order. */
  readonly at: number;
  readonly shape: Shape;
}

const EMPTY: Shape = { boolean: 0, long: 0, double: 0, string: 0, object: 0, array: 0, fields: [], element: null };

export function emptyShape(): Shape {
  return EMPTY;
}

export function mergeShapes(a: Shape, b: Shape): Shape {
  if (a === EMPTY) return b;
  if (b === EMPTY) return a;
  return {
    boolean: a.boolean + b.boolean,
    long: a.long + b.long,
    double: a.double + b.double,
    string: a.string + b.string,
    object: a.object + b.object,
    array: a.array + b.array,
    fields: mergeFields(a.fields, b.fields),
    element: a.element && b.element ? mergeShapes(a.element, b.element) : (a.element ?? b.element),
  };
}

function mergeFields(a: readonly ShapeField[], b: readonly ShapeField[]): ShapeField[] {
  const merged: ShapeField[] = [];
  for (let i = 0, k = 0; i < a.length || k < b.length;) {
    const [left, right] = [a[i], b[k]];
    if (left && right && left.name === right.name) {
      merged.push({ name: left.name, at: Math.min(left.at, right.at), shape: mergeShapes(left.shape, right.shape) });
      i++;
      k++;
    } else if (left && (!right || left.name < right.name)) merged.push(a[i++]!);
    else merged.push(b[k++]!);
  }
  return merged;
}

export type Kind = 'object' | 'array' | 'string' | 'number' | 'boolean';

/** The kind that was seen most often, of equals the first of this list; null where nothing was seen. */
export function kindOf(shape: Shape): Kind | null {
  const counts: readonly (readonly [Kind, number])[] = [
    ['object', shape.object],
    ['array', shape.array],
    ['string', shape.string],
    ['number', shape.long + shape.double],
    ['boolean', shape.boolean],
  ];
  let best: Kind | null = null;
  let most = 0;
  for (const [kind, count] of counts) {
    if (count <= most) continue;
    best = kind;
    most = count;
  }
  return best;
}
