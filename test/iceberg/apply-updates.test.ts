import { describe, expect, it } from 'vitest';
import { applyUpdates } from '../../src/iceberg/apply-updates.ts';
import type { Requirement, Update } from '../../src/iceberg/catalog.ts';
import { logPrevious } from '../../src/iceberg/metadata-log.ts';
import type { Snapshot, TableMetadata } from '../../src/iceberg/metadata.ts';
import { newMetadata } from '../../src/iceberg/new-metadata.ts';
import { normalMetadata } from '../../src/iceberg/read-metadata.ts';

const base = newMetadata(
  {
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 5, name: 'id', required: true, type: 'long' },
        { id: 6, name: 'at', required: false, type: 'timestamp' },
      ],
    },
    spec: { 'spec-id': 0, fields: [{ 'source-id': 6, 'field-id': 1000, name: 'at_day', transform: 'day' }] },
    properties: {},
  },
  'uuid',
  's3://b/t',
  1000,
);

const snapshot = (id: bigint, sequence: number, parent: bigint | null, time = 2000): Snapshot => ({
  'snapshot-id': id,
  'sequence-number': sequence,
  'timestamp-ms': time,
  'manifest-list': 'l',
  summary: { operation: 'append' },
  ...(parent !== null && { 'parent-snapshot-id': parent }),
});
const add = (id: bigint, sequence: number, parent: bigint | null, time = 2000): Update[] => [
  { action: 'add-snapshot', snapshot: snapshot(id, sequence, parent, time) },
  { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
];

function apply(
  metadata: TableMetadata,
  updates: readonly Update[],
  requirements: readonly Requirement[] = [],
  now = 3000,
): TableMetadata {
  const applied = applyUpdates(metadata, requirements, updates, now);
  if (applied.kind === 'conflict') throw new Error(applied.reason);
  return applied.metadata;
}

describe('applyUpdates', () => {
  it('changes nothing of what it is given', () => {
    const before = structuredClone(base);
    apply(base, [...add(1n, 1, null), { action: 'set-properties', updates: { a: 'b' } }]);
    expect(base).toEqual(before);
  });

  it('keeps log, current snapshot and time as commits go on, never back', () => {
    const one = apply(base, add(1n, 1, null), [], 1500);
    const two = apply(one, add(2n, 2, 1n, 2500), [], 10);
    expect(two).toMatchObject({ 'current-snapshot-id': 2n, 'last-sequence-number': 2, 'last-updated-ms': 2500 });
    expect(two['snapshot-log']).toEqual([
      { 'timestamp-ms': 2000, 'snapshot-id': 1n },
      { 'timestamp-ms': 2500, 'snapshot-id': 2n },
    ]);
  });

  it.each<[string, Requirement]>([
    ['uuid', { type: 'assert-table-uuid', uuid: 'other' }],
    ['create', { type: 'assert-create' }],
    ['ref that is absent', { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 7n }],
    ['field id', { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 9 }],
    ['schema', { type: 'assert-current-schema-id', 'current-schema-id': 1 }],
    ['partition id', { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 999 }],
    ['spec', { type: 'assert-default-spec-id', 'default-spec-id': 1 }],
    ['order', { type: 'assert-default-sort-order-id', 'default-sort-order-id': 1 }],
  ])('takes a broken requirement (%s) for a conflict', (_, requirement) => {
    expect(applyUpdates(base, [requirement], [], 1).kind).toBe('conflict');
  });

  it('takes a passed sequence number for a conflict, except for a snapshot without parent', () => {
    const two = apply(apply(base, add(1n, 1, null)), add(2n, 2, 1n));
    expect(applyUpdates(two, [], add(3n, 2, 2n), 1)).toMatchObject({
      kind: 'conflict',
      reason: expect.stringContaining('sequence number 2'),
    });
    expect(applyUpdates(two, [], add(3n, 2, null), 1).kind).toBe('applied');
    expect(applyUpdates(two, [], add(2n, 3, 2n), 1)).toMatchObject({
      kind: 'conflict',
      reason: expect.stringContaining('already exists'),
    });
  });

  it('removes snapshots with the refs and the log that named them', () => {
    let table = apply(apply(apply(base, add(1n, 1, null)), add(2n, 2, 1n)), add(3n, 3, 2n));
    table = apply(table, [{ action: 'set-snapshot-ref', 'ref-name': 'old', type: 'tag', 'snapshot-id': 1n }]);
    const left = apply(table, [{ action: 'remove-snapshots', 'snapshot-ids': [1n] }]);
    expect(left.snapshots!.map((found) => found['snapshot-id'])).toEqual([2n, 3n]);
    expect(Object.keys(left.refs!)).toEqual(['main']);
    expect(left['snapshot-log']!.map((entry) => entry['snapshot-id'])).toEqual([2n, 3n]);
  });

  it('keeps the retention that a ref is given', () => {
    const table = apply(base, [
      add(1n, 1, null)[0]!,
      { action: 'set-snapshot-ref', 'ref-name': 'b', type: 'branch', 'snapshot-id': 1n, 'max-ref-age-ms': 5 },
    ]);
    expect(table.refs!['b']).toEqual({ type: 'branch', 'snapshot-id': 1n, 'max-ref-age-ms': 5 });
    expect(table['current-snapshot-id']).toBeNull();
  });

  it('gives new schemas, specs and orders the next id, known ones theirs', () => {
    const spec = { 'spec-id': 9, fields: [{ 'source-id': 1, 'field-id': 1001, name: 'b', transform: 'bucket[4]' }] };
    const table = apply(base, [
      { action: 'add-spec', spec },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-spec', spec: base['partition-specs'][0]! },
    ]);
    expect(table).toMatchObject({ 'default-spec-id': 1, 'last-partition-id': 1001 });
    expect(table['partition-specs']).toHaveLength(2);
    const sorted = apply(base, [
      {
        action: 'add-sort-order',
        'sort-order': {
          'order-id': 4,
          fields: [{ transform: 'identity', 'source-id': 1, direction: 'asc', 'null-order': 'nulls-first' }],
        },
      },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
    ]);
    expect(sorted['default-sort-order-id']).toBe(1);
  });

  it.each<[string, Update]>([
    [
      'a snapshot that is not there',
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 9n },
    ],
    ['a schema that is not there', { action: 'set-current-schema', 'schema-id': 3 }],
    ['a lower format', { action: 'upgrade-format-version', 'format-version': 1 }],
    ['another uuid', { action: 'assign-uuid', uuid: 'x' }],
  ])('refuses %s', (_, update) => {
    expect(() => applyUpdates(base, [], [update], 1)).toThrow(expect.objectContaining({ code: 'CATALOG_REFUSED' }));
  });
});

