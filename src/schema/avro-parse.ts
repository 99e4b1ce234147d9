import { TabletopicError } from '../errors.ts';
import type { AvroField, AvroLogical, AvroNode, AvroPrimitive } from './avro-node.ts';

const PRIMITIVES: ReadonlySet<string> = new Set([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]);
const MOST_DEPTH = 200;

type Json = Readonly<Record<string, unknown>>;

/**
 * Parses Avro schema text. Names that it does not define are looked for in `references` (registry reference name, for
 * Avro a full name, to schema text).
 *
 * @throws SCHEMA_UNSUPPORTED where the text is not a valid Avro schema; the message names the place.
 */
export function parseAvro(text: string, references: Readonly<Record<string, string>> = {}): AvroNode {
  const parser = new Parser(references);
  return parser.parse(text);
}

class Parser {
  readonly #references: Map<string, string>;
  readonly #names = new Map<string, AvroNode>();

  constructor(references: Readonly<Record<string, string>>) {
    this.#references = new Map(Object.entries(references));
  }

  parse(text: string): AvroNode {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (cause) {
      // A bare type name is a schema too, as some producers register it.
      if (/^[A-Za-z_][\w.]*$/.test(text.trim())) json = text.trim();
      else throw new TabletopicError('SCHEMA_UNSUPPORTED', 'The Avro schema is not JSON', { cause });
    }
    return this.#node(json, '', 'the schema', 0);
  }

  #node(json: unknown, namespace: string, at: string, depth: number): AvroNode {
    if (depth > MOST_DEPTH) throw invalid(at, `is nested deeper than ${MOST_DEPTH} levels`);
    if (typeof json === 'string') return this.#named(json, namespace, at);
    if (Array.isArray(json)) {
      if (json.length === 0) throw invalid(at, 'is a union without branches');
      return { kind: 'union', branches: json.map((branch: unknown) => this.#node(branch, namespace, at, depth + 1)) };
    }
    if (typeof json !== 'object' || json === null) throw invalid(at, 'is not a type');
    const object = json as Json;
    const type = object['type'];
    if (typeof type === 'object') return this.#node(type, namespace, at, depth + 1);
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(object, namespace, at, depth);
      case 'enum': {
        const name = fullName(object, namespace, at);
        const symbols = object['symbols'];
        if (!Array.isArray(symbols) || !symbols.every((symbol) => typeof symbol === 'string'))
          throw invalid(at, 'is an enum without symbols');
        return this.#define(name, { kind: 'enum', name, symbols: symbols }, at);
      }
      case 'fixed': {
        const name = fullName(object, namespace, at);
        const size = object['size'];
        if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > 2 ** 30)
          throw invalid(at, 'is a fixed without a valid size');
        return this.#define(name, { kind: 'fixed', name, size, logical: logicalOf(object) }, at);
      }
      case 'array':
        return { kind: 'array', items: this.#node(object['items'], namespace, `${at}.items`, depth + 1) };
      case 'map':
        return { kind: 'map', values: this.#node(object['values'], namespace, `${at}.values`, depth + 1) };
      default:
        break;
    }
    if (typeof type !== 'string') throw invalid(at, 'has no type');
    if (PRIMITIVES.has(type)) return { kind: type as AvroPrimitive['kind'], logical: logicalOf(object) };
    return this.#named(type, namespace, at);
  }

  #record(object: Json, outer: string, at: string, depth: number): AvroNode {
    const name = fullName(object, outer, at);
    const fields: AvroField[] = [];
    const node = this.#define(name, { kind: 'record', name, fields }, at);
    const list = object['fields'];
    if (!Array.isArray(list)) throw invalid(at, 'is a record without fields');
    const namespace = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
    const seen = new Set<string>();
    for (const entry of list as unknown[]) {
      const field = (typeof entry === 'object' && entry !== null ? entry : {}) as Json;
      const fieldName = field['name'];
      if (typeof fieldName !== 'string' || fieldName === '') throw invalid(at, 'has a field without a name');
      if (seen.has(fieldName)) throw invalid(at, `has two fields named ${fieldName}`);
      seen.add(fieldName);
      const aliases = field['aliases'];
      fields.push({
        name: fieldName,
        aliases: Array.isArray(aliases) ? aliases.filter((alias) => typeof alias === 'string') : [],
        doc: typeof field['doc'] === 'string' ? field['doc'] : undefined,
        node: this.#node(field['type'], namespace, `${at}.${fieldName}`, depth + 1),
      });
    }
    return node;
  }

  #define(name: string, node: AvroNode, at: string): AvroNode {
    if (this.#names.has(name)) throw invalid(at, `defines ${name} a second time`);
    this.#names.set(name, node);
    return node;
  }

  #named(name: string, namespace: string, at: string): AvroNode {
    if (PRIMITIVES.has(name)) return { kind: name as AvroPrimitive['kind'], logical: null };
    const full = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
    // Some writers leave the namespace out where it is empty inside a namespaced record: the bare name is the second try.
    const find = (): AvroNode | undefined => this.#names.get(full) ?? this.#names.get(name);
    const known = find();
    if (known) return known;
    for (const reference of [full, name, ...this.#references.keys()]) {
      const text = this.#references.get(reference);
      if (text === undefined) continue;
      this.#references.delete(reference);
      this.parse(text);
      const found = find();
      if (found) return found;
    }
    throw invalid(at, `names the unknown type ${full}`);
  }
}

function fullName(object: Json, outer: string, at: string): string {
  const name = object['name'];
  if (typeof name !== 'string' || name === '') throw invalid(at, 'has no name');
  if (name.includes('.')) return name;
  const namespace = typeof object['namespace'] === 'string' ? object['namespace'] : outer;
  return namespace === '' ? name : `${namespace}.${name}`;
}

function logicalOf(object: Json): AvroLogical | null {
  const name = object['logicalType'];
  if (typeof name !== 'string') return null;
  const number = (key: string): number =>
    Number.isSafeInteger(object[key]) ? (object[key] as number) : key in object ? -1 : 0;
  return { name, precision: number('precision'), scale: number('scale') };
}

function invalid(at: string, problem: string): TabletopicError {
  return new TabletopicError('SCHEMA_UNSUPPORTED', `Invalid Avro schema: ${at} ${problem}`);
}
