import { decimalBytes, decimalOf, fixedLengthOf } from '../schema/types.ts';
import type { IcebergType, NestedField, Schema } from '../schema/types.ts';

/**
 * A batch of rows as typed vectors in Arrow's layout (Arrow columnar format 1.4): what decoders write and the Parquet
 * encoder reads. No object and no JavaScript string per value.
 *
 * Invariants:
 * - every top-level vector has `length === rows`; a struct's children have the struct's length (a null struct has a
 *   null or zero slot in each child); a list's child has the length `offsets[length]`;
 * - `validity` is null for a required field; else bit i (LSB first) is 1 where value i is present, and every bit at or
 *   after `length` is 0, so that a writer only ever sets bits;
 * - `offsets[0] === 0`; offsets never decrease; bits of `bits` at or after `length` are 0;
 * - 64-bit values are two 32-bit words, low word first, in `i32`.
 */
export type VectorKind =
  /** boolean: `bits`. */
  | 'bool'
  /** int, date, decimal up to 9 digits (unscaled): `i32[i]`. */
  | 'i32'
  /**
   * long, time, timestamp, timestamptz (microseconds), timestamp_ns, timestamptz_ns (nanoseconds), decimal up to 18
   * digits: `i32[2i]` low, `i32[2i+1]` high.
   */
  | 'i64'
  /** float: `f32`. */
  | 'f32'
  /** double: `f64`. */
  | 'f64'
  /** uuid, fixed[n], decimal over 18 digits (big-endian two's complement, fewest bytes): `bytes[i*width …]`. */
  | 'fixed'
  /** string (UTF-8), binary: `bytes[offsets[i] … offsets[i+1]]`. */
  | 'bytes'
  /** struct: `children` are the fields. */
  | 'struct'
  /** list: `children[0]` is the element; `offsets`. */
  | 'list'
  /** map: `children[0]` keys (required), `children[1]` values; `offsets`; both children have length `offsets[length]`. */
  | 'map';

/** The storage of an Iceberg type in a vector, and its width in bytes for kind `fixed` (else 0). */
export function storageOf(type: IcebergType): { kind: VectorKind; width: number } {
  if (typeof type !== 'string') return { kind: type.type, width: 0 };
  const decimal = decimalOf(type);
  if (decimal) {
    if (decimal.precision <= 9) return { kind: 'i32', width: 0 };
    if (decimal.precision <= 18) return { kind: 'i64', width: 0 };
    return { kind: 'fixed', width: decimalBytes(decimal.precision) };
  }
  const fixed = fixedLengthOf(type);
  if (fixed !== null) return { kind: 'fixed', width: fixed };
  switch (type) {
    case 'boolean':
      return { kind: 'bool', width: 0 };
    case 'int':
    case 'date':
      return { kind: 'i32', width: 0 };
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return { kind: 'i64', width: 0 };
    case 'float':
      return { kind: 'f32', width: 0 };
    case 'double':
      return { kind: 'f64', width: 0 };
    case 'uuid':
      return { kind: 'fixed', width: 16 };
    default:
      return { kind: 'bytes', width: 0 };
  }
}

const EMPTY_I32 = new Int32Array(0);
const EMPTY_F32 = new Float32Array(0);
const EMPTY_F64 = new Float64Array(0);
const EMPTY_U8 = new Uint8Array(0);

/**
 * One column, or one node of a nested one. One class for all kinds, with every array always present, so that code over
 * vectors stays monomorphic. Generated decoders hold the arrays in local variables: after `reserve` or `reserveBytes`
 * they must be read again.
 */
export class Vector {
  readonly kind: VectorKind;
  readonly width: number;
  readonly field: NestedField;
  readonly children: readonly Vector[];
  length = 0;
  /** Values that fit without growing. */
  capacity = 0;
  validity: Uint8Array | null;
  bits: Uint8Array = EMPTY_U8;
  i32: Int32Array = EMPTY_I32;
  f32: Float32Array = EMPTY_F32;
  f64: Float64Array = EMPTY_F64;
  offsets: Int32Array = EMPTY_I32;
  /** For kind `bytes` the used part ends at `offsets[length]`; 8 bytes of slack stand after `byteCapacity`. */
  bytes: Uint8Array = EMPTY_U8;
  byteCapacity = 0;

  constructor(field: NestedField) {
    const { kind, width } = storageOf(field.type);
    this.field = field;
    this.kind = kind;
    this.width = width;
    this.validity = field.required ? null : EMPTY_U8;
    this.children = childFields(field.type).map((child) => new Vector(child));
    if (kind === 'bytes' || kind === 'list' || kind === 'map') this.offsets = new Int32Array(1);
  }

  /** Room for `count` more values (of a struct: also in its children). */
  reserve(count: number): void {
    const need = this.length + count;
    if (need > this.capacity) this.#grow(Math.max(need, this.capacity * 2, 64));
    if (this.kind === 'struct') for (const child of this.children) child.reserve(need - child.length);
  }

  /** Room for `count` more bytes in a vector of kind `bytes`. */
  reserveBytes(count: number): void {
    const used = this.offsets[this.length]!;
    if (used + count <= this.byteCapacity) return;
    this.byteCapacity = Math.max(used + count, this.byteCapacity * 2, 256);
    const bytes = new Uint8Array(this.byteCapacity + 8);
    bytes.set(this.bytes.subarray(0, used));
    this.bytes = bytes;
  }

