import fastify from 'fastify';
import { TabletopicError } from '../errors.ts';
import { statusPage } from './page.ts';
import type { ServiceStatus } from './status.ts';

export interface HttpServer {
  /** With the port that was really opened. */
  readonly url: string;
  close(): Promise<void>;
}

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  readonly status: () => ServiceStatus;
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
}

/**
 * Health, metrics and status for probes, Prometheus and people. `/livez`: the event loop answers. `/readyz`: 200, or 503
 * with the reasons. Read-only: nothing here changes the service.
 */
export async function startHttp({ host, port, status, metrics }: HttpOptions): Promise<HttpServer> {
  const server = fastify({ logger: false, forceCloseConnections: true });
  server.get('/livez', (_, reply) => reply.type('text/plain').send('ok\n'));
  server.get('/readyz', (_, reply) => {
    const { ready, reasons } = status();
    return reply
      .code(ready ? 200 : 503)
      .type('text/plain')
      .send(ready ? 'ready\n' : reasons.map((reason) => `${reason}\n`).join(''));
  });
  server.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.render()));
  server.get('/status', (_, reply) => reply.send(status()));
  server.get('/', (_, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
      .send(statusPage),
  );
  try {
    return { url: await server.listen({ host, port }), close: () => server.close() };
  } catch (error) {
    await server.close();
    throw new TabletopicError(
      'CONFIG_INVALID',
      `http.port: cannot listen on ${host}:${port}: ${(error as Error).message}.`,
      { cause: error, where: { key: 'http.port' }, hint: 'Set another `http.port` (0: any free one), or `http: off`.' },
    );
  }
}
