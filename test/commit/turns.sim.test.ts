import { ManyCommitters } from './many-committers.ts';
import { describe, expect, test } from 'vitest';
import { PendingStore } from '../../src/commit/pending-store.ts';
import { encodePending } from '../../src/commit/pending.ts';
import { CHECKPOINTS, decodeCheckpoints } from '../../src/commit/statement.ts';
import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import { World } from './world.ts';
import type { Prepared } from '../../src/commit/commit.ts';
import type { Instance } from './world.ts';

/** Who tries when several have published a checkpoint, and who merges manifests (DESIGN §2, "combining commits"). */

const FOLDER = '/metadata/tabletopic/pending/';

/** What the owner of a checkpoint leaves in the store. */
async function publish(world: World, prepared: Prepared, branch = 'main'): Promise<void> {
  prepared.attempts.published = true;
  const object = { branch, preparedAt: prepared.preparedAt.wall, checkpoint: prepared };
  await world.io.write(PendingStore.location(world.metadata, prepared.id), encodePending(object));
}

/** An instance that has met a conflict, and two others. */
async function three(): Promise<{ world: World; a: Instance; b: Instance; c: Instance }> {
  const world = new World({ partitions: 3 });
  const [a, b, c] = [world.instance(), world.instance(), world.instance()];
  for (const instance of [a, b, c]) await instance.start();
  b.faults.push('conflict');
  await b.commitTo(undefined, 1);
  for (const instance of [a, c]) await instance.committer.refresh();
  return { world, a, b, c };
}

const carriedBy = (world: World): readonly string[] =>
  decodeCheckpoints(
    world.metadata.snapshots!.find((snapshot) => snapshot['snapshot-id'] === world.head())!.summary![CHECKPOINTS],
  );

/** Milliseconds of the clock until the task has ended. */
async function taken(world: World, task: Promise<unknown>): Promise<number> {
  const from = world.ports.clock.now();
  await task;
  return world.ports.clock.now() - from;
}

