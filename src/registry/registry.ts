import type { TabletopicError } from '../errors.ts';

/**
 * Contract of schema registries (Confluent's REST API, which Apicurio and others speak).
 *
 * Schemas never change once registered, so answers are kept for good and fetched once however many records wait.
 */
export interface Registry {
  /**
   * A schema by id, or by GUID. Tries again for as long as the registry is down (told to `onHealth`); rejects with
   * `REGISTRY_SCHEMA_MISSING`, `REGISTRY_AUTH`, or the signal's reason.
   */
  schema(id: SchemaId, signal: AbortSignal): Promise<RegisteredSchema>;
  /** The newest version of a subject, or null where the registry has none. Waits like `schema`. */
  latest(subject: string, signal: AbortSignal): Promise<RegisteredSchema | null>;
  /** One request; rejects with `REGISTRY_UNAVAILABLE` or `REGISTRY_AUTH`. */
  probe(): Promise<void>;
}

export type SchemaId = number | { readonly guid: string };

export interface RegisteredSchema {
  /** Null where the registry did not say (asked for by GUID). */
  readonly id: number | null;
  readonly type: 'AVRO' | 'PROTOBUF' | 'JSON';
  readonly text: string;
  /** Texts of all schemas that it refers to, directly or not, by reference name; a schema stands after those it uses. */
  readonly references: Readonly<Record<string, string>>;
}

/** Told of every failure that is tried again, and of the first success after it (null). */
export type RegistryHealth = (error: TabletopicError | null) => void;
