import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RegistryConfig } from '../../src/config/config.ts';
import { systemPorts } from '../../src/ports.ts';
import { createRegistry } from '../../src/registry/client.ts';
import { convertAvro } from '../../src/schema/avro.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { sharedStack } from '../real/shared.ts';
import { certificates, guard, strictServer } from './guard.ts';
import type { Certificates, Guard } from './guard.ts';

/** The client against a schema registry that we did not write. */
test('schemas are registered, found by id and as the newest, with their references; what is missing is missing', async () => {
  const { url } = sharedStack().registry;
  const registry = createRegistry({ url: [url], tls: null, requestTimeout: 10_000 }, systemPorts, () => undefined);
  const inner = '{"type":"record","name":"Inner","namespace":"lab","fields":[{"name":"v","type":"long"}]}';
  const outer = '{"type":"record","name":"Outer","namespace":"lab","fields":[{"name":"inner","type":"Inner"}]}';
  const innerId = await registry.register('lab-inner', inner);
  expect(await registry.register('lab-inner', inner)).toBe(innerId);
  expect(JSON.parse((await registry.schema(innerId)).text)).toEqual(JSON.parse(inner));

  const references = [{ name: 'lab.Inner', subject: 'lab-inner', version: 1 }];
  const response = await fetch(`${url}/subjects/lab-outer-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: outer, schemaType: 'AVRO', references }),
  });
  const { id } = (await response.json()) as { id: number };
  const latest = await registry.latest('lab-outer-value');
  expect(latest).toMatchObject({ id, type: 'AVRO' });
  const schema = await registry.schema(id);
  expect(Object.keys(schema.references)).toEqual(['lab.Inner']);
  const { struct } = convertAvro(schema.text, schema.references, {
    timeOfDay: 'time',
    nanos: 'micros',
    unions: 'optional',
  });
  expect(struct.fields.map(({ name }) => name)).toEqual(['inner']);

  expect(await registry.latest('lab-no-such-subject')).toBe(null);
  await expect(registry.schema(2 ** 31 - 1)).rejects.toMatchObject({ code: 'REGISTRY_SCHEMA_MISSING' });
});

describe('a registry that asks who one is', () => {
  const { url } = sharedStack().registry;
  const open: Guard[] = [];
  let pems: Certificates;

  beforeAll(async () => {
    pems = certificates();
    const registry = createRegistry({ url: [url], tls: null, requestTimeout: 10_000 }, systemPorts, () => undefined);
    await registry.register('guarded-value', '"long"');
  });
  afterAll(() => Promise.all(open.map((one) => one.close())));

  async function guarded(...args: Parameters<typeof guard>): Promise<string> {
    const made = await guard(...args);
    open.push(made);
    return made.url;
  }

  /** A client that gives up at the first failure. */
  function client(config: Partial<RegistryConfig> & { url: readonly string[] }): Pick<Registry, 'latest'> {
    const failed = new AbortController();
    const registry = createRegistry({ tls: null, requestTimeout: 10_000, ...config }, systemPorts, (error) => {
      if (error) failed.abort(error);
    });
    return { latest: (subject) => registry.latest(subject, failed.signal) };
  }

  const found = { type: 'AVRO', text: '"long"' };

  test('by user and password, also in the URL', async () => {
    const basic = `Basic ${Buffer.from('alice:se:cret').toString('base64')}`;
    const at = await guarded(url, ({ headers }) => headers.authorization === basic);
    const both = { username: 'alice', password: 'se:cret' };
    expect(await client({ url: [at], ...both }).latest('guarded-value')).toMatchObject(found);
    const inside = at.replace('//', '//alice:se%3Acret@');
    expect(await client({ url: [inside] }).latest('guarded-value')).toMatchObject(found);
    await expect(client({ url: [at] }).latest('guarded-value')).rejects.toMatchObject({ code: 'REGISTRY_AUTH' });
    const wrong = client({ url: [at.replace('//', '//alice:no@')] }).latest('guarded-value');
    await expect(wrong).rejects.toMatchObject({ code: 'REGISTRY_AUTH', where: { status: 401 } });
    await expect(wrong).rejects.not.toMatchObject({ where: { url: expect.stringContaining('alice') } });
  });

  test('by a bearer token', async () => {
    const at = await guarded(url, ({ headers }) => headers.authorization === 'Bearer tok');
    expect(await client({ url: [at], token: 'tok' }).latest('guarded-value')).toMatchObject(found);
    await expect(client({ url: [at], token: 'no' }).latest('guarded-value')).rejects.toMatchObject({
      code: 'REGISTRY_AUTH',
    });
  });

  test('by its certificate, which must be of a known authority', async () => {
    const at = await guarded(url, () => true, pems.server);
    const tls = { ca: pems.ca, rejectUnauthorized: true };
    expect(await client({ url: [at], tls }).latest('guarded-value')).toMatchObject(found);
    expect(await client({ url: [at], tls: { rejectUnauthorized: false } }).latest('guarded-value')).toMatchObject(
      found,
    );
    await expect(client({ url: [at] }).latest('guarded-value')).rejects.toMatchObject({
      code: 'REGISTRY_UNAVAILABLE',
      message: expect.stringContaining('certificate does not verify'),
      hint: expect.stringContaining('schemaRegistry.tls.ca'),
    });
    await expect(
      client({ url: [at], tls: { ...tls, serverName: 'other.example' } }).latest('guarded-value'),
    ).rejects.toMatchObject({ message: expect.stringContaining('certificate does not verify') });
  });

  test('by the certificate of the client', async () => {
    const at = await guarded(url, () => true, { ...pems.server, ca: pems.ca });
    const tls = { ca: pems.ca, rejectUnauthorized: true };
    expect(await client({ url: [at], tls: { ...tls, ...pems.client } }).latest('guarded-value')).toMatchObject(found);
    // A server that wants one ends the connection without it.
    const strict = await strictServer(pems);
    try {
      await expect(client({ url: [strict.url], tls }).latest('guarded-value')).rejects.toMatchObject({
        code: 'REGISTRY_UNAVAILABLE',
        hint: expect.stringContaining('schemaRegistry.tls.cert'),
      });
    } finally {
      strict.close();
    }
  });

  test('with several addresses the next one is asked where one is down', async () => {
    const up = await guarded(url, () => true);
    const registry = client({ url: ['http://127.0.0.1:1', up] });
    expect(await registry.latest('guarded-value')).toMatchObject(found);
    expect(open.at(-1)!.asked).toHaveLength(1);
  });
});
