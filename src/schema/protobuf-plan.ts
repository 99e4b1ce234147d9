import type { ProtoEnum, ProtoField, ProtoMessage, ProtoScalar } from './protobuf-node.ts';
import type { IcebergType, PrimitiveType, StructType } from './types.ts';

/**
 * How the bytes of a Protobuf type become a column: the type table of DESIGN §6, decided once for the conversion and for
 * every decoder. `type` has field ids 0.
 */
export type ProtoPlan = ScalarPlan | EnumPlan | TimePlan | PresentPlan | JsonPlan | MessagePlan | ListPlan | MapPlan;

export interface ScalarPlan {
  readonly op: 'scalar';
  readonly scalar: ProtoScalar;
  /** The scalar is field 1 of a message of google/protobuf/wrappers.proto. */
  readonly wrapper: ProtoMessage | null;
  readonly type: PrimitiveType;
}
export interface EnumPlan {
  readonly op: 'enum';
  readonly of: ProtoEnum;
  readonly type: 'string';
}
/**
 * `seconds` and `nanos`. A Timestamp is a timestamptz in microseconds, a Duration a long; `nanos: long` makes both longs of
 * nanoseconds, `nanos: native` a timestamptz_ns and, as there is no type of durations, a long of nanoseconds.
 */
export interface TimePlan {
  readonly op: 'time';
  readonly of: ProtoMessage;
  readonly kind: 'timestamp' | 'duration';
  readonly unit: 'micros' | 'nanos';
  readonly type: 'timestamptz' | 'timestamptz_ns' | 'long';
}
/** A message without fields: true where present. */
export interface PresentPlan {
  readonly op: 'present';
  readonly of: ProtoMessage;
  readonly type: 'boolean';
}
/** Struct, Value, ListValue, Any, and messages that contain themselves: JSON text. */
export interface JsonPlan {
  readonly op: 'json';
  readonly of: ProtoMessage;
  readonly type: 'string';
}
export interface MessagePlan {
  readonly op: 'message';
  readonly of: ProtoMessage;
  /** One for each field, in the order of the struct. */
  readonly fields: readonly PlanField[];
  readonly type: StructType;
}
export interface PlanField {
  readonly field: ProtoField;
  readonly plan: ProtoPlan;
}
export interface ListPlan {
  readonly op: 'list';
  readonly items: ProtoPlan;
  readonly type: IcebergType;
}
export interface MapPlan {
  readonly op: 'map';
  readonly key: ScalarPlan;
  readonly values: ProtoPlan;
  readonly type: IcebergType;
}
