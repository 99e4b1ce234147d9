import {
  Binary,
  Bool,
  DateDay,
  Decimal,
  Field,
  FixedSizeBinary,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Map_,
  Schema as ArrowSchema,
  Struct,
  Table,
  TimeMicrosecond,
  TimestampMicrosecond,
  TimestampNanosecond,
  Utf8,
  RecordBatch,
  makeData,
} from 'apache-arrow';
import type { Data, DataType } from 'apache-arrow';
import { decimalOf } from '../schema/types.ts';
import type { ColumnBatch, Vector } from './batch.ts';

/**
 * The batch as an Arrow table. Buffers are shared, not copied, except decimals, which Arrow keeps in 128 bits: use the
 * table before the batch is cleared or written to. Field ids stand in the field metadata under `PARQUET:field_id`, as
 * Arrow's own Parquet reader puts them. A uuid is fixed-size binary.
 */
export function toArrow(batch: ColumnBatch): Table {
  const fields = batch.columns.map((column) => fieldOf(column));
  const schema = new ArrowSchema(fields);
  const children = batch.columns.map((column) => dataOf(column));
  const data = makeData({ type: new Struct(fields), length: batch.rows, nullCount: 0, children });
  return new Table(schema, [new RecordBatch(schema, data)]);
}

function fieldOf(vector: Vector): Field {
  const { id, name, required } = vector.field;
  return new Field(name, typeOf(vector), !required, new Map([['PARQUET:field_id', String(id)]]));
}

function typeOf(vector: Vector): DataType {
  const { type } = vector.field;
  if (typeof type !== 'string') {
    const children = vector.children.map(fieldOf);
    if (type.type === 'struct') return new Struct(children);
    if (type.type === 'list') return new List(children[0]!);
    return new Map_(entries(children) as never);
  }
  const decimal = decimalOf(type);
  if (decimal) return new Decimal(decimal.scale, decimal.precision, 128);
  switch (type) {
    case 'boolean':
      return new Bool();
    case 'int':
      return new Int32();
    case 'long':
      return new Int64();
    case 'float':
      return new Float32();
    case 'double':
      return new Float64();
    case 'date':
      return new DateDay();
    case 'time':
      return new TimeMicrosecond();
    case 'timestamp':
      return new TimestampMicrosecond();
    case 'timestamptz':
      return new TimestampMicrosecond('UTC');
    case 'timestamp_ns':
      return new TimestampNanosecond();
    case 'timestamptz_ns':
      return new TimestampNanosecond('UTC');
    case 'string':
      return new Utf8();
    case 'binary':
      return new Binary();
    default:
      return new FixedSizeBinary(vector.width);
  }
}

function entries(children: Field[]): Field {
  return new Field('entries', new Struct(children), false);
}

function dataOf(vector: Vector): Data {
  const { length, kind } = vector;
  const type = typeOf(vector);
  const common = vector.validity
    ? { type, length, nullBitmap: vector.validity.subarray(0, (length + 7) >> 3) }
    : { type, length, nullCount: 0 };
  const make = (parts: object): Data => makeData({ ...common, ...parts } as never) as Data;
  if (decimalOf(vector.field.type)) return make({ data: decimalWords(vector) });
  switch (kind) {
    case 'bool':
      return make({ data: vector.bits.subarray(0, (length + 7) >> 3) });
    case 'i32':
      return make({ data: vector.i32.subarray(0, length) });
    case 'i64':
      return make({ data: new BigInt64Array(vector.i32.buffer as ArrayBuffer, vector.i32.byteOffset, length) });
    case 'f32':
      return make({ data: vector.f32.subarray(0, length) });
    case 'f64':
      return make({ data: vector.f64.subarray(0, length) });
    case 'fixed':
      return make({ data: vector.bytes.subarray(0, length * vector.width) });
    case 'bytes':
      return make({
        data: vector.bytes.subarray(0, vector.offsets[length]),
        valueOffsets: vector.offsets.subarray(0, length + 1),
      });
    case 'struct':
      return make({ children: vector.children.map(dataOf) });
    case 'list':
      return make({ valueOffsets: vector.offsets.subarray(0, length + 1), child: dataOf(vector.children[0]!) });
    case 'map': {
      const pairs = makeData({
        type: new Struct(vector.children.map(fieldOf)),
        length: vector.offsets[length]!,
        nullCount: 0,
        children: vector.children.map(dataOf),
      });
      return make({ valueOffsets: vector.offsets.subarray(0, length + 1), child: pairs });
    }
  }
}

/** Unscaled values sign-extended to four little-endian words. */
function decimalWords(vector: Vector): Uint32Array {
  const words = new Int32Array(vector.length * 4);
  const bytes = new Uint8Array(words.buffer);
  for (let i = 0; i < vector.length; i++) {
    if (vector.kind === 'fixed') {
      const end = (i + 1) * vector.width;
      bytes.fill(vector.bytes[i * vector.width]! & 0x80 ? 0xff : 0, i * 16, i * 16 + 16);
      for (let b = 0; b < vector.width; b++) bytes[i * 16 + b] = vector.bytes[end - 1 - b]!;
      continue;
    }
    const width = vector.kind === 'i64' ? 2 : 1;
    for (let w = 0; w < width; w++) words[4 * i + w] = vector.i32[width * i + w]!;
    words.fill(words[4 * i + width - 1]! >> 31, 4 * i + width, 4 * i + 4);
  }
  return new Uint32Array(words.buffer);
}
