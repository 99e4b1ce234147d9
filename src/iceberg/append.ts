import type { FileIO } from '../io/file-io.ts';
import type { Schema } from '../schema/types.ts';
import type { Ids } from '../ports.ts';
import { fieldById } from './manifest-schema.ts';
import { currentSchema } from './metadata.ts';
import type { PartitionSpec, TableMetadata } from './metadata.ts';
import { EntryStatus, ManifestContent } from './manifest-types.ts';
import type { ManifestEntry, ManifestFile } from './manifest-types.ts';
import { encodeManifestList, readManifestList } from './manifest-list.ts';
import { readManifest, writeManifest } from './manifest.ts';
import { branchHead } from './ancestry.ts';
import { planMerge } from './merge.ts';
import { planAppend } from './snapshot.ts';
import type { AppendInput, AppendPlan } from './snapshot.ts';

/** Manifests that are read at once for a merge. */
const READS_AT_ONCE = 16;

export type AppendAttempt = Omit<AppendInput, 'parentManifests' | 'manifestListLocation'> & {
  /** A new location in the table's metadata folder. */
  readonly metadataLocation: (name: string) => string;
  /** Number of this attempt, for the manifest list's name. */
  readonly attempt: number;
  /** Entries of manifest lists that were read before, by location: a list never changes. */
  readonly listCache?: Map<string, readonly ManifestFile[]>;
  /** Multiplies `commit.manifest.min-count-to-merge`: of many writers not all should merge at once. 1 if left out. */
  readonly mergePatience?: number;
  /** Merges of earlier attempts of the same checkpoint, to be used again where all that they hold is still there. */
  readonly merges?: Merge[];
};

/** Manifests that were merged, and what came of it: never changed once written. */
export interface Merge {
  readonly group: readonly ManifestFile[];
  readonly manifest: ManifestFile;
}

export interface WrittenAppend extends AppendPlan {
  /** The manifest list, and manifests merged in this attempt: garbage when the attempt is refused. */
  readonly files: readonly string[];
}

/**
 * One attempt of an append: reads the parent's manifest list, merges small manifests when there are enough, writes the
 * new list. Only these are written anew when a commit is tried again (invariant 5).
 */
export async function writeAppend(io: FileIO, ids: Ids, input: AppendAttempt): Promise<WrittenAppend> {
  const { metadata, branch, manifests, metadataLocation, snapshotId, merges = [] } = input;
  const head = branchHead(metadata, branch);
  const parentList = metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === head)?.['manifest-list'];
  const listed = parentList === undefined ? [] : await parentEntries(io, parentList, input.listCache);
  const parents = merges.reduce(withMerge, listed);
  const files: string[] = [];
  const parentManifests: ManifestFile[] = [];
  for (const group of planMerge(parents, manifests.length, metadata.properties ?? {}, input.mergePatience)) {
    if (group.length === 1) {
      parentManifests.push(group[0]!);
      continue;
    }
    const location = metadataLocation(`${ids.uuid()}-m0.avro`);
    files.push(location);
    const manifest = await mergeManifests(io, location, group, input);
    merges.push({ group, manifest });
    parentManifests.push(manifest);
  }
  const manifestListLocation = metadataLocation(`snap-${snapshotId}-${input.attempt}-${ids.uuid()}.avro`);
  const plan = planAppend({ ...input, parentManifests, manifestListLocation });
  const bytes = await encodeManifestList(plan.manifestList, {
    snapshotId,
    parentSnapshotId: plan.parentSnapshotId,
    sequenceNumber: plan.snapshot['sequence-number']!,
    formatVersion: metadata['format-version'],
    firstRowId: plan.snapshot['first-row-id'] ?? null,
  });
  await io.write(manifestListLocation, bytes);
  return { ...plan, files: [...files, manifestListLocation] };
}

/** The manifests with a merge in the place of those that it holds, if all of them are there. */
function withMerge(manifests: readonly ManifestFile[], { group, manifest }: Merge): readonly ManifestFile[] {
  const merged = new Set(group.map(({ location }) => location));
  const others = manifests.filter(({ location }) => !merged.has(location));
  return manifests.length - others.length === merged.size ? [...others, manifest] : manifests;
}

async function parentEntries(
  io: FileIO,
  location: string,
  cache: AppendAttempt['listCache'],
): Promise<readonly ManifestFile[]> {
  const known = cache?.get(location);
  if (known) return known;
  const entries = await Promise.all((await readManifestList(io, location)).map((manifest) => counted(io, manifest)));
  cache?.set(location, entries);
  return entries;
}

/** Lists of format v1 may lack counts, which v2 requires: a wrong zero would hide the files from readers. */
async function counted(io: FileIO, manifest: ManifestFile): Promise<ManifestFile> {
  const { addedFiles, existingFiles, deletedFiles, addedRows, existingRows, deletedRows } = manifest;
  if (![addedFiles, existingFiles, deletedFiles, addedRows, existingRows, deletedRows].includes(null)) return manifest;
  const files = [0, 0, 0];
  const rows = [0, 0, 0];
  for (const entry of await readManifest(io, manifest)) {
    files[entry.status]!++;
    rows[entry.status]! += entry.file.recordCount;
  }
  return {
    ...manifest,
    addedFiles: files[EntryStatus.added]!,
    existingFiles: files[EntryStatus.existing]!,
    deletedFiles: files[EntryStatus.deleted]!,
    addedRows: rows[EntryStatus.added]!,
    existingRows: rows[EntryStatus.existing]!,
    deletedRows: rows[EntryStatus.deleted]!,
  };
}

/** Entries of deleted files are left behind, the others become EXISTING with explicit snapshot id and sequence numbers. */
async function mergeManifests(
  io: FileIO,
  location: string,
  group: readonly ManifestFile[],
  { metadata }: AppendAttempt,
): Promise<ManifestFile> {
  const spec = metadata['partition-specs'].find((candidate) => candidate['spec-id'] === group[0]!.specId)!;
  const entries: ManifestEntry[] = [];
  const read = await readManifests(io, group);
  for (const [index, manifest] of group.entries()) {
    let nextRowId = manifest.firstRowId ?? null;
    for (const entry of read[index]!) {
      if (entry.status === EntryStatus.deleted) continue;
      let { file } = entry;
      if (nextRowId !== null && (file.firstRowId ?? null) === null) {
        file = { ...file, firstRowId: nextRowId };
        nextRowId += file.recordCount;
      }
      entries.push({ ...entry, status: EntryStatus.existing, file });
    }
  }
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
async function readManifests(io: FileIO, manifests: readonly ManifestFile[]): Promise<readonly ManifestEntry[][]> {
  const read: ManifestEntry[][] = [];
  let next = 0;
  const reader = async (): Promise<void> => {
    while (next < manifests.length) {
      const index = next++;
      read[index] = await readManifest(io, manifests[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, manifests.length) }, reader));
  return read;
}

/** The current schema, or the newest that still has the columns an old spec partitions by: their types are needed for the tuple. */
function schemaFor(spec: PartitionSpec, metadata: TableMetadata): Schema {
  const complete = (schema: Schema): boolean =>
    spec.fields.every((field) => fieldById(schema.fields, field['source-id']) !== undefined);
  const current = currentSchema(metadata);
  return complete(current) ? current : (metadata.schemas.findLast(complete) ?? current);
}
