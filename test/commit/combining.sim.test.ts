import { describe, expect, test } from 'vitest';
import { decodeAccounted } from '../../src/commit/accounted.ts';
import { CALM_CHECKPOINTS } from '../../src/commit/combining.ts';
import { MAX_CHECKPOINT_AGE } from '../../src/commit/judge.ts';
import { PendingStore } from '../../src/commit/pending-store.ts';
import { decodePending, encodePending } from '../../src/commit/pending.ts';
import {
  ACCOUNTED,
  CHECKPOINTS,
  OFFSETS,
  WATERMARK,
  decodeCheckpoints,
  decodeStatement,
} from '../../src/commit/statement.ts';
import { TabletopicError } from '../../src/errors.ts';
import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import { TOPIC, World } from './world.ts';
import type { Prepared } from '../../src/commit/commit.ts';
import type { Pending } from '../../src/commit/pending.ts';
import type { Snapshot } from '../../src/iceberg/metadata.ts';
import type { Instance } from './world.ts';

/** Commits that carry the checkpoints of others: the rules of DESIGN §2 and the runs of TRACES.md that pertain to them. */

const FOLDER = '/metadata/tabletopic/pending/';
const objects = (world: World): string[] =>
  [...world.io.objects.keys()].filter((location) => location.includes(FOLDER));
const headSummary = (world: World): Readonly<Record<string, string>> =>
  world.metadata.snapshots!.find((snapshot: Snapshot) => snapshot['snapshot-id'] === world.head())!.summary!;
const carriedBy = (world: World): readonly string[] => decodeCheckpoints(headSummary(world)[CHECKPOINTS]);

function pendingOf(
  prepared: Prepared,
  more: { readonly branch?: string; readonly preparedAt?: number } = {},
): Pending & { readonly checkpoint: Prepared } {
  return { branch: 'main', preparedAt: prepared.preparedAt.wall, checkpoint: prepared, ...more };
}

/** An object as its owner would have left it, or as a bad writer would. */
async function leave(world: World, pending: Pending & { readonly checkpoint: Prepared }): Promise<string> {
  pending.checkpoint.attempts.published = true;
  const location = PendingStore.location(world.metadata, pending.checkpoint.id);
  await world.io.write(location, encodePending(pending));
  return location;
}

/** Two instances on a partition each; `b` has met a conflict, so its next commit carries others. */
async function two(): Promise<{ world: World; a: Instance; b: Instance }> {
  const world = new World({ partitions: 3 });
  const a = await world.instance().start();
  const b = await world.instance().start();
  b.faults.push('conflict');
  await b.commitTo(undefined, 1);
  await a.committer.refresh();
  return { world, a, b };
}

describe('what is paid', () => {
  test('a lone instance writes no pending object and lists nothing', async () => {
    const world = new World();
    const touched: string[] = [];
    for (const operation of ['write', 'list'] as const) {
      const act = world.io[operation].bind(world.io) as (...args: unknown[]) => never;
      Object.assign(world.io, {
        [operation]: (location: string, ...rest: unknown[]) => (touched.push(location), act(location, ...rest)),
      });
    }
    const a = await world.instance().start();
    for (let end = 1; end <= 20; end++) await a.commitTo(end);
    expect(touched.filter((location) => location.includes(FOLDER))).toEqual([]);
    expect(touched.length).toBeGreaterThan(20);
  });

  test(`after a conflict each checkpoint is published, until ${CALM_CHECKPOINTS} in a row met none`, async () => {
    const world = new World();
    const a = await world.instance().start();
    const published: number[] = [];
    const write = world.io.write.bind(world.io);
    let end = 0;
    world.io.write = (location, bytes, options) => {
      if (location.includes(FOLDER) && location.endsWith('.json')) published.push(end);
      return write(location, bytes, options);
    };
    const commit = async (): Promise<void> => void (end++, await a.commitTo(end));
    await commit();
    a.faults.push('conflict');
    for (let i = 0; i < CALM_CHECKPOINTS + 3; i++) await commit();
    expect(published).toEqual(Array.from({ length: CALM_CHECKPOINTS + 1 }, (_, i) => 2 + i));
    await a.committer.close();
    expect(objects(world)).toEqual([]);
  });
});

