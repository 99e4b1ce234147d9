import { request } from 'undici';
import { TabletopicError, asTabletopicError } from '../errors.ts';
import type { RegistryConfig } from '../config/config.ts';
import type { Ports } from '../ports.ts';
import type { RegisteredSchema, Registry, RegistryHealth, SchemaId } from './registry.ts';

interface SchemaAnswer {
  readonly id?: number;
  readonly schema: string;
  readonly schemaType?: RegisteredSchema['type'];
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[];
}

const FIRST_DELAY = 200;
const LAST_DELAY = 10_000;
/** Error codes of the API for what does not exist: subject, version, schema. */
const MISSING = new Set([40401, 40402, 40403]);

export function createRegistry(config: RegistryConfig, ports: Ports, onHealth: RegistryHealth = () => undefined): Registry {
  return new RegistryClient(config, ports, onHealth);
}

class RegistryClient implements Registry {
  readonly #config: RegistryConfig;
  readonly #ports: Ports;
  readonly #onHealth: RegistryHealth;
  /** Answers and requests under way, by path. A request that failed is not kept. */
  readonly #kept = new Map<string, Promise<RegisteredSchema>>();
  #down = false;

  constructor(config: RegistryConfig, ports: Ports, onHealth: RegistryHealth) {
    this.#config = config;
    this.#ports = ports;
    this.#onHealth = onHealth;
  }

  schema(id: SchemaId, signal: AbortSignal): Promise<RegisteredSchema> {
    const path = typeof id === 'number' ? `/schemas/ids/${id}` : `/schemas/guids/${encodeURIComponent(id.guid)}`;
    return this.#once(path, typeof id === 'number' ? id : null, signal);
  }

  async latest(subject: string, signal: AbortSignal): Promise<RegisteredSchema | null> {
    try {
      const answer = await this.#wait(`/subjects/${encodeURIComponent(subject)}/versions/latest`, signal);
      return await this.#resolved(answer, answer.id ?? null, signal);
    } catch (error) {
      if (error instanceof TabletopicError && error.code === 'REGISTRY_SCHEMA_MISSING') return null;
      throw error;
    }
  }

  async probe(): Promise<void> {
    await this.#get('/subjects');
  }

  #once(path: string, id: number | null, signal: AbortSignal): Promise<RegisteredSchema> {
    const kept = this.#kept.get(path);
    if (kept) return kept;
    const asked = this.#wait(path, signal).then((answer) => this.#resolved(answer, id, signal));
    this.#kept.set(path, asked);
    asked.catch(() => this.#kept.delete(path));
    return asked;
  }

  async #resolved(answer: SchemaAnswer, id: number | null, signal: AbortSignal): Promise<RegisteredSchema> {
    const references: Record<string, string> = {};
    for (const { name, subject, version } of answer.references ?? []) {
      const referred = await this.#once(`/subjects/${encodeURIComponent(subject)}/versions/${version}`, null, signal);
      Object.assign(references, referred.references, { [name]: referred.text });
    }
    return { id, type: answer.schemaType ?? 'AVRO', text: answer.schema, references };
  }

  /** Until the registry answers. */
  async #wait(path: string, signal: AbortSignal): Promise<SchemaAnswer> {
    for (let failures = 0; ; failures++) {
      signal.throwIfAborted();
      try {
        const answer = (await this.#get(path)) as SchemaAnswer;
        this.#healthy();
        return answer;
      } catch (thrown) {
        const error = asTabletopicError(thrown);
        if (error.policy !== 'retry') {
          if (error.code === 'REGISTRY_SCHEMA_MISSING') this.#healthy();
          throw error;
        }
        this.#down = true;
        this.#onHealth(error);
        const delay = Math.min(LAST_DELAY, FIRST_DELAY * 2 ** failures) * (0.5 + this.#ports.random.next() / 2);
        await this.#ports.clock.sleep(delay, signal);
      }
    }
  }

  #healthy(): void {
    if (!this.#down) return;
    this.#down = false;
    this.#onHealth(null);
  }

  async #get(path: string): Promise<unknown> {
    const { url, requestTimeout } = this.#config;
    const where = { url: `${url.replace(/\/+$/, '')}${path}` };
    let status: number;
    let text: string;
    try {
      const response = await request(where.url, { headers: { accept: 'application/vnd.schemaregistry.v1+json, application/json', ...this.#authorization() }, headersTimeout: requestTimeout, bodyTimeout: requestTimeout });
      status = response.statusCode;
      text = await response.body.text();
    } catch (error) {
      throw new TabletopicError('REGISTRY_UNAVAILABLE', `the schema registry at ${url} does not answer: ${(error as Error).message}`, { cause: error, where });
    }
    if (status === 200) return parsed(text, where);
    if (status === 401 || status === 403) throw new TabletopicError('REGISTRY_AUTH', `the schema registry at ${url} refuses access (HTTP ${status})`, { where });
    if (status === 404 && MISSING.has((parsed(text, where) as { error_code?: number }).error_code ?? 0)) {
      throw new TabletopicError('REGISTRY_SCHEMA_MISSING', `the schema registry at ${url} has no ${path.slice(1)}`, { where });
    }
    throw new TabletopicError('REGISTRY_UNAVAILABLE', `the schema registry at ${url} answers HTTP ${status}: ${text.slice(0, 200)}`, { where });
  }

  #authorization(): Record<string, string> {
    const { token, username, password } = this.#config;
    if (token !== undefined) return { authorization: `Bearer ${token}` };
    if (username === undefined) return {};
    return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` };
  }
}

function parsed(text: string, where: { readonly url: string }): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TabletopicError('REGISTRY_UNAVAILABLE', `${where.url} does not answer in JSON: is it a schema registry?`, { cause: error, where });
  }
}
