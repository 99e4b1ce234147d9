import type { ColumnBatch, Vector } from '../columns/batch.ts';
import { sourceName } from '../schema/names.ts';
import { decimalOf } from '../schema/types.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { MOST_COLUMNS, emptyShape, hasColumn, shapeToStruct } from './infer.ts';
import type { InferOptions, Shape, ShapeField } from './infer.ts';
import { fitsPrecision, putDecimal } from './json-bind.ts';
import { doubleOf, longOf, unscaled } from './json-number.ts';
import { shapeOf } from './json-shape.ts';
import { JsonNumber, isObject, isText, parseJson } from './json-value.ts';
import type { JsonObject, JsonValue } from './json-value.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';
import { putBool, putBytes, putI32, putI64, putList, slot, valueColumns } from './vectors.ts';
import type { Schema } from '../schema/types.ts';

/** Which columns a JSON decoder fills: those of the value, or the fields of the struct `_key`. */
export type Part = 'value' | 'key';

/**
 * JSON without schema by JSON.parse: judges every record that the byte decoder gives up on, and is its oracle.
 *
 * A value that is not an object is the column `value`. Keys with null, [] or {} and no column are passed over; any other
 * key without a column stops the record with the shape of all of them as `unknownFields`.
 */
export class InterpretedJson implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  readonly #part: Part;
  readonly #options: InferOptions;
  readonly #full: boolean;
  #batch: ColumnBatch | null = null;
  /** The columns that the decoder owns, and those that a top-level object fills. */
  #owned: readonly Vector[] = [];
  #columns: readonly Vector[] = [];

  constructor(layout: Schema, options: InferOptions, part: Part = 'value') {
    this.#options = options;
    this.#part = part;
    this.#full = fieldsIn(layout.fields.map((field) => field.type)) + layout.fields.length > MOST_COLUMNS;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    this.attach(batch);
    for (let i = from; i < to; i++) if (!this.record(source, i)) return i;
    return to;
  }

  attach(batch: ColumnBatch): void {
    if (batch === this.#batch) return;
    this.#batch = batch;
    this.#owned =
      this.#part === 'key' ? batch.columns.filter((column) => column.field.name === '_key') : valueColumns(batch);
    // A table that has seen no key with fields yet has no `_key`.
    this.#columns = this.#part === 'key' ? (this.#owned[0]?.children ?? []) : this.#owned;
  }

  /** One record into the attached batch; false and `failure` where it cannot be decoded. */
  record(source: RecordPositions, i: number): boolean {
    const before = this.#owned[0]?.length ?? 0;
    try {
      const length = source.payloadLength[i]!;
      const start = source.payloadStart[i]!;
      this.#row(length < 0 ? null : parseJson(source.bytes.subarray(start, start + length)), length < 0);
      return true;
    } catch (stop) {
      if (!(stop instanceof DecodeStop)) throw stop;
      for (const column of this.#owned) column.truncate(before);
      this.failure = stop;
      return false;
    }
  }

  #row(value: JsonValue, tombstone: boolean): void {
    if (value === null) {
      for (const column of this.#owned) {
        if (column.field.required)
          throw new DecodeStop(
            'SCHEMA_INCOMPATIBLE',
            `${column.field.name}: the record has no value, and the column is required`,
          );
        // The JSON text `null` is a key that is present and has no fields.
        if (this.#part === 'key' && !tombstone) this.#fill(column, { value: null });
        else column.appendNull();
      }
      return;
    }
    const object = isObject(value) ? value : { value };
    const known = new Set(this.#columns.map((column) => sourceName(column.field)));
    const unknown = this.#unknown(object, this.#columns, known);
    if (unknown.length > 0) throw this.#unknownFields(unknown);
    if (this.#part === 'key') for (const column of this.#owned) this.#fill(column, object);
    else this.#members(this.#columns, object, '');
  }

  #fill(struct: Vector, object: JsonObject): void {
    this.#members(struct.children, object, struct.field.name);
    slot(struct);
    struct.length++;
  }

  #members(columns: readonly Vector[], object: JsonObject, path: string): void {
    for (const column of columns) {
      const key = sourceName(column.field);
      this.#value(column, Object.hasOwn(object, key) ? object[key]! : null, path === '' ? key : `${path}.${key}`);
    }
  }

  #value(column: Vector, value: JsonValue, path: string): void {
    if (value === null) {
      if (column.field.required)
        throw new DecodeStop('SCHEMA_INCOMPATIBLE', `${path}: is missing or null, and the column is required`);
      column.appendNull();
      return;
    }
    if (column.kind === 'struct' && isObject(value)) return this.#fill(column, value);
    if (column.kind === 'list' && Array.isArray(value)) {
      for (const item of value as readonly JsonValue[]) this.#value(column.children[0]!, item, `${path}.element`);
      return putList(column);
    }
    if (column.field.type === 'string' && typeof value === 'string') {
      if (!isText(value))
        throw new DecodeStop('DECODE_JSON', `${path}: a string has a lone surrogate, which no UTF-8 can hold`);
      const bytes = Buffer.from(value, 'utf8');
      return putBytes(column, bytes, 0, bytes.length);
    }
    if (column.kind === 'bool' && typeof value === 'boolean') return putBool(column, value);
    if (value instanceof JsonNumber && this.#number(column, value.text, path)) return;
    throw new DecodeStop(
      'SCHEMA_INCOMPATIBLE',
      `${path}: the column is ${typeName(column)}, the value is ${kindName(value)}`,
    );
  }

  /** False where the column is not of a number type. */
  #number(column: Vector, text: string, path: string): boolean {
    const outside = (): never => {
      throw new DecodeStop('VALUE_OUT_OF_RANGE', `${path}: the number cannot be held exactly by ${typeName(column)}`);
    };
    const { type } = column.field;
    const decimal = decimalOf(type);
    if (decimal) {
      const value = unscaled(text, decimal.scale);
      putDecimal(column, value !== null && fitsPrecision(column, value) ? value : outside());
      return true;
    }
    switch (type) {
      case 'int':
      case 'long': {
        const value = longOf(text) ?? outside();
        if (type === 'long') putI64(column, Number(BigInt.asIntN(32, value)), Number(value >> 32n));
        else putI32(column, BigInt.asIntN(32, value) === value ? Number(value) : outside());
        return true;
      }
      case 'float':
      case 'double': {
        const value = doubleOf(text) ?? outside();
        if (type === 'float' && !fitsFloat(value)) outside();
        const i = slot(column);
        (column.kind === 'f32' ? column.f32 : column.f64)[i] = value;
        column.length++;
        return true;
      }
      default:
        return false;
    }
  }

  /** Shapes of the keys without a column, at every level where an object meets a struct. */
  #unknown(object: JsonObject, columns: readonly Vector[], known: ReadonlySet<string>): ShapeField[] {
    const found: ShapeField[] = [];
    Object.keys(object).forEach((name, at) => {
      if (known.has(name)) return;
      if (!isText(name)) throw new DecodeStop('DECODE_JSON', 'a key has a lone surrogate, which no UTF-8 can hold');
      const shape = shapeOf(object[name]!);
      if (hasColumn(shape)) found.push({ name, at, shape });
    });
    for (const column of columns) {
      const name = sourceName(column.field);
      const shape = Object.hasOwn(object, name) ? this.#unknownInside(object[name]!, column) : null;
      if (shape) found.push({ name, at: 0, shape });
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #unknownInside(value: JsonValue, column: Vector): Shape | null {
    if (column.kind === 'struct' && isObject(value)) {
      const fields = this.#unknown(
        value,
        column.children,
        new Set(column.children.map((child) => sourceName(child.field))),
      );
      return fields.length > 0 ? { ...emptyShape(), object: 1, fields } : null;
    }
    if (column.kind === 'list' && Array.isArray(value)) {
      for (const item of value as readonly JsonValue[]) {
        const element = this.#unknownInside(item, column.children[0]!);
        if (element) return { ...emptyShape(), array: 1, element };
      }
    }
    return null;
  }

  #unknownFields(fields: readonly ShapeField[]): DecodeStop {
    const names = fields
      .slice(0, 10)
      .map((field) => JSON.stringify(field.name))
      .join(', ');
    const reason = `the table has no column for ${names}`;
    if (this.#full) return new DecodeStop('SCHEMA_INCOMPATIBLE', `${reason}, and has ${MOST_COLUMNS} already`);
    try {
      return new DecodeStop(
        'SCHEMA_INCOMPATIBLE',
        reason,
        shapeToStruct({ ...emptyShape(), object: 1, fields }, this.#options),
      );
    } catch {
      return new DecodeStop('SCHEMA_INCOMPATIBLE', `${reason}, and it would be more than ${MOST_COLUMNS}`);
    }
  }
}

function fieldsIn(types: readonly Schema['fields'][number]['type'][]): number {
  let sum = 0;
  for (const type of types) {
    if (typeof type === 'string') continue;
    if (type.type === 'struct') sum += type.fields.length + fieldsIn(type.fields.map((field) => field.type));
    else if (type.type === 'list') sum += fieldsIn([type.element]);
    else sum += fieldsIn([type.key, type.value]);
  }
  return sum;
}

/** Whole numbers exactly; a fraction as the nearest float, within its range. */
function fitsFloat(value: number): boolean {
  const float = Math.fround(value);
  return Number.isInteger(value) ? float === value : Number.isFinite(float) && float !== 0;
}

function typeName(column: Vector): string {
  const { type } = column.field;
  return typeof type === 'string' ? type : `a ${type.type}`;
}

function kindName(value: JsonValue): string {
  if (value === null) return 'null';
  if (value instanceof JsonNumber) return 'a number';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
