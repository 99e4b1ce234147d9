import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import type { AgentOptions } from 'node:https';

export interface HttpCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal?: AbortSignal;
}

export interface HttpClientOptions {
  /** Longest silence on a connection under a request, in ms: while the head of the answer is waited for, and between its bytes. */
  readonly timeout: number;
  readonly tls?: Pick<AgentOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>;
}

/**
 * The connection, its TLS handshake included, was not made: the server surely has nothing of the request (invariant 4). Told
 * by what had happened, never by an error's code: a kernel says EHOSTUNREACH also of a request that was sent long ago.
 *
 * Breaks: test/io/http-client.test.ts, "a connection that is lost under a request".
 */
export class NotConnected extends Error {
  /** The system's, OpenSSL's, or ERR_CONNECT_TIMEOUT. */
  readonly code: string | undefined;

  constructor(cause: NodeJS.ErrnoException) {
    super(reasonOf(cause), { cause });
    this.code = cause.code;
  }
}

/** What a request failed by, in words. */
export function reasonOf(error: Error): string {
  const { message, name, code, errors = [] } = error as NodeJS.ErrnoException & { errors?: readonly Error[] };
  // One host, several addresses: the reasons are in the parts.
  return message || errors.map((part) => part.message).join(', ') || code || name;
}

const CONNECT_TIMEOUT = 10_000;
/** Ms after which an idle connection is closed, before the server does: a request on its way meanwhile would be lost. */
const IDLE = 4_000;

/**
 * HTTP by Node's own parser, on connections that are kept: a parser in WebAssembly, as HTTP clients of `fetch` have it, is
 * compiled by V8 after a few answers, which is 0.1 s of CPU. Follows no redirects, asks for no compression.
 */
export class HttpClient {
  readonly #timeout: number;
  readonly #plain: PlainAgent;
  readonly #secure: SecureAgent;

  constructor({ timeout, tls }: HttpClientOptions) {
    this.#timeout = timeout;
    this.#plain = new PlainAgent({ keepAlive: true, timeout: IDLE });
    this.#secure = new SecureAgent({ keepAlive: true, timeout: IDLE, ...tls });
  }

  /**
   * Resolves with the head of the answer, its body to be read. Rejects with `NotConnected`, with what a connection broke by
   * (the server may have got the request; `code` ERR_ANSWER_TIMEOUT for silence), or with the signal's reason.
   */
  request({ method, url, headers, body, signal }: HttpCall): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const secure = url.startsWith('https:');
      const options: RequestOptions = {
        method,
        headers,
        agent: secure ? this.#secure : this.#plain,
        timeout: this.#timeout,
        ...(signal && { signal }),
      };
      const sent = secure ? secureRequest(url, options) : plainRequest(url, options);
      let connected = false;
      let answer: IncomingMessage | null = null;
      const timedOut = (timeout: number): void => {
        const [what, code] = connected ? ['answer', 'ERR_ANSWER_TIMEOUT'] : ['connection', 'ERR_CONNECT_TIMEOUT'];
        (answer ?? sent).destroy(Object.assign(new Error(`no ${what} in ${timeout} ms`), { code }));
      };
      sent.on('response', (message) => {
        answer = message;
        resolve(message);
      });
      sent.on('error', (error) => {
        if (signal?.aborted) reject(signal.reason as Error);
        else reject(connected ? error : new NotConnected(error));
      });
      sent.on('timeout', () => timedOut(this.#timeout));
      sent.on('socket', (socket) => {
        connected = !socket.connecting;
        if (connected) return;
        const timer = setTimeout(timedOut, CONNECT_TIMEOUT, CONNECT_TIMEOUT);
        socket.once('close', () => clearTimeout(timer));
        socket.once(secure ? 'secureConnect' : 'connect', () => {
          connected = true;
          clearTimeout(timer);
        });
      });
      sent.end(body ?? undefined);
    });
  }

  /** Ends all connections, also those under a request. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}
