import { TabletopicError } from '../errors.ts';
import { NameScope, columnDoc } from './names.ts';
import { withUnit } from './unit-doc.ts';
import type { DurationUnit } from './unit-doc.ts';
import { isRecursiveMessage } from './protobuf-node.ts';
import type { ProtoField, ProtoMessage, ProtoScalar, ProtoType } from './protobuf-node.ts';
import { parseProtobuf } from './protobuf-parse.ts';
import type { MessageChoice, ProtoFile } from './protobuf-parse.ts';
import type { MessagePlan, PlanField, ProtoPlan, ScalarPlan } from './protobuf-plan.ts';
import type { IcebergType, NestedField, PrimitiveType, StructType } from './types.ts';

export type { MessageChoice } from './protobuf-parse.ts';

/** The table options that decide types (DESIGN §6). */
export interface ProtobufOptions {
  readonly nanos: 'micros' | 'long' | 'error' | 'native';
  readonly uint64: 'decimal' | 'long';
}

export interface ConvertedProtobuf {
  /** Iceberg struct with field ids 0, in the order of the declaration. */
  readonly struct: StructType;
  /** What decoders follow. */
  readonly plan: MessagePlan;
  /** Full name of the message. */
  readonly message: string;
  /** For the types of `Any`. */
  readonly file: ProtoFile;
  /** What each field is known by whatever its name, by dotted path: `<message>#<field number>`. */
  readonly identities: Readonly<Record<string, string>>;
}

/**
 * Converts a message of a .proto text into the struct of a table's columns: mapping version 1, see `MAPPING_VERSION`.
 * `choice` names the message (default: the first of the file), `references` are the texts of imports by path.
 *
 * @throws SCHEMA_UNSUPPORTED for text that is not a valid schema or lacks the message, SCHEMA_INCOMPATIBLE for a type that
 *   the options refuse.
 */
export function convertProtobuf(
  text: string,
  references: Readonly<Record<string, string>>,
  choice: MessageChoice,
  options: ProtobufOptions,
): ConvertedProtobuf {
  const { file, message } = parseProtobuf(text, references, choice);
  const planner = new Planner(options);
  const plan = planner.message(message, '');
  return { struct: plan.type, plan, message: message.name, file, identities: planner.identities };
}

/** A message may be used many times, so that a short text can stand for any number of columns. */
const MOST_COLUMNS = 10_000;

const JSON_TYPES: ReadonlySet<string> = new Set([
  'google.protobuf.Any',
  'google.protobuf.ListValue',
  'google.protobuf.Struct',
  'google.protobuf.Value',
]);
const WRAPPER = /^google\.protobuf\.(Double|Float|Int64|UInt64|Int32|UInt32|Bool|String|Bytes)Value$/;

class Planner {
  readonly identities: Record<string, string> = Object.create(null) as Record<string, string>;
  readonly #options: ProtobufOptions;
  readonly #names = new NameScope();
  readonly #recursive = new Map<ProtoMessage, boolean>();
  #columns = 0;

  constructor(options: ProtobufOptions) {
    this.#options = options;
  }

  /** `prefix` is the dotted path of the message with a dot at its end, empty for the table itself. */
  message(of: ProtoMessage, prefix: string): MessagePlan {
    const columns: NestedField[] = [];
    const fields = of.fields.map((field): PlanField => {
      const name = this.#names.claim(prefix, field.name);
      const path = `${prefix}${name}`;
      const plan = this.#field(field, path);
      this.identities[path] = `${of.name}#${field.number}`;
      const unit = durationUnit(plan);
      const doc = columnDoc(field.name, name, unit ? withUnit(unit, field.doc) : field.doc);
      const required = field.rule === 'required';
      columns.push({ id: 0, name, required, type: plan.type, ...(doc === undefined ? {} : { doc }) });
      return { field, plan };
    });
    return { op: 'message', of, fields, type: { type: 'struct', fields: columns } };
  }

