import { ColumnBatch } from '../columns/batch.ts';
import type { Vector } from '../columns/batch.ts';
import type { Route, TopicRoutes, ValueTest } from '../config/route.ts';
import type { BoundSchema, DecodeFailure, Decoder } from '../decode/decoder.ts';
import { makeDecoder } from '../decode/factory.ts';
import { INVALID_KEY, NULL_KEY, PLAIN_KEY } from '../decode/wire-format.ts';
import { assignIds } from '../schema/assign-ids.ts';
import { readHeaders } from '../source/headers.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { SchemaKey, WorkerTableOptions } from './messages.ts';

type Refusal = Pick<DecodeFailure, 'code' | 'reason'>;

/** What is known of a writer schema for routing: it becomes no part of the table before a record of it is the table's. */
export interface RouteSchema {
  /** Full name or title; null where it has none. */
  readonly name: string | null;
  /** Null: its records cannot be decoded. */
  readonly bound: BoundSchema | null;
  readonly refused: Refusal | null;
}

/** Records [from, end) have one route; −1: none takes them, for the reason. */
export interface RoutedRun {
  readonly end: number;
  readonly route: number;
  readonly refusal: Refusal;
}

/** The schemas that routing knows in one worker, with what reads fields of their records. */
export class RouteSchemas {
  readonly #options: WorkerTableOptions;
  readonly #known = new Map<SchemaKey, RouteSchema>();
  readonly #fields = new Map<SchemaKey, FieldReader>();

  constructor(options: WorkerTableOptions) {
    this.#options = options;
  }

  add(key: SchemaKey, schema: RouteSchema): void {
    this.#known.set(key, schema);
    this.#fields.delete(key);
  }

  get(key: SchemaKey): RouteSchema | null {
    return this.#known.get(key) ?? null;
  }

  fields(key: SchemaKey): FieldReader | null {
    const bound = this.#known.get(key)?.bound;
    if (!bound) return null;
    let reader = this.#fields.get(key);
    if (!reader) this.#fields.set(key, (reader = new FieldReader(bound, this.#options)));
    return reader;
  }
}

/**
 * Which of a topic's tables takes a record: the first route, in the order of the file, that does; `otherwise` what none
 * takes. Every table of the topic asks the same question of the same routes, so that each record has one table.
 */
export class RouteReader {
  readonly routes: TopicRoutes;
  readonly #schemas: RouteSchemas;
  readonly #tests: readonly ((text: string) => boolean)[];
  readonly #otherwise: number;
  readonly #bySchema: boolean;
  readonly #byHeader: boolean;
  readonly #byField: boolean;

  constructor(routes: TopicRoutes, schemas: RouteSchemas) {
    this.routes = routes;
    this.#schemas = schemas;
    this.#tests = routes.routes.map(testOf);
    this.#otherwise = routes.routes.findIndex(({ kind }) => kind === 'otherwise');
    const has = (kind: Route['kind']): boolean => routes.routes.some((route) => route.kind === kind);
    this.#byHeader = has('header');
    this.#byField = has('field');
    this.#bySchema = has('record') || this.#byField;
  }

