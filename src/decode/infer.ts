import { TabletopicError } from '../errors.ts';
import { NameScope, columnDoc } from '../schema/names.ts';
import { shapeOf } from './json-shape.ts';
import { parseJson } from './json-value.ts';
import { mergeShapes } from './shape.ts';
import type { Shape } from './shape.ts';
import { DecodeStop } from './stop.ts';
import type { IcebergType, NestedField, PrimitiveType, StructType } from '../schema/types.ts';

export { emptyShape, mergeShapes } from './shape.ts';
export type { Shape, ShapeField } from './shape.ts';

export interface InferOptions {
  /** `auto`: long, or double where any value has a fraction; else the one type of all numbers. */
  readonly numbers: 'auto' | 'double' | `decimal(${number}, ${number})`;
}

/** Most fields of an inferred table, at all levels together. Keys that are data (ids as keys) would have no end. */
export const MOST_COLUMNS = 1_000;

/** The shape with one more JSON document, as UTF-8. What is not JSON counts for nothing here: its decoder will say why. */
export function observe(shape: Shape, bytes: Uint8Array): Shape {
  try {
    return mergeShapes(shape, shapeOf(parseJson(bytes)));
  } catch (stop) {
    if (stop instanceof DecodeStop) return shape;
    throw stop;
  }
}

/**
 * The columns of a table for JSON values of this shape; ids 0, everything optional.
 *
 * A place where values of different kinds were seen gets the kind that was seen most often (of equals the first of
 * object, array, string, number, boolean): then the fewest records follow `onIncompatible`, and nothing is turned into
 * text. Long and double are one kind. Null, [] and {} make no column. Values that are not objects are the column `value`.
 *
 * @throws SCHEMA_UNSUPPORTED where there would be more than 1,000 fields.
 */
export function shapeToStruct(shape: Shape, options: InferOptions): StructType {
  const names = new NameScope();
  const count = { fields: 0 };
  const type = kindOf(shape) === 'object' ? structOf(shape, options, names, '', count) : null;
  if (type) return type;
  const value = typeOf(shape, options, names, 'value', count);
  return { type: 'struct', fields: value === null ? [] : [{ id: 0, name: 'value', required: false, type: value }] };
}

type Kind = 'object' | 'array' | 'string' | 'number' | 'boolean';

function kindOf(shape: Shape): Kind | null {
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

function typeOf(
  shape: Shape,
  options: InferOptions,
  names: NameScope,
  path: string,
  count: { fields: number },
): IcebergType | null {
  switch (kindOf(shape)) {
    case null:
      return null;
    case 'object':
      return structOf(shape, options, names, `${path}.`, count);
    case 'array': {
      const element = shape.element && typeOf(shape.element, options, names, `${path}.element`, count);
      return element && { type: 'list', 'element-id': 0, 'element-required': false, element };
    }
    case 'string':
      return 'string';
    case 'number':
      return numberType(shape, options);
    case 'boolean':
      return 'boolean';
  }
}

function structOf(
  shape: Shape,
  options: InferOptions,
  names: NameScope,
  prefix: string,
  count: { fields: number },
): StructType | null {
  const fields: NestedField[] = [];
  const ordered = [...shape.fields].sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1));
  for (const { name, shape: inner } of ordered) {
    if (!hasColumn(inner)) continue;
    if (++count.fields > MOST_COLUMNS)
      throw new TabletopicError(
        'SCHEMA_UNSUPPORTED',
        `The JSON values have more than ${MOST_COLUMNS} different fields`,
      );
    const column = names.claim(prefix, name);
    const type = typeOf(inner, options, names, `${prefix}${column}`, count);
    const doc = columnDoc(name, column, undefined);
    if (type) fields.push({ id: 0, name: column, required: false, type, ...(doc === undefined ? {} : { doc }) });
  }
  return fields.length > 0 ? { type: 'struct', fields } : null;
}

/** False for what makes no column yet: nulls, and objects and arrays with nothing but such inside. */
export function hasColumn(shape: Shape): boolean {
  const kind = kindOf(shape);
  if (kind === 'object') return shape.fields.some((field) => hasColumn(field.shape));
  if (kind === 'array') return shape.element !== null && hasColumn(shape.element);
  return kind !== null;
}

function numberType(shape: Shape, options: InferOptions): PrimitiveType {
  if (options.numbers !== 'auto') return options.numbers;
  return shape.double > 0 ? 'double' : 'long';
}
