import type { TabletopicError } from '../errors.ts';

/**
 * Contract of the schema registry (Confluent's REST interface, as Apicurio, Karapace and Redpanda have it too).
 *
 * Invariant: a schema id or GUID stands for one text for ever, so that each is fetched once in the life of the process,
 * however many ask for it at the same time.
 */
export interface Registry {
  /**
   * By id, or by GUID (`__value_schema_id` headers), with everything it references. Waits while the registry does not
   * answer; rejects with REGISTRY_SCHEMA_MISSING, REGISTRY_AUTH, or the signal's reason.
   */
  schema(id: number | string, signal?: AbortSignal): Promise<RegisteredSchema>;
  /** The newest version of a subject, or null where the registry has no such subject. Never from the cache. */
  latest(subject: string, signal?: AbortSignal): Promise<RegisteredSchema | null>;
  /** Names of all subjects that begin with `prefix`, sorted. */
  subjects(prefix: string, signal?: AbortSignal): Promise<readonly string[]>;
  /** Registers an Avro schema and gives its id; the same text gives the same id. */
  register(subject: string, text: string, signal?: AbortSignal): Promise<number>;
}

export interface RegisteredSchema {
  /** Null where only the GUID is known. */
  readonly id: number | null;
  readonly type: 'AVRO' | 'JSON' | 'PROTOBUF';
  readonly text: string;
  /** Texts of all schemas that it references, directly or through others, by reference name. */
  readonly references: Readonly<Record<string, string>>;
}

/** Called with the error when the registry does not answer, before each next try, and with null when it does again. */
export type RegistryHealth = (error: TabletopicError | null) => void;
