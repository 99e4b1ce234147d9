import { TabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { EntryStatus, ManifestContent } from '../iceberg/manifest-types.ts';
import { readManifestList } from '../iceberg/manifest-list.ts';
import { readManifest } from '../iceberg/manifest.ts';
import { decodeDeadLetterList, encodeDeadLetterList, noDeadLetters } from './dead-letter-list.ts';
import { readDeadLetterRows } from './dead-letter-reader.ts';
import { deadLetterSchema } from './dead-letter-schema.ts';
import { objectOf } from './json-object.ts';
import { lookupStatement, snapshotsById } from './lookup.ts';
import { newTableProperties } from './new-table-properties.ts';
import type { CreateTableRequest, LoadedTable } from '../iceberg/catalog.ts';
import type { ManifestEntry, ManifestFile } from '../iceberg/manifest-types.ts';
import type { FileIO } from '../io/file-io.ts';
import type { DeadLetterList } from './dead-letter-list.ts';
import type { StatementKeys } from './lookup.ts';

/** The dead-letter table's own statement: which checkpoints its rows are of, looked up as offsets are. */
const keys: StatementKeys = { own: 'tabletopic.dead-letters', prev: null, property: 'tabletopic.dead-letters.' };

/** Summary key of the statement about the snapshot itself. */
export const STATEMENT: string = keys.own;
/** Property of the statement about the snapshot that it names. */
export const statementProperty: string = `${keys.property}main`;
/** Property: UUID of the table whose dead letters these are. */
export const SOURCE_PROPERTY = 'tabletopic.dead-letter-source';

export type Covered =
  /** No snapshot yet. */
  | { readonly kind: 'none' }
  | { readonly kind: 'list'; readonly list: DeadLetterList; readonly anchored: boolean }
  /** The statement is gone or ambiguous: the rows decide. */
  | { readonly kind: 'rows' };

export function coveredBy(table: LoadedTable): Covered {
  if (table.metadata.refs?.['main'] === undefined)
    return table.metadata.properties?.[statementProperty] === undefined ? { kind: 'none' } : { kind: 'rows' };
  const found = lookupStatement(table, 'main', keys);
  if (found.kind !== 'found') return { kind: 'rows' };
  try {
    const json = objectOf(JSON.parse(found.text), 'the statement');
    if (json['v'] !== 1) throw new SyntaxError(`version ${String(json['v'])} is not known`);
    return {
      kind: 'list',
      list: json['deadLetters'] === undefined ? noDeadLetters : decodeDeadLetterList(json['deadLetters']),
      anchored: found.anchored,
    };
  } catch (cause) {
    const name = identText(table.ident);
    throw new TabletopicError(
      'DEAD_LETTERS_UNREADABLE',
      `the statement of ${name} at snapshot ${found.about} cannot be read`,
      { cause, where: { table: name } },
    );
  }
}

export function statementText(list: DeadLetterList, about?: bigint): string {
  const deadLetters = encodeDeadLetterList(list);
  return JSON.stringify({
    v: 1,
    ...(about === undefined ? {} : { snapshot: about.toString() }),
    ...(deadLetters === null ? {} : { deadLetters }),
  });
}

export function createRequest(source: string): CreateTableRequest {
  return {
    schema: deadLetterSchema,
    spec: { 'spec-id': 0, fields: [] },
    properties: {
      'format-version': '2',
      ...newTableProperties,
      'write.parquet.compression-codec': 'zstd',
      'write.metadata.metrics.column.checkpoint_id': 'full',
      [SOURCE_PROPERTY]: source,
    },
  };
}

/** Manifests of the head. */
export async function headManifests({ metadata }: LoadedTable, io: FileIO): Promise<ManifestFile[]> {
  const head = metadata.refs?.['main']?.['snapshot-id'];
  if (head === undefined) return [];
  const list = snapshotsById(metadata).get(head)?.['manifest-list'];
  if (list === undefined)
    throw new TabletopicError('TABLE_UNSUPPORTED', `snapshot ${head}, the head, has no manifest list`);
  return readManifestList(io, list);
}

/** Data files of a manifest that the table holds. */
export async function liveEntries(manifest: ManifestFile, io: FileIO): Promise<ManifestEntry[]> {
  return (await readManifest(io, manifest)).filter((entry) => entry.status !== EntryStatus.deleted);
}

/** Checkpoint ids of all rows at the head. */
export async function decideByRows(table: LoadedTable, io: FileIO): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const manifest of await headManifests(table, io)) {
    if (manifest.content !== ManifestContent.data) continue;
    for (const { file } of await liveEntries(manifest, io)) {
      const { rows } = await readDeadLetterRows(
        io,
        file.location,
        `the checkpoints that ${identText(table.ident)} holds`,
      );
      for (const row of rows) ids.add(row.checkpointId);
    }
  }
  return ids;
}
