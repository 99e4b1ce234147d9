import { extraField } from '../schema/extra-column.ts';
import { NameScope, columnDoc } from '../schema/names.ts';
import { draftOf, leaves } from './draft.ts';
import type { Draft } from './draft.ts';
import { shapeOf } from './json-shape.ts';
import { parseJson } from './json-value.ts';
import { emptyShape, kindOf, mergeShapes } from './shape.ts';
import type { Shape, ShapeField } from './shape.ts';
import { DecodeStop } from './stop.ts';
import type { IcebergType, NestedField, PrimitiveType, StructType } from '../schema/types.ts';

export { emptyShape, kindOf, mergeShapes } from './shape.ts';
export type { Shape, ShapeField } from './shape.ts';

/** The table options that decide the columns of JSON without schema. Paths are dotted, of the names in the source. */
export interface InferOptions {
  /** `auto`: long, or double where any value has a fraction; else the one type of all numbers. */
  readonly numbers: 'auto' | 'double' | `decimal(${number}, ${number})`;
  /** Declared types: the only way to a date, a time, a timestamp, a UUID or bytes. */
  readonly columns: Readonly<Record<string, PrimitiveType>>;
  /** Objects kept as JSON text, or as map<string, T> with one T for all values. */
  readonly jsonColumns: Readonly<Record<string, 'json' | 'map'>>;
  /** Most leaves of an inferred table, at all levels together. Keys that are data (ids as keys) would have no end. */
  readonly maxColumns: number;
  readonly nanos: 'micros' | 'long' | 'error' | 'native';
  /** `new-column`: values that do not fit their column go to one of their own beside it. */
  readonly onIncompatible?: 'dead-letter' | 'stop' | 'new-column';
}

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
 * Declared columns are there also where no value was seen.
 *
 * Beyond `maxColumns` leaves those that were seen most often have columns, and each struct around one that has not gets
 * the column `_extra`.
 */
export function shapeToStruct(shape: Shape, options: InferOptions): StructType {
  const kind = kindOf(shape);
  const whole = kind === null || kind === 'object' ? withDeclared(shape, options) : shape;
  const draft = kindOf(whole) === 'object' || whole.fields.length > 0 ? draftOf(whole, options, '', true) : null;
  if (draft?.kind === 'struct') return structOf(draft, kept(draft, options), new NameScope(), '');
  const value = draftOf(shape, options, 'value');
  if (!value) return { type: 'struct', fields: [] };
  const type = typeOf(value, kept(value, options), new NameScope(), 'value');
  return { type: 'struct', fields: [{ id: 0, name: 'value', required: false, type: type! }] };
}

/** The columns of members that a struct at `prefix` (ends in a dot, or is empty) does not have yet. */
export function membersToStruct(fields: readonly ShapeField[], options: InferOptions, prefix: string): StructType {
  const shape: Shape = { ...emptyShape(), object: 1, fields };
  const draft = draftOf(shape, options, prefix.slice(0, -1), true);
  if (draft?.kind !== 'struct') return { type: 'struct', fields: [] };
  return structOf(draft, new Set(leaves(draft)), new NameScope(), prefix);
}

/** The leaves that become columns: declared ones, then by how often they were seen, then in the order of the document. */
function kept(draft: Draft, { maxColumns }: InferOptions): ReadonlySet<Draft> {
  const all = leaves(draft);
  if (all.length <= maxColumns) return new Set(all);
  const order = new Map(all.map((leaf, i) => [leaf, i]));
  return new Set(all.toSorted((a, b) => b.count - a.count || order.get(a)! - order.get(b)!).slice(0, maxColumns));
}

function typeOf(draft: Draft, columns: ReadonlySet<Draft>, names: NameScope, path: string): IcebergType | null {
  switch (draft.kind) {
    case 'leaf':
      return columns.has(draft) ? draft.type : null;
    case 'struct': {
      const struct = structOf(draft, columns, names, `${path}.`);
      return struct.fields.length > 0 ? struct : null;
    }
    case 'list': {
      const element = typeOf(draft.inner, columns, names, `${path}.element`);
      return element && { type: 'list', 'element-id': 0, 'element-required': false, element };
    }
    case 'map': {
      const value = typeOf(draft.inner, columns, names, `${path}.value`);
      return value && { type: 'map', 'key-id': 0, key: 'string', 'value-id': 0, 'value-required': false, value };
    }
  }
}

function structOf(
  draft: Extract<Draft, { kind: 'struct' }>,
  columns: ReadonlySet<Draft>,
  names: NameScope,
  prefix: string,
): StructType {
  const fields: NestedField[] = [];
  let more = false;
  for (const { name, draft: inner } of draft.fields) {
    if (!leaves(inner).some((leaf) => columns.has(leaf))) {
      more = true;
      continue;
    }
    const column = names.claim(prefix, name);
    const type = typeOf(inner, columns, names, `${prefix}${column}`)!;
    const doc = columnDoc(name, column, undefined);
    fields.push({ id: 0, name: column, required: false, type, ...(doc === undefined ? {} : { doc }) });
  }
  if (more && fields.length > 0) fields.push({ ...extraField([]), name: names.claim(prefix, '_extra') });
  return { type: 'struct', fields };
}

/** The shape with every declared path in it, as a place where nothing was seen. */
function withDeclared(shape: Shape, { columns }: InferOptions): Shape {
  const known = new Set<string>();
  const visit = (fields: readonly ShapeField[], prefix: string): void => {
    for (const field of fields) {
      known.add(`${prefix}${field.name}`);
      visit(field.shape.fields, `${prefix}${field.name}.`);
    }
  };
  visit(shape.fields, '');
  return Object.keys(columns)
    .filter((path) => !known.has(path))
    .reduce((sum, path) => {
      const names = path.split('.');
      const empty = emptyShape();
      return mergeShapes(
        sum,
        names.reduceRight<Shape>((inner, name) => ({ ...empty, fields: [{ name, at: LAST, shape: inner }] }), empty),
      );
    }, shape);
}

/** Behind every key that was seen. */
const LAST = Number.MAX_SAFE_INTEGER;
