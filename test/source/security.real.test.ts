import { execFileSync } from 'node:child_process';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alterUserScramCredentialsV0, Connection } from '@platformatic/kafka';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kafkaServer } from '../real/kafka.ts';
import { install } from '../real/parts.ts';
import { freePort, type Server } from '../real/server.ts';
import { Topics } from '../real/topics.ts';
import { kafkaConfig, Member, produce, uniqueTopic, until } from './harness.ts';

// A broker with four listeners: plain (for the set-up), SASL, TLS, and SASL with OAuth tokens.
let dir: string;
let server: Server;
let brokers: string[];
let ports: { sasl: number; tls: number; oauth: number };
let tokens: HttpServer;
let tokenEndpoint: string;
let asked = 0;
/** Life of a session by SASL PLAIN, ms. */
const session = 2000;
const topic = uniqueTopic('secured');

beforeAll(async () => {
  await install(['kafka'], () => {});
  dir = mkdtempSync(join(tmpdir(), 'tabletopic-security-'));
  mkdirSync(join(dir, 'kafka'));
  certificates();
  ports = { sasl: await freePort(), tls: await freePort(), oauth: await freePort() };
  const login = 'org.apache.kafka.common.security';
  const config = {
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,OAUTH:SASL_PLAINTEXT',
    'listener.name.sasl.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_alice="secret";`,
    'listener.name.sasl.plain.connections.max.reauth.ms': `${session}`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'listener.name.oauth.sasl.enabled.mechanisms': 'OAUTHBEARER',
    'listener.name.oauth.oauthbearer.sasl.jaas.config': `${login}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    'listener.name.tls.ssl.keystore.type': 'PEM',
    'listener.name.tls.ssl.keystore.location': join(dir, 'broker.pem'),
    'listener.name.tls.ssl.truststore.type': 'PEM',
    'listener.name.tls.ssl.truststore.location': join(dir, 'ca.crt'),
    'listener.name.tls.ssl.client.auth': 'required',
  };
  ({ server, brokers } = await kafkaServer(join(dir, 'kafka'), { config, heap: '512m' }));
  const properties = join(dir, 'kafka', 'server.properties');
  const more = `SASL://127.0.0.1:${ports.sasl},TLS://localhost:${ports.tls},OAUTH://127.0.0.1:${ports.oauth}`;
  writeFileSync(
    properties,
    readFileSync(properties, 'utf8').replaceAll(/^(advertised\.)?listeners=.*$/gm, (line) => `${line},${more}`),
  );
  await server.start();
  tokens = createServer((request, response) => {
    asked++;
    const known = request.headers.authorization === `Basic ${Buffer.from('alice:secret').toString('base64')}`;
    const claims = { sub: 'alice', iat: Date.now() / 1000, exp: Date.now() / 1000 + 3600 };
    const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');
    response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
    response.end(
      known
        ? JSON.stringify({ access_token: `${encode({ alg: 'none' })}.${encode(claims)}.`, expires_in: 3600 })
        : '{"error":"invalid_client"}',
    );
  });
  await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
  tokenEndpoint = `http://127.0.0.1:${(tokens.address() as { port: number }).port}/token`;
  await scramUser('alice', 'secret');
  await new Topics(brokers).create(topic, 1);
  await produce(brokers, topic, 0, ['one']);
}, 120_000);

afterAll(async () => {
  tokens?.close();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A CA, a broker certificate for localhost, and a client certificate. */
function certificates(): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=Test CA',
    '-days',
    '2',
  );
  for (const name of ['broker', 'client']) {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    writeFileSync(join(dir, 'ext'), 'subjectAltName=DNS:localhost');
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'ext',
      '-out',
      `${name}.crt`,
    );
  }
  writeFileSync(
    join(dir, 'broker.pem'),
    readFileSync(join(dir, 'broker.key'), 'utf8') + readFileSync(join(dir, 'broker.crt'), 'utf8'),
  );
}