  #field(field: ProtoField, path: string): ProtoPlan {
    if (field.rule === 'repeated') {
      const items = this.#plan(field.type, `${path}.element`);
      const type: IcebergType = { type: 'list', 'element-id': 0, 'element-required': true, element: items.type };
      return { op: 'list', items, type };
    }
    if (field.rule === 'map') {
      const key = this.#scalar(field.key!, null);
      const values = this.#plan(field.type, `${path}.value`);
      const type: IcebergType = {
        type: 'map',
        'key-id': 0,
        key: key.type,
        'value-id': 0,
        'value-required': true,
        value: values.type,
      };
      return { op: 'map', key, values, type };
    }
    return this.#plan(field.type, path);
  }

  #plan(type: ProtoType, path: string): ProtoPlan {
    if (++this.#columns > MOST_COLUMNS)
      throw new TabletopicError('SCHEMA_UNSUPPORTED', `The Protobuf message has more than ${MOST_COLUMNS} columns`);
    if (typeof type === 'string') return this.#scalar(type, null);
    if (type.kind === 'enum') return { op: 'enum', of: type, type: 'string' };
    if (WRAPPER.test(type.name) && type.fields.length === 1 && typeof type.fields[0]!.type === 'string')
      return this.#scalar(type.fields[0]!.type, type);
    if (type.name === 'google.protobuf.Timestamp') return this.#time(type, 'timestamp', path);
    if (type.name === 'google.protobuf.Duration') return this.#time(type, 'duration', path);
    if (JSON_TYPES.has(type.name) || this.#isRecursive(type)) return { op: 'json', of: type, type: 'string' };
    if (type.fields.length === 0) return { op: 'present', of: type, type: 'boolean' };
    return this.message(type, `${path}.`);
  }

  #scalar(scalar: ProtoScalar, wrapper: ProtoMessage | null): ScalarPlan {
    return { op: 'scalar', scalar, wrapper, type: this.#scalarType(scalar) };
  }

  #scalarType(scalar: ProtoScalar): PrimitiveType {
    switch (scalar) {
      case 'int32':
      case 'sint32':
      case 'sfixed32':
        return 'int';
      case 'int64':
      case 'sint64':
      case 'sfixed64':
      case 'uint32':
      case 'fixed32':
        return 'long';
      case 'uint64':
      case 'fixed64':
        return this.#options.uint64 === 'long' ? 'long' : 'decimal(20, 0)';
      case 'bool':
        return 'boolean';
      case 'bytes':
        return 'binary';
      default:
        return scalar;
    }
  }

  #time(of: ProtoMessage, kind: 'timestamp' | 'duration', path: string): ProtoPlan {
    const { nanos } = this.#options;
    if (nanos === 'error')
      throw new TabletopicError('SCHEMA_INCOMPATIBLE', `${path}: has nanoseconds, and \`nanos\` is \`error\``);
    const native = nanos === 'native' && kind === 'timestamp';
    if (nanos === 'long' || nanos === 'native')
      return { op: 'time', of, kind, unit: 'nanos', type: native ? 'timestamptz_ns' : 'long' };
    return { op: 'time', of, kind, unit: 'micros', type: kind === 'timestamp' ? 'timestamptz' : 'long' };
  }

  #isRecursive(message: ProtoMessage): boolean {
    let known = this.#recursive.get(message);
    if (known === undefined) this.#recursive.set(message, (known = isRecursiveMessage(message)));
    return known;
  }
}

/** Of a Duration, or of a list or map of them. */
function durationUnit(plan: ProtoPlan): DurationUnit | null {
  if (plan.op === 'list') return durationUnit(plan.items);
  if (plan.op === 'map') return durationUnit(plan.values);
  if (plan.op !== 'time' || plan.kind !== 'duration') return null;
  return plan.unit === 'nanos' ? 'nanoseconds' : 'microseconds';
}
