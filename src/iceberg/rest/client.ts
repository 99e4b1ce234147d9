import { TabletopicError } from '../../errors.ts';
import type { Ports } from '../../ports.ts';
import type { Auth } from './auth.ts';
import { NotSent } from './transport.ts';
import type { HttpAnswer, HttpRequest, Send } from './transport.ts';

export interface Call {
  readonly method: HttpRequest['method'];
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /**
   * Which failures are tried again here: `all` for calls that change nothing, `unsent` for those whose repetition could
   * change something twice: only what the server surely did not do (connection refused, 429).
   */
  readonly repeat: 'all' | 'unsent';
  readonly enough?: HttpRequest['enough'];
}

const ATTEMPTS = 5;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;
const TRANSIENT = new Set([500, 502, 503, 504]);

/** Requests with proof of identity, one refresh of it after 401 or 419, and repetition with backoff. */
export class RestClient {
  readonly #send: Send;
  readonly #auth: Auth;
  readonly #ports: Ports;

  constructor(send: Send, auth: Auth, ports: Ports) {
    this.#send = send;
    this.#auth = auth;
    this.#ports = ports;
  }

  /**
   * The last answer, whatever its status. Rejects with `AnswerLost` (`repeat: 'unsent'`), `CATALOG_UNAVAILABLE` and, from
   * the token endpoint, `CATALOG_AUTH`.
   */
  async call(call: Call): Promise<HttpAnswer> {
    let refreshed = false;
    for (let attempt = 1; ; attempt++) {
      const last = attempt >= ATTEMPTS;
      let delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1)) * (0.5 + this.#ports.random.next());
      try {
        const answer = await this.#once(call);
        if ((answer.status === 401 || answer.status === 419) && !refreshed) {
          refreshed = true;
          if (!(await this.#refresh())) return answer;
          continue;
        }
        const again = answer.status === 429 || (call.repeat === 'all' && TRANSIENT.has(answer.status));
        if (!again || last) return answer;
        delay = Math.max(delay, retryAfter(answer));
      } catch (error) {
        if (error instanceof TabletopicError) throw error;
        const again = error instanceof NotSent || call.repeat === 'all';
        if (!again) throw error;
        if (last)
          throw new TabletopicError(
            'CATALOG_UNAVAILABLE',
            `${new URL(call.url).origin} does not answer: ${(error as Error).message}`,
            { cause: error, where: { url: call.url } },
          );
      }
      await this.#ports.clock.sleep(delay);
    }
  }

  async #once({ method, url, headers = {}, body, enough }: Call): Promise<HttpAnswer> {
    const plain: HttpRequest = {
      method,
      url,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body ?? null,
      enough,
    };
    let proven: Record<string, string>;
    try {
      proven = await this.#auth.headers(plain);
    } catch (error) {
      throw unsent(error);
    }
    return this.#send({ ...plain, headers: proven });
  }

  async #refresh(): Promise<boolean> {
    try {
      return await this.#auth.refresh();
    } catch (error) {
      throw unsent(error);
    }
  }
}

/** Whatever became of a token request, the call itself was not sent. */
function unsent(error: unknown): Error {
  return error instanceof TabletopicError
    ? error
    : new NotSent(`token endpoint: ${(error as Error).message}`, { cause: error });
}

function retryAfter({ headers }: HttpAnswer): number {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) ? Math.min(30_000, Math.max(0, seconds * 1000)) : 0;
}
