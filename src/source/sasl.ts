import { AuthenticationError, type SASLOptions } from '@platformatic/kafka';
import type { KafkaConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Clock } from '../ports.ts';

type Sasl = NonNullable<KafkaConfig['sasl']>;
type OAuth = Extract<Sasl, { mechanism: 'oauthbearer' }>;

/** SASL options of a connection, as the protocol client takes them. */
export function saslOptions(sasl: Sasl, clock: Clock): SASLOptions {
  switch (sasl.mechanism) {
    case 'plain':
      return { mechanism: 'PLAIN', username: sasl.username, password: sasl.password };
    case 'scram-sha-256':
      return { mechanism: 'SCRAM-SHA-256', username: sasl.username, password: sasl.password };
    case 'scram-sha-512':
      return { mechanism: 'SCRAM-SHA-512', username: sasl.username, password: sasl.password };
    case 'oauthbearer': {
      const tokens = new TokenProvider(sasl, clock);
      return {
        mechanism: 'OAUTHBEARER',
        token: () => tokens.token(),
        // RFC 7628 §3.2.2: a refusal comes as a successful answer whose body is a JSON status.
        authBytesValidator: (bytes, callback) => {
          if (bytes.length === 0) return callback(null, bytes);
          callback(new AuthenticationError(`the broker refuses the OAuth token: ${bytes.toString('utf8')}`));
        },
      };
    }
  }
}

/** Access tokens by the client credentials grant (RFC 6749 §4.4), kept until shortly before they expire. */
export class TokenProvider {
  readonly #oauth: OAuth;
  readonly #clock: Clock;
  #token = '';
  #refreshAt = -Infinity;
  #pending: Promise<string> | null = null;

  constructor(oauth: OAuth, clock: Clock) {
    this.#oauth = oauth;
    this.#clock = clock;
  }

  /** A valid token. Throws `KAFKA_AUTH` when the endpoint refuses the client, `KAFKA_UNAVAILABLE` when it does not answer. */
  async token(): Promise<string> {
    if (this.#clock.monotonic() < this.#refreshAt) return this.#token;
    this.#pending ??= this.#request().finally(() => {
      this.#pending = null;
    });
    return await this.#pending;
  }

  async #request(): Promise<string> {
    const { tokenEndpoint, clientId, clientSecret, scope } = this.#oauth;
    const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64');
    const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) });
    const asked = this.#clock.monotonic();
    let response: Response;
    let text: string;
    try {
      response = await fetch(tokenEndpoint, {
        method: 'POST',
        headers: { authorization: `Basic ${basic}`, accept: 'application/json' },
        body,
        signal: AbortSignal.timeout(10_000),
      });
      text = await response.text();
    } catch (cause) {
      throw new TabletopicError('KAFKA_UNAVAILABLE', `OAuth token endpoint ${tokenEndpoint} does not answer`, {
        cause,
      });
    }
    if (!response.ok) {
      const refused = response.status >= 400 && response.status < 500 && response.status !== 429;
      throw new TabletopicError(
        refused ? 'KAFKA_AUTH' : 'KAFKA_UNAVAILABLE',
        `OAuth token endpoint ${tokenEndpoint} answered ${response.status}: ${text.slice(0, 200)}`,
        {
          hint: 'Check `kafka.sasl.tokenEndpoint`, `clientId`, `clientSecret` and `scope`.',
        },
      );
    }
    const grant = parseGrant(text);
    if (grant === null)
      throw new TabletopicError('KAFKA_AUTH', `OAuth token endpoint ${tokenEndpoint} answered without an access_token`);
    this.#token = grant.token;
    // Before the end, so that a connection made now does not present a token that expires under way.
    this.#refreshAt = asked + grant.lifetime * 0.8;
    return grant.token;
  }
}

function parseGrant(text: string): { token: string; lifetime: number } | null {
  try {
    const grant: { access_token?: unknown; expires_in?: unknown } = JSON.parse(text);
    if (typeof grant.access_token !== 'string') return null;
    const seconds = Number(grant.expires_in);
    // RFC 6749 §5.1: `expires_in` is only recommended; without it each connection asks anew.
    return { token: grant.access_token, lifetime: seconds > 0 ? seconds * 1000 : 0 };
  } catch {
    return null;
  }
}
