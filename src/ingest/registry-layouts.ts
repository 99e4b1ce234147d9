import type { Logger } from 'pino';
import type { FormatOptions, RegistryConfig, TableOptions } from '../config/config.ts';
import type { Part } from '../decode/decoder.ts';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { createRegistry } from '../registry/client.ts';
import type { RegisteredSchema, Registry, RegistryHealth } from '../registry/registry.ts';
import { isTopicRecordSubject, subjectOf } from '../registry/subjects.ts';
import { convertAvro } from '../schema/avro.ts';
import { connectToAvro } from '../schema/connect-json.ts';
import { withConnectTypes } from '../schema/connect-types.ts';
import { convertDebezium } from '../schema/debezium.ts';
import { convertJsonSchema } from '../schema/json-schema.ts';
import { declaredMessages } from '../schema/protobuf-index.ts';
import { convertProtobuf } from '../schema/protobuf.ts';
import type { MessageChoice } from '../schema/protobuf.ts';
import type { LayoutSource, WriterSchema } from './layout-source.ts';

/** The registry's schemas as columns of tables. One client for all tables, so that a schema is fetched once. */
export class RegistryLayouts {
  readonly #registry: Registry;
  readonly #log: Logger;

  /** @param create the client; the simulator has a twin. */
  constructor(
    config: RegistryConfig,
    ports: Ports,
    logger: Logger,
    onHealth: RegistryHealth,
    create: (onHealth: RegistryHealth) => Registry = (heard) => createRegistry(config, ports, heard),
  ) {
    this.#log = logger;
    this.#registry = create((error) => {
      if (error)
        this.#log.warn({ code: error.code, hint: error.hint, ...error.where }, `${error.message}; trying again`);
      onHealth(error);
    });
  }

  forTable(options: TableOptions): LayoutSource {
    return tableLayouts(this.#registry, options);
  }
}

/** What is asked of a registry about schemas; `check` asks one that does not wait. */
export type SchemaLookup = Pick<Registry, 'schema' | 'latest' | 'subjects'>;

/** A table's view of a registry, and of its own schema files: the same schema may become other types under other options. */
export function tableLayouts(registry: SchemaLookup | null, options: TableOptions): LayoutSource {
  const formatOf = (part: Part): FormatOptions => (part === 'key' ? options.key! : options.value);
  return {
    async byId(part, id, index, signal) {
      if (!registry) throw noRegistry(id);
      const schema = await registry.schema(typeof id === 'number' ? id : id.guid, signal);
      if (schema.type === 'PROTOBUF' && index === null && formatOf(part).format === 'auto') return null;
      return writerSchema(schema, options, formatOf(part), part, index);
    },
    inline: (part, text) => debeziumSchema('debezium-json', connectToAvro(text), {}, options, part),
    async known(part, topics, signal) {
      const found = await knownSchemas(registry, formatOf(part), part, topics, signal);
      return found.map(({ schema, message }) => writerSchema(schema, options, formatOf(part), part, message));
    },
    async fixed(part, topic, signal) {
      const format = formatOf(part);
      if (typeof format.schema === 'object')
        return writerSchema(fileSchema(format)!, options, format, part, format.message);
      const subject = subjectOf(format, part, topic)!;
      const schema = await registry?.latest(subject, signal);
      if (schema) return writerSchema(schema, options, format, part, format.message);
      throw new TabletopicError('REGISTRY_UNAVAILABLE', `The schema registry has no subject ${subject} yet`, {
        hint: `Records of ${topic} wait for it: register the schema, or correct \`${part}.subject\`.`,
        where: { subject, topic },
      });
    },
  };
}

/** A schema that is known before any record is read, and where it was found. */
export interface KnownSchema {
  readonly schema: RegisteredSchema;
  /** `subject orders-value` or the file. */
  readonly source: string;
  /** Of a Protobuf schema: which of its messages; null: the only one. */
  readonly message: string | null;
}

