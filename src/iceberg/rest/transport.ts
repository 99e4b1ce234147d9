import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { HttpClient, NotConnected, reasonOf } from '../../io/http-client.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /**
   * Whether the first bytes of a long answer (status 200) are all that is wanted of it: then the rest is not waited for,
   * and its connection is closed.
   */
  readonly enough?: ((first: Uint8Array) => boolean) | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Uint8Array;
  /** The bytes as text; made when asked for, as of large answers only a part is wanted. */
  readonly text: string;
}

/** The request surely never reached the server. */
export class NotSent extends Error {}

/** The server may have done it: the connection broke or the answer took too long after the request was on its way. */
export class AnswerLost extends Error {}

/** Sends requests, or takes a test's place of doing so. */
export type Send = (request: HttpRequest) => Promise<HttpAnswer>;

/** HTTP with one timeout, in ms, for the wait on the answer's head and one, as long, between its bytes. */
export function openTransport(timeout: number): { send: Send; close(): void } {
  const client = new HttpClient({ timeout });
  return {
    send: async ({ method, url, headers, body, enough }) => {
      try {
        const answer = await client.request({ method, url, headers, body });
        const status = answer.statusCode!;
        const bytes = enough !== undefined && status === 200 ? await readEnough(answer, enough) : await buffer(answer);
        return {
          status,
          headers: answer.headers,
          bytes,
          get text() {
            return bytes.toString();
          },
        };
      } catch (error) {
        const Failure = error instanceof NotConnected ? NotSent : AnswerLost;
        throw new Failure(reasonOf(error as Error), { cause: error });
      }
    },
    close: () => client.close(),
  };
}

/** Below this a whole answer costs less than a new connection. */
const FIRST_LOOK = 2 ** 20;

async function readEnough(body: Readable, enough: (first: Uint8Array) => boolean): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  let look = FIRST_LOOK;
  // Leaving the loop aborts what comes, which is told as an error too.
  body.on('error', () => undefined);
  for await (const part of body as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length < look) continue;
    const first = Buffer.concat(parts);
    if (enough(first)) return first;
    parts.splice(0, parts.length, first);
    look = length * 2;
  }
  return Buffer.concat(parts);
}
