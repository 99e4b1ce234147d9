/**
 * Iceberg types in the very shape of the spec's JSON (Iceberg spec, Appendix C), so that a schema is read from and
 * written to metadata without conversion.
 */
export type PrimitiveType =
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  /** Format v3: nanoseconds since 1970, of the years 1677 to 2262. */
  | 'timestamp_ns'
  | 'timestamptz_ns'
  | 'string'
  | 'uuid'
  | 'binary'
  | `decimal(${number}, ${number})`
  | `fixed[${number}]`;

export interface StructType {
  readonly type: 'struct';
  readonly fields: readonly NestedField[];
}

export interface ListType {
  readonly type: 'list';
  readonly 'element-id': number;
  readonly 'element-required': boolean;
  readonly element: IcebergType;
}

export interface MapType {
  readonly type: 'map';
  readonly 'key-id': number;
  readonly key: IcebergType;
  readonly 'value-id': number;
  readonly 'value-required': boolean;
  readonly value: IcebergType;
}

export type IcebergType = PrimitiveType | StructType | ListType | MapType;

export interface NestedField {
  /** Unique in the table for ever; `0` where no id has been given yet (a type that was just converted). */
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly type: IcebergType;
  readonly doc?: string;
}

export interface Schema extends StructType {
  readonly 'schema-id': number;
  readonly 'identifier-field-ids'?: readonly number[];
}

/** Precision and scale of a `decimal(p, s)`, else null. Catalogs write the space or leave it out. */
export function decimalOf(type: IcebergType): { precision: number; scale: number } | null {
  const m = typeof type === 'string' ? /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(type) : null;
  return m ? { precision: Number(m[1]), scale: Number(m[2]) } : null;
}

/** Length in bytes of a `fixed[n]`, else null. */
export function fixedLengthOf(type: IcebergType): number | null {
  const m = typeof type === 'string' ? /^fixed\[\s*(\d+)\s*\]$/.exec(type) : null;
  return m ? Number(m[1]) : null;
}

/** Fewest bytes that hold every unscaled value of a decimal of this precision in two's complement. */
export function decimalBytes(precision: number): number {
  let bytes = 1;
  while (2n ** BigInt(8 * bytes - 1) <= 10n ** BigInt(precision) - 1n) bytes++;
  return bytes;
}
