/**
 * Object store contract. Locations are absolute URIs (`s3://bucket/key`, `file:/path`), as they stand in table
 * metadata. Errors: `STORAGE_UNAVAILABLE` (after the client's own retries), `STORAGE_AUTH`, `STORAGE_NOT_FOUND`.
 */
export interface FileIO {
  /** The whole object, or `length` bytes from `offset` (a negative offset counts from the end). */
  read(location: string, range?: { offset: number; length?: number }): Promise<Uint8Array>;
  /** Writes a whole object; returns only when it is durable. `ifAbsent`: rejects with `STORAGE_EXISTS` when it is there. */
  write(location: string, bytes: Uint8Array, options?: { ifAbsent?: boolean }): Promise<void>;
  /** Opens a streamed write: one PUT below 8 MiB, multipart above. The object appears at `close`, whole or not at all. */
  create(location: string): OutputFile;
  /** Size in bytes and modification time (ms), or null where there is none. */
  stat(location: string): Promise<{ size: number; modified: number } | null>;
  delete(locations: readonly string[]): Promise<void>;
  list(prefix: string): AsyncIterable<{ location: string; size: number; modified: number }>;
  close(): Promise<void>;
}

/**
 * Bytes are taken in order, and copied where they are kept; `write` resolves when the writer may go on (backpressure), not
 * when they are durable.
 */
export interface OutputFile {
  readonly location: string;
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the object visible and durable; returns its size in bytes. */
  close(): Promise<number>;
  /** Gives up; leaves no object and no open multipart upload. Never rejects. */
  abort(): Promise<void>;
}
