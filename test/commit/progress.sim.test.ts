import { describe, expect, test } from 'vitest';
import { OFFSETS, decodeStatement } from '../../src/commit/statement.ts';
import { TOPIC, begin } from './world.ts';
import type { CommitRequest } from '../../src/iceberg/catalog.ts';
import type { Snapshot } from '../../src/iceberg/metadata.ts';

/** More runs against one table: progress after others interfere, what files were written for, heads that move. */

const snapshotOf = (request: CommitRequest): Snapshot => (request.updates[0] as { snapshot: Snapshot }).snapshot;

describe('B: progress', () => {
  test('B1: a rollback is seen by a refresh, without new data', async () => {
    const { world, a } = await begin();
    await a.commitTo(1);
    const s0 = world.head();
    await a.commitTo(2);
    await world.rollback(s0);
    expect((await a.committer.refresh()).offsets![TOPIC]!.next).toEqual([1]);
    await a.catchUp(2);
    expect(await world.problems([2])).toEqual([]);
  });

  test('B2: an id that was tried before exists outside the ancestry: the next attempts are not refused for ever', async () => {
    const { world, a } = await begin();
    await a.commitTo(1);
    const s0 = world.head();
    const tried: bigint[] = [];
    a.faults.push(async (request) => {
      tried.push(snapshotOf(request)['snapshot-id']);
      await world.catalog.commit({ namespace: ['shop'], name: 'orders' }, request);
      await world.rollback(s0);
      return 'lost-request';
    });
    await a.commitTo(2);
    await a.catchUp(4);
    expect(await world.problems([4])).toEqual([]);
    expect(new Set(world.ids()).size).toBe(world.ids().length);
    expect(tried.every((id) => world.ids().includes(id))).toBe(true);
  });

  test('B3: a range without rows still moves the table’s offset, in an empty snapshot', async () => {
    const { world, a } = await begin();
    const range = {
      topic: TOPIC,
      partition: 0,
      start: 0,
      end: 4,
      epoch: 2,
      accounted: { rows: 0, deadLetters: 0, aborted: 3, control: 1, absent: 0 },
    };
    const { metadata } = a.committer.state!.table;
    const prepared = await a.committer.prepare({
      ranges: [range],
      files: [],
      deadLetters: [],
      schemaId: metadata['current-schema-id'],
      specId: metadata['default-spec-id'],
      watermark: 17,
    });
    expect((await a.committer.commit(prepared)).kind).toBe('committed');
    expect(a.next()).toBe(4);
    expect(await world.files()).toEqual([]);
    expect(world.metadata.snapshots!.at(-1)!.summary!['tabletopic.watermark']).toBe('17');
    await a.commitTo(6);
    expect(await world.problems([6], 'main', (_, offset) => offset < 4)).toEqual([]);
  });
});

describe('invariant 5: what the files were written for', () => {
  test('another default spec, also set between load and commit: dropped and read again', async () => {
    const { world, a } = await begin();
    const before = await a.prepare([2]);
    const between = await a.prepare([2]);
    const partition = (transform: string) =>
      world.update([
        {
          action: 'add-spec',
          spec: {
            'spec-id': -1,
            fields: [{ 'source-id': 1, 'field-id': 1000, name: `offset_${transform}`, transform }],
          },
        },
        { action: 'set-default-spec', 'spec-id': -1 },
      ]);
    a.beforeCommit = () => partition('identity');
    expect(await a.committer.commit(between)).toMatchObject({
      kind: 'dropped',
      reason: expect.stringContaining('spec'),
    });
    expect(a.outcomes).toEqual(['conflict', 'dropped']);
    expect(await a.committer.commit(before)).toMatchObject({ kind: 'dropped' });
    expect(await world.rows()).toEqual([]);
  });

  test('a column that somebody dropped, also between load and commit', async () => {
    const { world, a } = await begin();
    const add = await a.committer.evolve(({ table: { metadata } }) => ({
      schema: {
        ...metadata.schemas[0]!,
        'schema-id': 1,
        fields: [...metadata.schemas[0]!.fields, { id: 2, name: 'x', required: false, type: 'int' }],
      },
      lastColumnId: 2,
      fields: '{}',
    }));
    expect(add.table.metadata['current-schema-id']).toBe(1);
    const prepared = await a.prepare([2]);
    a.beforeCommit = () => world.update([{ action: 'set-current-schema', 'schema-id': 0 }]);
    expect(await a.committer.commit(prepared)).toMatchObject({
      kind: 'dropped',
      reason: expect.stringContaining('column x'),
    });
    expect(a.outcomes).toEqual(['conflict', 'dropped']);
  });

  test('derives again after each conflict, where the cut asks for it', async () => {
    const { a } = await begin();
    let asked = 0;
    const prepared = await a.prepare([2], [], { derive: async () => (++asked < 2 ? 'keep' : 'drop') });
    a.faults.push('conflict', 'conflict');
    expect((await a.committer.commit(prepared)).kind).toBe('dropped');
    expect(asked).toBe(2);
  });
});

test('a compaction between load and commit is walked over, and the rows of both stay', async () => {
  const { world, a } = await begin();
  await a.commitTo(2);
  const prepared = await a.prepare([4]);
  a.beforeCommit = async () => void (await world.compact());
  expect((await a.committer.commit(prepared)).kind).toBe('committed');
  expect(a.outcomes.slice(-2)).toEqual(['conflict', 'committed']);
  expect(await world.problems([4])).toEqual([]);
});

test('a head that others move and expire while its manifest list is read: decided anew, not an error', async () => {
  const { world, a } = await begin();
  await a.commitTo(2);
  await world.compact();
  await a.committer.refresh();
  const read = world.io.read.bind(world.io);
  world.io.read = async (location, range) => {
    if (location.includes('/snap-')) {
      world.io.read = read;
      await world.compact();
      await world.expire(world.but());
    }
    return read(location, range);
  };
  expect((await a.commitTo(4)).kind).toBe('committed');
  expect(await world.problems([4])).toEqual([]);
});

test('a manifest list that the head names and that is gone is an error', async () => {
  const { world, a } = await begin();
  await world.compact({ files: false });
  await world.io.delete([world.metadata.snapshots!.at(-1)!['manifest-list']!]);
  await expect(a.commitTo(2)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
});

test('a clock that runs back does not make the metadata unreadable', async () => {
  const { world, a } = await begin();
  await a.commitTo(1);
  world.ports.skip(-60_000);
  await a.commitTo(2);
  const times = world.metadata.snapshots!.map((snapshot) => snapshot['timestamp-ms']);
  expect(times).toEqual(times.toSorted((x, y) => x - y));
});

test('partitions that appear later begin at 0, new topics as told; nobody’s offset moves', async () => {
  const { world, a } = await begin();
  await a.commitTo(3);
  const first = {
    [TOPIC]: { ...world.first()[TOPIC]!, first: [9, 9], next: [9, 9], epoch: [0, 0] },
    u: { id: 'u', cluster: 'cluster-1', first: [50], next: [50], epoch: [-1], gaps: [] },
  };
  const { offsets } = await a.committer.ensureOffsets(first);
  expect(offsets![TOPIC]!.next).toEqual([3, 0]);
  expect(offsets!['u']!.next).toEqual([50]);
  const snapshots = world.ids().length;
  await a.committer.ensureOffsets(first);
  expect(world.ids()).toHaveLength(snapshots);
  expect(decodeStatement(world.metadata.snapshots!.at(-1)!.summary![OFFSETS]!).offsets).toEqual(offsets);
});
