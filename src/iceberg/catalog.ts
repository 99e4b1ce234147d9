import type { Schema } from '../schema/types.ts';
import type { TabletopicError } from '../errors.ts';
import type { PartitionSpec, Snapshot, SortOrder, TableMetadata } from './metadata.ts';

/** `namespace` levels and table name. */
export interface TableIdent {
  readonly namespace: readonly string[];
  readonly name: string;
}

export interface LoadedTable {
  readonly ident: TableIdent;
  readonly metadataLocation: string;
  readonly metadata: TableMetadata;
  /** True when only the snapshots that refs name were loaded (`?snapshots=refs`). */
  readonly partial: boolean;
  /** Table-scoped settings of a REST catalog (vended credentials and the like). */
  readonly config: Readonly<Record<string, string>>;
}

export interface CreateTableRequest {
  readonly schema: Schema;
  /** Names the fields of `schema` by the ids given there; the catalog renumbers both. */
  readonly spec: PartitionSpec;
  readonly sortOrder?: SortOrder;
  readonly properties: Readonly<Record<string, string>>;
  readonly location?: string;
}

/** REST spec `TableRequirement`. */
export type Requirement =
  | { readonly type: 'assert-create' }
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  | { readonly type: 'assert-ref-snapshot-id'; readonly ref: string; readonly 'snapshot-id': bigint | null }
  | { readonly type: 'assert-last-assigned-field-id'; readonly 'last-assigned-field-id': number }
  | { readonly type: 'assert-current-schema-id'; readonly 'current-schema-id': number }
  | { readonly type: 'assert-last-assigned-partition-id'; readonly 'last-assigned-partition-id': number }
  | { readonly type: 'assert-default-spec-id'; readonly 'default-spec-id': number }
  | { readonly type: 'assert-default-sort-order-id'; readonly 'default-sort-order-id': number };

/** REST spec `TableUpdate`, those that this service makes. */
export type Update =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly 'format-version': number }
  | { readonly action: 'add-schema'; readonly schema: Schema; readonly 'last-column-id'?: number }
  | { readonly action: 'set-current-schema'; readonly 'schema-id': number }
  | { readonly action: 'add-spec'; readonly spec: PartitionSpec }
  | { readonly action: 'set-default-spec'; readonly 'spec-id': number }
  | { readonly action: 'add-sort-order'; readonly 'sort-order': SortOrder }
  | { readonly action: 'set-default-sort-order'; readonly 'sort-order-id': number }
  | { readonly action: 'add-snapshot'; readonly snapshot: Snapshot }
  /** Replaces the ref whole: retention that is left out is gone. */
  | {
      readonly action: 'set-snapshot-ref';
      readonly 'ref-name': string;
      readonly type: 'branch' | 'tag';
      readonly 'snapshot-id': bigint;
      readonly 'min-snapshots-to-keep'?: number;
      readonly 'max-snapshot-age-ms'?: number;
      readonly 'max-ref-age-ms'?: number;
    }
  | { readonly action: 'remove-snapshot-ref'; readonly 'ref-name': string }
  | { readonly action: 'remove-snapshots'; readonly 'snapshot-ids': readonly bigint[] }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] };

export interface CommitRequest {
  readonly requirements: readonly Requirement[];
  readonly updates: readonly Update[];
  /** UUID of this attempt; reused only for a byte-identical resend. */
  readonly idempotencyKey: string;
}

/**
 * Three outcomes, never two (invariant 4). `unknown`: a 5xx, a timeout or a reset after the first byte: the commit may
 * or may not have been applied; the caller reloads and looks. A definite refusal that is no conflict rejects with a
 * `TabletopicError` (`CATALOG_AUTH`, `CATALOG_REFUSED`, `TABLE_NOT_FOUND`); `CATALOG_UNAVAILABLE` only when the request
 * surely never reached the catalog (connection refused, 429).
 */
export type CommitOutcome =
  /** The table after the commit, with all snapshots or (`partial`) those that refs name. */
  | { readonly outcome: 'committed'; readonly table: LoadedTable }
  | { readonly outcome: 'conflict'; readonly reason: string }
  | { readonly outcome: 'unknown'; readonly error: TabletopicError };

export interface Catalog {
  readonly name: string;
  /** Reads the catalog's own configuration (REST `/v1/config`) or prepares its tables (SQL). */
  connect(): Promise<void>;
  /** Where a table of this name lands when no location is asked for, or null when only the catalog knows. */
  createNamespace(namespace: readonly string[]): Promise<void>;
  listTables(namespace: readonly string[]): Promise<TableIdent[]>;
  /** Rejects with `TABLE_EXISTS` when it is there. */
  createTable(ident: TableIdent, request: CreateTableRequest): Promise<LoadedTable>;
  /** Null when the table does not exist. `refs`: only the snapshots named by refs, where the catalog can. */
  loadTable(ident: TableIdent, snapshots: 'refs' | 'all'): Promise<LoadedTable | null>;
  commit(ident: TableIdent, request: CommitRequest): Promise<CommitOutcome>;
  dropTable(ident: TableIdent): Promise<void>;
  close(): Promise<void>;
}

export function identText(ident: TableIdent): string {
  return [...ident.namespace, ident.name].join('.');
}
