interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

export function registerAvro(
  url: string,
  subject: string,
  schema: object,
  references: readonly Reference[] = [],
): Promise<number> {
  return register(url, subject, schema, references, 'AVRO');
}

/** Registers a schema through the registry's own API, as producers do. */
export async function register(
  url: string,
  subject: string,
  schema: object | string,
  references: readonly Reference[],
  schemaType: 'AVRO' | 'JSON' | 'PROTOBUF',
): Promise<number> {
  const response = await fetch(`${url}/subjects/${encodeURIComponent(subject)}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({
      schemaType,
      schema: typeof schema === 'string' ? schema : JSON.stringify(schema),
      references,
    }),
  });
  if (!response.ok) throw new Error(`${subject}: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { id: number }).id;
}

/** Confluent's wire format: byte 0, the schema id in 4 bytes, the payload. */
export function withId(id: number, payload: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(id, 1);
  return Buffer.concat([prefix, payload]);
}
