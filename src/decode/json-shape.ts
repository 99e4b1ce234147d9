import { emptyShape, mergeShapes } from './shape.ts';
import type { Shape, ShapeField } from './shape.ts';
import { JsonNumber, isObject, isText } from './json-value.ts';
import type { JsonValue } from './json-value.ts';
import { isLong } from './json-number.ts';

/** The shape of one value. A key with a lone surrogate can name no column: it is left out. */
export function shapeOf(value: JsonValue): Shape {
  const one = emptyShape();
  if (value === null) return one;
  if (typeof value === 'boolean') return { ...one, boolean: 1 };
  if (typeof value === 'string') return { ...one, string: 1 };
  if (value instanceof JsonNumber) return isLong(value.text) ? { ...one, long: 1 } : { ...one, double: 1 };
  if (isObject(value)) {
    const fields = Object.keys(value)
      .filter(isText)
      .map((name, at): ShapeField => ({ name, at, shape: shapeOf(value[name]!) }));
    // An empty object says nothing yet.
    return fields.length === 0 ? one : { ...one, object: 1, fields: fields.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }
  return value.length === 0
    ? one
    : { ...one, array: 1, element: value.reduce<Shape>((sum, item) => mergeShapes(sum, shapeOf(item)), one) };
}