  /** Whether the schema must be asked for before its records are routed. */
  needs(key: SchemaKey, hasSchema: boolean): boolean {
    if (!this.#bySchema || key === NULL_KEY || key === INVALID_KEY || (key === PLAIN_KEY && !hasSchema)) return false;
    return this.#schemas.get(key) === null;
  }

  /** The longest run of records from `from`, all of schema `key` or null, with one route. A null has no schema. */
  run(positions: RecordPositions, from: number, to: number, key: SchemaKey): RoutedRun {
    const { payloadLength } = positions;
    const isNull = payloadLength[from]! < 0;
    const schema = isNull ? null : this.#schemas.get(key);
    let refusal = schema?.refused ?? (key === INVALID_KEY && !isNull ? NO_SCHEMA : NO_ROUTE);
    let limit = to;
    const reader = this.#byField ? this.#schemas.fields(key) : null;
    if (reader) {
      const decoded = reader.read(positions, from, to);
      limit = Math.max(from + 1, decoded.end);
      if (decoded.end === from) refusal = decoded.failure;
    }
    const route = this.#routeOf(positions, from, 0, key, schema, reader);
    let end = from + 1;
    if (!this.#byHeader && !this.#byField) while (end < limit && payloadLength[end]! < 0 === isNull) end++;
    else {
      const own = this.#schemas.get(key);
      const at = (i: number): number =>
        this.#routeOf(positions, i, i - from, key, payloadLength[i]! < 0 ? null : own, reader);
      while (end < limit && at(end) === route) end++;
    }
    return { end, route, refusal };
  }

  /** Whether a record without schema is the table's own. */
  takesPlain(positions: RecordPositions, index: number): boolean {
    return this.#routeOf(positions, index, 0, PLAIN_KEY, null, null) === this.routes.own;
  }

  /** @param row the record's place among those that `reader` has read. */
  #routeOf(
    positions: RecordPositions,
    index: number,
    row: number,
    key: SchemaKey,
    schema: RouteSchema | null,
    reader: FieldReader | null,
  ): number {
    let headers: ReturnType<typeof readHeaders> | null = null;
    let json: unknown;
    for (const [n, route] of this.routes.routes.entries()) {
      let text: string | null = null;
      if (route.kind === 'record') text = schema?.name ?? null;
      else if (route.kind === 'header') {
        headers ??= readHeaders(positions, index);
        const value = headers.findLast((header) => header.key === route.name)?.value;
        text = value ? Buffer.from(value).toString() : null;
      } else if (route.kind === 'field') {
        if (reader) text = reader.text(route.path, row);
        else if (key === PLAIN_KEY) text = jsonText((json ??= jsonOf(positions, index)), route.path);
      }
      if (text !== null && this.#tests[n]!(text)) return n;
    }
    return this.#otherwise;
  }
}

const NO_ROUTE: Refusal = { code: 'ROUTE_NONE', reason: 'no route of the topic takes the record' };
const NO_SCHEMA: Refusal = {
  code: 'ROUTE_NONE',
  reason: 'no route of the topic takes the record, which carries no schema id',
};

function testOf(route: Route): (text: string) => boolean {
  if (route.kind === 'otherwise') return () => false;
  const test: ValueTest = route.kind === 'record' ? { equals: route.names } : route.test;
  if ('equals' in test) return (text) => test.equals.includes(text);
  const pattern = new RegExp(test.matches, 'u');
  return (text) => pattern.test(text);
}

/** Decodes records of one writer schema into columns of its own, only to look at fields. */
class FieldReader {
  readonly #decoder: Decoder;
  readonly #batch: ColumnBatch;

  constructor(bound: BoundSchema, options: WorkerTableOptions) {
    const { struct } = assignIds(bound.struct, 1);
    const layout = { ...struct, 'schema-id': 0 };
    this.#decoder = makeDecoder({ ...bound, struct }, layout, options);
    this.#batch = new ColumnBatch(layout);
  }

  /** Reads records [from, to), as far as they can be decoded; `end` is `from` where the first cannot. */
  read(positions: RecordPositions, from: number, to: number): { end: number; failure: Refusal } {
    this.#batch.clear();
    const end = this.#decoder.decode(positions, from, to, this.#batch);
    this.#batch.rows = end - from;
    return { end, failure: this.#decoder.failure };
  }

  /** The field as text; null where it is absent, null or no scalar. */
  text(path: readonly string[], row: number): string | null {
    if (row >= this.#batch.rows) return null;
    let vectors: readonly Vector[] = this.#batch.columns;
    let found: Vector | undefined;
    for (const name of path) {
      found = vectors.find((vector) => vector.field.name === name);
      if (!found || (found.validity && ((found.validity[row >> 3]! >> (row & 7)) & 1) === 0)) return null;
      vectors = found.kind === 'struct' ? found.children : [];
    }
    return found ? scalarText(found, row) : null;
  }
}

function scalarText(vector: Vector, row: number): string | null {
  switch (vector.field.type) {
    case 'string':
      return Buffer.from(vector.bytes.subarray(vector.offsets[row], vector.offsets[row + 1])).toString();
    case 'boolean':
      return String(((vector.bits[row >> 3]! >> (row & 7)) & 1) === 1);
    case 'int':
      return String(vector.i32[row]!);
    case 'long':
      return String((BigInt(vector.i32[2 * row + 1]!) << 32n) | BigInt(vector.i32[2 * row]! >>> 0));
    case 'uuid': {
      const hex = Buffer.from(vector.bytes.subarray(16 * row, 16 * row + 16)).toString('hex');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    }
    default:
      return null;
  }
}

/** Undefined where the value is no JSON: its decoder says what is wrong with it. */
function jsonOf({ bytes, payloadStart, payloadLength }: RecordPositions, index: number): unknown {
  const length = payloadLength[index]!;
  if (length < 0) return null;
  const start = payloadStart[index]!;
  try {
    return JSON.parse(Buffer.from(bytes.subarray(start, start + length)).toString());
  } catch {
    return null;
  }
}

function jsonText(value: unknown, path: readonly string[]): string | null {
  let found = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return null;
    found = (found as Record<string, unknown>)[name];
  }
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? String(found) : null;
}
