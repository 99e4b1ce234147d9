import type { AvroNode } from './avro-node.ts';
import type { IcebergType, PrimitiveType, StructType } from './types.ts';

/**
 * How the bytes of an Avro type become a column: the type table of DESIGN §6, decided once for the conversion and for
 * every decoder. `type` has field ids 0; null stands for no column at all.
 */
export type AvroPlan =
  | NullPlan
  | LeafPlan
  | EnumPlan
  | PresentPlan
  | JsonPlan
  | RecordPlan
  | OptionalPlan
  | UnionPlan
  | ArrayPlan
  | MapPlan;

interface Plan {
  readonly node: AvroNode;
  readonly nullable: boolean;
}

/** Type `null` (alone or the only branch): no column in a record, an always-null boolean in a list or map. */
export interface NullPlan extends Plan {
  readonly op: 'null';
  readonly type: 'boolean';
}

/** What a leaf does beyond copying: see `avro-leaf` in `decode`. */
export type Convert =
  | 'none'
  /** Two's complement of at most `precision` digits. */
  | 'decimal'
  /** UUID as text to 16 bytes. */
  | 'uuid-text'
  | 'millis-to-micros'
  /** Rounded down. */
  | 'nanos-to-micros'
  /** Milliseconds or microseconds since midnight, range checked. */
  | 'time-millis'
  | 'time-micros'
  /** The same as text `HH:MM:SS.fff` or `HH:MM:SS.ffffff`. */
  | 'time-millis-text'
  | 'time-micros-text'
  /** Avro `big-decimal`: the plain decimal number as text. */
  | 'big-decimal-text'
  /** Date and time with offset as text (RFC 3339) to microseconds, rounded down. */
  | 'date-time-text';

export interface LeafPlan extends Plan {
  readonly op: 'leaf';
  readonly wire: 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string' | 'fixed';
  /** Length of a fixed, else 0. */
  readonly size: number;
  readonly convert: Convert;
  readonly type: PrimitiveType;
}
export interface EnumPlan extends Plan {
  readonly op: 'enum';
  readonly symbols: readonly string[];
  readonly type: 'string';
}
/** A record without columns: true where present. */
export interface PresentPlan extends Plan {
  readonly op: 'present';
  readonly type: 'boolean';
}
/** A recursive record: JSON text. */
export interface JsonPlan extends Plan {
  readonly op: 'json';
  /** A scale (int) and an unscaled value (bytes): the text is the plain decimal number. */
  readonly scaled?: boolean;
  readonly type: 'string';
}
export interface RecordPlan extends Plan {
  readonly op: 'record';
  readonly fields: readonly PlanField[];
  readonly type: StructType;
}
export interface PlanField {
  /** Index of the field in the struct, or -1: no column. */
  readonly column: number;
  readonly plan: AvroPlan;
}
/** A union of at most one branch beside null; `inner` stands at `branch`. */
export interface OptionalPlan extends Plan {
  readonly op: 'optional';
  readonly branches: number;
  readonly branch: number;
  readonly inner: AvroPlan;
  readonly type: IcebergType;
}
/** A union of several: a struct with one optional field for each branch but null. */
export interface UnionPlan extends Plan {
  readonly op: 'union';
  readonly branches: readonly PlanField[];
  readonly type: StructType;
}
export interface ArrayPlan extends Plan {
  readonly op: 'array';
  readonly items: AvroPlan;
  readonly type: IcebergType;
}
export interface MapPlan extends Plan {
  readonly op: 'map';
  readonly values: AvroPlan;
  readonly type: IcebergType;
}
