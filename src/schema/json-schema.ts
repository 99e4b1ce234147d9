import { at } from './at.ts';
import { TabletopicError } from '../errors.ts';
import type { JsonPlan, JsonStruct } from './json-plan.ts';
import { JsonSchemaDocuments } from './json-schema-documents.ts';
import type { JsonSchemaNode, JsonSchemaObject } from './json-schema-documents.ts';
import { flatten, inside } from './json-schema-flat.ts';
import type { Flat, JsonType } from './json-schema-flat.ts';
import { TEXT, leafOf } from './json-schema-leaf.ts';
import { NameScope, columnDoc } from './names.ts';
import type { NestedField, StructType } from './types.ts';

/** The table options that decide types (DESIGN §6). */
export interface JsonSchemaOptions {
  readonly timeOfDay: 'time' | 'long' | 'string';
  readonly nanos: 'micros' | 'long' | 'error' | 'native';
  /** By dotted path of names in the source: what is kept as JSON text, or as map<string, …>. */
  readonly jsonColumns: Readonly<Record<string, 'json' | 'map'>>;
}

export interface ConvertedJsonSchema {
  /** Iceberg struct with field ids 0, in the order of the schema. */
  readonly struct: StructType;
  /** What decoders follow. `wrapped`: the schema is not that of an object with properties, and the struct has the one field `value`. */
  readonly plan: JsonPlan;
  readonly wrapped: boolean;
}

/** References may use a schema many times, so that a short text can stand for any number of columns. */
const MOST_COLUMNS = 10_000;

/**
 * Converts JSON Schema text (drafts 4 to 2020-12) into the struct of a table's columns: mapping version 1, see
 * `MAPPING_VERSION`. Only what is said of the form of values counts: neither limits nor patterns, nor conditions.
 *
 * @throws SCHEMA_UNSUPPORTED for text that is not a valid schema, or has more than 10,000 columns.
 */
export function convertJsonSchema(
  text: string,
  references: Readonly<Record<string, string>>,
  options: JsonSchemaOptions,
): ConvertedJsonSchema {
  const documents = new JsonSchemaDocuments(text, references);
  const planner = new Planner(documents, options);
  const plan = planner.plan(flatten(documents, documents.root), '', '', true) ?? TEXT;
  if (plan.op === 'struct') return { struct: plan.type, plan, wrapped: false };
  const field: NestedField = { id: 0, name: 'value', required: false, type: plan.type };
  return { struct: { type: 'struct', fields: [field] }, plan, wrapped: true };
}

class Planner {
  readonly #documents: JsonSchemaDocuments;
  readonly #options: JsonSchemaOptions;
  readonly #names = new NameScope();
  readonly #recursive = new Map<JsonSchemaObject, boolean>();
  #columns = 0;

  constructor(documents: JsonSchemaDocuments, options: JsonSchemaOptions) {
    this.#documents = documents;
    this.#options = options;
  }

