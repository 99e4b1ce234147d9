import type { RegistryConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { RegistryHttp } from './http.ts';
import type { RegisteredSchema, Registry, RegistryHealth } from './registry.ts';

/** Schemas that one schema may reference, through others. */
const MOST_REFERENCES = 1_000;

interface Fetching {
  readonly promise: Promise<RegisteredSchema>;
  waiting: number;
  readonly abort: AbortController;
}

/** A registered text with what it references itself. */
interface Version {
  readonly text: string;
  readonly references: readonly Reference[];
}

interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** A registry over HTTP; `onHealth` hears of every failed try. */
export function createRegistry(config: RegistryConfig, ports: Ports, onHealth: RegistryHealth): Registry {
  return new HttpRegistry(new RegistryHttp(config, ports, onHealth));
}

class HttpRegistry implements Registry {
  readonly #http: RegistryHttp;
  readonly #schemas = new Map<number | string, RegisteredSchema>();
  readonly #underWay = new Map<number | string, Fetching>();
  /** Of subjects that others reference: a version never changes. */
  readonly #versions = new Map<string, Version>();

  constructor(http: RegistryHttp) {
    this.#http = http;
  }

  async schema(id: number | string, signal?: AbortSignal): Promise<RegisteredSchema> {
    const known = this.#schemas.get(id);
    if (known) return known;
    signal?.throwIfAborted();
    let fetching = this.#underWay.get(id);
    if (!fetching) {
      const abort = new AbortController();
      const started = { promise: this.#fetch(id, abort.signal), waiting: 0, abort };
      fetching = started;
      this.#underWay.set(id, started);
      void this.#settle(id, started);
    }
    return this.#wait(id, fetching, signal);
  }

  async #settle(id: number | string, fetching: Fetching): Promise<void> {
    await Promise.allSettled([fetching.promise]);
    this.#forget(id, fetching);
  }

  #forget(id: number | string, fetching: Fetching): void {
    if (this.#underWay.get(id) === fetching) this.#underWay.delete(id);
  }

  /** One who gives up does not end the fetch for the others; the last one does. */
  async #wait(id: number | string, fetching: Fetching, signal: AbortSignal | undefined): Promise<RegisteredSchema> {
    fetching.waiting++;
    const gaveUp = Promise.withResolvers<never>();
    const leave = (): void => {
      gaveUp.reject(signal!.reason as Error);
      if (fetching.waiting > 1) return;
      this.#forget(id, fetching);
      fetching.abort.abort(signal!.reason);
    };
    signal?.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([fetching.promise, gaveUp.promise]);
    } finally {
      fetching.waiting--;
      signal?.removeEventListener('abort', leave);
    }
  }

  async #fetch(id: number | string, signal: AbortSignal): Promise<RegisteredSchema> {
    const json = await this.#http.request(
      'GET',
      typeof id === 'number' ? `/schemas/ids/${id}` : `/schemas/guids/${encodeURIComponent(id)}`,
      undefined,
      signal,
    );
    if (json === null) {
      throw new TabletopicError('REGISTRY_SCHEMA_MISSING', `The schema registry does not know schema ${id}`, {
        where: { schema: id },
      });
    }
    const schema = await this.#whole(json, typeof id === 'number' ? id : null, signal);
    this.#schemas.set(id, schema);
    return schema;
  }

  async latest(subject: string, signal?: AbortSignal): Promise<RegisteredSchema | null> {
    const json = await this.#http.request(
      'GET',
      `/subjects/${encodeURIComponent(subject)}/versions/latest`,
      undefined,
      signal,
    );
    if (json === null) return null;
    const id = (json as { id?: unknown }).id;
    const schema = await this.#whole(json, typeof id === 'number' ? id : null, signal);
    if (schema.id !== null) this.#schemas.set(schema.id, schema);
    return schema;
  }

  async subjects(prefix: string, signal?: AbortSignal): Promise<readonly string[]> {
    // Not every registry knows the parameter: those that do not answer with all subjects.
    const json = await this.#http.request(
      'GET',
      `/subjects?subjectPrefix=${encodeURIComponent(prefix)}`,
      undefined,
      signal,
    );
    const names = Array.isArray(json) ? json.filter((name): name is string => typeof name === 'string') : [];
    return names.filter((name) => name.startsWith(prefix)).sort();
  }

  async register(subject: string, text: string, signal?: AbortSignal): Promise<number> {
    const json = await this.#http.request(
      'POST',
      `/subjects/${encodeURIComponent(subject)}/versions`,
      { schema: text, schemaType: 'AVRO' },
      signal,
    );
    const id = (json as { id?: unknown } | null)?.id;
    if (typeof id !== 'number')
      throw new TabletopicError('REGISTRY_REFUSED', `The schema registry gave no id for a schema of ${subject}`);
    return id;
  }

  /** An answer of the registry with the texts of everything that it references. */
  async #whole(json: unknown, id: number | null, signal: AbortSignal | undefined): Promise<RegisteredSchema> {
    const {
      schema,
      schemaType = 'AVRO',
      references,
    } = json as { schema?: unknown; schemaType?: unknown; references?: readonly Reference[] | null };
    if (typeof schema !== 'string' || (schemaType !== 'AVRO' && schemaType !== 'JSON' && schemaType !== 'PROTOBUF')) {
      throw new TabletopicError(
        'REGISTRY_REFUSED',
        `The schema registry answered without a schema, or with one of type ${String(schemaType)}`,
      );
    }
    const texts = new Map<string, string>();
    await this.#collect(references ?? [], texts, signal);
    return { id, type: schemaType, text: schema, references: Object.fromEntries(texts) };
  }

  async #collect(
    references: readonly Reference[],
    texts: Map<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (const { name, subject, version } of references) {
      if (texts.has(name)) continue;
      const { text, references: inner } = await this.#version(name, subject, version, texts.size, signal);
      texts.set(name, text);
      await this.#collect(inner, texts, signal);
    }
  }

  async #version(
    name: string,
    subject: string,
    version: number,
    found: number,
    signal: AbortSignal | undefined,
  ): Promise<Version> {
    const key = JSON.stringify([subject, version]);
    const known = this.#versions.get(key);
    if (known) return known;
    const json = await this.#http.request(
      'GET',
      `/subjects/${encodeURIComponent(subject)}/versions/${version}`,
      undefined,
      signal,
    );
    const { schema, references } = (json ?? {}) as { schema?: unknown; references?: readonly Reference[] | null };
    if (typeof schema !== 'string' || found >= MOST_REFERENCES) {
      throw new TabletopicError(
        'REGISTRY_SCHEMA_MISSING',
        `The schema registry does not have version ${version} of ${subject}, which is referenced as ${name}`,
        { where: { subject, version } },
      );
    }
    const answer = { text: schema, references: references ?? [] };
    // A negative number is the newest version, whichever that is.
    if (version > 0) this.#versions.set(key, answer);
    return answer;
  }
}
