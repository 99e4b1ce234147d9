import { storageOf } from '../columns/batch.ts';
import type { VectorKind } from '../columns/batch.ts';
import { TabletopicError } from '../errors.ts';
import { sanitizeName } from '../schema/sanitize.ts';
import { decimalOf } from '../schema/types.ts';
import type { NestedField, PrimitiveType, Schema } from '../schema/types.ts';
import { ConvertedType, PhysicalType, Repetition } from './format.ts';
import type { ThriftWriter } from './thrift.ts';

/** One `SchemaElement` of the footer; `logical` writes the inside of its `LogicalType` union. */
export interface SchemaElement {
  readonly name: string;
  readonly repetition?: number;
  readonly fieldId?: number;
  readonly physical?: number;
  readonly typeLength?: number;
  readonly children?: number;
  readonly converted?: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly logical?: (thrift: ThriftWriter) => void;
}

/** A primitive column: where it stands in the schema and how its values are stored. */
export interface Leaf {
  readonly fieldId: number;
  readonly type: PrimitiveType;
  readonly kind: VectorKind;
  readonly width: number;
  readonly physical: number;
  /** Sanitised names from the root, as in `path_in_schema`. */
  readonly path: readonly string[];
  readonly maxDefinition: number;
  readonly maxRepetition: number;
}

export interface FileSchema {
  readonly elements: readonly SchemaElement[];
  /** In the order of a walk in depth, which is that of the column chunks. */
  readonly leaves: readonly Leaf[];
}

/**
 * The Parquet schema of an Iceberg schema (Iceberg spec, Appendix A "Parquet"; names, list and map layout as the Java
 * implementation writes them). Every field, list element, map key and value carries its field id.
 */
export function fileSchema(schema: Schema): FileSchema {
  const elements: SchemaElement[] = [{ name: 'table', children: schema.fields.length }];
  const leaves: Leaf[] = [];

  const visit = (
    field: NestedField,
    name: string,
    path: readonly string[],
    definition: number,
    repetition: number,
  ): void => {
    const here = [...path, name];
    const own = field.required ? definition : definition + 1;
    if (own > 250) {
      throw new TabletopicError('SCHEMA_UNSUPPORTED', `column ${here[0]} is nested deeper than 250 levels`);
    }
    const head = { name, repetition: field.required ? Repetition.required : Repetition.optional, fieldId: field.id };
    const { type } = field;
    if (typeof type === 'string') {
      const { kind, width } = storageOf(type);
      // Other writers may have added columns of types that only format v3 has (variant, unknown, geometry …).
      if (kind === 'bytes' && type !== 'string' && type !== 'binary')
        throw new TabletopicError('SCHEMA_UNSUPPORTED', `column ${here.join('.')}: the type ${type} is not written`);
      const annotated = annotation(type, kind, width);
      elements.push({ ...head, ...annotated });
      leaves.push({
        fieldId: field.id,
        type,
        kind,
        width,
        physical: annotated.physical,
        path: here,
        maxDefinition: own,
        maxRepetition: repetition,
      });
    } else if (type.type === 'struct') {
      elements.push({ ...head, children: type.fields.length });
      for (const child of type.fields) visit(child, sanitizeName(child.name), here, own, repetition);
    } else if (type.type === 'list') {
      elements.push({ ...head, children: 1, converted: ConvertedType.list, logical: (t) => t.struct(3, empty) });
      elements.push({ name: 'list', repetition: Repetition.repeated, children: 1 });
      const element = {
        id: type['element-id'],
        name: 'element',
        required: type['element-required'],
        type: type.element,
      };
      visit(element, 'element', [...here, 'list'], own + 1, repetition + 1);
    } else {
      elements.push({ ...head, children: 1, converted: ConvertedType.map, logical: (t) => t.struct(2, empty) });
      elements.push({ name: 'key_value', repetition: Repetition.repeated, children: 2 });
      const inside = [...here, 'key_value'];
      visit(
        { id: type['key-id'], name: 'key', required: true, type: type.key },
        'key',
        inside,
        own + 1,
        repetition + 1,
      );
      const value = { id: type['value-id'], name: 'value', required: type['value-required'], type: type.value };
      visit(value, 'value', inside, own + 1, repetition + 1);
    }
  };
  for (const field of schema.fields) visit(field, sanitizeName(field.name), [], 0, 0);
  return { elements, leaves };
}

