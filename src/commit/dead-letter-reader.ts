import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { TabletopicError } from '../errors.ts';
import { deadLetterSchema } from './dead-letter-schema.ts';
import type { FileIO } from '../io/file-io.ts';
import type { DeadLetterRow } from './dead-letter-schema.ts';

/**
 * Reads source files, and data files of the dead-letter table, which other engines may have rewritten. Whole in memory:
 * dead letters are few, and this is not the hot path.
 */
export interface ReadDeadLetters {
  readonly rows: readonly DeadLetterRow[];
  /** Names of top-level columns that are no dead letter's: a rewrite would lose them. */
  readonly otherColumns: readonly string[];
}

/** Rejects with `DEAD_LETTERS_UNREADABLE`, naming the file and what it is needed for. */
export async function readDeadLetterRows(io: FileIO, location: string, neededFor: string): Promise<ReadDeadLetters> {
  try {
    const bytes = await io.read(location);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const metadata = parquetMetadata(file);
    const known = new Set(deadLetterSchema.fields.map((field) => field.name));
    const names = topLevelNames(metadata.schema);
    const rows = await parquetReadObjects({ file, metadata, compressors, utf8: false, parsers });
    return { rows: rows.map(rowOf), otherColumns: names.filter((name) => !known.has(name)) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TabletopicError(
      'DEAD_LETTERS_UNREADABLE',
      `${location} cannot be read: ${reason}; it is needed for ${neededFor}`,
      { cause, where: { file: location } },
    );
  }
}

/** Times stay as they are stored: a `Date` would cut microseconds. */
const parsers = {
  timestampFromMilliseconds: (value: bigint) => value * 1000n,
  timestampFromMicroseconds: (value: bigint) => value,
  timestampFromNanoseconds: (value: bigint) => value / 1000n,
};

function topLevelNames(schema: readonly { name: string; num_children?: number }[]): string[] {
  const names: string[] = [];
  const skip = (i: number): number => {
    let next = i + 1;
    for (let child = 0; child < (schema[i]!.num_children ?? 0); child++) next = skip(next);
    return next;
  };
  for (let i = 1; i < schema.length; i = skip(i)) names.push(schema[i]!.name);
  return names;
}

function rowOf(row: Record<string, unknown>): DeadLetterRow {
  const headers = (row['headers'] ?? []) as readonly Record<string, unknown>[];
  return {
    topic: row['topic'] as string,
    partition: Number(row['partition']),
    offset: row['offset'] as bigint,
    timestamp: (row['timestamp'] ?? null) as bigint | null,
    timestampType: row['timestamp_type'] as string,
    key: (row['key'] ?? null) as Uint8Array | null,
    value: (row['value'] ?? null) as Uint8Array | null,
    headers: headers.map((header) => ({
      key: header['key'] as string,
      value: (header['value'] ?? null) as Uint8Array | null,
    })),
    code: row['error_code'] as string,
    reason: row['reason'] as string,
    schemaId: row['schema_id'] === null || row['schema_id'] === undefined ? null : Number(row['schema_id']),
    checkpointId: row['checkpoint_id'] as string,
    serviceVersion: row['service_version'] as string,
  };
}
