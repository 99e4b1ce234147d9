import { Agent, createServer, request as requestTo } from 'node:http';
import type { ClientRequest, IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Points } from './points.ts';
import type { Passing } from './points.ts';

interface Answer {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer;
}

/** An HTTP proxy before the catalog or the object store. The Host header passes as it is, so that signatures hold. */
export class HttpProxy {
  readonly points: Points = new Points();
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #agent = new Agent({ keepAlive: true });

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async open(target: string): Promise<HttpProxy> {
    const proxy = new HttpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get uri(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What is held is never passed on. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray());
    const passing = { what: `${request.method} ${request.url}`, body };
    const rule = this.points.ruleFor(passing);
    if (rule === null) return this.#pass(request, response, passing);

    const forward = (): Promise<Answer> => this.#forward(request, body);
    if (rule.at === 'answer') {
      const answer = await forward();
      const release = (): Promise<number> => Promise.resolve(send(response, answer));
      return rule.held({ ...passing, release });
    }
    if (rule.at === 'request') return rule.held({ ...passing, release: async () => send(response, await forward()) });
    const [upstream, answered] = this.#begin(request);
    // The sender's death ends the half request, as it would without a proxy.
    request.socket.on('close', () => upstream.destroy());
    answered.catch(() => request.socket.destroy());
    const half = body.length >> 1;
    upstream.write(body.subarray(0, half), () =>
      rule.held({
        ...passing,
        release: async () => {
          upstream.end(body.subarray(half));
          return send(response, await answered);
        },
      }),
    );
  }

  async #pass(request: IncomingMessage, response: ServerResponse, passing: Passing): Promise<void> {
    const trouble = this.points.troubleFor(passing);
    if (trouble?.kind === 'drop') return;
    if (trouble?.kind === 'reset') return void request.socket.resetAndDestroy();
    if (trouble?.kind === 'delay') await sleep(trouble.delay);
    const answer = await this.#forward(request, passing.body);
    if (trouble?.kind === 'lost') request.socket.resetAndDestroy();
    else send(response, answer);
  }

  #forward(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const [upstream, answered] = this.#begin(request);
    upstream.end(body);
    return answered;
  }

  #begin(request: IncomingMessage): [ClientRequest, Promise<Answer>] {
    const headers = request.rawHeaders.filter(
      (_, i, all) => !/^(connection|expect|keep-alive)$/i.test(all[i - (i % 2)]!),
    );
    const upstream = requestTo({
      host: this.#target.hostname,
      port: this.#target.port,
      method: request.method,
      path: request.url,
      headers,
      agent: this.#agent,
      setDefaultHeaders: false,
    });
    const answered = new Promise<Answer>((resolve, reject) => {
      upstream.once('error', reject);
      upstream.once('response', (answer: IncomingMessage) => {
        const { statusCode, rawHeaders } = answer;
        answer
          .toArray()
          .then(
            (chunks) => resolve({ status: statusCode!, headers: rawHeaders, body: Buffer.concat(chunks as Buffer[]) }),
            reject,
          );
      });
    });
    return [upstream, answered];
  }
}

/** The headers as the server wrote them, but for those of the connection, which is ours. */
function send(response: ServerResponse, { status, headers, body }: Answer): number {
  const own = headers.filter((_, i, all) => !/^(connection|keep-alive|transfer-encoding)$/i.test(all[i - (i % 2)]!));
  response.writeHead(status, own);
  response.end(body);
  return status;
}
