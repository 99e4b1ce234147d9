import { decimalBytes, decimalOf, fixedLengthOf } from '../schema/types.ts';
import type { IcebergType, NestedField, Schema } from '../schema/types.ts';
import type { AvroField, AvroRecordSchema } from './avro-file.ts';
import { wideLong } from './avro-long.ts';
import { avroName } from './avro-names.ts';
import type { PartitionSpec } from './metadata.ts';

/** Avro schemas of manifests and manifest lists (Iceberg spec, "Manifests", "Manifest Lists" and Appendix A). */

export interface PartitionColumn {
  readonly id: number;
  /** Name in the Avro partition record. */
  readonly name: string;
  readonly type: IcebergType;
}

/** Partition fields with the types of their values: `day` gives a date, `bucket`, `year`, `month`, `hour` an int, others the source's type. */
export function partitionColumns(spec: PartitionSpec, schema: Schema): PartitionColumn[] {
  return spec.fields.map((field) => ({
    id: field['field-id'],
    name: avroName(field.name),
    type: resultType(field.transform, fieldById(schema.fields, field['source-id'])?.type),
  }));
}

function resultType(transform: string, source: IcebergType | undefined): IcebergType {
  if (transform === 'day') return 'date';
  if (transform === 'year' || transform === 'month' || transform === 'hour' || transform.startsWith('bucket'))
    return 'int';
  // A column that was dropped leaves a field of nulls behind.
  return source ?? 'string';
}

/** A field by id, through structs. */
export function fieldById(fields: readonly NestedField[], id: number): NestedField | undefined {
  for (const field of fields) {
    if (field.id === id) return field;
    const inner =
      typeof field.type === 'object' && field.type.type === 'struct' ? fieldById(field.type.fields, id) : undefined;
    if (inner) return inner;
  }
  return undefined;
}

/** Schema of a manifest of format v2 (`formatVersion` 2) or v3. */
export function manifestSchema(columns: readonly PartitionColumn[], formatVersion: number): AvroRecordSchema {
  const names = new Set<string>();
  const partition = columns.map((column) => optional(column.id, column.name, avroType(column.type, names)));
  return record('manifest_entry', [
    required(0, 'status', 'int'),
    optional(1, 'snapshot_id', wideLong),
    optional(3, 'sequence_number', 'long'),
    optional(4, 'file_sequence_number', 'long'),
    required(
      2,
      'data_file',
      record('r2', [
        required(134, 'content', 'int'),
        required(100, 'file_path', 'string'),
        required(101, 'file_format', 'string'),
        required(102, 'partition', record('r102', partition)),
        required(103, 'record_count', 'long'),
        required(104, 'file_size_in_bytes', 'long'),
        optional(108, 'column_sizes', mapArray(117, 118, 'long')),
        optional(109, 'value_counts', mapArray(119, 120, 'long')),
        optional(110, 'null_value_counts', mapArray(121, 122, 'long')),
        optional(137, 'nan_value_counts', mapArray(138, 139, 'long')),
        optional(125, 'lower_bounds', mapArray(126, 127, 'bytes')),
        optional(128, 'upper_bounds', mapArray(129, 130, 'bytes')),
        optional(131, 'key_metadata', 'bytes'),
        optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
        optional(135, 'equality_ids', { type: 'array', items: 'int', 'element-id': 136 }),
        optional(140, 'sort_order_id', 'int'),
        ...(formatVersion >= 3 ? [optional(142, 'first_row_id', 'long')] : []),
        optional(143, 'referenced_data_file', 'string'),
        ...(formatVersion >= 3
          ? [optional(144, 'content_offset', 'long'), optional(145, 'content_size_in_bytes', 'long')]
          : []),
      ]),
    ),
  ]);
}

/** Schema of a manifest list of format v2 or v3. */
export function manifestListSchema(formatVersion: number): AvroRecordSchema {
  return record('manifest_file', [
    required(500, 'manifest_path', 'string'),
    required(501, 'manifest_length', 'long'),
    required(502, 'partition_spec_id', 'int'),
    required(517, 'content', 'int'),
    required(515, 'sequence_number', 'long'),
    required(516, 'min_sequence_number', 'long'),
    required(503, 'added_snapshot_id', wideLong),
    required(504, 'added_files_count', 'int'),
    required(505, 'existing_files_count', 'int'),
    required(506, 'deleted_files_count', 'int'),
    required(512, 'added_rows_count', 'long'),
    required(513, 'existing_rows_count', 'long'),
    required(514, 'deleted_rows_count', 'long'),
    optional(507, 'partitions', {
      type: 'array',
      items: record('r508', [
        required(509, 'contains_null', 'boolean'),
        optional(518, 'contains_nan', 'boolean'),
        optional(510, 'lower_bound', 'bytes'),
        optional(511, 'upper_bound', 'bytes'),
      ]),
      'element-id': 508,
    }),
    optional(519, 'key_metadata', 'bytes'),
    ...(formatVersion >= 3 ? [optional(520, 'first_row_id', 'long')] : []),
  ]);
}

function record(name: string, fields: readonly AvroField[]): AvroRecordSchema {
  return { type: 'record', name, fields };
}

function required(id: number, name: string, type: unknown): AvroField {
  return { name, type, 'field-id': id };
}

function optional(id: number, name: string, type: unknown): AvroField {
  return { name, type: ['null', type], default: null, 'field-id': id } as AvroField;
}

/** Maps whose keys are no strings are arrays of pairs in Avro (Iceberg spec, Appendix A, "Maps with non-string keys"). */
function mapArray(keyId: number, valueId: number, value: unknown): unknown {
  return {
    type: 'array',
    logicalType: 'map',
    items: record(`k${keyId}_v${valueId}`, [required(keyId, 'key', 'int'), required(valueId, 'value', value)]),
  };
}

/** A fixed type is defined once in an Avro schema and named afterwards. */
function avroType(type: IcebergType, names: Set<string>): unknown {
  const fixed = (name: string, size: number, attributes: Record<string, unknown>): unknown => {
    if (names.has(name)) return name;
    names.add(name);
    return { type: 'fixed', name, size, ...attributes };
  };
  const decimal = decimalOf(type);
  if (decimal) {
    const { precision, scale } = decimal;
    return fixed(`decimal_${precision}_${scale}`, decimalBytes(precision), {
      logicalType: 'decimal',
      precision,
      scale,
    });
  }
  const length = fixedLengthOf(type);
  if (length !== null) return fixed(`fixed_${length}`, length, {});
  switch (type) {
    case 'boolean':
    case 'int':
    case 'float':
    case 'double':
    case 'string':
      return type;
    case 'long':
      return wideLong;
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'time':
      return wide('time-micros', {});
    case 'timestamp':
      return wide('timestamp-micros', { 'adjust-to-utc': false });
    case 'timestamptz':
      return wide('timestamp-micros', { 'adjust-to-utc': true });
    case 'timestamp_ns':
      return wide('timestamp-nanos', { 'adjust-to-utc': false });
    case 'timestamptz_ns':
      return wide('timestamp-nanos', { 'adjust-to-utc': true });
    case 'uuid':
      return fixed('uuid_fixed', 16, { logicalType: 'uuid' });
    case 'binary':
      return 'bytes';
    default:
      throw new TypeError(`a partition field cannot be of type ${JSON.stringify(type)}`);
  }
}

const wide = (logicalType: string, attributes: Record<string, unknown>): unknown => ({
  ...wideLong,
  logicalType,
  ...attributes,
});
