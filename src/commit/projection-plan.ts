import { TabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { encodeManifestList } from '../iceberg/manifest-list.ts';
import { EntryStatus, MANIFEST_SUFFIX, ManifestContent } from '../iceberg/manifest-types.ts';
import { writeManifest } from '../iceberg/manifest.ts';
import { currentSchema, defaultSpec } from '../iceberg/metadata.ts';
import { planAppend } from '../iceberg/snapshot.ts';
import { moveBranch, newSnapshotId } from './attempt.ts';
import { writeRows } from './dead-letter-file.ts';
import { readDeadLetterRows } from './dead-letter-reader.ts';
import { STATEMENT, headManifests, liveEntries, statementProperty, statementText } from './dead-letter-table.ts';
import { dataLocation, metadataLocation } from './locations.ts';
import { dataFileOf } from './prepare.ts';
import type { CommitRequest, LoadedTable } from '../iceberg/catalog.ts';
import type { DataFile, ManifestEntry, ManifestFile } from '../iceberg/manifest-types.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { DeadLetterEntry, DeadLetterList } from './dead-letter-list.ts';
import type { DeadLetterRow } from './dead-letter-schema.ts';
import type { LetterSet } from './letter-set.ts';

/** What is to change in the dead-letter table. */
export interface ProjectionChanges {
  readonly add: readonly DeadLetterEntry[];
  /** Checkpoint ids. */
  readonly remove: ReadonlySet<string>;
  /** Records that were replayed: removed where they are, and left out of what is added. */
  readonly replayed: LetterSet;
  /** Records of checkpoints that are covered, which come back: their replay was taken back. */
  readonly returned: LetterSet;
  /** The entries of these. */
  readonly returnedFrom: readonly DeadLetterEntry[];
}

export interface ProjectionInput extends ProjectionChanges {
  readonly table: LoadedTable;
  readonly io: FileIO;
  /** Access to the source files. */
  readonly sources: FileIO;
  readonly ports: Ports;
  /** The whole list that the table holds after the commit. */
  readonly list: DeadLetterList;
}

/**
 * Writes the files of one attempt and gives its commit. Every data file and manifest that it adds is new: nothing of an
 * earlier attempt is used again.
 */
export async function planProjection(input: ProjectionInput): Promise<CommitRequest> {
  const {
    table: { metadata },
    io,
    ports,
    list,
    add,
    remove,
    replayed,
    returned,
    returnedFrom,
  } = input;
  requireUnpartitioned(input.table);
  const snapshotId = newSnapshotId(metadata, ports);
  const removal =
    remove.size === 0 && replayed.size === 0
      ? nothingRemoved(await headManifests(input.table, io))
      : await removeRows(input, snapshotId);
  const added: DataFile[] = [...removal.rewritten];
  if (add.length > 0)
    added.push(
      ...(await writeFile(
        input,
        sourceRows(add, input.sources, (row) => !replayed.has(row)),
      )),
    );
  if (returned.size > 0)
    added.push(
      ...(await writeFile(
        input,
        sourceRows(returnedFrom, input.sources, (row) => returned.has(row)),
      )),
    );
  const manifests = added.length === 0 ? [] : [await writeOwnManifest(input, added.map(addedEntry))];
  const parentTotals =
    metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === metadata.refs?.['main']?.['snapshot-id'])
      ?.summary ?? {};
  const manifestListLocation = metadataLocation(metadata, `snap-${snapshotId}-0-${ports.ids.uuid()}.avro`);
  const plan = planAppend({
    metadata,
    branch: 'main',
    parentManifests: removal.manifests,
    manifests,
    added: {
      files: added.length,
      records: sum(added, 'recordCount'),
      size: sum(added, 'fileSize'),
      partitions: added.length > 0 || removal.removed.length > 0 ? 1 : 0,
    },
    summary: { ...removalSummary(removal.removed, added, parentTotals), [STATEMENT]: statementText(list) },
    snapshotId,
    manifestListLocation,
    now: ports.clock.now(),
  });
  const bytes = await encodeManifestList(plan.manifestList, {
    snapshotId,
    parentSnapshotId: plan.parentSnapshotId,
    sequenceNumber: plan.snapshot['sequence-number']!,
    formatVersion: metadata['format-version'],
    firstRowId: plan.snapshot['first-row-id'] ?? null,
  });
  await io.write(manifestListLocation, bytes);
  return {
    requirements: [
      ...plan.requirements,
      { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
    ],
    updates: [
      { action: 'add-snapshot', snapshot: plan.snapshot },
      moveBranch(metadata, 'main', snapshotId),
      { action: 'set-properties', updates: { [statementProperty]: statementText(list, snapshotId) } },
    ],
    idempotencyKey: ports.ids.uuid(),
  };
}

interface Removal {
  /** The parent's manifests, those with removed files written anew. */
  readonly manifests: readonly ManifestFile[];
  readonly removed: readonly DataFile[];
  /** Files with the rows of a removed file that stay. */
  readonly rewritten: readonly DataFile[];
}

function nothingRemoved(manifests: readonly ManifestFile[]): Removal {
  return { manifests, removed: [], rewritten: [] };
}

async function removeRows(input: ProjectionInput, snapshotId: bigint): Promise<Removal> {
  const { table, io, remove, replayed } = input;
  const ids = new Set([...remove, ...replayed.checkpoints]);
  const goes = (row: DeadLetterRow): boolean => remove.has(row.checkpointId) || replayed.has(row);
  const name = identText(table.ident);
  const parents = await headManifests(table, io);
  const hasDeletes = parents.some(
    (manifest) =>
      manifest.content === ManifestContent.deletes && (manifest.addedFiles ?? 1) + (manifest.existingFiles ?? 1) > 0,
  );
  const checkpointField = currentSchema(table.metadata).fields.find((field) => field.name === 'checkpoint_id')?.id;
  const manifests: ManifestFile[] = [];
  const removed: DataFile[] = [];
  const rewritten: DataFile[] = [];
  for (const manifest of parents) {
    if (manifest.content !== ManifestContent.data) {
      manifests.push(manifest);
      continue;
    }
    const entries: ManifestEntry[] = [];
    let touched = false;
    for (const entry of await liveEntries(manifest, io)) {
      const { rows, otherColumns } = mayHold(entry.file, checkpointField, ids)
        ? await readDeadLetterRows(
            io,
            entry.file.location,
            `the removal of rows of ${ids.size} checkpoints from ${name}`,
          )
        : { rows: [], otherColumns: [] };
      if (!rows.some(goes)) {
        entries.push({ ...entry, status: EntryStatus.existing });
        continue;
      }
      touched = true;
      entries.push({ ...entry, status: EntryStatus.deleted, snapshotId });
      removed.push(entry.file);
      const kept = rows.filter((row) => !goes(row));
      if (kept.length === 0) continue;
      if (hasDeletes || otherColumns.length > 0) {
        const why = hasDeletes
          ? 'the table has delete files, which a rewrite would undo'
          : `it has columns of others: ${otherColumns.join(', ')}`;
        throw new TabletopicError(
          'TABLE_UNSUPPORTED',
          `${entry.file.location} of ${name} cannot be rewritten: ${why}`,
          {
            where: { table: name, file: entry.file.location },
            hint: 'Rewrite the data files of the dead-letter table (compaction applies delete files), or delete the rows of the removed checkpoints there.',
          },
        );
      }
      rewritten.push(...(await writeFile(input, kept)));
    }
    manifests.push(touched ? await writeOwnManifest(input, entries, manifest.specId) : manifest);
  }
  return { manifests, removed, rewritten };
}

/** False only where the bounds of the checkpoint id rule every removed one out. */
function mayHold(file: DataFile, field: number | undefined, ids: ReadonlySet<string>): boolean {
  const lower = field === undefined ? undefined : file.lowerBounds?.get(field);
  const upper = field === undefined ? undefined : file.upperBounds?.get(field);
  return [...ids].some((id) => {
    const bytes = Buffer.from(id, 'utf8');
    return (
      (lower === undefined || Buffer.compare(lower, bytes) <= 0) &&
      (upper === undefined || Buffer.compare(upper, bytes) >= 0)
    );
  });
}

export async function* sourceRows(
  add: readonly DeadLetterEntry[],
  io: FileIO,
  wanted: (row: DeadLetterRow) => boolean,
): AsyncGenerator<DeadLetterRow> {
  for (const entry of add) {
    const offsets = entry.ranges
      .map(([topic, partition, start, end]) => `${topic}-${partition} ${start}–${end}`)
      .join(', ');
    const { rows } = await readDeadLetterRows(io, entry.file, `${entry.count} dead letters of ${offsets}`);
    if (rows.length !== entry.count)
      throw new TabletopicError(
        'DEAD_LETTERS_UNREADABLE',
        `${entry.file} holds ${rows.length} records, ${entry.count} dead letters of ${offsets} are listed`,
        { where: { file: entry.file } },
      );
    yield* rows.filter(wanted);
  }
}

async function writeFile(
  { table: { metadata }, io, ports }: ProjectionInput,
  rows: Iterable<DeadLetterRow> | AsyncIterable<DeadLetterRow>,
): Promise<readonly DataFile[]> {
  const location = dataLocation(metadata, `${ports.ids.uuid()}.parquet`);
  const metrics = await writeRows(io, location, currentSchema(metadata), rows);
  if (metrics.recordCount === 0) {
    await io.delete([location]);
    return [];
  }
  return [dataFileOf({ location, metrics, partition: new Map() })];
}

function writeOwnManifest(
  { table: { metadata }, io, ports }: ProjectionInput,
  entries: readonly ManifestEntry[],
  specId: number = metadata['default-spec-id'],
): Promise<ManifestFile> {
  return writeManifest(io, metadataLocation(metadata, `${ports.ids.uuid()}${MANIFEST_SUFFIX}`), entries, {
    schema: currentSchema(metadata),
    spec: metadata['partition-specs'].find((spec) => spec['spec-id'] === specId)!,
    formatVersion: metadata['format-version'],
  });
}

function addedEntry(file: DataFile): ManifestEntry {
  return { status: EntryStatus.added, snapshotId: null, sequenceNumber: null, fileSequenceNumber: null, file };
}

/** Overrides the append's own operation and totals where files were removed. */
function removalSummary(
  removed: readonly DataFile[],
  added: readonly DataFile[],
  parent: Readonly<Record<string, string>>,
): Record<string, string> {
  if (removed.length === 0) return {};
  const total = (key: string, change: number): Record<string, string> => {
    const before = parent[key];
    return before !== undefined && /^\d+$/.test(before) ? { [key]: String(Number(before) + change) } : {};
  };
  return {
    operation: added.length === 0 ? 'delete' : 'overwrite',
    'deleted-data-files': String(removed.length),
    'deleted-records': String(sum(removed, 'recordCount')),
    'removed-files-size': String(sum(removed, 'fileSize')),
    ...total('total-records', sum(added, 'recordCount') - sum(removed, 'recordCount')),
    ...total('total-data-files', added.length - removed.length),
    ...total('total-files-size', sum(added, 'fileSize') - sum(removed, 'fileSize')),
  };
}

function sum(files: readonly DataFile[], key: 'recordCount' | 'fileSize'): number {
  return files.reduce((total, file) => total + file[key], 0);
}

function requireUnpartitioned(table: LoadedTable): void {
  if (defaultSpec(table.metadata).fields.every((field) => field.transform === 'void')) return;
  const name = identText(table.ident);
  throw new TabletopicError(
    'TABLE_UNSUPPORTED',
    `${name} has been partitioned: dead letters are written unpartitioned`,
    { where: { table: name }, hint: 'Set the dead-letter table back to an unpartitioned default spec.' },
  );
}