async function scramUser(name: string, password: string): Promise<void> {
  const connection = new Connection('test');
  const [host, port] = brokers[0]!.split(':');
  await connection.connect(host!, Number(port));
  const upsertions = [
    [1, 'sha256', 32],
    [2, 'sha512', 64],
  ] as const;
  for (const [mechanism, hash, length] of upsertions) {
    const salt = randomBytes(16);
    const saltedPassword = pbkdf2Sync(password, salt, 4096, length, hash);
    await alterUserScramCredentialsV0.api.async(
      connection,
      [],
      [{ name, mechanism, iterations: 4096, salt, saltedPassword }],
    );
  }
  await connection.close();
}

async function reads(config: ReturnType<typeof kafkaConfig>): Promise<void> {
  const member = await Member.join(config, [topic]);
  try {
    await until('the record is read', () => member.reached(`${topic}/0`) === 1);
  } finally {
    await member.close();
  }
}

async function refused(config: ReturnType<typeof kafkaConfig>): Promise<string> {
  const member = new Member(config);
  try {
    const error: unknown = await member.source.connect().then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'KAFKA_AUTH', policy: 'stop-service' });
    return (error as Error).message;
  } finally {
    await member.close();
  }
}

for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
  test(`SASL ${mechanism}: the right password reads, a wrong one is refused by name`, async () => {
    const broker = `127.0.0.1:${ports.sasl}`;
    await reads(kafkaConfig([broker], { sasl: { mechanism, username: 'alice', password: 'secret' } }));
    expect(
      await refused(kafkaConfig([broker], { sasl: { mechanism, username: 'alice', password: 'wrong' } })),
    ).toContain(broker);
  });
}

test('a session that ends is followed by another one before the broker cuts it off', async () => {
  const sasl = { mechanism: 'plain', username: 'alice', password: 'secret' } as const;
  const later = uniqueTopic('later');
  await new Topics(brokers).create(later, 1);
  const member = await Member.join(kafkaConfig([`127.0.0.1:${ports.sasl}`], { sasl }), [later]);
  try {
    const began = Date.now();
    for (let i = 1; Date.now() - began < 3 * session; i++) {
      await produce(brokers, later, 0, [`${i}`]);
      await until('the record is read', () => member.reached(`${later}/0`) === i);
    }
    expect(member.logged('fetch failed; tried again')).toBe(0);
  } finally {
    await member.close();
  }
});

test('SASL oauthbearer: one token serves all connections; a refused client is told', async () => {
  const broker = `127.0.0.1:${ports.oauth}`;
  const sasl = { mechanism: 'oauthbearer', tokenEndpoint, clientId: 'alice', clientSecret: 'secret' } as const;
  asked = 0;
  await reads(kafkaConfig([broker], { sasl }));
  expect(asked).toBe(1);
  expect(await refused(kafkaConfig([broker], { sasl: { ...sasl, clientSecret: 'wrong' } }))).toContain(tokenEndpoint);
});

test('a mechanism that the broker does not offer is refused', async () => {
  const broker = `127.0.0.1:${ports.oauth}`;
  expect(
    await refused(kafkaConfig([broker], { sasl: { mechanism: 'plain', username: 'alice', password: 'secret' } })),
  ).toContain(broker);
});

test('TLS: files and PEM text; a certificate of an unknown CA is refused', async () => {
  const broker = `localhost:${ports.tls}`;
  const [ca, cert, key] = ['ca.crt', 'client.crt', 'client.key'].map((f) => join(dir, f)) as [string, string, string];
  await reads(kafkaConfig([broker], { tls: { ca, cert, key: readFileSync(key, 'utf8'), rejectUnauthorized: true } }));
  expect(await refused(kafkaConfig([broker], { tls: { cert, key, rejectUnauthorized: true } }))).toContain(
    'certificate',
  );
  expect(
    await refused(kafkaConfig([broker], { tls: { ca, cert, key, serverName: 'elsewhere', rejectUnauthorized: true } })),
  ).toContain('certificate');
  expect(await refused(kafkaConfig([broker]))).toContain('TLS');
});
