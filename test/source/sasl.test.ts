import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clock, systemPorts } from '../../src/ports.ts';
import { TokenProvider } from '../../src/source/sasl.ts';

let server: Server;
let asked: { authorization: string | undefined; body: string }[];
let answer: { status: number; body: string };
let now: number;

const clock: Clock = { ...systemPorts.clock, monotonic: () => now };

beforeEach(async () => {
  asked = [];
  now = 0;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      asked.push({ authorization: request.headers.authorization, body });
      response.writeHead(answer.status).end(answer.body.replace('COUNT', `${asked.length}`));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function provider(): TokenProvider {
  const { port } = server.address() as { port: number };
  const tokenEndpoint = `http://127.0.0.1:${port}/token`;
  return new TokenProvider(
    { mechanism: 'oauthbearer', tokenEndpoint, clientId: 'a:b', clientSecret: 's', scope: 'kafka' },
    clock,
  );
}

test('a token is kept until shortly before it expires, and asked for once by many', async () => {
  answer = { status: 200, body: '{"access_token":"tCOUNT","expires_in":100}' };
  const tokens = provider();
  expect(await Promise.all([tokens.token(), tokens.token()])).toEqual(['t1', 't1']);
  now = 79_000;
  expect(await tokens.token()).toBe('t1');
  now = 80_000;
  expect(await tokens.token()).toBe('t2');
  // RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
  const basic = Buffer.from('a%3Ab:s').toString('base64');
  expect(asked[0]).toEqual({ authorization: `Basic ${basic}`, body: 'grant_type=client_credentials&scope=kafka' });
});

test.each([
  [401, '{"error":"invalid_client"}', 'KAFKA_AUTH'],
  [400, '{"error":"invalid_scope"}', 'KAFKA_AUTH'],
  [200, '{"error":"none"}', 'KAFKA_AUTH'],
  [429, '', 'KAFKA_UNAVAILABLE'],
  [503, '', 'KAFKA_UNAVAILABLE'],
])('an answer %i %s is %s; the next token is asked for anew', async (status, body, code) => {
  answer = { status, body };
  const tokens = provider();
  await expect(tokens.token()).rejects.toMatchObject({ code });
  answer = { status: 200, body: '{"access_token":"t"}' };
  expect(await tokens.token()).toBe('t');
});
