import { TabletopicError } from '../errors.ts';
import { withConnectTypes } from './connect-types.ts';

const PRIMITIVES: Readonly<Record<string, string>> = {
  int8: 'int',
  int16: 'int',
  int32: 'int',
  int64: 'long',
  float: 'float',
  double: 'double',
  boolean: 'boolean',
  string: 'string',
  bytes: 'bytes',
};
const MOST_DEPTH = 200;

type Json = Readonly<Record<string, unknown>>;

/**
 * The schema that Kafka Connect's JsonConverter writes before each payload (`schemas.enable`), as the Avro schema that the
 * AvroConverter would have registered: the same columns come of both.
 *
 * @throws SCHEMA_UNSUPPORTED where the text is no such schema.
 */
export function connectToAvro(text: string): string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TabletopicError('SCHEMA_UNSUPPORTED', 'The Connect schema is not JSON', { cause });
  }
  return withConnectTypes(JSON.stringify(new Converter().type(json, 'the schema', 0)));
}

class Converter {
  /** Names of structs by their text: `before` and `after` of an envelope are one type. */
  readonly #names = new Map<string, string>();

  type(json: unknown, at: string, depth: number): unknown {
    if (typeof json !== 'object' || json === null || depth > MOST_DEPTH) throw invalid(at, 'is not a type');
    const schema = json as Json;
    const type = this.#required(schema, at, depth);
    return schema['optional'] === true ? ['null', type] : type;
  }

  #required(schema: Json, at: string, depth: number): unknown {
    const { type, name, version, parameters } = schema;
    const connect = {
      ...(typeof name === 'string' ? { 'connect.name': name } : {}),
      ...(version === undefined ? {} : { 'connect.version': version }),
      ...(parameters === undefined ? {} : { 'connect.parameters': parameters }),
    };
    switch (type) {
      case 'struct':
        return this.#struct(schema, at, depth);
      case 'array':
        return { type: 'array', items: this.type(schema['items'], `${at}.items`, depth + 1) };
      case 'map': {
        const keys = schema['keys'] as Json | undefined;
        if (keys?.['type'] !== 'string') throw invalid(at, 'is a map whose keys are no strings');
        return { type: 'map', values: this.type(schema['values'], `${at}.values`, depth + 1) };
      }
      default: {
        const primitive = typeof type === 'string' && Object.hasOwn(PRIMITIVES, type) ? PRIMITIVES[type] : undefined;
        if (primitive === undefined) throw invalid(at, 'has no type of Kafka Connect');
        return { type: primitive, ...connect };
      }
    }
  }

  #struct({ name, fields }: Json, at: string, depth: number): unknown {
    if (!Array.isArray(fields)) throw invalid(at, 'is a struct without fields');
    const key = JSON.stringify([name, fields]);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    // Connect's names may be none of Avro's, and are not unique; those of Debezium's own types are known by name.
    const own =
      typeof name === 'string' && name.startsWith('io.debezium.data.') ? name : `Struct${this.#names.size + 1}`;
    this.#names.set(key, own);
    return {
      type: 'record',
      name: own,
      fields: fields.map((field: unknown) => {
        const fieldName = (field as Json | null)?.['field'];
        if (typeof fieldName !== 'string') throw invalid(at, 'has a field without a name');
        return { name: fieldName, type: this.type(field, `${at}.${fieldName}`, depth + 1) };
      }),
    };
  }
}

function invalid(at: string, problem: string): TabletopicError {
  return new TabletopicError('SCHEMA_UNSUPPORTED', `Invalid Connect schema: ${at} ${problem}`);
}
