import type { AvroField, AvroRecordSchema } from './avro-file.ts';

/** Reads the fields of a record by their Iceberg field id, by name where a writer left ids out; null for a missing field. */
export class FieldReader {
  readonly #schema: AvroRecordSchema;
  readonly #names: ReadonlyMap<number, AvroField>;
  readonly #byName: ReadonlyMap<string, AvroField>;

  constructor(schema: AvroRecordSchema) {
    this.#schema = schema;
    this.#names = new Map(
      schema.fields.flatMap((field) => (field['field-id'] === undefined ? [] : [[field['field-id'], field]])),
    );
    this.#byName = new Map(schema.fields.map((field) => [field.name, field]));
  }

  value(record: Record<string, unknown>, id: number, name: string): unknown {
    const field = this.#field(id, name);
    return field === undefined ? null : (record[field.name] ?? null);
  }

  number(record: Record<string, unknown>, id: number, name: string): number | null {
    const value = this.value(record, id, name);
    return value === null ? null : Number(value);
  }

  bigint(record: Record<string, unknown>, id: number, name: string): bigint | null {
    const value = this.value(record, id, name);
    return value === null ? null : BigInt(value as number | bigint);
  }

  /** A map, which in Avro is an array of pairs. */
  map<T>(record: Record<string, unknown>, id: number, name: string): ReadonlyMap<number, T> | null {
    const value = this.value(record, id, name) as { key: number; value: T }[] | null;
    return value && new Map(value.map((pair) => [pair.key, pair.value]));
  }

  /** All fields by id; longs as bigint. */
  byId(record: Record<string, unknown>): ReadonlyMap<number, unknown> {
    const values = new Map<number, unknown>();
    for (const [id, field] of this.#names) {
      const value = record[field.name] ?? null;
      values.set(id, typeof value === 'number' && isLong(field.type) ? BigInt(value) : value);
    }
    return values;
  }

  /** Schema of a field that is a record (or an array of records, or null). */
  recordOf(id: number, name: string): AvroRecordSchema {
    const found = recordIn(this.#field(id, name)?.type);
    return found ?? { type: 'record', name: this.#schema.name, fields: [] };
  }

  #field(id: number, name: string): AvroField | undefined {
    return this.#names.get(id) ?? this.#byName.get(name);
  }
}

export function fieldReader(schema: AvroRecordSchema): FieldReader {
  return new FieldReader(schema);
}

function recordIn(type: unknown): AvroRecordSchema | undefined {
  if (Array.isArray(type)) return type.map(recordIn).find((found) => found !== undefined);
  if (typeof type !== 'object' || type === null) return undefined;
  const { type: kind, items } = type as { type?: unknown; items?: unknown };
  if (kind === 'record') return type as AvroRecordSchema;
  return kind === 'array' ? recordIn(items) : recordIn(kind);
}

function isLong(type: unknown): boolean {
  if (Array.isArray(type)) return type.some(isLong);
  return type === 'long' || (typeof type === 'object' && type !== null && isLong((type as { type?: unknown }).type));
}
