import { TabletopicError } from '../../src/errors.ts';
import type { RegisteredSchema, Registry, RegistryHealth } from '../../src/registry/registry.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './scheduler.ts';

/** The schema registry: Avro schemas, each with one id for ever. */
export class SimRegistry {
  readonly #texts: string[] = [];
  readonly #subjects = new Map<string, number[]>();

  register(subject: string, text: string): number {
    const known = this.#texts.indexOf(text) + 1;
    const id = known > 0 ? known : this.#texts.push(text);
    const versions = this.#subjects.get(subject) ?? [];
    this.#subjects.set(subject, [...versions.filter((version) => version !== id), id]);
    return id;
  }

  schema(id: number | string): RegisteredSchema | null {
    const text = this.#texts[Number(id) - 1];
    return text === undefined ? null : { id: Number(id), type: 'AVRO', text, references: {} };
  }

  latest(subject: string): RegisteredSchema | null {
    const id = this.#subjects.get(subject)?.at(-1);
    return id === undefined ? null : this.schema(id);
  }

  subjects(prefix: string): readonly string[] {
    return [...this.#subjects.keys()].filter((subject) => subject.startsWith(prefix)).sort();
  }
}

/** One process's client: what it knows it never asks again; while the registry does not answer it waits. */
export class SimRegistryClient implements Registry {
  readonly #process: SimProcess;
  readonly #network: Network;
  readonly #server: SimRegistry;
  readonly #onHealth: RegistryHealth;
  readonly #known = new Map<number | string, RegisteredSchema>();

  constructor(process: SimProcess, network: Network, server: SimRegistry, onHealth: RegistryHealth) {
    this.#process = process;
    this.#network = network;
    this.#server = server;
    this.#onHealth = onHealth;
  }

  async schema(id: number | string, signal?: AbortSignal): Promise<RegisteredSchema> {
    const schema =
      this.#known.get(id) ?? (await this.#ask('schema', String(id), () => this.#server.schema(id), signal));
    if (schema === null)
      throw new TabletopicError('REGISTRY_SCHEMA_MISSING', `The schema registry does not know schema ${id}`);
    this.#known.set(id, schema);
    return schema;
  }

  latest(subject: string, signal?: AbortSignal): Promise<RegisteredSchema | null> {
    return this.#ask('latest', subject, () => this.#server.latest(subject), signal);
  }

  subjects(prefix: string, signal?: AbortSignal): Promise<readonly string[]> {
    return this.#ask('subjects', prefix, () => this.#server.subjects(prefix), signal);
  }

  register(subject: string, text: string, signal?: AbortSignal): Promise<number> {
    return this.#ask('register', subject, () => this.#server.register(subject, text), signal);
  }

  async #ask<T>(operation: string, what: string, serve: () => T, signal?: AbortSignal): Promise<T> {
    for (let failed = false; ; failed = true) {
      signal?.throwIfAborted();
      try {
        const answer = await this.#network.call(
          this.#process,
          `registry.${operation}`,
          what,
          serve,
          ({ kind }): never => {
            throw new TabletopicError('REGISTRY_UNAVAILABLE', `the schema registry does not answer (${kind})`);
          },
        );
        if (failed) this.#onHealth(null);
        return answer;
      } catch (error) {
        this.#onHealth(error as TabletopicError);
        await this.#process.ports.clock.sleep(700, signal);
      }
    }
  }
}
