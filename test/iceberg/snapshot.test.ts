import { describe, expect, it } from 'vitest';
import { branchHead, walkAncestors } from '../../src/iceberg/ancestry.ts';
import { writeAppend } from '../../src/iceberg/append.ts';
import type { AppendAttempt } from '../../src/iceberg/append.ts';
import type { LoadedTable } from '../../src/iceberg/catalog.ts';
import { readManifest, writeManifest } from '../../src/iceberg/manifest.ts';
import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import type { DataFile, ManifestFile } from '../../src/iceberg/manifest-types.ts';
import { MemoryCatalog } from '../../src/iceberg/memory.ts';
import { planMerge } from '../../src/iceberg/merge.ts';
import { defaultSpec, currentSchema } from '../../src/iceberg/metadata.ts';
import { onlyRefs } from '../../src/iceberg/read-metadata.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import { systemPorts } from '../../src/ports.ts';

const io = new MemoryFileIO(systemPorts.clock);
const NOW = 4_000_000_000_000;

async function table(
  properties: Record<string, string> = {},
): Promise<{ catalog: MemoryCatalog; loaded: LoadedTable }> {
  const catalog = new MemoryCatalog(systemPorts, { warehouse: 's3://b/wh' });
  await catalog.createNamespace(['n']);
  const loaded = await catalog.createTable(
    { namespace: ['n'], name: systemPorts.ids.uuid() },
    {
      schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'id', required: false, type: 'long' }] },
      spec: { 'spec-id': 0, fields: [] },
      properties,
    },
  );
  return { catalog, loaded };
}

const file = (location: string): DataFile => ({
  content: 0,
  location,
  format: 'PARQUET',
  partition: new Map(),
  recordCount: 10,
  fileSize: 100,
  columnSizes: null,
  valueCounts: null,
  nullCounts: null,
  nanCounts: null,
  lowerBounds: null,
  upperBounds: null,
  splitOffsets: null,
  sortOrderId: 0,
});

async function attempt(
  loaded: LoadedTable,
  name: string,
  overrides: Partial<AppendAttempt> = {},
): Promise<AppendAttempt> {
  const { metadata } = loaded;
  const entry = { status: 1, snapshotId: null, sequenceNumber: null, fileSequenceNumber: null, file: file(name) };
  const manifest = await writeManifest(io, `${metadata.location}/${name}.avro`, [entry], {
    schema: currentSchema(metadata),
    spec: defaultSpec(metadata),
    formatVersion: metadata['format-version'],
  });
  return {
    metadata,
    branch: 'main',
    manifests: [manifest],
    added: { files: 1, records: 10, size: 100, partitions: 1 },
    summary: { own: 'x' },
    snapshotId: systemPorts.ids.long(),
    now: NOW,
    metadataLocation: (part) => `${metadata.location}/metadata/${part}`,
    attempt: 0,
    ...overrides,
  };
}

async function append(
  catalog: MemoryCatalog,
  loaded: LoadedTable,
  name: string,
  overrides: Partial<AppendAttempt> = {},
): Promise<LoadedTable> {
  const { requirements, updates } = await writeAppend(io, systemPorts.ids, await attempt(loaded, name, overrides));
  const outcome = await catalog.commit(loaded.ident, { requirements, updates, idempotencyKey: 'k' });
  if (outcome.outcome !== 'committed') throw new Error(JSON.stringify(outcome));
  return outcome.table;
}

const head = (loaded: LoadedTable) =>
  loaded.metadata.snapshots!.find((snapshot) => snapshot['snapshot-id'] === branchHead(loaded.metadata, 'main'))!;

