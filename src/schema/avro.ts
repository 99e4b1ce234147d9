import { TabletopicError } from '../errors.ts';
import { isRecursive } from './avro-node.ts';
import type { AvroField, AvroNode, AvroRecord, AvroUnion } from './avro-node.ts';
import { leafPlan } from './avro-leaf-type.ts';
import { parseAvro } from './avro-parse.ts';
import type { AvroPlan, PlanField, RecordPlan, UnionPlan } from './avro-plan.ts';
import { NameScope, columnDoc } from './names.ts';
import type { IcebergType, NestedField, StructType } from './types.ts';

/** The table options that decide types (DESIGN §6). */
export interface AvroOptions {
  readonly timeOfDay: 'time' | 'long' | 'string';
  readonly nanos: 'micros' | 'long' | 'error' | 'native';
  readonly unions: 'optional' | 'struct';
  /** Kafka Connect's own types (`format: debezium`). */
  readonly connect?: boolean;
}

export interface ConvertedAvro {
  /** Iceberg struct with field ids 0, in the order of the schema. */
  readonly struct: StructType;
  /** What decoders follow. `wrapped`: the schema is not a record, and the struct has the one field `value`. */
  readonly plan: RecordPlan | UnionPlan;
  readonly wrapped: boolean;
  /** Avro aliases of fields by dotted path, for renames. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
}

/**
 * Converts Avro schema text into the struct of a table's columns: mapping version 1, see `MAPPING_VERSION`.
 *
 * @throws SCHEMA_UNSUPPORTED for text that is not a valid schema, SCHEMA_INCOMPATIBLE for a type that no column can hold.
 */
export function convertAvro(
  text: string,
  references: Readonly<Record<string, string>>,
  options: AvroOptions,
): ConvertedAvro {
  return convertAvroNode(parseAvro(text, references), options);
}

/** As `convertAvro`, of a parsed schema. `skipped`: fields of the record that have no column; their bytes are walked over. */
export function convertAvroNode(
  node: AvroNode,
  options: AvroOptions,
  skipped: ReadonlySet<AvroField> = new Set(),
): ConvertedAvro {
  const planner = new Planner(options, skipped);
  const root =
    node.kind === 'record'
      ? node
      : { kind: 'record' as const, name: 'value', fields: [{ name: 'value', aliases: [], doc: undefined, node }] };
  const plan = planner.record(root, '');
  return { struct: plan.type, plan, wrapped: root !== node, aliases: planner.aliases };
}

/** A decimal whose scale stands beside each value (PostgreSQL's NUMERIC without precision). */
const SCALED_DECIMAL = 'io.debezium.data.VariableScaleDecimal';

function hasFields(node: AvroRecord, kinds: readonly AvroNode['kind'][]): boolean {
  return node.fields.length === kinds.length && node.fields.every((field, i) => field.node.kind === kinds[i]);
}

/** Named types may be used many times, so that a short text can stand for any number of columns. */
const MOST_COLUMNS = 10_000;

class Planner {
  readonly aliases: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>;
  readonly #options: AvroOptions;
  readonly #skipped: ReadonlySet<AvroField>;
  readonly #names = new NameScope();
  readonly #recursive = new Map<AvroRecord, boolean>();
  #columns = 0;

  constructor(options: AvroOptions, skipped: ReadonlySet<AvroField>) {
    this.#options = options;
    this.#skipped = skipped;
  }

  /** `prefix` is the dotted path of the record with a dot at its end, empty for the table itself. */
  record(node: AvroRecord, prefix: string): RecordPlan {
    const columns: NestedField[] = [];
    const fields = node.fields.map((field): PlanField => {
      if (this.#skipped.has(field)) return { column: -1, plan: this.#plan(field.node, `${prefix}${field.name}`) };
      const name = isNull(field.node) ? '' : this.#names.claim(prefix, field.name);
      const plan = this.#plan(field.node, `${prefix}${name}`);
      if (plan.op === 'null') return { column: -1, plan };
      if (field.aliases.length > 0) this.aliases[`${prefix}${name}`] = field.aliases;
      columns.push(column(field.name, name, !plan.nullable, plan.type, field.doc));
      return { column: columns.length - 1, plan };
    });
    return { op: 'record', node, nullable: false, fields, type: { type: 'struct', fields: columns } };
  }

