import type { FileIO } from '../io/file-io.ts';
import type { Ids } from '../ports.ts';
import { EntryStatus, MANIFEST_SUFFIX } from './manifest-types.ts';
import type { ManifestFile } from './manifest-types.ts';
import { encodeManifestList, readManifestList } from './manifest-list.ts';
import { readManifest } from './manifest.ts';
import { branchHead } from './ancestry.ts';
import { mergeManifests } from './merge-manifests.ts';
import { planMerge } from './merge.ts';
import { planAppend } from './snapshot.ts';
import type { Merge } from './merge-manifests.ts';
import type { AppendInput, AppendPlan } from './snapshot.ts';

export type AppendAttempt = Omit<AppendInput, 'parentManifests' | 'manifestListLocation'> & {
  /** A new location in the table's metadata folder. */
  readonly metadataLocation: (name: string) => string;
  /** Number of this attempt, for the manifest list's name. */
  readonly attempt: number;
  /** Entries of manifest lists that were read before, by location: a list never changes. */
  readonly listCache?: Map<string, readonly ManifestFile[]>;
  /** Leaves what is to be merged to the caller (`due`): reading many manifests here would let others move the head. */
  readonly mergeLater?: boolean;
  /** Merges that were made before, to be used where all that they hold is still there; what is merged here is added. */
  readonly merges?: Merge[];
};

export interface WrittenAppend extends AppendPlan {
  /** The manifest list, and manifests merged in this attempt: garbage when the attempt is refused. */
  readonly files: readonly string[];
  /** Groups of the parent's manifests that this append makes due to be merged; empty unless `mergeLater`. */
  readonly due: readonly (readonly ManifestFile[])[];
}

/**
 * One attempt of an append: reads the parent's manifest list, merges small manifests when there are enough, writes the
 * new list. Only these are written anew when a commit is tried again (invariant 5).
 */
export async function writeAppend(io: FileIO, ids: Ids, input: AppendAttempt): Promise<WrittenAppend> {
  const { metadata, branch, manifests, metadataLocation, snapshotId, merges = [], mergeLater = false } = input;
  const head = branchHead(metadata, branch);
  const parentList = metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === head)?.['manifest-list'];
  const listed = parentList === undefined ? [] : await parentEntries(io, parentList, input.listCache);
  const parents = merges.reduce(withMerge, listed);
  const files: string[] = [];
  const groups = planMerge(
    parents,
    manifests.length,
    metadata.properties ?? {},
    mergeLater ? 'crossed' : 'reached',
  ).filter((group) => group.length > 1);
  let parentManifests = parents;
  for (const group of mergeLater ? [] : groups) {
    const location = metadataLocation(`${ids.uuid()}${MANIFEST_SUFFIX}`);
    files.push(location);
    const merge = { group, manifest: await mergeManifests(io, location, group, metadata) };
    merges.push(merge);
    parentManifests = withMerge(parentManifests, merge);
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
  return { ...plan, files: [...files, manifestListLocation], due: mergeLater ? groups : [] };
}

/** The manifests with a merge in the place of those that it holds, if all of them are there. */
function withMerge(manifests: readonly ManifestFile[], { group, manifest }: Merge): readonly ManifestFile[] {
  const merged = new Set(group.map(({ location }) => location));
  const others = manifests.filter(({ location }) => !merged.has(location));
  if (manifests.length - others.length !== merged.size) return manifests;
  const place = manifests.findIndex(({ location }) => merged.has(location));
  return [...others.slice(0, place), manifest, ...others.slice(place)];
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