test('one that carries others, or is carried by them, does not take itself to be alone', async () => {
  const { world, a, b } = await two();
  for (let end = 1; end <= CALM_CHECKPOINTS + 2; end++) {
    await a.committer.refresh();
    const ofA = await a.prepare([end]);
    await leave(world, pendingOf(ofA));
    const ofB = await b.prepare([undefined, 1 + end]);
    await b.committer.commit(ofB);
    expect(ofB.attempts.published).toBe(true);
    expect(carriedBy(world)).toEqual([ofB.id, ofA.id]);
  }
});

test('what others have published goes along, with all that belongs to it; the id in the ancestry is the owner’s receipt', async () => {
  const { world, a, b } = await two();
  a.dead = (_, offset) => offset === 1;
  const ofA = await a.prepare([3], [], { watermark: 70 });
  a.faults.push(async () => {
    // While a's attempt is refused, and its object lies there, b commits.
    return 'conflict';
  });
  let ofB: Prepared | undefined;
  const load = world.catalog.loadTable.bind(world.catalog);
  expect(await load({ namespace: ['shop'], name: 'orders' }, 'all')).not.toBeNull();
  a.beforeCommit = async () => {
    await leave(world, pendingOf(ofA));
    ofB = await b.prepare([undefined, 4], [], { watermark: 90 });
    expect((await b.committer.commit(ofB)).kind).toBe('committed');
  };
  const result = await a.committer.commit(ofA);
  expect(result).toMatchObject({ kind: 'committed', receipt: { checkpointId: ofA.id, snapshotId: world.head() } });
  expect(a.outcomes).toEqual(['conflict']);
  expect(carriedBy(world)).toEqual([ofB!.id, ofA.id]);
  const summary = headSummary(world);
  expect(
    decodeAccounted(summary[ACCOUNTED]!).map(({ partition, start, end, accounted }) => [
      partition,
      start,
      end,
      accounted.rows,
      accounted.deadLetters,
    ]),
  ).toEqual([
    [1, 1, 4, 3, 0],
    [0, 0, 3, 2, 1],
  ]);
  const { offsets, deadLetters } = decodeStatement(summary[OFFSETS]!);
  expect(offsets[TOPIC]!.next).toEqual([3, 4, 0]);
  expect(deadLetters.inline).toEqual([ofA.deadLetters]);
  expect(summary[WATERMARK]).toBe('70');
  expect([summary['added-data-files'], summary['added-records'], summary['total-records']]).toEqual(['2', '5', '6']);
  expect(await world.problems([3, 4, 0], 'main', (partition, offset) => partition === 0 && offset === 1)).toEqual([]);
  await a.committer.close();
  await b.committer.close();
  expect(objects(world)).toEqual([]);
});

describe('a committer that dies', () => {
  test('after it has published: another carries the checkpoint, and whoever takes over goes on behind it', async () => {
    const { world, a, b } = await two();
    const ofA = await a.prepare([2]);
    await leave(world, pendingOf(ofA));
    await b.commitTo(undefined, 2);
    expect(carriedBy(world)).toContain(ofA.id);
    const c = await world.instance().start();
    expect(c.next()).toBe(2);
    await c.catchUp(4, 2, 0);
    expect(await world.problems([4, 2, 0])).toEqual([]);
    await b.commitTo(undefined, 3);
    await b.committer.close();
    expect(objects(world)).toEqual([]);
  });

  test('after it has won: those that it carried find their ids', async () => {
    const { world, a, b } = await two();
    const ofA = await a.prepare([2]);
    await leave(world, pendingOf(ofA));
    const bound = new AbortController();
    b.faults.push(async () => (bound.abort(new TabletopicError('COMMIT_UNKNOWN', 'killed')), 'lost-answer'));
    await expect(b.committer.commit(await b.prepare([undefined, 2]), bound.signal)).rejects.toMatchObject({
      message: 'killed',
    });
    expect(await a.committer.commit(ofA)).toMatchObject({ kind: 'committed', receipt: { snapshotId: world.head() } });
    expect(a.requests.length).toBe(1);
    expect(await world.problems([2, 2, 0])).toEqual([]);
  });
});

