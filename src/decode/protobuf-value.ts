import type { Vector } from '../columns/batch.ts';
import type { ScalarPlan, TimePlan } from '../schema/protobuf-plan.ts';
import type { ProtoBound, ProtoBinding } from './protobuf-bind.ts';
import { protobufJsonText } from './protobuf-json-text.ts';
import type { MapEntries, MessageValue, ProtoValue } from './protobuf-tree.ts';
import { defaultOf, scalarText } from './protobuf-tree.ts';
import { DecodeStop } from './stop.ts';
import { putBool, putBytes, putI32, putI64, putList, setValid, slot } from './vectors.ts';

const encoder = new TextEncoder();

/** Appends parsed messages to columns: what is null, and what is a default, is decided here. */
export class ProtoAppender {
  /** Values of which digits were cut so far. */
  cut = 0;
  readonly #types: ProtoBinding['types'];
  /** Items of each list and map at the start of the record. */
  readonly #began = new Map<ProtoBound, number>();
  readonly #lists: readonly ProtoBound[];

  constructor({ root, types }: ProtoBinding) {
    this.#types = types;
    this.#lists = limited(root);
  }

  record(root: ProtoBound, value: MessageValue): void {
    for (const list of this.#lists) this.#began.set(list, list.children[0]!.slot!.vector!.length);
    this.#members(root, value);
    if (root.slot) this.#endStruct(root.slot.vector!);
  }

  #members(bound: ProtoBound, value: MessageValue): void {
    for (const child of bound.children) this.#field(child, value.fields.get(child.field!.number));
    for (const missing of bound.missing) missing.vector!.appendNull();
  }

  #field(bound: ProtoBound, value: ProtoValue | undefined): void {
    const vector = bound.slot?.vector;
    if (!vector) return;
    const { rule, type } = bound.field!;
    if (bound.plan.op === 'list') {
      const items = bound.children[0]!;
      for (const item of (value ?? []) as readonly ProtoValue[]) {
        this.#value(items, item);
        this.#limit(bound, items);
      }
      putList(vector);
    } else if (bound.plan.op === 'map') {
      const [key, values] = [bound.children[0]!, bound.children[1]!];
      for (const entry of (value as MapEntries | undefined)?.entries.values() ?? []) {
        this.#value(key, entry.key);
        this.#value(values, entry.value);
        this.#limit(bound, key);
      }
      putList(vector);
    } else if (value === undefined && rule !== 'implicit') vector.appendNull();
    else this.#value(bound, value ?? defaultOf(type));
  }

  #limit(bound: ProtoBound, items: ProtoBound): void {
    if (items.slot!.vector!.length - (this.#began.get(bound) ?? 0) > bound.most && bound.most < Infinity)
      throw new DecodeStop('VALUE_OUT_OF_RANGE', `${bound.path}: it has more than ${bound.most} items`);
  }

  #value(bound: ProtoBound, value: ProtoValue): void {
    const vector = bound.slot!.vector!;
    const { plan, path } = bound;
    switch (plan.op) {
      case 'scalar':
        return putScalar(plan, vector, unwrapped(plan, value), path);
      case 'enum':
        return putText(vector, plan.of.names.get(value as number) ?? scalarText(value));
      case 'time':
        return this.#time(plan, vector, value as MessageValue, path);
      case 'present':
        return putBool(vector, true);
      case 'json':
        return putText(vector, protobufJsonText(plan.of, value as MessageValue, this.#types, path));
      default:
        this.#members(bound, value as MessageValue);
        this.#endStruct(vector);
    }
  }

  #endStruct(vector: Vector): void {
    if (vector.length === vector.capacity) vector.reserve(1);
    setValid(vector, vector.length++);
  }

  #time(plan: TimePlan, vector: Vector, value: MessageValue, path: string): void {
    const seconds = (value.fields.get(1) as bigint | undefined) ?? 0n;
    const nanos = (value.fields.get(2) as number | undefined) ?? 0;
    const mixed = (seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0);
    const valid = plan.kind === 'timestamp' ? nanos >= 0 : !mixed;
    if (!valid || Math.abs(nanos) > 999_999_999)
      throw new DecodeStop('VALUE_OUT_OF_RANGE', `${path}: its nanoseconds are not those of a ${plan.kind}`);
    const micros = plan.unit === 'micros';
    if (micros && nanos % 1000 !== 0) this.cut++;
    // Toward zero, which for a timestamp, whose nanoseconds are never negative, is downward.
    const whole = micros
      ? seconds * 1_000_000n + BigInt(Math.trunc(nanos / 1000))
      : seconds * 1_000_000_000n + BigInt(nanos);
    if (BigInt.asIntN(64, whole) !== whole)
      throw new DecodeStop(
        'VALUE_OUT_OF_RANGE',
        `${path}: it does not fit in 64 bits of ${micros ? 'micro' : 'nano'}seconds`,
      );
    putBigint(vector, whole);
  }
}

function limited(bound: ProtoBound): ProtoBound[] {
  const own = bound.most < Infinity && bound.slot ? [bound] : [];
  return [...own, ...bound.children.flatMap(limited)];
}

function unwrapped(plan: ScalarPlan, value: ProtoValue): ProtoValue {
  if (!plan.wrapper) return value;
  return (value as MessageValue).fields.get(1) ?? defaultOf(plan.scalar);
}

function putScalar(plan: ScalarPlan, vector: Vector, value: ProtoValue, path: string): void {
  switch (plan.scalar) {
    case 'bool':
      return putBool(vector, value as boolean);
    case 'string':
    case 'bytes': {
      const bytes = value as Uint8Array;
      return putBytes(vector, bytes, 0, bytes.length);
    }
    case 'float':
    case 'double': {
      const i = slot(vector);
      (vector.kind === 'f32' ? vector.f32 : vector.f64)[i] = value as number;
      vector.length++;
      return;
    }
    case 'uint64':
    case 'fixed64':
      if (vector.kind === 'fixed') return putDecimal(vector, value as bigint);
      if ((value as bigint) >= 2n ** 63n)
        throw new DecodeStop('VALUE_OUT_OF_RANGE', `${path}: the value does not fit in a long (\`uint64: long\`)`);
      return putBigint(vector, value as bigint);
    default:
      if (vector.kind === 'i32') putI32(vector, value as number);
      else putBigint(vector, BigInt(value as number | bigint));
  }
}

function putBigint(vector: Vector, value: bigint): void {
  putI64(vector, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
}

/** A number that is not negative, big-endian. */
function putDecimal(vector: Vector, value: bigint): void {
  const i = slot(vector);
  for (let at = (i + 1) * vector.width - 1; at >= i * vector.width; at--, value >>= 8n)
    vector.bytes[at] = Number(value & 0xffn);
  vector.length++;
}

function putText(vector: Vector, text: string): void {
  const bytes = encoder.encode(text);
  putBytes(vector, bytes, 0, bytes.length);
}