/** First the one that a table is created with. Empty where only the records say. */
export async function knownSchemas(
  registry: SchemaLookup | null,
  format: FormatOptions,
  part: Part,
  topics: readonly string[],
  signal?: AbortSignal,
): Promise<readonly KnownSchema[]> {
  const file = fileSchema(format);
  if (file)
    return [{ schema: file, source: (format.schema as { file: readonly string[] }).file[0]!, message: format.message }];
  if (!registry || !(format.format in SCHEMA_TYPES)) return [];
  const listed = format.subjectNameStrategy === 'topic-record' && format.subject === null && format.message === null;
  const found: KnownSchema[] = [];
  for (const topic of topics) {
    const subjects = listed
      ? // A key and a value of this strategy are not told apart by their subjects.
        part === 'value'
        ? (await registry.subjects(`${topic}-`, signal)).filter((subject) => isTopicRecordSubject(subject, topic))
        : []
      : [subjectOf(format, part, topic) ?? []].flat();
    for (const subject of subjects) {
      const schema = await registry.latest(subject, signal);
      const message = listed ? subject.slice(topic.length + 1) : format.message;
      if (schema && SCHEMA_TYPES[format.format]!.includes(schema.type) && saysWhich(schema, message))
        found.push({ schema, source: `subject ${subject}`, message });
    }
    if (!listed && found.length > 0) break;
  }
  return found;
}

/** A Protobuf schema of several messages says nothing before a record names one. */
function saysWhich({ type, text }: RegisteredSchema, message: string | null): boolean {
  return type !== 'PROTOBUF' || message !== null || declaredMessages(text).length === 1;
}

/** Formats whose schemas stand in a registry or a file, and the types that they read; a file is of the first. */
export const SCHEMA_TYPES: Readonly<Partial<Record<FormatOptions['format'], readonly RegisteredSchema['type'][]>>> = {
  auto: ['AVRO', 'JSON', 'PROTOBUF'],
  avro: ['AVRO'],
  protobuf: ['PROTOBUF'],
  debezium: ['AVRO'],
  'json-schema': ['JSON'],
};

function fileSchema({ format, schema }: FormatOptions): RegisteredSchema | null {
  if (typeof schema !== 'object') return null;
  return { id: null, type: SCHEMA_TYPES[format]![0]!, text: schema.text, references: schema.references };
}

/** A schema's columns, as this table reads it. `choice`: which message of a Protobuf schema, by default the first. */
export function writerSchema(
  { id, type, text, references }: RegisteredSchema,
  options: TableOptions,
  { format }: FormatOptions,
  part: Part,
  choice: MessageChoice = null,
): WriterSchema {
  if (!SCHEMA_TYPES[format]?.includes(type)) {
    throw new TabletopicError(
      'SCHEMA_UNSUPPORTED',
      `schema ${id ?? ''} is of type ${type}, and \`format\` is ${format}`,
      {
        where: { schema: id ?? '', type },
      },
    );
  }
  if (format === 'debezium')
    return debeziumSchema(format, withConnectTypes(text), mapValues(references, withConnectTypes), options, part);
  if (type === 'JSON') {
    const { struct } = convertJsonSchema(text, references, options);
    return { format: 'json-schema', text, references, struct, aliases: {} };
  }
  if (type === 'PROTOBUF') {
    const { struct, message, identities } = convertProtobuf(text, references, choice, options);
    const aliases =
      id === null
        ? identities
        : Object.fromEntries(Object.entries(identities).map(([path, identity]) => [path, `${identity}@${id}`]));
    return { format: 'protobuf', text, references, message, struct, aliases };
  }
  const { struct, aliases } = convertAvro(text, references, options);
  return { format: 'avro', text, references, struct, aliases };
}

function debeziumSchema(
  format: 'debezium' | 'debezium-json',
  text: string,
  references: Readonly<Record<string, string>>,
  options: TableOptions,
  part: Part,
): WriterSchema {
  const { struct, aliases } = convertDebezium(text, references, options, part);
  return { format, text, references, struct, aliases };
}

function mapValues(
  texts: Readonly<Record<string, string>>,
  change: (text: string) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, change(text)]));
}

function noRegistry(id: number | { readonly guid: string }): TabletopicError {
  return new TabletopicError(
    'REGISTRY_SCHEMA_MISSING',
    `the record names schema ${typeof id === 'number' ? id : id.guid}, and no schema registry is configured`,
    { hint: 'Set `schemaRegistry.url`.' },
  );
}
