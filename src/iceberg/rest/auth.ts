import { TabletopicError } from '../../errors.ts';
import type { Clock } from '../../ports.ts';
import type { HttpRequest, Send } from './transport.ts';

/** How requests prove who they are. */
export interface Auth {
  /** The request's headers with the proof. */
  headers(request: HttpRequest): Promise<Record<string, string>>;
  /** After a 401 or 419: true when a new proof was got and the request may be sent once more. */
  refresh(): Promise<boolean>;
}

export const noAuth: Auth = {
  headers: (request) => Promise.resolve({ ...request.headers }),
  refresh: () => Promise.resolve(false),
};

export function bearerAuth(token: string): Auth {
  return {
    headers: (request) => Promise.resolve({ ...request.headers, authorization: `Bearer ${token}` }),
    refresh: () => Promise.resolve(false),
  };
}

export interface OAuth2Options {
  readonly tokenUri: string;
  /** `id:secret`, or a secret alone. */
  readonly credential: string;
  readonly scope: string;
}

/** OAuth2 client credentials (RFC 6749, section 4.4). A token is got anew before it runs out, and when the server refuses it. */
export class OAuth2Auth implements Auth {
  readonly #options: OAuth2Options;
  readonly #send: Send;
  readonly #clock: Clock;
  #token: { readonly value: string; readonly renewAt: number } | null = null;
  #pending: Promise<string> | null = null;

  constructor(options: OAuth2Options, send: Send, clock: Clock) {
    this.#options = options;
    this.#send = send;
    this.#clock = clock;
  }

  async headers(request: HttpRequest): Promise<Record<string, string>> {
    const token =
      this.#token && this.#clock.monotonic() < this.#token.renewAt ? this.#token.value : await this.#fetch();
    return { ...request.headers, authorization: `Bearer ${token}` };
  }

  async refresh(): Promise<boolean> {
    this.#token = null;
    await this.#fetch();
    return true;
  }

  #fetch(): Promise<string> {
    this.#pending ??= this.#request().finally(() => {
      this.#pending = null;
    });
    return this.#pending;
  }

  async #request(): Promise<string> {
    const { tokenUri, credential, scope } = this.#options;
    const colon = credential.indexOf(':');
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      scope,
      client_secret: credential.slice(colon + 1),
    });
    if (colon > 0) form.set('client_id', credential.slice(0, colon));
    const answer = await this.#send({
      method: 'POST',
      url: tokenUri,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
    });
    const where = { url: tokenUri };
    if (answer.status === 429 || answer.status >= 500)
      throw new TabletopicError('CATALOG_UNAVAILABLE', `the token endpoint ${tokenUri} answers ${answer.status}`, {
        where,
      });
    const parsed = parse(answer.text);
    if (answer.status !== 200 || typeof parsed.access_token !== 'string') {
      throw new TabletopicError(
        'CATALOG_AUTH',
        `the token endpoint ${tokenUri} answers ${answer.status}${parsed.error ? `: ${parsed.error}` : ''}${parsed.error_description ? `: ${parsed.error_description}` : ''}`,
        {
          hint: 'Check `catalogs.<name>.credential` (`id:secret`), `scope` and `oauth2ServerUri`.',
          where,
        },
      );
    }
    const lifetime = (parsed.expires_in ?? 3600) * 1000;
    this.#token = {
      value: parsed.access_token,
      renewAt: this.#clock.monotonic() + lifetime - Math.min(60_000, lifetime / 4),
    };
    return parsed.access_token;
  }
}

interface TokenAnswer {
  readonly access_token?: string;
  /** Seconds. */
  readonly expires_in?: number;
  readonly error?: string;
  readonly error_description?: string;
}

function parse(text: string): TokenAnswer {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
