import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { RegistryConfig } from '../../src/config/config.ts';
import { systemPorts } from '../../src/ports.ts';
import { createRegistry } from '../../src/registry/client.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { dirOf, install } from '../real/parts.ts';

// The client against a registry beside Apicurio: franz-go's, which has contexts and GUIDs.

const open: ChildProcess[] = [];
beforeAll(() => install(['franzRegistry']));
afterEach(() => open.splice(0).forEach((child) => child.kill()));

async function start(...args: string[]): Promise<string> {
  const child = spawn(join(dirOf('franzRegistry'), 'franz-registry'), args, { stdio: ['pipe', 'pipe', 'inherit'] });
  open.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return line.toString().trim();
}

function client(url: string, more: Partial<RegistryConfig> = {}): Registry {
  return createRegistry({ url: [url], tls: null, requestTimeout: 10_000, ...more }, systemPorts, () => undefined);
}

interface Registered {
  readonly id: number;
  readonly guid?: string;
}

async function register(url: string, subject: string, schema: object): Promise<Registered> {
  const response = await fetch(`${url}/subjects/${encodeURIComponent(subject)}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify(schema),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as Registered;
}

const record = (name: string, type: string): string =>
  JSON.stringify({ type: 'record', name, namespace: 'lab', fields: [{ name: 'v', type }] });

test('schemas of all types by id, by GUID and as the newest, with what they reference through others', async () => {
  const url = await start();
  await register(url, 'a', { schema: record('A', 'long') });
  const a = { name: 'lab.A', subject: 'a', version: 1 };
  await register(url, 'b', { schema: record('B', 'lab.A'), references: [a] });
  const b = { name: 'lab.B', subject: 'b', version: 1 };
  const { id } = await register(url, 't-value', { schema: record('T', 'lab.B'), references: [b] });
  const registry = client(url);
  const schema = await registry.schema(id);
  expect(schema).toMatchObject({ id, type: 'AVRO' });
  expect(Object.keys(schema.references).sort()).toEqual(['lab.A', 'lab.B']);
  expect(await registry.latest('t-value')).toEqual(schema);
  const proto = await register(url, 'p-value', { schemaType: 'PROTOBUF', schema: 'syntax = "proto3"; message P {}' });
  expect((await registry.schema(proto.id)).type).toBe('PROTOBUF');
  const json = await register(url, 'j-value', { schemaType: 'JSON', schema: '{"type":"object"}' });
  expect((await registry.schema(json.id)).type).toBe('JSON');
  const { guid } = (await (await fetch(`${url}/subjects/j-value/versions/1`)).json()) as { guid: string };
  expect(await registry.schema(guid)).toMatchObject({ type: 'JSON', text: '{"type":"object"}' });
  expect(await registry.subjects('p')).toEqual(['p-value']);
  expect(await registry.latest('none')).toBe(null);
  await expect(registry.schema(4711)).rejects.toMatchObject({ code: 'REGISTRY_SCHEMA_MISSING' });
  expect(await registry.register('new-value', record('New', 'int'))).toBeGreaterThan(0);
});

test('a context in the path of the URL', async () => {
  const url = await start();
  await register(`${url}/contexts/.eu`, 't-value', { schema: record('Eu', 'long') });
  expect((await client(`${url}/contexts/.eu`).latest('t-value'))?.text).toContain('"Eu"');
});

test('by user and password, or a bearer token; without, and with a wrong one, it is REGISTRY_AUTH', async () => {
  const basic = await start(`Basic ${Buffer.from('alice:secret').toString('base64')}`);
  expect(await client(basic, { username: 'alice', password: 'secret' }).latest('t')).toBe(null);
  await expect(client(basic).latest('t')).rejects.toMatchObject({ code: 'REGISTRY_AUTH', where: { status: 401 } });
  await expect(client(basic, { username: 'alice', password: 'x' }).latest('t')).rejects.toMatchObject({
    code: 'REGISTRY_AUTH',
    where: { status: 403 },
  });
  const bearer = await start('Bearer tok');
  expect(await client(bearer, { token: 'tok' }).latest('t')).toBe(null);
});