describe('turns', () => {
  test('behind an older object a committer waits, but not for ever: then it carries the checkpoint itself', async () => {
    const { world, a, b } = await three();
    const older = await a.prepare([2]);
    await publish(world, older);
    world.ports.skip(5);
    const own = await b.prepare([undefined, 2]);
    const ms = await taken(world, b.committer.commit(own));
    expect(ms).toBeGreaterThanOrEqual(800);
    expect(ms).toBeLessThan(2500);
    expect(carriedBy(world)).toEqual([own.id, older.id]);
  });

  test('before a younger one it does not', async () => {
    const { world, a, b } = await three();
    const younger = await a.prepare([2]);
    world.ports.skip(5);
    const own = await b.prepare([undefined, 2]);
    const write = world.io.write.bind(world.io);
    world.io.write = async (location, bytes, options) => {
      await write(location, bytes, options);
      if (!location.includes(own.id) || !location.includes(FOLDER)) return;
      world.ports.skip(5);
      await publish(world, younger);
    };
    expect(await taken(world, b.committer.commit(own))).toBeLessThan(100);
    expect(carriedBy(world)).toEqual([own.id, younger.id]);
  });

  test('what nobody will commit any more is not waited for: left over for long, or of another branch', async () => {
    const { world, a, b } = await three();
    const leftOver = await a.prepare([2]);
    await publish(world, leftOver);
    world.ports.skip(10_001);
    const own = await b.prepare([undefined, 2]);
    expect(await taken(world, b.committer.commit(own))).toBeLessThan(100);
    expect(carriedBy(world)).toEqual([own.id, leftOver.id]);
    const elsewhere = await a.prepare([4], [2]);
    await publish(world, elsewhere, 'audit');
    world.ports.skip(5);
    // It has to be read once to know.
    await b.commitTo(undefined, 3);
    expect(await taken(world, b.commitTo(undefined, 4))).toBeLessThan(100);
    expect(carriedBy(world)).toHaveLength(1);
  });

  test('carried while it waits, a committer needs no attempt, reads no object, and loads the head only', async () => {
    const { world, a, b, c } = await three();
    c.faults.push('conflict');
    await c.commitTo(undefined, undefined, 1);
    await b.committer.refresh();
    const older = await a.prepare([2]);
    await publish(world, older);
    world.ports.skip(5);
    const own = await b.prepare([undefined, 2]);
    const list = world.io.list.bind(world.io);
    let lists = 0;
    world.io.list = async function* counted(prefix) {
      if (++lists === 2) {
        world.io.list = list;
        await c.commitTo(undefined, undefined, 2);
        await c.committer.close();
        seen.length = 0;
      }
      yield* list(prefix);
    };
    const seen: string[] = [];
    const read = world.io.read.bind(world.io);
    world.io.read = (location, range) => (seen.push(location), read(location, range));
    const requests = b.requests.length;
    const result = await b.committer.commit(own);
    expect(result).toMatchObject({ kind: 'committed', receipt: { snapshotId: world.head() } });
    expect(result.kind === 'committed' && result.receipt.state.table.partial).toBe(true);
    expect(b.requests.length).toBe(requests);
    expect(seen).toEqual([]);
    expect(carriedBy(world)).toContain(own.id);
    expect(carriedBy(world)).toContain(older.id);
    // Who carried them has removed the objects.
    expect([...world.io.objects.keys()].filter((location) => location.includes(FOLDER))).toEqual([]);
  });

  test('an object that somebody removed: its owner commits, and publishes again after a conflict', async () => {
    const { world, a, b } = await three();
    await publish(world, await a.prepare([2]));
    world.ports.skip(5);
    const own = await b.prepare([undefined, 2]);
    const location = PendingStore.location(world.metadata, own.id);
    const list = world.io.list.bind(world.io);
    world.io.list = async function* removed(prefix) {
      world.io.list = list;
      await world.io.delete([location]);
      yield* list(prefix);
    };
    b.faults.push('conflict');
    b.beforeCommit = async () => expect(world.io.objects.has(location)).toBe(false);
    const write = world.io.write.bind(world.io);
    const written: string[] = [];
    world.io.write = (to, bytes, options) => (written.push(to), write(to, bytes, options));
    expect((await b.committer.commit(own)).kind).toBe('committed');
    expect(written.filter((to) => to === location)).toHaveLength(2);
  });

  test('where others commit all the time the first checkpoint is published before a conflict', async () => {
    const { world, a, b } = await three();
    await a.commitTo(1);
    world.ports.skip(500);
    // Two snapshots of others in half a second.
    for (const end of [2, 3]) await b.commitTo(undefined, end);
    const busy = await a.prepare([2]);
    expect((await a.committer.commit(busy)).kind).toBe('committed');
    expect([busy.attempts.published, a.outcomes.at(-1)]).toEqual([true, 'committed']);
    // In ten seconds they are nobody to be afraid of.
    const c = await world.instance().start();
    await c.commitTo(undefined, undefined, 1);
    world.ports.skip(10_000);
    await b.committer.refresh();
    for (const end of [4, 5]) await b.commitTo(undefined, end);
    const quiet = await c.prepare([undefined, undefined, 2]);
    expect((await c.committer.commit(quiet)).kind).toBe('committed');
    expect(quiet.attempts.published).toBe(false);
  });
});

