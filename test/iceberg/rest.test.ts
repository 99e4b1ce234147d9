import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RestCatalog } from '../../src/iceberg/rest.ts';
import type { RestCatalogConfig } from '../../src/iceberg/rest.ts';
import { systemPorts } from '../../src/ports.ts';
import type { Ports } from '../../src/ports.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | 'reset'
  | 'silence';

const metadata =
  '{"format-version":2,"table-uuid":"u","location":"s3://b/t","last-sequence-number":0,"last-updated-ms":1,"last-column-id":1,"schemas":[{"type":"struct","schema-id":0,"fields":[]}],"current-schema-id":0,"partition-specs":[{"spec-id":0,"fields":[]}],"default-spec-id":0,"last-partition-id":999,"sort-orders":[{"order-id":0,"fields":[]}],"default-sort-order-id":0,"current-snapshot-id":-1}';
const error = (type: string, message: string): unknown => ({ error: { type, message, code: 0 } });
const ident = { namespace: ['a.b', 'c/d'], name: 't é' };
const request = {
  requirements: [],
  updates: [
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 8271638172635172635n } as const,
  ],
  idempotencyKey: 'key-1',
};

describe('REST catalog', () => {
  let server: Server;
  let uri: string;
  let seen: Seen[];
  let answers: Answer[];
  let slept: number[];
  const ports: Ports = {
    ...systemPorts,
    clock: { ...systemPorts.clock, sleep: (ms) => (slept.push(ms), Promise.resolve()) },
  };

  beforeEach(async () => {
    [seen, answers, slept] = [[], [], []];
    server = createServer((incoming: IncomingMessage, response: ServerResponse) => {
      let body = '';
      incoming.on('data', (part: Buffer) => (body += part.toString()));
      incoming.on('end', () => {
        seen.push({ method: incoming.method!, url: incoming.url!, headers: incoming.headers, body });
        const answer = answers.shift() ?? { status: 500 };
        if (answer === 'reset') return incoming.socket.destroy();
        if (answer === 'silence') return undefined;
        response.writeHead(answer.status, answer.headers);
        return response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const open = (config: Partial<RestCatalogConfig> = {}): RestCatalog =>
    new RestCatalog('r', { type: 'rest', uri, requestTimeout: 300, ...config }, ports);
  const loaded = `{"metadata-location":"s3://b/t/m.json","metadata":${metadata},"config":{"a":"1"},"storage-credentials":[{"prefix":"s3://b","config":{"s3.access-key-id":"short"}},{"prefix":"s3://b/t","config":{"s3.access-key-id":"long"}}]}`;

  it('follows the server’s prefix and namespace separator, and asks for refs and vended credentials', async () => {
    answers = [
      {
        status: 200,
        body: { defaults: { prefix: 'lost' }, overrides: { prefix: 'ws/1', 'namespace-separator': '%2E' } },
      },
      { status: 200, body: loaded },
    ];
    const catalog = open({ warehouse: 's3://w h' });
    await catalog.connect();
    const table = (await catalog.loadTable(ident, 'refs'))!;
    expect(seen.map(({ url }) => url)).toEqual([
      '/v1/config?warehouse=s3%3A%2F%2Fw%20h',
      '/v1/ws/1/namespaces/a.b%2Ec%2Fd/tables/t%20%C3%A9?snapshots=refs',
    ]);
    expect(seen[1]!.headers['x-iceberg-access-delegation']).toBe('vended-credentials');
    expect(table).toMatchObject({ partial: true, config: { a: '1', 's3.access-key-id': 'long' } });
    expect(table.metadata['current-snapshot-id']).toBeNull();
  });

  it('joins namespace levels by the unit separator where the server names none', async () => {
    answers = [{ status: 404, body: error('NoSuchTableException', 'no') }];
    expect(await open().loadTable(ident, 'all')).toBeNull();
    expect(seen[0]!.url).toBe('/v1/namespaces/a.b%1Fc%2Fd/tables/t%20%C3%A9?snapshots=all');
  });

  it('does not take a 404 of another server for a missing table', async () => {
    answers = [{ status: 404, body: '<html>' }];
    await expect(open().loadTable(ident, 'all')).rejects.toMatchObject({ code: 'CATALOG_REFUSED' });
  });

  it('sends every digit of an id, and the idempotency key', async () => {
    answers = [{ status: 200, body: loaded }];
    expect((await open().commit(ident, request)).outcome).toBe('committed');
    expect(seen[0]!.body).toContain('"snapshot-id":8271638172635172635');
    expect(seen[0]!.headers['idempotency-key']).toBe('key-1');
  });

  it('does not wait for the past of a table in the answer to a commit, and goes on with the credentials it has', async () => {
    const id = 8271638172635172635n;
    const snapshot = { 'snapshot-id': id, 'timestamp-ms': 1, summary: { operation: 'append' } } as const;
    const head = `{"main":{"snapshot-id":${id},"type":"branch"}}`;
    const begun = `{"metadata":${metadata.slice(0, -1).replace('"current-snapshot-id":-1', `"current-snapshot-id":${id}`)},"properties":{},"refs":${head},"snapshots":[`;
    const past = `{"snapshot-id":1,"timestamp-ms":1,"summary":{"operation":"append","text":"${'x'.repeat(2000)}"}},`;
    let closed = false;
    const endless = createServer((incoming, response) => {
      incoming.resume();
      response.writeHead(200);
      if (incoming.method === 'GET') return response.end(loaded);
      response.on('close', () => (closed = true));
      response.write(begun);
      return response.write(past.repeat(1000));
    });
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    const catalog = open({ uri: `http://127.0.0.1:${(endless.address() as AddressInfo).port}` });
    await catalog.loadTable(ident, 'refs');
    const outcome = await catalog.commit(ident, { ...request, updates: [{ action: 'add-snapshot', snapshot }] });
    expect(outcome).toMatchObject({
      outcome: 'committed',
      table: { partial: true, metadata: { snapshots: [snapshot] }, config: { 's3.access-key-id': 'long' } },
    });
    await expect.poll(() => closed).toBe(true);
    // The same catalog answers the next request, on another connection.
    expect(await catalog.loadTable(ident, 'refs')).not.toBeNull();
    // What the request has not added is read to the end, which never comes.
    expect((await catalog.commit(ident, request)).outcome).toBe('unknown');
    await catalog.close();
    endless.closeAllConnections();
    endless.close();
  });

  it.each<[string, Answer, string]>([
    [
      '409',
      { status: 409, body: error('CommitFailedException', 'Requirement failed: branch main has changed') },
      'conflict',
    ],
    [
      '400 about a sequence number',
      {
        status: 400,
        body: error(
          'ValidationException',
          'Cannot add snapshot with sequence number 3 older than last sequence number 4',
        ),
      },
      'conflict',
    ],
    [
      '400 about a first row id',
      {
        status: 400,
        body: error('ValidationException', 'Cannot add a snapshot, first-row-id is behind table next-row-id: 1 < 2'),
      },
      'conflict',
    ],
    ['500', { status: 500 }, 'unknown'],
    ['502', { status: 502 }, 'unknown'],
    ['503', { status: 503 }, 'unknown'],
    ['504', { status: 504, body: error('CommitStateUnknownException', '?') }, 'unknown'],
    ['a reset', 'reset', 'unknown'],
    ['a timeout', 'silence', 'unknown'],
    ['200 with half a body', { status: 200, body: '{"metadata":{' }, 'unknown'],
  ])('takes %s of a commit as it is, and sends nothing twice', async (_, answer, outcome) => {
    answers = [answer];
    expect((await open().commit(ident, request)).outcome).toBe(outcome);
    expect(seen).toHaveLength(1);
  });

  it.each<[string, Answer, string]>([
    ['400', { status: 400, body: error('BadRequestException', 'malformed') }, 'CATALOG_REFUSED'],
    ['403', { status: 403, body: error('ForbiddenException', 'no') }, 'CATALOG_REFUSED'],
    ['404', { status: 404, body: error('NoSuchTableException', 'gone') }, 'TABLE_NOT_FOUND'],
    ['401', { status: 401 }, 'CATALOG_AUTH'],
  ])('rejects a commit for good at %s', async (_, answer, code) => {
    answers = [answer];
    await expect(open({ token: 'x' }).commit(ident, request)).rejects.toMatchObject({ code });
    expect(seen).toHaveLength(1);
  });

  it('repeats a commit that was turned away (429) after the time that the server asks for, byte for byte', async () => {
    answers = [
      { status: 429, headers: { 'retry-after': '7' } },
      { status: 200, body: loaded },
    ];
    expect((await open().commit(ident, request)).outcome).toBe('committed');
    expect(slept).toEqual([7000]);
    expect(seen[1]!.body).toBe(seen[0]!.body);
    expect(seen[1]!.headers['idempotency-key']).toBe('key-1');
  });

  it('says unavailable when nobody listens', async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await expect(open().commit(ident, request)).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
    await expect(open().connect()).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
    expect(slept).toHaveLength(8);
  });

  it('repeats what only reads', async () => {
    answers = [{ status: 503 }, 'reset', { status: 200, body: loaded }];
    expect(await open().loadTable(ident, 'all')).not.toBeNull();
    expect(slept).toHaveLength(2);
  });

  it.each([401, 419])('gets a token by client credentials and renews it once after %i', async (status) => {
    const token = (value: string): Answer => ({
      status: 200,
      body: { access_token: value, token_type: 'bearer', expires_in: 3600 },
    });
    answers = [token('one'), { status }, token('two'), { status: 200, body: loaded }, { status: 200, body: loaded }];
    const catalog = open({ credential: 'id:sec:ret', scope: 'PRINCIPAL_ROLE:ALL' });
    expect((await catalog.commit(ident, request)).outcome).toBe('committed');
    await catalog.loadTable(ident, 'all');
    expect(seen.map(({ method, headers }) => `${method} ${headers.authorization ?? '-'}`)).toEqual([
      'POST -',
      'POST Bearer one',
      'POST -',
      'POST Bearer two',
      'GET Bearer two',
    ]);
    expect(Object.fromEntries(new URLSearchParams(seen[0]!.body))).toEqual({
      grant_type: 'client_credentials',
      client_id: 'id',
      client_secret: 'sec:ret',
      scope: 'PRINCIPAL_ROLE:ALL',
    });
  });

  it('renews a token before it runs out', async () => {
    let now = 0;
    const moving: Ports = { ...ports, clock: { ...ports.clock, monotonic: () => now } };
    answers = [
      { status: 200, body: { access_token: 'one', expires_in: 100 } },
      { status: 200, body: loaded },
      { status: 200, body: loaded },
      { status: 200, body: { access_token: 'two', expires_in: 100 } },
      { status: 200, body: loaded },
    ];
    const catalog = new RestCatalog('r', { type: 'rest', uri, requestTimeout: 300, credential: 'a:b' }, moving);
    await catalog.loadTable(ident, 'all');
    now = 74_000;
    await catalog.loadTable(ident, 'all');
    now = 76_000;
    await catalog.loadTable(ident, 'all');
    expect(seen.filter(({ method }) => method === 'GET').map(({ headers }) => headers.authorization)).toEqual([
      'Bearer one',
      'Bearer one',
      'Bearer two',
    ]);
  });

  it('names wrong credentials as such', async () => {
    answers = [{ status: 401, body: { error: 'invalid_client' } }];
    await expect(open({ credential: 'a:b' }).connect()).rejects.toMatchObject({
      code: 'CATALOG_AUTH',
      message: expect.stringContaining('invalid_client'),
    });
  });
});
