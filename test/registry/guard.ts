import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../real/server.ts';

export interface Guard {
  /** With the path of the registry's interface. */
  readonly url: string;
  /** Requests that came in, let through or not. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** What a company puts before its registry: a server that lets through who it accepts, over TLS where it has certificates. */
export async function guard(
  upstream: string,
  accepts: (request: IncomingMessage) => boolean,
  tls?: { readonly cert: string; readonly key: string; readonly ca?: string },
): Promise<Guard> {
  const { origin, pathname } = new URL(upstream);
  const asked: string[] = [];
  const answer: RequestListener = (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (!accepts(request)) return void response.writeHead(401).end();
    void fetch(`${origin}${request.url}`, { method: request.method! }).then(async (got) => {
      response.writeHead(got.status, { 'content-type': got.headers.get('content-type') ?? 'application/json' });
      response.end(await got.text());
    });
  };
  const server = tls
    ? createHttps({ ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.ca !== undefined }, answer)
    : createHttp(answer);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://localhost:${port}${pathname}`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** OpenSSL's server, which wants a client certificate of the authority. */
export async function strictServer({ ca, server }: Certificates): Promise<{ url: string; close(): void }> {
  const dir = mkdtempSync(join(tmpdir(), 'tabletopic-strict-'));
  const files = { 'ca.crt': ca, 'server.crt': server.cert, 'server.key': server.key };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const port = await freePort();
  const verify = ['-Verify', '1', '-verify_return_error', '-CAfile', 'ca.crt'];
  const pair = ['-cert', 'server.crt', '-key', 'server.key'];
  const child = spawn('openssl', ['s_server', '-accept', `localhost:${port}`, ...pair, ...verify, '-www'], {
    cwd: dir,
  });
  await once(child.stdout, 'data');
  return {
    url: `https://localhost:${port}`,
    close: () => {
      child.kill();
      rmSync(dir, { recursive: true });
    },
  };
}

export interface Certificates {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** An authority and what it signed: a server named localhost and a client. PEM texts. */
export function certificates(): Certificates {
  const dir = mkdtempSync(join(tmpdir(), 'tabletopic-certificates-'));
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const read = (name: string): string => readFileSync(join(dir, name), 'utf8');
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Test CA', '-days', '2');
  writeFileSync(join(dir, 'ext'), 'subjectAltName=DNS:localhost');
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext'];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signed);
  }
  const pair = (name: string): { cert: string; key: string } => ({
    cert: read(`${name}.crt`),
    key: read(`${name}.key`),
  });
  const made = { ca: read('ca.crt'), server: pair('server'), client: pair('client') };
  rmSync(dir, { recursive: true });
  return made;
}
