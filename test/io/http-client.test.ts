import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpClient, NotConnected, reasonOf } from '../../src/io/http-client.ts';

let server: Server;
let at: string;
let answer: RequestListener;
let connections: Socket[];
let client: HttpClient;

beforeEach(async () => {
  connections = [];
  server = createServer((request, response) => answer(request, response));
  server.on('connection', (socket) => connections.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new HttpClient({ timeout: 200 });
});

afterEach(async () => {
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const get = (more: { url?: string; signal?: AbortSignal } = {}): ReturnType<HttpClient['request']> =>
  client.request({ method: 'GET', url: `http://${at}/`, headers: {}, body: null, ...more });

test('sends method, headers and body with its length, on one connection', async () => {
  answer = (request, response) => {
    const { 'x-a': a, 'content-length': length } = request.headers;
    response.writeHead(201, { 'x-seen': [request.method, a, length].join(' ') });
    request.pipe(response);
  };
  for (const body of ['grüße', 'x']) {
    const found = await client.request({ method: 'POST', url: `http://${at}/p?q=1`, headers: { 'x-a': 'b' }, body });
    expect([found.statusCode, found.headers['x-seen'], await text(found)]).toEqual([
      201,
      `POST b ${Buffer.byteLength(body)}`,
      body,
    ]);
  }
  expect(connections).toHaveLength(1);
});

test('closes a connection that is idle before the server does, which Node’s does after 5 s', async () => {
  answer = (_, response) => response.end('yes');
  server.keepAliveTimeout = 60_000;
  await text(await get());
  await new Promise((resolve) => connections[0]!.once('close', resolve));
  expect(await text(await get())).toBe('yes');
  expect(connections).toHaveLength(2);
});

describe('gives up', () => {
  test('a server that does not answer', async () => {
    answer = () => undefined;
    await expect(get()).rejects.toMatchObject({ message: 'no answer in 200 ms', code: 'ERR_ANSWER_TIMEOUT' });
  });

  test('an answer that does not go on', async () => {
    answer = (_, response) => response.write('half');
    await expect(get().then(text)).rejects.toMatchObject({ code: 'ERR_ANSWER_TIMEOUT' });
  });

  test('an answer that goes on for longer than the time between two bytes: not', async () => {
    answer = (_, response) => {
      let left = 5;
      const timer = setInterval(() => {
        if (--left > 0) return response.write('.');
        clearInterval(timer);
        return response.end('!');
      }, 60);
    };
    expect(await get().then(text)).toBe('....!');
  });

  test('when its caller does, with the caller’s reason', async () => {
    const enough = new AbortController();
    answer = () => enough.abort(new Error('enough'));
    await expect(get({ signal: enough.signal })).rejects.toThrow('enough');
    await expect(get({ signal: enough.signal })).rejects.toThrow('enough');
    const later = new AbortController();
    answer = (_, response) => response.write('half');
    const head = await get({ signal: later.signal });
    later.abort(new Error('later'));
    await expect(text(head)).rejects.toThrow();
  });
});

describe('whether the server may have got the request', () => {
  /** A server that takes connections and speaks no TLS. */
  const deaf = async (onConnection: (socket: Socket) => void): Promise<{ url: string; close(): void }> => {
    const tcp = createTcpServer(onConnection);
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    return { url: `https://127.0.0.1:${(tcp.address() as AddressInfo).port}/`, close: () => tcp.close() };
  };
  const failure = (request: Promise<unknown>): Promise<unknown> =>
    request.then(
      () => null,
      (error: unknown) => error,
    );

  test('nobody listens: no', async () => {
    const { url, close } = await deaf(() => undefined);
    close();
    const error = await failure(get({ url }));
    expect(error).toBeInstanceOf(NotConnected);
    expect(error).toMatchObject({ code: 'ECONNREFUSED', message: expect.stringContaining('ECONNREFUSED') as unknown });
  });

  test.each([
    ['is not answered', () => undefined, 'ERR_CONNECT_TIMEOUT'],
    ['is cut off', (socket: Socket): unknown => socket.resetAndDestroy(), 'ECONNRESET'],
    ['is answered with something else', (socket: Socket): unknown => socket.end('HTTP/1.1 400\r\n\r\n'), 'EPROTO'],
  ])('the TLS handshake %s: no', async (_, onConnection, code) => {
    const { url, close } = await deaf(onConnection);
    const error = await failure(get({ url }));
    close();
    expect(error).toBeInstanceOf(NotConnected);
    expect(error).toMatchObject({ code });
  });

  test.each(['ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNREFUSED', 'ETIMEDOUT'])(
    'a connection that is lost under a request: yes, whatever the error is called (%s)',
    async (code) => {
      const own: Socket[] = [];
      const onSocket = (message: unknown): unknown => own.push((message as { socket: Socket }).socket);
      subscribe('net.client.socket', onSocket);
      const broken = Object.assign(new Error(`read ${code}`), { code, syscall: 'read' });
      for (const reused of [false, true]) {
        answer = (_, response) => response.end('yes');
        if (reused) await text(await get());
        answer = () => own.at(-1)!.destroy(broken);
        expect(await failure(get())).toBe(broken);
      }
      unsubscribe('net.client.socket', onSocket);
      expect(own).toHaveLength(2);
    },
  );

  test('silence under a request: yes', async () => {
    answer = () => undefined;
    expect(await failure(get())).not.toBeInstanceOf(NotConnected);
  });
});

test('a failure has words also where Node gives none: of a host with several addresses, each one’s', () => {
  const refused = ['connect ECONNREFUSED ::1:1', 'connect ECONNREFUSED 127.0.0.1:1'];
  const all = new AggregateError(refused.map((message) => new Error(message)));
  expect(reasonOf(Object.assign(all, { code: 'ECONNREFUSED' }))).toBe(refused.join(', '));
  expect(reasonOf(Object.assign(new Error(''), { code: 'EPIPE' }))).toBe('EPIPE');
  expect(reasonOf(new TypeError(''))).toBe('TypeError');
});
