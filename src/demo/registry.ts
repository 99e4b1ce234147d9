import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import type { FastifyReply } from 'fastify';

export interface SchemaReference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}
export type SchemaType = 'AVRO' | 'JSON' | 'PROTOBUF';
export interface SchemaToRegister {
  readonly schema: string;
  readonly schemaType?: SchemaType;
  readonly references?: readonly SchemaReference[];
}

export interface Registry {
  readonly url: string;
  /** Registers a version unless the subject has the schema already; the schema's id. */
  register(subject: string, schema: SchemaToRegister): number;
  stop(): Promise<void>;
}

interface Registered {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly text: string;
}

const MEDIA_TYPES = [
  'application/vnd.schemaregistry.v1+json',
  'application/vnd.schemaregistry+json',
  'application/json',
  'application/octet-stream',
];

/**
 * An embedded schema registry in memory: the part of Confluent's API that producers and readers of events use, without
 * compatibility rules. A schema has one id, in however many subjects it stands.
 */
export async function startRegistry(
  options: { readonly port?: number; readonly host?: string } = {},
): Promise<Registry> {
  const { host = '127.0.0.1' } = options;
  const schemas: SchemaToRegister[] = [];
  const ids = new Map<string, number>();
  const subjects = new Map<string, Registered[]>();

  const register = (subject: string, schema: SchemaToRegister): number => {
    const text = identity(schema);
    const versions = subjects.get(subject) ?? [];
    const known = versions.find((one) => one.text === text);
    if (known) return known.id;
    let id = ids.get(text);
    if (id === undefined) {
      id = schemas.push(schema);
      ids.set(text, id);
    }
    versions.push({ subject, version: versions.length + 1, id, text });
    subjects.set(subject, versions);
    return id;
  };
  /** As the registry answers: the type is left out for Avro. */
  const bodyOf = (id: number): object => {
    const { schema, schemaType = 'AVRO', references = [] } = schemas[id - 1]!;
    return {
      schema,
      ...(schemaType === 'AVRO' ? {} : { schemaType }),
      ...(references.length === 0 ? {} : { references }),
    };
  };
  const versionOf = (one: Registered): object => ({
    subject: one.subject,
    version: one.version,
    id: one.id,
    ...bodyOf(one.id),
  });

  const app = fastify({ forceCloseConnections: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(MEDIA_TYPES, { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  app.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header('content-type', MEDIA_TYPES[0]!);
    done();
  });

  app.get('/subjects', () => [...subjects.keys()]);
  app.get('/schemas/types', () => ['AVRO', 'JSON', 'PROTOBUF']);
  app.get<{ Params: { id: string } }>('/schemas/ids/:id', ({ params }, reply) =>
    schemas[Number(params.id) - 1] ? bodyOf(Number(params.id)) : missing(reply, 40403, `Schema ${params.id} not found`),
  );
  app.get<{ Params: { id: string } }>('/schemas/ids/:id/versions', ({ params }) =>
    [...subjects.values()]
      .flat()
      .filter((one) => one.id === Number(params.id))
      .map(({ subject, version }) => ({ subject, version })),
  );
  app.get<{ Params: { subject: string } }>(
    '/subjects/:subject/versions',
    ({ params }, reply) => subjects.get(params.subject)?.map((one) => one.version) ?? noSubject(reply, params.subject),
  );
  app.get<{ Params: { subject: string; version: string } }>(
    '/subjects/:subject/versions/:version',
    ({ params }, reply) => {
      const versions = subjects.get(params.subject);
      if (!versions) return noSubject(reply, params.subject);
      const found =
        params.version === 'latest' || params.version === '-1' ? versions.at(-1) : versions[Number(params.version) - 1];
      return found ? versionOf(found) : missing(reply, 40402, `Version ${params.version} not found.`);
    },
  );
  app.post<{ Params: { subject: string }; Body: SchemaToRegister }>(
    '/subjects/:subject/versions',
    ({ params, body }, reply) => {
      if (!isSchema(body)) return reply.code(422).send({ error_code: 42201, message: 'Invalid schema' });
      return { id: register(params.subject, body) };
    },
  );
  app.post<{ Params: { subject: string }; Body: SchemaToRegister }>('/subjects/:subject', ({ params, body }, reply) => {
    const versions = subjects.get(params.subject);
    if (!versions) return noSubject(reply, params.subject);
    const found = isSchema(body) ? versions.find((one) => one.text === identity(body)) : undefined;
    return found ? versionOf(found) : missing(reply, 40403, 'Schema not found');
  });

  await app.listen({ port: options.port ?? 0, host });
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://${host}:${port}`, register, stop: () => app.close() };
}

/** What makes two schemas the same: JSON without regard to white space. */
function identity({ schema, schemaType = 'AVRO', references = [] }: SchemaToRegister): string {
  return JSON.stringify([schemaType, schemaType === 'PROTOBUF' ? schema : (JSON.parse(schema) as unknown), references]);
}

function isSchema(body: SchemaToRegister): boolean {
  if (typeof body?.schema !== 'string') return false;
  if (body.schemaType === 'PROTOBUF') return true;
  try {
    JSON.parse(body.schema);
    return true;
  } catch {
    return false;
  }
}

function noSubject(reply: FastifyReply, subject: string): FastifyReply {
  return missing(reply, 40401, `Subject '${subject}' not found.`);
}

function missing(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(404).send({ error_code: code, message });
}