describe('manifests among many committers', () => {
  const merged = (world: World): string[] =>
    [...world.io.objects.keys()].filter((location) => location.endsWith('-m0.avro'));
  const manifests = async (world: World): Promise<readonly (number | null)[]> => {
    const head = world.metadata.snapshots!.find((snapshot) => snapshot['snapshot-id'] === world.head())!;
    return (await readManifestList(world.io, head['manifest-list']!)).map(({ existingFiles }) => existingFiles);
  };

  /** An instance among others whose last commit has made four manifests due, which are merged by now. */
  async function due(): Promise<{ world: World; a: Instance; b: Instance; merge: string }> {
    const { world, a, b } = await three();
    await world.update([{ action: 'set-properties', updates: { 'commit.manifest.min-count-to-merge': '4' } }]);
    for (const end of [2, 3]) await b.commitTo(undefined, end);
    const before = merged(world).length;
    await b.commitTo(undefined, 4);
    // Beside the commit: the fourth manifest stands in the table as it was prepared.
    expect(await manifests(world)).toEqual([0, 0, 0, 0]);
    for (let turn = 0; turn < 10_000 && merged(world).length < before + 2; turn++)
      await new Promise((resolve) => void setImmediate(resolve));
    // The manifest of the checkpoint, and the merged one.
    expect(merged(world)).toHaveLength(before + 2);
    return { world, a, b, merge: merged(world).at(-1)! };
  }

  test('are merged by the one whose commit makes them due, and in the table with its next', async () => {
    const { world, a, b } = await due();
    const read: string[] = [];
    const reading = world.io.read.bind(world.io);
    world.io.read = (location, range) => (read.push(location), reading(location, range));
    // It does not wait for its turn: meanwhile there would be more and more manifests.
    await publish(world, await a.prepare([1]));
    world.ports.skip(5);
    b.beforeCommit = async () => expect(read.filter((location) => location.endsWith('-m0.avro'))).toEqual([]);
    expect(await taken(world, b.commitTo(undefined, 5))).toBeLessThan(100);
    expect(await manifests(world)).toEqual([0, 0, 0, 3]);
    expect(await world.problems([1, 5, 0])).toEqual([]);
  });

  test('merged and then carried by another: the merge is good for the next commit', async () => {
    const { world, a, b } = await due();
    const own = await b.prepare([undefined, 5]);
    const list = world.io.list.bind(world.io);
    world.io.list = async function* carrying(prefix) {
      world.io.list = list;
      a.faults.push('conflict');
      await a.commitTo(1);
      await a.committer.close();
      yield* list(prefix);
    };
    await b.committer.commit(own);
    expect(carriedBy(world)).toContain(own.id);
    expect(await manifests(world)).toEqual([0, 0, 0, 0, 0, 0]);
    await b.commitTo(undefined, 6);
    expect(await manifests(world)).toEqual([0, 0, 0, 0, 3]);
    expect(await world.problems([1, 6, 0])).toEqual([]);
  });

  test('merged, committed, rolled back and expired: never committed again', async () => {
    const { world, b, merge } = await due();
    const before = world.head();
    const own = await b.prepare([undefined, 5]);
    b.faults.push('lost-answer');
    const list = world.io.list.bind(world.io);
    let lists = 0;
    world.io.list = async function* rolledBack(prefix) {
      if (++lists === 2) {
        world.io.list = list;
        const gone = world.head();
        expect(gone).not.toBe(before);
        await world.rollback(before);
        await world.expire([gone]);
      }
      yield* list(prefix);
    };
    expect((await b.committer.commit(own)).kind).toBe('dropped');
    expect(world.io.objects.has(merge)).toBe(false);
    await b.commitTo(undefined, 5);
    expect(await world.problems([0, 5, 0])).toEqual([]);
  });

  test('merged and committed by an attempt whose answer was lost: it is in the table, and stays', async () => {
    const { world, b, merge } = await due();
    b.faults.push('lost-answer');
    expect((await b.commitTo(undefined, 5)).kind).toBe('committed');
    await b.committer.close();
    expect(world.io.objects.has(merge)).toBe(true);
    expect(await world.problems([0, 5, 0])).toEqual([]);
  });

  test('a merge that nobody used is removed at the end', async () => {
    const { world, b, merge } = await due();
    await b.committer.close();
    expect(world.io.objects.has(merge)).toBe(false);
    expect(await world.problems([0, 4, 0])).toEqual([]);
  });

  test.each([1, 2, 3, 4])('every row once and every manifest there, whatever happens: seed %i', async (seed) => {
    const run = new ManyCommitters({
      seed,
      committers: 4,
      interval: 300,
      end: 14,
      troubles: { lost: 0.1, dies: 0.1, zombies: 0.1, rollbacks: 2500 },
    });
    await (await run.world.instance().start()).committer.close();
    await run.world.update([{ action: 'set-properties', updates: { 'commit.manifest.min-count-to-merge': '5' } }]);
    expect((await run.run(8000, 200_000)).checkpoints).toBeGreaterThan(10);
  });
});