describe('what is passed over', () => {
  test('A4: a zombie’s object for the range that the owner commits: the rows are there once', async () => {
    const { world, a, b } = await two();
    const zombie = await world.instance().start();
    const stale = await zombie.prepare([2]);
    await leave(world, pendingOf(stale));
    a.faults.push('conflict');
    const ofA = await a.prepare([3]);
    expect((await a.committer.commit(ofA)).kind).toBe('committed');
    expect(carriedBy(world)).toEqual([ofA.id]);
    expect(await world.problems([3, 1, 0])).toEqual([]);
    // The zombie is fenced; its files stay, as others might have committed them.
    expect((await zombie.committer.commit(stale)).kind).toBe('dropped');
    await b.commitTo(undefined, 2);
    expect(await world.problems([3, 2, 0])).toEqual([]);
    // Whoever sees the object now removes it.
    await a.commitTo(4);
    await a.committer.close();
    expect(objects(world)).toEqual([]);
  });

  test('A4: of two objects of others with the same range one at most goes along, the older one', async () => {
    const { world, a, b } = await two();
    const older = await a.prepare([2]);
    world.ports.skip(5);
    const zombie = await world.instance().start();
    const younger = await zombie.prepare([1]);
    const after = await zombie.prepare([4], [2]);
    for (const prepared of [younger, older, after]) await leave(world, pendingOf(prepared));
    const ofB = await b.prepare([undefined, 2]);
    await b.committer.commit(ofB);
    // What begins where the one before it ends goes along too.
    expect(carriedBy(world)).toEqual([ofB.id, older.id, after.id]);
    expect(await world.problems([4, 2, 0])).toEqual([]);
  });

  test('A2: carried, then rolled back (and expired): the object is not committed again', async () => {
    for (const expiry of [false, true]) {
      const { world, a, b } = await two();
      const before = world.head();
      const ofA = await a.prepare([2]);
      await leave(world, pendingOf(ofA));
      await b.commitTo(undefined, 2);
      expect(carriedBy(world)).toContain(ofA.id);
      const gone = world.head();
      await world.rollback(before);
      if (expiry) await world.expire([gone]);
      await leave(world, pendingOf(ofA));
      await b.committer.refresh();
      const ofB = await b.prepare([undefined, 2]);
      expect((await b.committer.commit(ofB)).kind).toBe('committed');
      expect(carriedBy(world)).toEqual([ofB.id]);
      expect((await a.committer.commit(ofA)).kind).toBe('dropped');
      if (!expiry) await world.expire([gone]);
      await a.catchUp(3, 2, 0);
      expect(await world.problems([3, 2, 0])).toEqual([]);
    }
  });

  test('A6: an object of a topic that was deleted and created again, or of another cluster', async () => {
    const { world, a, b } = await two();
    const ofA = await a.prepare([2]);
    for (const identity of [
      { id: 'topic-0', cluster: 'cluster-1' },
      { id: 'topic-1', cluster: 'cluster-0' },
    ]) {
      await leave(
        world,
        pendingOf({ ...ofA, id: `old-${identity.id}-${identity.cluster}`, topics: { [TOPIC]: identity } }),
      );
    }
    await b.commitTo(undefined, 2);
    expect(carriedBy(world)).toHaveLength(1);
    expect(await world.problems([0, 2, 0])).toEqual([]);
  });

  test('A8: one that is as old as its files may be for orphan removal; it is removed', async () => {
    const { world, a, b } = await two();
    const ofA = await a.prepare([2]);
    const location = await leave(world, pendingOf(ofA));
    world.ports.skip(MAX_CHECKPOINT_AGE);
    await b.commitTo(undefined, 2);
    await b.committer.close();
    expect(carriedBy(world)).toHaveLength(1);
    expect(world.io.objects.has(location)).toBe(false);
  });

  test.each<[string, (prepared: Prepared) => Pending & { readonly checkpoint: Prepared }]>([
    ['of another table of the same place', (prepared) => pendingOf({ ...prepared, tableUuid: 'other' })],
    ['of another branch', (prepared) => pendingOf(prepared, { branch: 'audit' })],
    ['of a spec that is no longer the default', (prepared) => pendingOf({ ...prepared, specId: 7 })],
    ['of a schema that the table does not have', (prepared) => pendingOf({ ...prepared, schemaId: 7 })],
    [
      'from a clock that is far ahead',
      (prepared) => pendingOf(prepared, { preparedAt: prepared.preparedAt.wall + 10 * 60_000 }),
    ],
    ['from a later history', (prepared) => pendingOf({ ...prepared, lastSequenceNumber: 99 })],
    [
      'of which one range does not fit',
      (prepared) =>
        pendingOf({
          ...prepared,
          ranges: [
            ...prepared.ranges,
            {
              ...prepared.ranges[0]!,
              partition: 1,
              start: 0,
              end: 0,
              accounted: { rows: 0, deadLetters: 0, aborted: 0, control: 0, absent: 0 },
            },
          ],
        }),
    ],
  ])('one %s', async (_, change) => {
    const { world, a, b } = await two();
    await leave(world, change(await a.prepare([2])));
    await b.commitTo(undefined, 2);
    expect(carriedBy(world)).toHaveLength(1);
    expect(await world.problems([0, 2, 0])).toEqual([]);
  });

  test('one that leaves out offsets', async () => {
    const { world, a, b } = await two();
    await leave(world, pendingOf(await a.prepare([2], [1])));
    await b.commitTo(undefined, 2);
    expect(carriedBy(world)).toHaveLength(1);
    expect(await world.problems([0, 2, 0])).toEqual([]);
  });

  test('one that cannot be read, or is named after another id', async () => {
    const { world, a, b } = await two();
    const ofA = await a.prepare([2]);
    const folder = PendingStore.location(world.metadata, 'x').replace(/x\.json$/, '');
    const text = Buffer.from(encodePending(pendingOf(ofA)));
    await world.io.write(`${folder}other.json`, text);
    await world.io.write(`${folder}half.json`, text.subarray(0, 40));
    await world.io.write(`${folder}note.txt`, text);
    await world.io.write(`${folder}${ofA.id}.json`, Buffer.from(text.toString().replace('"rows":2', '"rows":1')));
    expect((await b.commitTo(undefined, 2)).kind).toBe('committed');
    expect(carriedBy(world)).toHaveLength(1);
    // Left over by somebody who died: removed in the end.
    world.ports.skip(3 * MAX_CHECKPOINT_AGE);
    b.faults.push('conflict');
    await b.commitTo(undefined, 3);
    await b.committer.close();
    expect(objects(world)).toEqual([]);
  });
});