describe('append snapshots', () => {
  it('count on: sequence number, parent, totals, and keep the parent’s manifests', async () => {
    const { catalog, loaded } = await table();
    const one = await append(catalog, loaded, 'one');
    const two = await append(catalog, one, 'two');
    expect(head(two)).toMatchObject({
      'sequence-number': 2,
      'parent-snapshot-id': head(one)['snapshot-id'],
      'schema-id': 0,
      'timestamp-ms': NOW,
    });
    expect(head(two).summary).toEqual({
      operation: 'append',
      own: 'x',
      'added-data-files': '1',
      'added-records': '10',
      'added-files-size': '100',
      'changed-partition-count': '1',
      'total-records': '20',
      'total-files-size': '200',
      'total-data-files': '2',
      'total-delete-files': '0',
      'total-position-deletes': '0',
      'total-equality-deletes': '0',
    });
    const list = await readManifestList(io, head(two)['manifest-list']!);
    expect(
      list.map((manifest) => [
        manifest.location.split('/').at(-1),
        manifest.sequenceNumber,
        manifest.minSequenceNumber,
        manifest.addedSnapshotId,
      ]),
    ).toEqual([
      ['two.avro', 2, 2, head(two)['snapshot-id']],
      ['one.avro', 1, 1, head(one)['snapshot-id']],
    ]);
  });

  it('never go back in time, whatever the clock says', async () => {
    const { catalog, loaded } = await table();
    const one = await append(catalog, loaded, 'a1');
    const two = await append(catalog, one, 'a2', { now: 5 });
    expect(head(two)['timestamp-ms']).toBe(NOW);
    expect(two.metadata['last-updated-ms']).toBe(NOW);
  });

  it('leave out totals that the parent does not state', async () => {
    const { catalog, loaded } = await table();
    const one = await append(catalog, loaded, 'b1', { summary: { 'total-records': 'many' } });
    const two = await append(catalog, one, 'b2');
    expect(head(two).summary).not.toHaveProperty('total-records');
    expect(head(two).summary).toMatchObject({ 'total-data-files': '2' });
  });

  it('merge small manifests at the count, keeping each file’s snapshot and sequence number', async () => {
    const { catalog, loaded } = await table({ 'commit.manifest.min-count-to-merge': '4' });
    let now = loaded;
    const ids: bigint[] = [];
    for (const name of ['c1', 'c2', 'c3', 'c4']) {
      now = await append(catalog, now, name);
      ids.push(head(now)['snapshot-id']);
    }
    const list = await readManifestList(io, head(now)['manifest-list']!);
    expect(list).toHaveLength(2);
    expect(list[0]!.location).toContain('c4.avro');
    expect(list[1]).toMatchObject({
      addedFiles: 0,
      existingFiles: 3,
      existingRows: 30,
      sequenceNumber: 4,
      minSequenceNumber: 1,
      addedSnapshotId: ids[3],
    });
    const entries = await readManifest(io, list[1]!);
    expect(
      entries.map((entry) => [
        entry.file.location,
        entry.status,
        entry.snapshotId,
        entry.sequenceNumber,
        entry.fileSequenceNumber,
      ]),
    ).toEqual([
      ['c3', 0, ids[2], 3, 3],
      ['c2', 0, ids[1], 2, 2],
      ['c1', 0, ids[0], 1, 1],
    ]);
  });

  it('of format v3 assign row ids on from the table’s next', async () => {
    const { catalog, loaded } = await table({ 'format-version': '3' });
    const one = await append(catalog, loaded, 'v1');
    const two = await append(catalog, one, 'v2');
    expect(head(two)).toMatchObject({ 'first-row-id': 10, 'added-rows': 10 });
    expect(two.metadata['next-row-id']).toBe(20);
    expect((await readManifestList(io, head(two)['manifest-list']!)).map((manifest) => manifest.firstRowId)).toEqual([
      10, 0,
    ]);
  });

  it('of format v3 keep the row ids of what they merge, and give an empty snapshot none', async () => {
    const { catalog, loaded } = await table({ 'format-version': '3', 'commit.manifest.min-count-to-merge': '3' });
    let now = loaded;
    for (const name of ['m1', 'm2', 'm3']) now = await append(catalog, now, name);
    expect(head(now)).toMatchObject({ 'first-row-id': 20, 'added-rows': 10 });
    const empty = await append(catalog, now, 'unused', {
      manifests: [],
      added: { files: 0, records: 0, size: 0, partitions: 0 },
    });
    expect(head(empty)).toMatchObject({ 'first-row-id': 30, 'added-rows': 0 });
    const four = await append(catalog, empty, 'm4');
    expect(head(four)).toMatchObject({ 'first-row-id': 30, 'added-rows': 10 });
    expect(four.metadata['next-row-id']).toBe(40);
    const list = await readManifestList(io, head(four)['manifest-list']!);
    expect(list.length).toBeLessThan(4);
    const files = (await Promise.all(list.map((manifest) => readManifest(io, manifest)))).flat();
    expect(
      files
        .map(({ file: { location, firstRowId } }) => [location, firstRowId])
        .toSorted((a, b) => String(a[0]).localeCompare(String(b[0]))),
    ).toEqual([
      ['m1', 0],
      ['m2', 10],
      ['m3', 20],
      ['m4', 30],
    ]);
  });

  it('give row ids to all that a table had when it was of format v2', async () => {
    const { catalog, loaded } = await table();
    const one = await append(catalog, loaded, 'u1');
    const upgraded = await catalog.commit(one.ident, {
      requirements: [],
      updates: [{ action: 'upgrade-format-version', 'format-version': 3 }],
      idempotencyKey: 'k',
    });
    if (upgraded.outcome !== 'committed') throw new Error(JSON.stringify(upgraded));
    const two = await append(catalog, upgraded.table, 'u2');
    expect(head(two)).toMatchObject({ 'first-row-id': 0, 'added-rows': 20 });
    expect((await readManifestList(io, head(two)['manifest-list']!)).map((manifest) => manifest.firstRowId)).toEqual([
      0, 10,
    ]);
  });
});

