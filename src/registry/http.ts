import { text as textOf } from 'node:stream/consumers';
import type { RegistryConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import { HttpClient, reasonOf } from '../io/http-client.ts';
import type { Ports } from '../ports.ts';
import type { RegistryHealth } from './registry.ts';

const FIRST_DELAY = 200;
const LONGEST_DELAY = 30_000;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

/** Answers that say nothing about the request: tried again. */
const AGAIN: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** What OpenSSL and Node say of a server's certificate that does not verify. */
const SERVER_UNTRUSTED = /^(UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|CERT_|ERR_TLS_CERT_)/;

const CLOSED = /^(ECONNRESET|EPIPE|ERR_SSL_.*ALERT.*)$/;

interface Address {
  /** Without a slash at its end, user and password; may have a path, as `/contexts/.eu` or a proxy's. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Requests to the registry, repeated with growing pauses while none of its addresses answers. Each round begins with the
 * address that answered last.
 */
export class RegistryHttp {
  readonly #config: RegistryConfig;
  readonly #ports: Ports;
  readonly #onHealth: RegistryHealth;
  readonly #addresses: readonly Address[];
  readonly #client: HttpClient;
  #first = 0;
  #down = false;

  constructor(config: RegistryConfig, ports: Ports, onHealth: RegistryHealth) {
    this.#config = config;
    this.#ports = ports;
    this.#onHealth = onHealth;
    this.#addresses = config.url.map((url) => addressOf(url, config));
    const { serverName, ...tls } = config.tls ?? {};
    this.#client = new HttpClient({
      timeout: config.requestTimeout,
      tls: { ...tls, ...(serverName && { servername: serverName }) },
    });
  }

  /** The JSON answer; null for 404. Rejects with REGISTRY_AUTH, REGISTRY_REFUSED by the registry's message, or the signal's reason. */
  async request(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    for (let delay = FIRST_DELAY; ; delay = Math.min(delay * 2, LONGEST_DELAY)) {
      const answer = await this.#round(method, path, body, signal);
      if (!(answer instanceof TabletopicError)) {
        if (this.#down) this.#onHealth(null);
        this.#down = false;
        return answer.json;
      }
      if (answer.policy !== 'retry') throw answer;
      this.#down = true;
      this.#onHealth(answer);
      await this.#ports.clock.sleep(delay * (0.5 + this.#ports.random.next() / 2), signal);
    }
  }

  /** Every address once, until one answers; the last failure where none does. */
  async #round(
    method: string,
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<{ json: unknown } | TabletopicError> {
    const count = this.#addresses.length;
    let answer: { json: unknown } | TabletopicError | null = null;
    const first = this.#first;
    for (let i = 0; i < count; i++) {
      signal?.throwIfAborted();
      const index = (first + i) % count;
      answer = await this.#attempt(method, this.#addresses[index]!, path, body, signal);
      if (answer instanceof TabletopicError && answer.policy === 'retry') continue;
      this.#first = index;
      break;
    }
    return answer!;
  }

  async #attempt(
    method: string,
    address: Address,
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<{ json: unknown } | TabletopicError> {
    const url = `${address.url}${path}`;
    const timeout = AbortSignal.timeout(this.#config.requestTimeout);
    try {
      const response = await this.#client.request({
        method,
        url,
        headers: body === undefined ? address.headers : { ...address.headers, 'content-type': MEDIA_TYPE },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      const text = await textOf(response);
      return this.#judge(response.statusCode!, response.headers.location, text, url);
    } catch (cause) {
      signal?.throwIfAborted();
      const reason: unknown = timeout.aborted ? timeout.reason : cause;
      return failed(url, reason as Error, this.#config.tls?.cert !== undefined);
    }
  }

  #judge(status: number, location: string | undefined, text: string, url: string): { json: unknown } | TabletopicError {
    const where = { url, status };
    // Without the registry's own code (404xx) it is somebody else who answers: a wrong path, a proxy. No record may be
    // taken for bad because of that.
    if (status === 404)
      return isRegistryError(text)
        ? { json: null }
        : unavailable(url, 'HTTP 404 from something that is not a schema registry');
    if (status === 401 || status === 403)
      return new TabletopicError('REGISTRY_AUTH', `The schema registry refuses these credentials (HTTP ${status})`, {
        where,
      });
    if (location !== undefined && status >= 300 && status < 400)
      return unavailable(
        url,
        `HTTP ${status} to ${location}`,
        undefined,
        'Give the address that it names in `schemaRegistry.url`.',
      );
    if (AGAIN.has(status)) return unavailable(url, `HTTP ${status}: ${text.slice(0, 200)}`);
    if (status < 200 || status >= 300)
      return new TabletopicError(
        'REGISTRY_REFUSED',
        `The schema registry answered HTTP ${status}: ${text.slice(0, 200)}`,
        { where },
      );
    try {
      return { json: JSON.parse(text) };
    } catch (cause) {
      // A proxy's page, most often: the registry itself is not there.
      return unavailable(url, 'the answer is not JSON', cause);
    }
  }
}

/** User and password may stand in the URL; they appear in no message. */
function addressOf(text: string, { token, username, password }: RegistryConfig): Address {
  const url = new URL(text);
  const user = username ?? (url.username === '' ? undefined : decodeURIComponent(url.username));
  const secret = username === undefined ? decodeURIComponent(url.password) : (password ?? '');
  url.username = '';
  url.password = '';
  const basic = user === undefined ? null : `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
  const authorization = token === undefined ? basic : `Bearer ${token}`;
  return {
    url: url.href.replace(/\/+$/, ''),
    headers: { accept: `${MEDIA_TYPE}, application/json`, ...(authorization ? { authorization } : {}) },
  };
}

function isRegistryError(text: string): boolean {
  try {
    const code = (JSON.parse(text) as { error_code?: unknown } | null)?.error_code;
    return typeof code === 'number' && String(code).startsWith('404');
  } catch {
    return false;
  }
}

function failed(url: string, cause: Error, withCertificate: boolean): TabletopicError {
  const reason = cause.name === 'TimeoutError' ? 'no answer in time' : reasonOf(cause);
  const { code = '' } = cause as NodeJS.ErrnoException;
  if (SERVER_UNTRUSTED.test(code))
    return new TabletopicError('REGISTRY_UNAVAILABLE', `The schema registry’s certificate does not verify: ${reason}`, {
      hint: 'Give the authority that signed it in `schemaRegistry.tls.ca`, or the name that stands in it in `schemaRegistry.tls.serverName`.',
      where: { url },
      cause,
    });
  // A server that wants a client certificate ends the connection, with or without a word (TLS alert).
  const closed = url.startsWith('https:') && !withCertificate && CLOSED.test(code);
  const hint = closed ? 'Does it want a client certificate? Give `schemaRegistry.tls.cert` and `key`.' : undefined;
  return unavailable(url, reason, cause, hint);
}

function unavailable(url: string, reason: string, cause?: unknown, hint?: string): TabletopicError {
  return new TabletopicError('REGISTRY_UNAVAILABLE', `The schema registry does not answer: ${reason}`, {
    where: { url },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}
