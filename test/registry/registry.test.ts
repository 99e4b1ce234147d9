import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RegistryConfig } from '../../src/config/config.ts';
import type { TabletopicError } from '../../src/errors.ts';
import { systemPorts } from '../../src/ports.ts';
import type { Ports } from '../../src/ports.ts';
import { createRegistry } from '../../src/registry/client.ts';
import type { Registry } from '../../src/registry/registry.ts';

let server: Server;
let config: RegistryConfig;
let asked: string[];
let health: (string | null)[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const sleeps: number[] = [];
const ports: Ports = {
  ...systemPorts,
  clock: {
    ...systemPorts.clock,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      sleeps.push(ms);
    },
  },
};

beforeEach(async () => {
  [asked, health] = [[], []];
  sleeps.length = 0;
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  config = {
    url: [`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`],
    tls: null,
    requestTimeout: 2_000,
  };
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function registry(over: Partial<RegistryConfig> = {}): Registry {
  return createRegistry({ ...config, ...over }, ports, (error: TabletopicError | null) =>
    health.push(error?.code ?? null),
  );
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(JSON.stringify(body));
}

describe('schemas', () => {
  test('are fetched once, however many wait, and kept', async () => {
    answer = (_, response) => void setTimeout(() => json(response, { schema: '"long"' }), 20);
    const client = registry();
    const [a, b] = await Promise.all([client.schema(7), client.schema(7)]);
    expect([a, b, await client.schema(7)]).toEqual(
      [7, 7, 7].map((id) => ({ id, type: 'AVRO', text: '"long"', references: {} })),
    );
    expect(asked).toEqual(['GET /api/schemas/ids/7']);
  });

  test('come with everything that they reference, through others and in circles', async () => {
    const refs: Record<string, unknown> = {
      '/api/schemas/ids/1': { schema: 'top', references: [{ name: 'a.B', subject: 'b/s', version: 2 }] },
      '/api/subjects/b%2Fs/versions/2': { schema: 'b', references: [{ name: 'a.C', subject: 'c', version: 1 }] },
      '/api/subjects/c/versions/1': { schema: 'c', references: [{ name: 'a.B', subject: 'b/s', version: 2 }] },
    };
    answer = (request, response) => json(response, refs[request.url!]);
    refs['/api/schemas/ids/2'] = { schema: 'second', references: [{ name: 'a.C', subject: 'c', version: 1 }] };
    const client = registry();
    expect(await client.schema(1)).toEqual({
      id: 1,
      type: 'AVRO',
      text: 'top',
      references: { 'a.B': 'b', 'a.C': 'c' },
    });
    expect((await client.schema(2)).references).toEqual({ 'a.C': 'c', 'a.B': 'b' });
    // What one schema references is known when another does.
    expect(asked.filter((request) => request.includes('/subjects/'))).toHaveLength(2);
  });

  test('by GUID', async () => {
    answer = (_, response) => json(response, { schema: '{}', schemaType: 'JSON' });
    expect((await registry().schema('0f0e0d0c-0b0a-0908-0706-050403020100')).type).toBe('JSON');
    expect(asked).toEqual(['GET /api/schemas/guids/0f0e0d0c-0b0a-0908-0706-050403020100']);
  });

  test('that the registry does not know are missing; a 404 of anybody else is an outage', async () => {
    answer = (_, response) => json(response, { error_code: 40403, message: 'Schema not found' }, 404);
    await expect(registry().schema(9)).rejects.toMatchObject({ code: 'REGISTRY_SCHEMA_MISSING', where: { schema: 9 } });
    let calls = 0;
    answer = (_, response) =>
      ++calls === 1 ? response.writeHead(404).end('<html>') : json(response, { schema: '"int"' });
    expect((await registry().schema(9)).text).toBe('"int"');
    expect(health).toEqual(['REGISTRY_UNAVAILABLE', null]);
  });
});

describe('outages', () => {
  test('are waited out with growing pauses and said on the way', async () => {
    let calls = 0;
    answer = (_, response) =>
      ++calls <= 3
        ? response.writeHead(503).end()
        : calls === 4
          ? response.destroy()
          : json(response, { schema: '"int"' });
    expect((await registry().schema(3)).text).toBe('"int"');
    expect(health).toEqual([...Array(4).fill('REGISTRY_UNAVAILABLE'), null]);
    expect(sleeps.map((ms, i) => ms > 100 * 2 ** i - 1 && ms <= 200 * 2 ** i)).toEqual([true, true, true, true]);
  });

  test('are also redirects: the message names the address, the hint where it belongs', async () => {
    const said: TabletopicError[] = [];
    const client = createRegistry(config, ports, (error) => error && said.push(error));
    let calls = 0;
    answer = (_, response) =>
      ++calls === 1
        ? response.writeHead(302, { location: 'https://registry.example/' }).end()
        : json(response, { schema: '"int"' });
    expect((await client.schema(3)).text).toBe('"int"');
    expect(said).toEqual([
      expect.objectContaining({
        code: 'REGISTRY_UNAVAILABLE',
        message: expect.stringContaining('HTTP 302 to https://registry.example/') as unknown,
        hint: expect.stringContaining('schemaRegistry.url') as unknown,
      }),
    ]);
  });

  test('are servers that take too long', async () => {
    let calls = 0;
    answer = (_, response) => (++calls === 1 ? undefined : json(response, { schema: '"int"' }));
    expect((await registry({ requestTimeout: 100 }).schema(3)).text).toBe('"int"');
    expect(health).toEqual(['REGISTRY_UNAVAILABLE', null]);
  });

  test('end when the one who waits gives up, for the others they go on', async () => {
    let open = (): void => undefined;
    const arrived = new Promise<void>((resolve) => {
      answer = (_, response) => {
        open = () => json(response, { schema: '"int"' });
        resolve();
      };
    });
    const client = registry();
    const [impatient, patient] = [new AbortController(), new AbortController()];
    const first = client.schema(4, impatient.signal);
    const second = client.schema(4, patient.signal);
    await arrived;
    impatient.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    open();
    expect((await second).text).toBe('"int"');
    const closed = new AbortController();
    answer = () => closed.abort(new Error('all gone'));
    await expect(client.schema(5, closed.signal)).rejects.toThrow('all gone');
    answer = (_, response) => json(response, { schema: '"long"' });
    expect((await client.schema(5)).text).toBe('"long"');
  });

  test('wrong credentials are not one of them', async () => {
    answer = (request, response) =>
      request.headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`
        ? json(response, { schema: '"int"' })
        : response.writeHead(401).end();
    await expect(registry().schema(1)).rejects.toMatchObject({ code: 'REGISTRY_AUTH' });
    await expect(registry({ token: 'x' }).schema(1)).rejects.toMatchObject({ code: 'REGISTRY_AUTH' });
    expect((await registry({ username: 'me', password: 'secret' }).schema(1)).text).toBe('"int"');
    expect(health).toEqual([]);
  });
});

test('the latest version of a subject, null without one, is always asked for', async () => {
  answer = (request, response) =>
    request.url!.includes('orders')
      ? json(response, { subject: 'orders-value', version: 3, id: 12, schema: '"int"' })
      : json(response, { error_code: 40401 }, 404);
  const client = registry();
  expect(await client.latest('orders-value')).toEqual({ id: 12, type: 'AVRO', text: '"int"', references: {} });
  expect(await client.latest('none-value')).toBe(null);
  await client.latest('orders-value');
  await client.schema(12);
  expect(asked).toEqual([
    'GET /api/subjects/orders-value/versions/latest',
    'GET /api/subjects/none-value/versions/latest',
    'GET /api/subjects/orders-value/versions/latest',
  ]);
});

test('a schema is registered', async () => {
  let body = '';
  answer = (request, response) => {
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => json(response, { id: 5 }));
  };
  expect(await registry().register('orders-value', '"int"')).toBe(5);
  expect(JSON.parse(body)).toEqual({ schema: '"int"', schemaType: 'AVRO' });
});

test('subjects by how they begin, also of a registry that does not know the parameter', async () => {
  answer = (_, response) => json(response, ['shop-b', 'other', 'shop-a']);
  expect(await registry().subjects('shop-')).toEqual(['shop-a', 'shop-b']);
  expect(asked).toEqual(['GET /api/subjects?subjectPrefix=shop-']);
});

describe('several addresses', () => {
  test('are tried in turn before the first pause; the one that answered is asked first the next time', async () => {
    answer = (_, response) => json(response, { schema: '"int"' });
    const client = registry({ url: ['http://127.0.0.1:1/', config.url[0]!] });
    await client.schema(1);
    await client.schema(2);
    expect(asked).toEqual(['GET /api/schemas/ids/1', 'GET /api/schemas/ids/2']);
    expect([health, sleeps]).toEqual([[], []]);
  });

  test('that are all down are an outage, told once in a round', async () => {
    let calls = 0;
    answer = (_, response) => (++calls <= 4 ? response.writeHead(503).end() : json(response, { schema: '"int"' }));
    expect((await registry({ url: [config.url[0]!, config.url[0]!] }).schema(1)).text).toBe('"int"');
    expect(health).toEqual(['REGISTRY_UNAVAILABLE', 'REGISTRY_UNAVAILABLE', null]);
    expect(sleeps).toHaveLength(2);
  });
});

test('a context in the path of the URL', async () => {
  answer = (_, response) => json(response, { schema: '"int"' });
  await registry({ url: [`${config.url[0]!}contexts/.eu/`] }).schema(1);
  expect(asked).toEqual(['GET /api/contexts/.eu/schemas/ids/1']);
});