  #plan(node: AvroNode, path: string): AvroPlan {
    if (++this.#columns > MOST_COLUMNS)
      throw new TabletopicError('SCHEMA_UNSUPPORTED', `The Avro schema has more than ${MOST_COLUMNS} columns`);
    switch (node.kind) {
      case 'null':
        return { op: 'null', node, nullable: true, type: 'boolean' };
      case 'enum':
        return { op: 'enum', node, nullable: false, symbols: node.symbols, type: 'string' };
      case 'array': {
        const items = this.#plan(node.items, `${path}.element`);
        const type: IcebergType = {
          type: 'list',
          'element-id': 0,
          'element-required': !items.nullable,
          element: items.type,
        };
        return { op: 'array', node, nullable: false, items, type };
      }
      case 'map': {
        const values = this.#plan(node.values, `${path}.value`);
        const type: IcebergType = {
          type: 'map',
          'key-id': 0,
          key: 'string',
          'value-id': 0,
          'value-required': !values.nullable,
          value: values.type,
        };
        return { op: 'map', node, nullable: false, values, type };
      }
      case 'record': {
        if (this.#options.connect === true && node.name === SCALED_DECIMAL && hasFields(node, ['int', 'bytes']))
          return { op: 'json', node, nullable: false, type: 'string', scaled: true };
        if (this.#isRecursive(node)) return { op: 'json', node, nullable: false, type: 'string' };
        const plan = this.record(node, `${path}.`);
        return plan.type.fields.length === 0 ? { op: 'present', node, nullable: false, type: 'boolean' } : plan;
      }
      case 'union':
        return this.#union(node, path);
      default:
        return leafPlan(node, this.#options, path);
    }
  }

  #union(node: AvroUnion, path: string): AvroPlan {
    const nullable = node.branches.some(isNull);
    const branch = node.branches.findIndex((inner) => !isNull(inner));
    if (branch < 0) return { op: 'null', node, nullable: true, type: 'boolean' };
    const others = node.branches.filter((inner) => !isNull(inner));
    if (others.length === 1 && this.#options.unions === 'optional') {
      const inner = this.#plan(others[0]!, path);
      return {
        op: 'optional',
        node,
        nullable: nullable || inner.nullable,
        branches: node.branches.length,
        branch,
        inner,
        type: inner.type,
      };
    }
    const columns: NestedField[] = [];
    const branches = node.branches.map((inner): PlanField => {
      if (isNull(inner)) return { column: -1, plan: { op: 'null', node: inner, nullable: true, type: 'boolean' } };
      const source = branchName(inner, others);
      const name = this.#names.claim(`${path}.`, source);
      const plan = this.#plan(inner, `${path}.${name}`);
      columns.push(column(source, name, false, plan.type, undefined));
      return { column: columns.length - 1, plan };
    });
    return { op: 'union', node, nullable, branches, type: { type: 'struct', fields: columns } };
  }

  #isRecursive(node: AvroRecord): boolean {
    let known = this.#recursive.get(node);
    if (known === undefined) this.#recursive.set(node, (known = isRecursive(node)));
    return known;
  }
}

function isNull(node: AvroNode): boolean {
  return node.kind === 'null' || (node.kind === 'union' && node.branches.every(isNull));
}

/** The short name of a named type, unless another branch has the same; else the name of the type. */
function branchName(node: AvroNode, all: readonly AvroNode[]): string {
  const short = (other: AvroNode): string =>
    'name' in other ? other.name.slice(other.name.lastIndexOf('.') + 1) : other.kind;
  const name = short(node);
  return 'name' in node && all.some((other) => other !== node && short(other).toLowerCase() === name.toLowerCase())
    ? node.name
    : name;
}

function column(
  source: string,
  name: string,
  required: boolean,
  type: IcebergType,
  doc: string | undefined,
): NestedField {
  const text = columnDoc(source, name, doc);
  return { id: 0, name, required, type, ...(text === undefined ? {} : { doc: text }) };
}