describe('planMerge', () => {
  const manifest = (n: number, overrides: Partial<ManifestFile> = {}): ManifestFile => ({
    location: `m${n}`,
    length: 1000,
    specId: 0,
    content: 0,
    sequenceNumber: n,
    minSequenceNumber: n,
    addedSnapshotId: 1n,
    addedFiles: 1,
    existingFiles: 0,
    deletedFiles: 0,
    addedRows: 1,
    existingRows: 0,
    deletedRows: 0,
    partitions: [],
    ...overrides,
  });
  const sizes = (groups: ManifestFile[][]): number[] => groups.map((group) => group.length);
  const many = Array.from({ length: 99 }, (_, i) => manifest(99 - i));

  it('waits for the count, new manifests included', () => {
    expect(sizes(planMerge(many.slice(0, 98), 1, {}))).toEqual(Array(98).fill(1));
    expect(sizes(planMerge(many, 1, {}))).toEqual([99]);
    expect(sizes(planMerge(many, 1, { 'commit.manifest-merge.enabled': 'false' }))).toEqual(Array(99).fill(1));
  });

  it('among many writers is due only at the append that crosses a multiple of the count', () => {
    const more = Array.from({ length: 199 }, (_, i) => manifest(199 - i));
    const due = (count: number, added: number): number[] =>
      sizes(planMerge(more.slice(0, count), added, {}, 'crossed')).filter((size) => size > 1);
    expect([due(98, 1), due(98, 2), due(99, 5), due(100, 1), due(150, 49), due(199, 1)]).toEqual([
      [],
      [98],
      [99],
      [],
      [],
      [199],
    ]);
  });

  it('rewrites a bounded number of bytes at once: of what is due the part with the most manifests', () => {
    const KiB = 1024;
    const merged = (...sizes: number[]): ManifestFile[] =>
      sizes.map((size, i) => manifest(-i, { location: `merged${i}`, length: size * KiB }));
    const rewritten = (parents: ManifestFile[], properties: Record<string, string> = {}): number[] =>
      planMerge(parents, 1, properties)
        .filter((group) => group.length > 1)
        .map((group) => group.reduce((sum, { length }) => sum + length, 0));
    // Newest first: what was merged last takes what is new while it fits, the older ones stay.
    expect(rewritten([...many, ...merged(300, 500, 600)])).toEqual([99_000 + 300 * KiB]);
    expect(rewritten([...many, ...merged(768, 768)])).toEqual([99_000]);
    expect(rewritten(merged(768, 768, 500, 500))).toEqual([]);
    // A table that states a size gets it.
    const stated = { 'commit.manifest.target-size-bytes': String(4096 * KiB) };
    expect(rewritten([...many, ...merged(768, 768)], stated)).toEqual([99_000 + 1536 * KiB]);
    // A hundred manifests of a wide table's files are more than that.
    const wide = Array.from({ length: 99 }, (_, i) => manifest(99 - i, { length: 25 * KiB }));
    expect(sizes(planMerge(wide, 1, {})).filter((size) => size > 1)).toEqual([30]);
  });

  it('leaves full manifests, other specs and delete files alone', () => {
    const large = manifest(0, { location: 'large', length: 8 * 1024 * 1024 });
    const deletes = manifest(0, { location: 'deletes', content: 1 });
    const other = manifest(0, { location: 'other', specId: 1 });
    const groups = planMerge([...many, deletes, other, large], 1, {});
    expect(sizes(groups).sort((a, b) => b - a)).toEqual([99, 1, 1, 1]);
  });
});

describe('walkAncestors', () => {
  it('ends at the root, or names the parent that is missing', async () => {
    const { catalog, loaded } = await table();
    const one = await append(catalog, loaded, 'w1');
    const two = await append(catalog, one, 'w2');
    const ids = [head(two)['snapshot-id'], head(one)['snapshot-id']];
    const all = (await catalog.loadTable(two.ident, 'all'))!;
    const whole = walkAncestors(all.metadata, branchHead(all.metadata, 'main'));
    expect(whole.ancestors.map((snapshot) => snapshot['snapshot-id'])).toEqual(ids);
    expect(whole.end).toEqual({ kind: 'root' });
    const partial = walkAncestors(onlyRefs(two.metadata), ids[0]!);
    expect(partial.ancestors).toHaveLength(1);
    expect(partial.end).toEqual({ kind: 'missing', snapshotId: ids[1] });
    expect(walkAncestors(loaded.metadata, null)).toEqual({ ancestors: [], end: { kind: 'root' } });
  });
});