describe('logPrevious', () => {
  it('keeps as many files as asked, and names the others only where they may be deleted', () => {
    const properties = {
      'write.metadata.previous-versions-max': '2',
      'write.metadata.delete-after-commit.enabled': 'true',
    };
    const before = {
      ...base,
      'metadata-log': [
        { 'metadata-file': 'a', 'timestamp-ms': 1 },
        { 'metadata-file': 'b', 'timestamp-ms': 2 },
      ],
    };
    const { metadata, expired } = logPrevious({ ...before, properties }, before, 'c');
    expect(metadata['metadata-log']!.map((entry) => entry['metadata-file'])).toEqual(['b', 'c']);
    expect(expired).toEqual(['a']);
    expect(
      logPrevious({ ...before, properties: { 'write.metadata.previous-versions-max': '2' } }, before, 'c').expired,
    ).toEqual([]);
  });
});

describe('normalMetadata', () => {
  it('reads format v1 of an old writer', () => {
    const v1 = normalMetadata({
      'format-version': 1,
      location: 's3://b/t',
      'last-updated-ms': 1,
      'last-column-id': 1,
      'current-snapshot-id': -1n,
      schema: { type: 'struct', fields: [{ id: 1, name: 'a', required: true, type: 'int' }] },
      'partition-spec': [{ 'source-id': 1, name: 'a', transform: 'identity' }],
    });
    expect(v1).toMatchObject({
      'last-sequence-number': 0,
      'current-schema-id': 0,
      'default-spec-id': 0,
      'last-partition-id': 1000,
      'current-snapshot-id': null,
      refs: {},
      'default-sort-order-id': 0,
    });
    expect(v1['partition-specs'][0]!.fields[0]!['field-id']).toBe(1000);
  });
});
