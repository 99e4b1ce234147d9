import type { RegistryConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import type { RegistryHealth } from './registry.ts';

const FIRST_DELAY = 200;
const LONGEST_DELAY = 30_000;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

/** Answers that say nothing about the request: tried again. */
const AGAIN: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Requests to the registry, repeated with growing pauses while it does not answer. */
export class RegistryHttp {
  readonly #config: RegistryConfig;
  readonly #ports: Ports;
  readonly #onHealth: RegistryHealth;
  readonly #headers: Readonly<Record<string, string>>;
  #down = false;

  constructor(config: RegistryConfig, ports: Ports, onHealth: RegistryHealth) {
    this.#config = config;
    this.#ports = ports;
    this.#onHealth = onHealth;
    const { token, username, password } = config;
    const basic = username === undefined ? null : Buffer.from(`${username}:${password ?? ''}`).toString('base64');
    const authorization = token === undefined ? basic && `Basic ${basic}` : `Bearer ${token}`;
    this.#headers = { accept: `${MEDIA_TYPE}, application/json`, ...(authorization ? { authorization } : {}) };
  }

  /** The JSON answer; null for 404. Rejects with REGISTRY_AUTH, REGISTRY_REFUSED by the registry's message, or the signal's reason. */
  async request(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    for (let delay = FIRST_DELAY; ; delay = Math.min(delay * 2, LONGEST_DELAY)) {
      signal?.throwIfAborted();
      const answer = await this.#attempt(method, path, body, signal);
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

  async #attempt(
    method: string,
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<{ json: unknown } | TabletopicError> {
    const url = `${this.#config.url.replace(/\/+$/, '')}${path}`;
    const timeout = AbortSignal.timeout(this.#config.requestTimeout);
    try {
      const response = await fetch(url, {
        method,
        headers: body === undefined ? this.#headers : { ...this.#headers, 'content-type': MEDIA_TYPE },
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return this.#judge(response.status, text, url);
    } catch (cause) {
      signal?.throwIfAborted();
      return unavailable(url, reasonOf(cause), cause);
    }
  }

  #judge(status: number, text: string, url: string): { json: unknown } | TabletopicError {
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

function isRegistryError(text: string): boolean {
  try {
    const code = (JSON.parse(text) as { error_code?: unknown } | null)?.error_code;
    return typeof code === 'number' && String(code).startsWith('404');
  } catch {
    return false;
  }
}

function unavailable(url: string, reason: string, cause?: unknown): TabletopicError {
  return new TabletopicError('REGISTRY_UNAVAILABLE', `The schema registry does not answer: ${reason}`, {
    where: { url },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** fetch wraps what went wrong on the network in a TypeError. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  if (cause instanceof Error) return cause.message || ((cause as NodeJS.ErrnoException).code ?? error.message);
  return error.message;
}
