import type { JsonSchemaDocuments, JsonSchemaNode, JsonSchemaObject } from './json-schema-documents.ts';
import { isSchema } from './json-schema-documents.ts';

/** Kinds of JSON values as `type` names them. */
export type JsonType = 'null' | 'boolean' | 'object' | 'array' | 'number' | 'string' | 'integer';

/** What a schema says about the form of its values, with every `$ref` followed and every `allOf` merged. */
export interface Flat {
  /** Allowed kinds; null: nothing is said. */
  types: ReadonlySet<JsonType> | null;
  /** By name; several schemas all hold. */
  readonly properties: Map<string, JsonSchemaNode[]>;
  readonly required: Set<string>;
  readonly patterns: JsonSchemaNode[];
  additional: JsonSchemaNode | null;
  items: JsonSchemaNode | null;
  /** Schemas of single positions. */
  tuple: readonly JsonSchemaNode[] | null;
  values: readonly unknown[] | null;
  /** Groups of alternatives (`anyOf`, `oneOf`). */
  readonly alternatives: (readonly JsonSchemaNode[])[];
  /** Other keywords; of several the outermost. */
  readonly other: Map<string, unknown>;
  /** Schemas that were reached by `$ref`. */
  readonly targets: Set<JsonSchemaObject>;
}

const OTHER = ['format', 'contentEncoding', 'title', 'description', 'connect.type', 'connect.parameters'];

export function flatten(documents: JsonSchemaDocuments, node: JsonSchemaNode): Flat {
  const flat: Flat = {
    types: null,
    properties: new Map(),
    required: new Set(),
    patterns: [],
    additional: null,
    items: null,
    tuple: null,
    values: null,
    alternatives: [],
    other: new Map(),
    targets: new Set(),
  };
  merge(flat, documents, node, new Set());
  return flat;
}

/** The schema that a `$ref` stands for (`$recursiveRef` and `$dynamicRef` as if they were `$ref`), or null. */
export function targetOf(documents: JsonSchemaDocuments, node: JsonSchemaObject): JsonSchemaNode | null {
  const reference = node['$ref'] ?? node['$recursiveRef'] ?? node['$dynamicRef'];
  return typeof reference === 'string' ? documents.resolve(node, reference) : null;
}

function merge(flat: Flat, documents: JsonSchemaDocuments, node: JsonSchemaNode, path: Set<JsonSchemaObject>): void {
  documents.count();
  if (node === false) flat.types = new Set();
  // A reference that leads to itself says nothing.
  if (typeof node === 'boolean' || path.has(node)) return;
  path.add(node);
  const target = targetOf(documents, node);
  if (target === null || documents.siblingsCount(node)) own(flat, node);
  if (target !== null) {
    if (typeof target === 'object') flat.targets.add(target);
    merge(flat, documents, target, path);
  }
  if (target === null || documents.siblingsCount(node))
    for (const part of schemas(node['allOf'])) merge(flat, documents, part, path);
  path.delete(node);
}

function own(flat: Flat, node: JsonSchemaObject): void {
  const type = node['type'];
  if (typeof type === 'string' || Array.isArray(type)) {
    const types = new Set((typeof type === 'string' ? [type] : type) as JsonType[]);
    flat.types = flat.types ? both(flat.types, types) : types;
  }
  for (const [name, schema] of entries(node['properties'])) {
    const known = flat.properties.get(name);
    if (known) known.push(schema);
    else flat.properties.set(name, [schema]);
  }
  if (Array.isArray(node['required']))
    for (const name of node['required']) if (typeof name === 'string') flat.required.add(name);
  for (const [, schema] of entries(node['patternProperties'])) flat.patterns.push(schema);
  const additional = node['additionalProperties'] ?? node['unevaluatedProperties'];
  if (isSchema(additional)) flat.additional ??= additional;
  const items = node['items'];
  if (Array.isArray(items)) flat.tuple ??= schemas(items);
  else if (isSchema(items)) flat.items ??= items;
  if (Array.isArray(node['prefixItems'])) flat.tuple ??= schemas(node['prefixItems']);
  if (Array.isArray(node['enum'])) flat.values ??= node['enum'] as unknown[];
  if (Object.hasOwn(node, 'const')) flat.values ??= [node['const']];
  for (const keyword of ['anyOf', 'oneOf'])
    if (Array.isArray(node[keyword])) flat.alternatives.push(schemas(node[keyword]));
  for (const keyword of OTHER)
    if (Object.hasOwn(node, keyword) && !flat.other.has(keyword)) flat.other.set(keyword, node[keyword]);
}

/** `integer` is a part of `number`. */
function both(a: ReadonlySet<JsonType>, b: ReadonlySet<JsonType>): Set<JsonType> {
  const within = (type: JsonType, other: ReadonlySet<JsonType>): boolean =>
    other.has(type) || (type === 'integer' && other.has('number'));
  return new Set([...[...a].filter((type) => within(type, b)), ...[...b].filter((type) => within(type, a))]);
}

function schemas(value: unknown): JsonSchemaNode[] {
  return Array.isArray(value) ? value.filter(isSchema) : [];
}

function entries(value: unknown): [string, JsonSchemaNode][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).filter((entry): entry is [string, JsonSchemaNode] => isSchema(entry[1]))
    : [];
}

const INSIDE = [
  'allOf',
  'anyOf',
  'oneOf',
  'prefixItems',
  'items',
  'properties',
  'patternProperties',
  'additionalProperties',
];

/** Schemas that stand directly in this one where they say something about the form of values. */
export function inside(documents: JsonSchemaDocuments, node: JsonSchemaObject): JsonSchemaObject[] {
  const found: unknown[] = [targetOf(documents, node)];
  for (const keyword of INSIDE) {
    const value = node[keyword];
    if (keyword === 'properties' || keyword === 'patternProperties') found.push(...entries(value).map(([, s]) => s));
    else found.push(...(Array.isArray(value) ? value : [value]));
  }
  return found.filter((one): one is JsonSchemaObject => isSchema(one) && typeof one === 'object');
}
