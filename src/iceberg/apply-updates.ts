import { TabletopicError } from '../errors.ts';
import type { Schema } from '../schema/types.ts';
import type { Requirement, Update } from './catalog.ts';
import { highestId } from './fresh-ids.ts';
import type { PartitionSpec, Snapshot, SortOrder, TableMetadata } from './metadata.ts';
import { violation } from './requirements.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export type Applied =
  | { readonly kind: 'applied'; readonly metadata: TableMetadata }
  /** A requirement does not hold, or a sequence number has been passed. */
  | { readonly kind: 'conflict'; readonly reason: string };

/**
 * What a catalog does with a commit (REST spec, `CommitTableRequest`), for catalogs that keep metadata files themselves.
 * Pure: nothing of `metadata` is changed. Id -1 in `set-current-schema`, `set-default-spec` and
 * `set-default-sort-order` names the one added last. The metadata log is the caller's (`metadata-log.ts`).
 *
 * @throws TabletopicError `CATALOG_REFUSED` for an update that can never be applied.
 */
export function applyUpdates(
  metadata: TableMetadata,
  requirements: readonly Requirement[],
  updates: readonly Update[],
  now: number,
): Applied {
  for (const requirement of requirements) {
    const reason = violation(requirement, metadata);
    if (reason !== null) return { kind: 'conflict', reason };
  }
  const state = new Builder(metadata, now);
  for (const update of updates) {
    const conflict = state.apply(update);
    if (conflict !== null) return { kind: 'conflict', reason: conflict };
  }
  return { kind: 'applied', metadata: state.finish() };
}

class Builder {
  readonly #m: Mutable<TableMetadata>;
  readonly #now: number;
  #lastSchema: number | null = null;
  #lastSpec: number | null = null;
  #lastOrder: number | null = null;
  #added = new Map<bigint, Snapshot>();

  constructor(metadata: TableMetadata, now: number) {
    this.#m = { ...metadata };
    this.#now = Math.max(now, metadata['last-updated-ms']);
  }

  finish(): TableMetadata {
    const newest = Math.max(this.#now, ...[...this.#added.values()].map((snapshot) => snapshot['timestamp-ms']));
    return { ...this.#m, 'last-updated-ms': newest };
  }

  /** Null, or why the update conflicts with what others did. */
  apply(update: Update): string | null {
    const m = this.#m;
    switch (update.action) {
      case 'assign-uuid':
        if (update.uuid !== m['table-uuid'])
          throw refused(`the table's UUID is ${m['table-uuid']} and cannot become ${update.uuid}`);
        return null;
      case 'upgrade-format-version':
        this.#upgrade(update['format-version']);
        return null;
      case 'add-schema':
        this.#addSchema(update.schema);
        return null;
      case 'set-current-schema':
        m['current-schema-id'] = chosen(
          update['schema-id'],
          this.#lastSchema,
          m.schemas.map((schema) => schema['schema-id']),
          'schema',
        );
        return null;
      case 'add-spec':
        this.#addSpec(update.spec);
        return null;
      case 'set-default-spec':
        m['default-spec-id'] = chosen(
          update['spec-id'],
          this.#lastSpec,
          m['partition-specs'].map((spec) => spec['spec-id']),
          'partition spec',
        );
        return null;
      case 'add-sort-order':
        this.#addOrder(update['sort-order']);
        return null;
      case 'set-default-sort-order':
        m['default-sort-order-id'] = chosen(
          update['sort-order-id'],
          this.#lastOrder,
          m['sort-orders'].map((order) => order['order-id']),
          'sort order',
        );
        return null;
      case 'add-snapshot':
        return this.#addSnapshot(update.snapshot);
      case 'set-snapshot-ref':
        this.#setRef(update);
        return null;
      case 'remove-snapshot-ref':
        this.#removeRef(update['ref-name']);
        return null;
      case 'remove-snapshots':
        this.#removeSnapshots(new Set(update['snapshot-ids']));
        return null;
      case 'set-location':
        m.location = update.location;
        return null;
      case 'set-properties':
        m.properties = { ...m.properties, ...update.updates };
        return null;
      case 'remove-properties':
        m.properties = Object.fromEntries(
          Object.entries(m.properties ?? {}).filter(([key]) => !update.removals.includes(key)),
        );
        return null;
    }
  }

  #upgrade(version: number): void {
    const m = this.#m;
    if (version < m['format-version'] || version > 3)
      throw refused(`format version ${m['format-version']} cannot become ${version}`);
    m['format-version'] = version as 2 | 3;
    if (version >= 3) m['next-row-id'] ??= 0;
  }

  #addSchema(schema: Schema): void {
    const m = this.#m;
    const known = m.schemas.find((candidate) => sameSchema(candidate, schema));
    this.#lastSchema = known
      ? known['schema-id']
      : Math.max(...m.schemas.map((candidate) => candidate['schema-id'])) + 1;
    if (!known) m.schemas = [...m.schemas, { ...schema, 'schema-id': this.#lastSchema }];
    m['last-column-id'] = Math.max(m['last-column-id'], highestId(schema));
  }

  #addSpec(spec: PartitionSpec): void {
    const m = this.#m;
    const known = m['partition-specs'].find((candidate) => sameSpec(candidate, spec));
    this.#lastSpec = known
      ? known['spec-id']
      : Math.max(...m['partition-specs'].map((candidate) => candidate['spec-id'])) + 1;
    if (known) return;
    let last = m['last-partition-id'];
    const fields = spec.fields.map((field) => ({ ...field, 'field-id': field['field-id'] ?? ++last }));
    m['partition-specs'] = [...m['partition-specs'], { 'spec-id': this.#lastSpec, fields }];
    m['last-partition-id'] = Math.max(last, ...fields.map((field) => field['field-id']));
  }

  #addOrder(order: SortOrder): void {
    const m = this.#m;
    const same = (candidate: SortOrder): boolean => JSON.stringify(candidate.fields) === JSON.stringify(order.fields);
    const known = m['sort-orders'].find(same);
    // Order 0 is "unsorted" and nothing else.
    const free =
      order.fields.length === 0 ? 0 : Math.max(0, ...m['sort-orders'].map((candidate) => candidate['order-id'])) + 1;
    this.#lastOrder = known ? known['order-id'] : free;
    if (!known) m['sort-orders'] = [...m['sort-orders'], { ...order, 'order-id': free }];
  }

  #addSnapshot(snapshot: Snapshot): string | null {
    const m = this.#m;
    const id = snapshot['snapshot-id'];
    if (m.snapshots?.some((known) => known['snapshot-id'] === id)) return `snapshot ${id} already exists`;
    const sequence = snapshot['sequence-number'] ?? 0;
    // As servers do: the check is waived where there is no parent.
    if (
      m['format-version'] >= 2 &&
      (snapshot['parent-snapshot-id'] ?? null) !== null &&
      sequence <= m['last-sequence-number']
    ) {
      return `cannot add snapshot with sequence number ${sequence} older than last sequence number ${m['last-sequence-number']}`;
    }
    if (m['format-version'] >= 3) {
      const [first, next] = [snapshot['first-row-id'], m['next-row-id'] ?? 0];
      if (first === undefined || snapshot['added-rows'] === undefined)
        throw refused('a snapshot of format v3 needs first-row-id and added-rows');
      if (first < next) return `cannot add snapshot with first-row-id ${first} behind next-row-id ${next}`;
      m['next-row-id'] = next + snapshot['added-rows'];
    }
    m.snapshots = [...(m.snapshots ?? []), snapshot];
    m['last-sequence-number'] = Math.max(m['last-sequence-number'], sequence);
    this.#added.set(id, snapshot);
    return null;
  }

  #setRef(update: Extract<Update, { action: 'set-snapshot-ref' }>): void {
    const m = this.#m;
    const { action: _, 'ref-name': name, ...ref } = update;
    const id = ref['snapshot-id'];
    const snapshot = m.snapshots?.find((candidate) => candidate['snapshot-id'] === id);
    if (!snapshot) throw refused(`ref ${name} cannot name snapshot ${id}, which does not exist`);
    if (name === 'main' && ref.type === 'tag') throw refused('main is a branch and cannot become a tag');
    const unchanged = m.refs?.[name]?.['snapshot-id'] === id;
    m.refs = { ...m.refs, [name]: ref };
    if (name !== 'main') return;
    m['current-snapshot-id'] = id;
    if (unchanged) return;
    const timestamp = this.#added.has(id) ? snapshot['timestamp-ms'] : this.#now;
    m['snapshot-log'] = [...(m['snapshot-log'] ?? []), { 'timestamp-ms': timestamp, 'snapshot-id': id }];
  }

