import type { IcebergType, PrimitiveType, StructType } from './types.ts';

/**
 * How a JSON value becomes a value of its column.
 *
 * `plain`: by the column's type alone. `text`: the JSON text of the value, whatever it is, in a string column. The others
 * are the codings of JSON Schemas: `nanos`: a date-time as nanoseconds since 1970 in a long; `days`, `millis`,
 * `time-millis`: a number as date, timestamptz, time of day, the latter by `timeOfDay` also as microseconds or text (Kafka Connect's Date, Timestamp, Time); `unscaled`: a decimal as a
 * number, or as the base64 of its unscaled value (Kafka Connect's Decimal).
 */
export type JsonRead = 'plain' | 'text' | 'nanos' | 'days' | 'millis' | 'time-millis' | 'unscaled';

/** What a JSON Schema says of one place: DESIGN §6, decided once for the conversion and for every decoder. */
export type JsonPlan = JsonLeaf | JsonStruct | JsonList | JsonMap;

export interface JsonLeaf {
  readonly op: 'leaf';
  readonly read: JsonRead;
  readonly type: PrimitiveType;
}
export interface JsonStruct {
  readonly op: 'struct';
  /** In the order of the type's fields. */
  readonly members: readonly { readonly key: string; readonly plan: JsonPlan }[];
  readonly type: StructType;
}
export interface JsonList {
  readonly op: 'list';
  readonly element: JsonPlan;
  readonly type: Extract<IcebergType, { type: 'list' }>;
}
export interface JsonMap {
  readonly op: 'map';
  readonly value: JsonPlan;
  readonly type: Extract<IcebergType, { type: 'map' }>;
}