  #grow(capacity: number): void {
    this.capacity = capacity;
    const bitBytes = (capacity + 7) >> 3;
    if (this.validity) this.validity = grown(this.validity, new Uint8Array(bitBytes));
    switch (this.kind) {
      case 'bool':
        this.bits = grown(this.bits, new Uint8Array(bitBytes));
        break;
      case 'i32':
        this.i32 = grown(this.i32, new Int32Array(capacity));
        break;
      case 'i64':
        this.i32 = grown(this.i32, new Int32Array(capacity * 2));
        break;
      case 'f32':
        this.f32 = grown(this.f32, new Float32Array(capacity));
        break;
      case 'f64':
        this.f64 = grown(this.f64, new Float64Array(capacity));
        break;
      case 'fixed':
        this.bytes = grown(this.bytes, new Uint8Array(capacity * this.width + 8));
        break;
      case 'bytes':
      case 'list':
      case 'map':
        this.offsets = grown(this.offsets, new Int32Array(capacity + 1));
        break;
      case 'struct':
        break;
    }
  }

  /** Appends one null (or, in a required vector inside a null struct, one zero slot). Grows as needed. */
  appendNull(): void {
    if (this.length === this.capacity) this.reserve(1);
    const i = this.length++;
    switch (this.kind) {
      case 'i32':
        this.i32[i] = 0;
        break;
      case 'i64':
        this.i32[2 * i] = 0;
        this.i32[2 * i + 1] = 0;
        break;
      case 'f32':
        this.f32[i] = 0;
        break;
      case 'f64':
        this.f64[i] = 0;
        break;
      case 'fixed':
        this.bytes.fill(0, i * this.width, (i + 1) * this.width);
        break;
      case 'bytes':
      case 'list':
      case 'map':
        this.offsets[i + 1] = this.offsets[i]!;
        break;
      case 'struct':
        for (const child of this.children) child.appendNull();
        break;
      case 'bool':
        break;
    }
  }

  isNull(i: number): boolean {
    return this.validity !== null && (this.validity[i >> 3]! & (1 << (i & 7))) === 0;
  }

  /**
   * Cuts back to `length` values, and children to what these use, also children that already hold a part of a value
   * that was not finished; the bits after it are cleared, as the invariant asks.
   */
  truncate(length: number): void {
    const left = Math.min(length, this.length);
    if (this.validity) clearBits(this.validity, left, this.length);
    if (this.kind === 'bool') clearBits(this.bits, left, this.length);
    this.length = left;
    if (this.kind === 'struct') for (const child of this.children) child.truncate(left);
    else if (this.kind === 'list' || this.kind === 'map') {
      for (const child of this.children) child.truncate(this.offsets[left]!);
    }
  }

  /** Memory held, bytes. */
  get heldBytes(): number {
    let sum = this.bits.length + this.bytes.length + (this.validity?.length ?? 0);
    sum += 4 * (this.i32.length + this.f32.length + this.offsets.length) + 8 * this.f64.length;
    for (const child of this.children) sum += child.heldBytes;
    return sum;
  }

  /** Bytes in use, for the memory budget. */
  get usedBytes(): number {
    let sum = this.validity ? this.length >> 3 : 0;
    switch (this.kind) {
      case 'bool':
        sum += this.length >> 3;
        break;
      case 'i32':
      case 'f32':
        sum += this.length * 4;
        break;
      case 'i64':
      case 'f64':
        sum += this.length * 8;
        break;
      case 'fixed':
        sum += this.length * this.width;
        break;
      case 'bytes':
        sum += this.length * 4 + this.offsets[this.length]!;
        break;
      case 'list':
      case 'map':
        sum += this.length * 4;
        break;
      case 'struct':
        break;
    }
    for (const child of this.children) sum += child.usedBytes;
    return sum;
  }
}

/** Rows of one table schema. */
export class ColumnBatch {
  readonly schema: Schema;
  readonly columns: readonly Vector[];
  rows = 0;

  constructor(schema: Schema) {
    this.schema = schema;
    this.columns = schema.fields.map((field) => new Vector(field));
  }

  /** Every vector of the tree by field id (list elements, map keys and values included). */
  byFieldId(): Map<number, Vector> {
    const found = new Map<number, Vector>();
    const visit = (vector: Vector): void => {
      found.set(vector.field.id, vector);
      vector.children.forEach(visit);
    };
    this.columns.forEach(visit);
    return found;
  }

  /** Drops rows at and after `rows` from every column, also from columns that already hold more or fewer. */
  truncate(rows: number): void {
    for (const column of this.columns) column.truncate(rows);
    this.rows = rows;
  }

  /** Empties the batch and keeps its arrays for reuse. */
  clear(): void {
    this.truncate(0);
  }

  get usedBytes(): number {
    let sum = 0;
    for (const column of this.columns) sum += column.usedBytes;
    return sum;
  }

  /** Memory held, bytes. */
  get heldBytes(): number {
    let sum = 0;
    for (const column of this.columns) sum += column.heldBytes;
    return sum;
  }
}

function childFields(type: IcebergType): NestedField[] {
  if (typeof type === 'string') return [];
  switch (type.type) {
    case 'struct':
      return [...type.fields];
    case 'list':
      return [{ id: type['element-id'], name: 'element', required: type['element-required'], type: type.element }];
    case 'map':
      return [
        { id: type['key-id'], name: 'key', required: true, type: type.key },
        { id: type['value-id'], name: 'value', required: type['value-required'], type: type.value },
      ];
  }
}

function grown<T extends Uint8Array | Int32Array | Float32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Also bit `to`, of a value that was begun and not counted: the first byte is cleared to its end. */
function clearBits(bits: Uint8Array, from: number, to: number): void {
  const first = from >> 3;
  if (first >= bits.length) return;
  bits[first] = bits[first]! & ((1 << (from & 7)) - 1);
  bits.fill(0, first + 1, (to + 7) >> 3);
}