  /**
   * Null where only null is allowed, or nothing: no column. `path` is that of the column, `source` that of the names in
   * the documents. A recursive type is JSON text, but for the root, whose columns are those of its first level.
   */
  plan(flat: Flat, path: string, source: string, root = false): JsonPlan | null {
    if (++this.#columns > MOST_COLUMNS)
      throw new TabletopicError('SCHEMA_UNSUPPORTED', `The JSON Schema has more than ${MOST_COLUMNS} columns`);
    const kept = at(this.#options.jsonColumns, source);
    if (kept === 'json' && !root) return TEXT;
    if (!root && [...flat.targets].some((target) => this.#isRecursive(target))) return TEXT;
    const types = typesOf(flat);
    if (types === null) return this.#alternative(flat, path, source);
    types.delete('null');
    if (types.has('number')) types.delete('integer');
    const [type] = types;
    if (type === undefined) return null;
    if (types.size > 1) return TEXT;
    if (type === 'object') return this.#object(flat, path, source, kept === 'map');
    return type === 'array' ? this.#array(flat, path, source) : leafOf(type, flat, this.#options);
  }

  /** Alternatives: of T and null it is T; of more, JSON text, and so is everything else that says no type. */
  #alternative(flat: Flat, path: string, source: string): JsonPlan | null {
    const [group, ...others] = flat.alternatives;
    if (!group || others.length > 0) return TEXT;
    const branches = group.filter((branch) => !this.#isNull(branch));
    if (branches.length === 0) return null;
    return branches.length === 1 ? this.plan(flatten(this.#documents, branches[0]!), path, source) : TEXT;
  }

  #isNull(node: JsonSchemaNode): boolean {
    const types = typesOf(flatten(this.#documents, node));
    return types !== null && [...types].every((type) => type === 'null');
  }

  #object(flat: Flat, path: string, source: string, map: boolean): JsonPlan {
    if (flat.properties.size > 0 && !map) return this.#struct(flat, path, source);
    const value = valueOf(flat) ?? (map ? true : null);
    if (value === null) return TEXT;
    const plan = this.plan(flatten(this.#documents, value), `${path}.value`, `${source}.value`) ?? TEXT;
    return {
      op: 'map',
      value: plan,
      type: { type: 'map', 'key-id': 0, key: 'string', 'value-id': 0, 'value-required': false, value: plan.type },
    };
  }

  #struct(flat: Flat, path: string, source: string): JsonPlan {
    const members: { key: string; plan: JsonPlan }[] = [];
    const fields: NestedField[] = [];
    const [prefix, from] = path === '' ? ['', ''] : [`${path}.`, `${source}.`];
    for (const [key, all] of flat.properties) {
      const inner = flatten(this.#documents, all.length === 1 ? all[0]! : { allOf: all });
      if (typesOf(inner)?.size === 0) continue;
      const name = this.#names.claim(prefix, key);
      const plan = this.plan(inner, `${prefix}${name}`, `${from}${key}`);
      if (!plan) continue;
      const description = inner.other.get('description');
      const doc = columnDoc(key, name, typeof description === 'string' ? description : undefined);
      const required = prefix === '' && flat.required.has(key) && typesOf(inner)?.has('null') === false;
      members.push({ key, plan });
      fields.push({ id: 0, name, required, type: plan.type, ...(doc === undefined ? {} : { doc }) });
    }
    const plan: JsonStruct = { op: 'struct', members, type: { type: 'struct', fields } };
    return fields.length > 0 ? plan : TEXT;
  }

  #array(flat: Flat, path: string, source: string): JsonPlan {
    // Positions of their own have no place in a list.
    if (flat.tuple) return TEXT;
    const plan =
      this.plan(flatten(this.#documents, flat.items ?? true), `${path}.element`, `${source}.element`) ?? TEXT;
    return {
      op: 'list',
      element: plan,
      type: { type: 'list', 'element-id': 0, 'element-required': false, element: plan.type },
    };
  }

  #isRecursive(node: JsonSchemaObject): boolean {
    let known = this.#recursive.get(node);
    if (known === undefined) this.#recursive.set(node, (known = this.#reaches(node)));
    return known;
  }

  #reaches(node: JsonSchemaObject): boolean {
    const seen = new Set<JsonSchemaObject>();
    const open = inside(this.#documents, node);
    for (let next = open.pop(); next; next = open.pop()) {
      if (next === node) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...inside(this.#documents, next));
    }
    return false;
  }
}

/** The one schema of all values of an object without named properties; null where there is none, or it says nothing. */
function valueOf({ additional, patterns }: Flat): JsonSchemaNode | null {
  const [pattern, ...others] = patterns;
  if (pattern === undefined)
    return typeof additional === 'object' && additional && Object.keys(additional).length > 0 ? additional : null;
  return others.length === 0 && additional === false ? pattern : null;
}

/** What `type` says, or else the values of `enum` and `const`, or else the keywords of objects and arrays; null: nothing. */
function typesOf(flat: Flat): Set<JsonType> | null {
  if (flat.types) return new Set(flat.types);
  if (flat.values) return new Set(flat.values.map(typeOf));
  if (flat.properties.size > 0 || flat.patterns.length > 0 || (typeof flat.additional === 'object' && flat.additional))
    return new Set(['object']);
  if (flat.items !== null || flat.tuple) return new Set(['array']);
  return null;
}

function typeOf(value: unknown): JsonType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value as 'boolean' | 'string' | 'object';
}