test('manifests merged in an attempt that was refused are used by the next one, as far as they are still there', async () => {
  const world = new World();
  const a = await world.instance().start();
  await world.update([{ action: 'set-properties', updates: { 'commit.manifest.min-count-to-merge': '4' } }]);
  for (let end = 1; end <= 3; end++) await a.commitTo(end);
  const prepared = await a.prepare([4]);
  const read: string[] = [];
  const reading = world.io.read.bind(world.io);
  world.io.read = (location, range) => (read.push(location), reading(location, range));
  // Another writer adds a manifest in between.
  a.beforeCommit = async () => void (await world.load([[0, 100]]));
  expect((await a.committer.commit(prepared)).kind).toBe('committed');
  expect(a.outcomes.slice(-2)).toEqual(['conflict', 'committed']);
  expect(read.filter((location) => location.endsWith('-m0.avro'))).toHaveLength(3);
  const manifests = await readManifestList(world.io, world.metadata.snapshots!.at(-1)!['manifest-list']!);
  expect(manifests.map(({ addedFiles, existingFiles }) => [addedFiles, existingFiles])).toEqual([
    [1, 0],
    [1, 0],
    [0, 3],
  ]);
  expect((await world.rows()).map(([, offset]) => offset)).toEqual([0, 1, 2, 3, 100]);
  // A merge that no longer stands for what is there is not used. (Another committer: this one now has more patience.)
  const b = await world.instance().start();
  const other = await b.prepare([5]);
  b.beforeCommit = async () => void (await world.compact());
  await b.committer.commit(other);
  expect((await world.rows()).map(([, offset]) => offset)).toEqual([0, 1, 2, 3, 4, 100]);
});

