import type { FormatOptions, TablePlan } from '../config/config.ts';
import { registryIdOf } from '../decode/wire-format.ts';
import { asTabletopicError } from '../errors.ts';
import type { FromWorker } from '../pipeline/messages.ts';
import type { RouteSchema } from '../pipeline/route-reader.ts';
import type { LayoutSource, WriterSchema } from './layout-source.ts';
import type { LayoutsOptions } from './layouts.ts';

/** What routing knows a writer schema by. */
function routeSchema(writer: WriterSchema): RouteSchema {
  const { aliases: _, ...bound } = writer;
  return { name: nameOf(writer), bound, refused: null };
}

/**
 * The answer to a question about routing; the schema becomes no part of the table, for its records may be another's. Null: it
 * is Protobuf, and the record names a message of it. Rejects as the source does, but for what is the record's own fault.
 */
export async function askRoute(
  { source, signal, retry }: Pick<LayoutsOptions, 'source' | 'signal' | 'retry'>,
  { schema }: FormatOptions,
  { part, key, guid, index, text, topic }: Extract<FromWorker, { type: 'need-schema' }>,
): Promise<RouteSchema | null> {
  const look = async (): Promise<WriterSchema | null> => {
    if (text !== null) return source.inline(part, text);
    if (schema === 'id') return source.byId(part, guid === null ? registryIdOf(key)! : { guid }, index, signal);
    return retry('look up the newest schema', () => source.fixed(part, topic, signal));
  };
  try {
    const writer = await look();
    return writer && routeSchema(writer);
  } catch (thrown) {
    const { code, message, policy } = asTabletopicError(thrown);
    if (policy !== 'dead-letter' && text === null) throw thrown;
    return { name: null, bound: null, refused: { code, reason: message } };
  }
}

/** Full name of an Avro record (Avro 1.12, Names) or Protobuf message, title of a JSON Schema; null where it has none. */
function nameOf({ format, text, message }: WriterSchema): string | null {
  if (message !== undefined) return message;
  if (format !== 'avro' && format !== 'json-schema' && format !== 'debezium') return null;
  const schema = JSON.parse(text) as unknown;
  if (typeof schema !== 'object' || schema === null) return null;
  const { name, namespace, title } = schema as { name?: unknown; namespace?: unknown; title?: unknown };
  if (format === 'json-schema') return typeof title === 'string' ? title : null;
  if (typeof name !== 'string') return null;
  return typeof namespace === 'string' && namespace !== '' && !name.includes('.') ? `${namespace}.${name}` : name;
}

/**
 * The schemas of a table that takes only a part of a topic: what is known of the topic before any record is read may be
 * another table's, so that the table is created only with what its own route names.
 */
export function routedSource(source: LayoutSource, { routes }: Pick<TablePlan, 'routes'>): LayoutSource {
  const own = Object.values(routes ?? {}).map((topic) => topic.routes[topic.own]!);
  if (own.length === 0) return source;
  const names = new Set(own.flatMap((route) => (route.kind === 'record' ? route.names : [])));
  return {
    ...source,
    async known(part, topics, signal) {
      if (part === 'key') return source.known(part, topics, signal);
      const known = await source.known(part, topics, signal);
      return known.filter((writer) => names.has(nameOf(writer) ?? ''));
    },
  };
}