/** Writes the list of `SchemaElement` as field `id`. */
export function writeElements(thrift: ThriftWriter, id: number, elements: readonly SchemaElement[]): void {
  thrift.structs(id, elements, (element) => {
    if (element.physical !== undefined) thrift.i32(1, element.physical);
    if (element.typeLength !== undefined) thrift.i32(2, element.typeLength);
    if (element.repetition !== undefined) thrift.i32(3, element.repetition);
    thrift.binary(4, element.name);
    if (element.children !== undefined) thrift.i32(5, element.children);
    if (element.converted !== undefined) thrift.i32(6, element.converted);
    if (element.scale !== undefined) thrift.i32(7, element.scale);
    if (element.precision !== undefined) thrift.i32(8, element.precision);
    if (element.fieldId !== undefined) thrift.i32(9, element.fieldId);
    const { logical } = element;
    if (logical) thrift.struct(10, () => logical(thrift));
  });
}

type Annotation = Pick<SchemaElement, 'typeLength' | 'converted' | 'precision' | 'scale' | 'logical'> & {
  readonly physical: number;
};

function annotation(type: PrimitiveType, kind: VectorKind, width: number): Annotation {
  const decimal = decimalOf(type);
  if (decimal) {
    const { precision, scale } = decimal;
    const physical = kind === 'i32' ? PhysicalType.int32 : kind === 'i64' ? PhysicalType.int64 : PhysicalType.fixed;
    return {
      physical,
      precision,
      scale,
      converted: ConvertedType.decimal,
      ...(kind === 'fixed' ? { typeLength: width } : {}),
      logical: (t) =>
        t.struct(5, () => {
          t.i32(1, scale);
          t.i32(2, precision);
        }),
    };
  }
  switch (type) {
    case 'boolean':
      return { physical: PhysicalType.boolean };
    case 'int':
      return { physical: PhysicalType.int32 };
    case 'long':
      return { physical: PhysicalType.int64 };
    case 'float':
      return { physical: PhysicalType.float };
    case 'double':
      return { physical: PhysicalType.double };
    case 'date':
      return { physical: PhysicalType.int32, converted: ConvertedType.date, logical: (t) => t.struct(6, empty) };
    case 'time':
      return { physical: PhysicalType.int64, logical: (t) => t.struct(7, () => unit(t, false, MICROS)) };
    case 'timestamp':
      return { physical: PhysicalType.int64, logical: (t) => t.struct(8, () => unit(t, false, MICROS)) };
    case 'timestamptz':
      return {
        physical: PhysicalType.int64,
        converted: ConvertedType.timestampMicros,
        logical: (t) => t.struct(8, () => unit(t, true, MICROS)),
      };
    case 'timestamp_ns':
      return { physical: PhysicalType.int64, logical: (t) => t.struct(8, () => unit(t, false, NANOS)) };
    case 'timestamptz_ns':
      return { physical: PhysicalType.int64, logical: (t) => t.struct(8, () => unit(t, true, NANOS)) };
    case 'string':
      return { physical: PhysicalType.byteArray, converted: ConvertedType.utf8, logical: (t) => t.struct(1, empty) };
    case 'uuid':
      return { physical: PhysicalType.fixed, typeLength: width, logical: (t) => t.struct(14, empty) };
    case 'binary':
      return { physical: PhysicalType.byteArray };
    default:
      return { physical: PhysicalType.fixed, typeLength: width };
  }
}

/** Members of the union `TimeUnit`. */
const MICROS = 2;
const NANOS = 3;

/** Inside of `TimeType` and `TimestampType`: whether adjusted to UTC, and the unit. */
function unit(thrift: ThriftWriter, adjusted: boolean, member: number): void {
  thrift.bool(1, adjusted);
  thrift.struct(2, () => thrift.struct(member, empty));
}

function empty(): void {}