test('A3: once published, the files of a fenced checkpoint stay, though every attempt was surely refused', async () => {
  const { world, a, b } = await two();
  const ofA = await a.prepare([2]);
  a.faults.push('conflict');
  a.beforeCommit = async () => {
    const zombie = await world.instance().start();
    await zombie.commitTo(1);
  };
  expect(await a.committer.commit(ofA)).toMatchObject({ kind: 'dropped' });
  expect(world.io.objects.has(ofA.cut.files[0]!.location)).toBe(true);
  expect(world.io.objects.has(ofA.manifest!.location)).toBe(true);
  // Not so where it never was published: b is alone with its conflict-free past.
  const c = await world.instance().start();
  const ofC = await c.prepare([3], [0]);
  expect((await c.committer.commit(ofC)).kind).toBe('dropped');
  expect(world.io.objects.has(ofC.cut.files[0]!.location)).toBe(false);
  await b.committer.close();
});

test('a checkpoint that only its owner can derive again is not published', async () => {
  const { world, b } = await two();
  const own = await b.prepare([undefined, 2], [], { derive: async () => 'keep' });
  let seen: string[] = [];
  b.beforeCommit = async () => void (seen = objects(world));
  b.faults.push('conflict');
  expect((await b.committer.commit(own)).kind).toBe('committed');
  expect(seen).toEqual([]);
  expect(own.attempts.published).toBe(false);
});

describe('a store or credentials that do not allow it', () => {
  const forbidden = (): never => {
    throw new TabletopicError('STORAGE_AUTH', 'forbidden (by the test)');
  };

  test.each<[string, (world: World) => void]>([
    [
      'foreign keys',
      (world) => {
        const write = world.io.write.bind(world.io);
        world.io.write = async (location, bytes, options) =>
          location.includes(FOLDER) ? forbidden() : write(location, bytes, options);
      },
    ],
    [
      'listing',
      (world) =>
        void (world.io.list = async function* list() {
          forbidden();
          yield* [];
        }),
    ],
    [
      'listing what was just written',
      (world) =>
        void (world.io.list = async function* list() {
          yield* [];
        }),
    ],
    [
      'deleting',
      (world) => {
        const remove = world.io.delete.bind(world.io);
        world.io.delete = async (locations) =>
          locations.some((location) => location.includes(FOLDER)) ? forbidden() : remove(locations);
      },
    ],
  ])('%s: found out once; plain compare-and-swap goes on', async (_, spoil) => {
    const world = new World({ partitions: 2 });
    spoil(world);
    const probes: string[] = [];
    const write = world.io.write.bind(world.io);
    world.io.write = (location, bytes, options) => {
      if (location.includes(FOLDER)) probes.push(location);
      return write(location, bytes, options);
    };
    const a = await world.instance().start();
    a.faults.push('conflict', 'conflict');
    const ofA = await a.prepare([2]);
    expect((await a.committer.commit(ofA)).kind).toBe('committed');
    expect((await a.commitTo(3)).kind).toBe('committed');
    expect(ofA.attempts.published).toBe(false);
    expect(probes).toHaveLength(1);
    expect(await world.problems([3, 0])).toEqual([]);
  });

  test('a store that fails later: the checkpoint counts as published, and is committed without help', async () => {
    const { world, b } = await two();
    const write = world.io.write.bind(world.io);
    world.io.write = async (location, bytes, options) => {
      await write(location, bytes, options);
      if (location.includes(FOLDER)) throw new TabletopicError('STORAGE_UNAVAILABLE', 'lost answer (by the test)');
    };
    const own = await b.prepare([undefined, 2]);
    expect((await b.committer.commit(own)).kind).toBe('committed');
    expect(own.attempts.published).toBe(true);
    expect(await world.problems([0, 2, 0])).toEqual([]);
  });
});

test('a pending object says all of the checkpoint', async () => {
  const { a } = await two();
  a.dead = (_, offset) => offset === 1;
  const prepared = await a.prepare([4], [], { watermark: 12 });
  const { cut, preparedAt, attempts, ...checkpoint } = prepared;
  expect([cut.ranges.length, attempts.published, preparedAt.wall > 0]).toEqual([1, false, true]);
  expect(decodePending(encodePending(pendingOf(prepared)))).toEqual({
    branch: 'main',
    preparedAt: preparedAt.wall,
    checkpoint,
  });
});
