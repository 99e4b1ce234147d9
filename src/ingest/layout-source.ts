import type { BoundSchema, Part } from '../decode/decoder.ts';
import type { FieldAliases } from '../schema/evolve.ts';

/** A writer schema with its converted struct, whose field ids are still 0, and its fields' aliases by dotted path. */
export interface WriterSchema extends BoundSchema {
  readonly aliases: FieldAliases;
}

export interface LayoutSource {
  /**
   * By registry id; null where the schema is Protobuf and `index`, which message of it, is not known. Rejects with
   * `REGISTRY_SCHEMA_MISSING`, `SCHEMA_UNSUPPORTED`; waits while the registry is down.
   */
  byId(
    part: Part,
    id: number | { readonly guid: string },
    index: readonly number[] | null,
    signal: AbortSignal,
  ): Promise<WriterSchema | null>;
  /** Of a schema that stands in the records (Kafka Connect's JSON). Rejects with `SCHEMA_UNSUPPORTED`. */
  inline(part: Part, text: string): WriterSchema;
  /** What is known of these topics' records before any is read, first the schema that the table is created with. */
  known(part: Part, topics: readonly string[], signal: AbortSignal): Promise<readonly WriterSchema[]>;
  /** The schema of records that name none (`schema: latest` or a file). Rejects with REGISTRY_UNAVAILABLE while there is none. */
  fixed(part: Part, topic: string, signal: AbortSignal): Promise<WriterSchema>;
}