  #removeRef(name: string): void {
    const m = this.#m;
    m.refs = Object.fromEntries(Object.entries(m.refs ?? {}).filter(([key]) => key !== name));
    if (name !== 'main') return;
    m['current-snapshot-id'] = null;
    m['snapshot-log'] = [];
  }

  #removeSnapshots(ids: ReadonlySet<bigint>): void {
    const m = this.#m;
    m.snapshots = (m.snapshots ?? []).filter((snapshot) => !ids.has(snapshot['snapshot-id']));
    for (const [name, ref] of Object.entries(m.refs ?? {})) if (ids.has(ref['snapshot-id'])) this.#removeRef(name);
    // The log keeps only what follows the newest removed snapshot: time travel across a hole would be wrong.
    const log = m['snapshot-log'] ?? [];
    m['snapshot-log'] = log.slice(log.findLastIndex((entry) => ids.has(entry['snapshot-id'])) + 1);
    if (m.statistics)
      m.statistics = m.statistics.filter((file) => !ids.has((file as { 'snapshot-id': bigint })['snapshot-id']));
    if (m['partition-statistics'])
      m['partition-statistics'] = m['partition-statistics'].filter(
        (file) => !ids.has((file as { 'snapshot-id': bigint })['snapshot-id']),
      );
  }
}

function chosen(id: number, last: number | null, known: readonly number[], what: string): number {
  const wanted = id === -1 ? last : id;
  if (wanted === null) throw refused(`no ${what} was added that could be set`);
  if (!known.includes(wanted)) throw refused(`${what} ${wanted} does not exist`);
  return wanted;
}

function sameSchema(a: Schema, b: Schema): boolean {
  return (
    JSON.stringify([a.fields, a['identifier-field-ids'] ?? []]) ===
    JSON.stringify([b.fields, b['identifier-field-ids'] ?? []])
  );
}

function sameSpec(a: PartitionSpec, b: PartitionSpec): boolean {
  const key = (spec: PartitionSpec): string =>
    JSON.stringify(spec.fields.map((field) => [field['source-id'], field.name, field.transform]));
  return key(a) === key(b);
}

function refused(reason: string): TabletopicError {
  return new TabletopicError('CATALOG_REFUSED', reason);
}
