import { at } from '../schema/at.ts';
import { takesKind } from '../schema/sibling-column.ts';
import { decimalOf } from '../schema/types.ts';
import type { IcebergType } from '../schema/types.ts';
import { kindOf, membersToStruct } from './infer.ts';
import type { InferOptions, Shape } from './infer.ts';
import { doubleOf, isLong, longOf, unscaled } from './json-number.ts';
import type { JsonBinding, JsonPlace } from './json-place.ts';
import { shapeOf } from './json-shape.ts';
import type { JsonSlice } from './json-slice.ts';
import { isText, parseText } from './json-value.ts';

const WHOLE = /^-?\d+$/;

/** Where a member's value goes: the first of its column and the siblings that can hold it; null: none of them. */
export function holderOf(place: JsonPlace, value: JsonSlice): JsonPlace | null {
  return [place, ...place.siblings].find((one) => placeHolds(one, value)) ?? null;
}

/** The shape of a value that no column of its member holds and that may have one of its own, or null. */
export function withoutPlace({ asksSiblings, options }: JsonBinding, place: JsonPlace, value: JsonSlice): Shape | null {
  return asksSiblings && holderOf(place, value) === null ? siblingShape(place, value, options) : null;
}

/**
 * What a value would be beside the columns that it does not fit (`onIncompatible: new-column`), or null where it stays a
 * dead letter: it is of the kind of one of them, or no column of one type can hold it.
 */
function siblingShape(place: JsonPlace, value: JsonSlice, options: InferOptions): Shape | null {
  const { path } = place;
  const shape = shapeOf(parseText(value.text));
  if (kindOf(shape) === null) return null;
  const prefix = path.slice(0, path.length - place.key.length);
  const type = membersToStruct([{ name: place.key, at: 0, shape }], options, prefix).fields[0]?.type;
  if (type === undefined) return null;
  const taken = [place, ...place.siblings].some(({ vector }) => takesKind(vector.field.type, type));
  return !taken && (at(options.jsonColumns, path) === 'json' || holds(type, value)) ? shape : null;
}

function placeHolds({ vector, read }: JsonPlace, value: JsonSlice): boolean {
  return read === 'text' || holds(vector.field.type, value);
}

/**
 * Whether a value is of the kind of a column and, of numbers, held exactly. What stands in an object is the business of its
 * own columns.
 */
function holds(type: IcebergType, value: JsonSlice): boolean {
  const { kind } = value;
  if (kind === 'null') return true;
  if (typeof type !== 'string') {
    switch (type.type) {
      case 'struct':
        return kind === 'object';
      case 'list':
        return kind === 'array' && value.items().every((item) => holds(type.element, item));
      case 'map':
        return kind === 'object' && [...value.members().values()].every((item) => holds(type.value, item));
    }
  }
  const decimal = decimalOf(type);
  if (decimal) {
    const text = kind === 'string' ? value.string : kind === 'number' ? value.text : null;
    const exact = text === null ? null : unscaled(text, decimal.scale);
    return exact !== null && (exact < 0n ? -exact : exact) < 10n ** BigInt(decimal.precision);
  }
  switch (type) {
    case 'boolean':
      return kind === 'boolean';
    case 'int':
    case 'long':
      return kind === 'number' && longOf(value.text) !== null;
    case 'float':
    case 'double':
      // Whole numbers beyond 64 bits are dead letters beside a column of whole numbers, whatever a double could hold.
      return kind === 'number' && doubleOf(value.text) !== null && (!WHOLE.test(value.text) || isLong(value.text));
    default:
      return kind === 'string' && (type !== 'string' || isText(value.string));
  }
}
