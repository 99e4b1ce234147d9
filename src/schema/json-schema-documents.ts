import { TabletopicError } from '../errors.ts';

/** A JSON Schema, or a part of one. Booleans are schemas: everything, nothing. */
export type JsonSchemaNode = boolean | JsonSchemaObject;
export interface JsonSchemaObject {
  readonly [keyword: string]: unknown;
}

/** Base of schemas that say none: names of references are relative to it. */
const NOWHERE = 'json-schema:///';
/** Keywords whose values are data and hold no schemas. */
const DATA: ReadonlySet<string> = new Set(['enum', 'const', 'default', 'examples']);
const MOST_DEPTH = 500;
/** A short text can stand for any number of them: each level of references may use the one below twice. */
const MOST_MERGED = 200_000;

/**
 * The schema text with those it references, and what a `$ref` in any of them means: JSON pointers and anchors in the same
 * document, other documents by the name under which the registry knows them or by their `$id` (JSON Schema core, "Base
 * URI, Anchors, and Dereferencing"; `id` in draft 4).
 */
export class JsonSchemaDocuments {
  readonly root: JsonSchemaNode;
  /** Of every part the URI of the resource that it stands in. */
  readonly #bases = new WeakMap<JsonSchemaObject, string>();
  readonly #byUri = new Map<string, JsonSchemaNode>();
  readonly #modern = new WeakSet<JsonSchemaObject>();
  #merged = 0;

  /** @throws SCHEMA_UNSUPPORTED for text that is not JSON or not a schema. */
  constructor(text: string, references: Readonly<Record<string, string>>) {
    this.root = parse(text, 'The schema');
    const base = idOf(this.root, NOWHERE) ?? NOWHERE;
    this.#add(this.root, base);
    for (const [name, other] of Object.entries(references)) {
      const node = parse(other, `The referenced schema ${name}`);
      const uri = resolved(name, base);
      this.#byUri.set(name, node);
      this.#byUri.set(uri, node);
      this.#add(node, idOf(node, uri) ?? uri);
    }
  }

  /** One more schema was looked into. @throws SCHEMA_UNSUPPORTED for more than the columns of any table need. */
  count(): void {
    if (++this.#merged > MOST_MERGED)
      throw new TabletopicError(
        'SCHEMA_UNSUPPORTED',
        `The JSON Schema stands for more than ${MOST_MERGED} schemas by its references`,
      );
  }

  /** True where keywords beside `$ref` count (2019-09 and later). */
  siblingsCount(node: JsonSchemaObject): boolean {
    return this.#modern.has(node);
  }

  /** @throws SCHEMA_UNSUPPORTED for a reference to nothing. */
  resolve(node: JsonSchemaObject, reference: string): JsonSchemaNode {
    const base = this.#bases.get(node) ?? NOWHERE;
    const [, uri, fragment = ''] = /^([^#]*)(?:#(.*))?$/s.exec(reference)!;
    const found = this.#resource(uri!, base);
    const target = found === undefined ? undefined : this.#fragment(found, resolved(uri!, base), fragment);
    if (target === undefined || !isSchema(target))
      throw new TabletopicError('SCHEMA_UNSUPPORTED', `The JSON Schema refers to ${reference}, which is nowhere`, {
        where: { reference },
      });
    return target;
  }

  #resource(uri: string, base: string): JsonSchemaNode | undefined {
    if (uri === '') return this.#byUri.get(base);
    return this.#byUri.get(resolved(uri, base)) ?? this.#byUri.get(uri);
  }

  #fragment(node: JsonSchemaNode, uri: string, fragment: string): unknown {
    if (fragment === '') return node;
    if (!fragment.startsWith('/')) {
      const base = typeof node === 'object' ? (this.#bases.get(node) ?? uri) : uri;
      return this.#byUri.get(`${base}#${fragment}`);
    }
    let found: unknown = node;
    for (const part of fragment.slice(1).split('/')) {
      const key = unescaped(part);
      if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
      found = (found as Record<string, unknown>)[key];
    }
    return found;
  }

  #add(node: JsonSchemaNode, base: string): void {
    this.#byUri.set(base, node);
    if (typeof node === 'object') this.#visit(node, base, isModern(node['$schema']), 0);
  }

  #visit(node: object, outer: string, modern: boolean, depth: number): void {
    if (depth > MOST_DEPTH) throw new TabletopicError('SCHEMA_UNSUPPORTED', 'The JSON Schema is nested too deeply');
    let base = outer;
    if (!Array.isArray(node)) {
      const schema = node as JsonSchemaObject;
      base = depth === 0 ? outer : (idOf(schema, outer) ?? outer);
      if (base !== outer) this.#byUri.set(base, schema);
      this.#bases.set(schema, base);
      if (modern) this.#modern.add(schema);
      const id = schema['$id'] ?? schema['id'];
      for (const anchor of [
        schema['$anchor'],
        schema['$dynamicAnchor'],
        typeof id === 'string' && id.startsWith('#') ? id.slice(1) : undefined,
      ])
        if (typeof anchor === 'string') this.#byUri.set(`${base}#${anchor}`, schema);
    }
    for (const [keyword, value] of Object.entries(node))
      if (typeof value === 'object' && value !== null && !DATA.has(keyword))
        this.#visit(value, base, modern, depth + 1);
  }
}

/** By the URI of the dialect; a schema that names none is taken for draft 7, as registries do. */
function isModern(dialect: unknown): boolean {
  return typeof dialect === 'string' && /20(19|20)-/.test(dialect);
}

export function isSchema(value: unknown): value is JsonSchemaNode {
  return typeof value === 'boolean' || (typeof value === 'object' && value !== null && !Array.isArray(value));
}

function parse(text: string, what: string): JsonSchemaNode {
  try {
    const node: unknown = JSON.parse(text);
    if (isSchema(node)) return node;
  } catch (cause) {
    throw new TabletopicError('SCHEMA_UNSUPPORTED', `${what} is not JSON`, { cause });
  }
  throw new TabletopicError('SCHEMA_UNSUPPORTED', `${what} is neither an object nor a boolean`);
}

/** The URI that a schema gives itself, without fragment. A property that is called `id` is an object, no text. */
function idOf(node: JsonSchemaNode, base: string): string | null {
  if (typeof node === 'boolean') return null;
  const id = node['$id'] ?? node['id'];
  return typeof id === 'string' && !id.startsWith('#') ? resolved(id.replace(/#.*$/s, ''), base) : null;
}

function resolved(uri: string, base: string): string {
  try {
    return uri === '' ? base : new URL(uri, base).href;
  } catch {
    return uri;
  }
}

function unescaped(part: string): string {
  let text = part;
  try {
    text = decodeURIComponent(part);
  } catch {
    // A percent sign that escapes nothing.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~');
}
