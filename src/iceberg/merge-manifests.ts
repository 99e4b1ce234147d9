import type { FileIO } from '../io/file-io.ts';
import type { Schema } from '../schema/types.ts';
import { fieldById } from './manifest-schema.ts';
import { EntryStatus, ManifestContent } from './manifest-types.ts';
import type { ManifestEntry, ManifestFile } from './manifest-types.ts';
import { readManifest, writeManifest } from './manifest.ts';
import { currentSchema } from './metadata.ts';
import type { PartitionSpec, TableMetadata } from './metadata.ts';

/** Manifests that are read at once unless told otherwise. */
const READS_AT_ONCE = 16;

/** Manifests that were merged, and what came of it: never changed once written. */
export interface Merge {
  readonly group: readonly ManifestFile[];
  readonly manifest: ManifestFile;
}

/**
 * Writes one manifest for several of one spec. Entries of deleted files are left behind, the others become EXISTING with
 * explicit snapshot id and sequence numbers. Rejects with the signal's reason when it aborts.
 */
export async function mergeManifests(
  io: FileIO,
  location: string,
  group: readonly ManifestFile[],
  metadata: TableMetadata,
  { readsAtOnce = READS_AT_ONCE, signal }: { readonly readsAtOnce?: number; readonly signal?: AbortSignal } = {},
): Promise<ManifestFile> {
  const spec = metadata['partition-specs'].find((candidate) => candidate['spec-id'] === group[0]!.specId)!;
  const entries: ManifestEntry[] = [];
  const read = await readManifests(io, group, readsAtOnce, signal);
  for (const entry of read.flat())
    if (entry.status !== EntryStatus.deleted) entries.push({ ...entry, status: EntryStatus.existing });
  const formatVersion = metadata['format-version'];
  const merged = await writeManifest(io, location, entries, {
    schema: schemaFor(spec, metadata),
    spec,
    formatVersion,
    content: ManifestContent.data,
  });
  // Files that keep their own row ids do not take new ones.
  return formatVersion >= 3 && group.every((manifest) => (manifest.firstRowId ?? null) !== null)
    ? { ...merged, firstRowId: group[0]!.firstRowId! }
    : merged;
}

/** Entries of each manifest, a few at a time: while they are read one after another, others would move the head. */
async function readManifests(
  io: FileIO,
  manifests: readonly ManifestFile[],
  atOnce: number,
  signal: AbortSignal | undefined,
): Promise<readonly ManifestEntry[][]> {
  const read: ManifestEntry[][] = [];
  let next = 0;
  const reader = async (): Promise<void> => {
    while (next < manifests.length) {
      signal?.throwIfAborted();
      const index = next++;
      read[index] = await readManifest(io, manifests[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, manifests.length) }, reader));
  return read;
}

/** The current schema, or the newest that still has the columns an old spec partitions by: their types are needed for the tuple. */
function schemaFor(spec: PartitionSpec, metadata: TableMetadata): Schema {
  const complete = (schema: Schema): boolean =>
    spec.fields.every((field) => fieldById(schema.fields, field['source-id']) !== undefined);
  const current = currentSchema(metadata);
  return complete(current) ? current : (metadata.schemas.findLast(complete) ?? current);
}
