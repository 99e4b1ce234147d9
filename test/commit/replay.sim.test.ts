import { describe, expect, test } from 'vitest';
import { MAX_CHECKPOINT_AGE } from '../../src/commit/judge.ts';
import { LetterSet } from '../../src/commit/letter-set.ts';
import { momentOf } from '../../src/commit/prepare.ts';
import { DeadLetterProjection } from '../../src/commit/projection.ts';
import { deadByList, prepareReplay } from '../../src/commit/replay.ts';
import { verifyHistory } from '../../src/maintain/verify-history.ts';
import { compactDead, deadMetadata, deadRows, deleteDeadRows } from './dead-table.ts';
import { World, deadIdent, ident, metricsOf } from './world.ts';
import type { CommitResult, Prepared } from '../../src/commit/commit.ts';
import type { DeadLetterEntry } from '../../src/commit/dead-letter-list.ts';
import type { Instance } from './world.ts';

const signal = new AbortController().signal;
const odd = (_: number, offset: number): boolean => offset % 2 === 1;
const all = (): boolean => true;

async function start(world: World, dead = odd): Promise<Instance> {
  const instance = await world.instance().start();
  instance.dead = dead;
  return instance;
}

/** Chooses among what is dead at the head, and writes the files of what is a row now; null: nothing is. */
async function choose(instance: Instance, wanted: (offset: number) => boolean = all): Promise<Prepared | null> {
  const { world, committer } = instance;
  const begunAt = momentOf(world.ports);
  const base = await committer.refresh();
  const letters = new LetterSet();
  const entries: DeadLetterEntry[] = [];
  const rows: [number, number][] = [];
  for await (const { entry, rows: dead } of deadByList(base.deadLetters, world.io)) {
    const taken = dead.filter((row) => wanted(Number(row.offset)));
    if (taken.length > 0) entries.push(entry);
    letters.addAll(taken);
    rows.push(...taken.map((row): [number, number] => [row.partition, Number(row.offset)]));
  }
  if (rows.length === 0) return null;
  const location = `${base.table.metadata.location}/data/${world.ports.ids.uuid()}.parquet`;
  await world.io.write(location, Buffer.from(JSON.stringify(rows)));
  const files = [{ location, metrics: metricsOf(rows.length), partition: new Map() }];
  return prepareReplay({ base, files, letters, entries, schemaId: 0, specId: 0, begunAt }, base, world);
}

async function replay(instance: Instance, wanted: (offset: number) => boolean = all): Promise<CommitResult | null> {
  const prepared = await choose(instance, wanted);
  return prepared && instance.committer.commit(prepared);
}

async function project(world: World): Promise<void> {
  await new DeadLetterProjection({
    catalog: world.catalog,
    main: ident,
    target: deadIdent,
    io: () => world.io,
    ports: world.ports,
  }).run(signal);
}

const deadOffsets = async (world: World): Promise<number[]> =>
  (await deadRows(world)).map((row) => Number(row.offset)).sort((a, b) => a - b);

/**
 * Each offset of [0, end) is a row of main or of the dead-letter table, never both, never twice; and the metadata level of
 * `verify`, which looks at neither, agrees.
 */
async function problems(world: World, end: number): Promise<string[]> {
  await project(world);
  const found = [...(await world.rows()).map(([, offset]) => offset), ...(await deadOffsets(world))];
  const wanted = Array.from({ length: end }, (_, i) => i);
  const table = await world.catalog.loadTable(ident, 'all');
  const history = verifyHistory(table!, 'main');
  const sorted = found.sort((a, b) => a - b).join(' ');
  return [
    ...(sorted === wanted.join(' ') ? [] : [`${sorted} instead of 0 to ${end - 1}`]),
    ...history.problems,
    ...[...history.duplicates, ...history.missing].map(({ reason }) => reason),
  ];
}

describe('a replay', () => {
  test('makes rows of dead letters; the rest stays dead', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(8);
    expect((await replay(a, (offset) => offset < 4))?.kind).toBe('committed');
    expect(await problems(world, 8)).toEqual([]);
    expect(await deadOffsets(world)).toEqual([5, 7]);
    const { partitions } = verifyHistory((await world.catalog.loadTable(ident, 'all'))!, 'main');
    expect(partitions).toMatchObject([{ from: 0, next: 8, rows: 6, deadLetters: 2, replayed: 2 }]);
    await a.committer.close();
  });

  test('does not take twice what another replay took, however often it is asked', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(8);
    await replay(a, (offset) => offset < 4);
    await replay(a);
    expect(await replay(a)).toBe(null);
    expect(await problems(world, 8)).toEqual([]);
    expect(await deadOffsets(world)).toEqual([]);
    await a.committer.close();
  });

  test('takes what the dead-letter table does not hold yet, and never shows it there', async () => {
    const world = new World();
    const a = await start(world);
    a.projects = false;
    a.projectionFault = 'unavailable';
    await a.commitTo(4);
    await replay(a, (offset) => offset === 1);
    await a.committer.close();
    expect(await deadOffsets(world)).toEqual([]);
    expect(await problems(world, 4)).toEqual([]);
    expect(await deadOffsets(world)).toEqual([3]);
  });

  test('two that race: one is committed, the other is dropped and finds nothing left', async () => {
    const world = new World();
    const [a, b] = [await start(world), await start(world)];
    await a.commitTo(4);
    const [first, second] = [(await choose(a))!, (await choose(b))!];
    expect((await a.committer.commit(first)).kind).toBe('committed');
    expect(await b.committer.commit(second)).toMatchObject({ kind: 'dropped', reason: /another replay/ as never });
    expect(await choose(b)).toBe(null);
    expect(await problems(world, 4)).toEqual([]);
    await Promise.all([a.committer.close(), b.committer.close()]);
  });

  test('that took so long to write that its files may be taken for orphans is dropped', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    const slow = await choose(a, () => {
      world.ports.skip(MAX_CHECKPOINT_AGE);
      return true;
    });
    expect(await a.committer.commit(slow!)).toMatchObject({ kind: 'dropped', reason: /minutes old/ as never });
    expect((await replay(a))?.kind).toBe('committed');
    expect(await problems(world, 4)).toEqual([]);
    await a.committer.close();
  });

  test('two that race within one attempt', async () => {
    const world = new World();
    const [a, b] = [await start(world), await start(world)];
    await a.commitTo(4);
    const [first, second] = [(await choose(a))!, (await choose(b, (offset) => offset === 3))!];
    b.beforeCommit = async () => void (await a.committer.commit(first));
    expect((await b.committer.commit(second)).kind).toBe('dropped');
    expect(await problems(world, 4)).toEqual([]);
    await Promise.all([a.committer.close(), b.committer.close()]);
  });

  test('beside a service that goes on committing, with dead letters of its own, and other writers', async () => {
    const world = new World();
    const [a, b] = [await start(world), await start(world)];
    await a.commitTo(4);
    const prepared = (await choose(b))!;
    const open = await a.prepare([6]);
    b.beforeCommit = async () => {
      await a.commitTo(8);
      await world.compact({ files: false });
    };
    expect((await b.committer.commit(prepared)).kind).toBe('committed');
    // What the service had cut on the state before is passed by its own next commit, not by the replay.
    expect((await a.committer.commit(open)).kind).toBe('dropped');
    await a.catchUp(10);
    expect(await problems(world, 10)).toEqual([]);
    expect(await deadOffsets(world)).toEqual([5, 7, 9]);
    await Promise.all([a.committer.close(), b.committer.close()]);
  });

  test('a checkpoint that was cut before the replay is committed after it', async () => {
    const world = new World();
    const [a, b] = [await start(world), await start(world)];
    await a.commitTo(4);
    const open = await a.prepare([6]);
    await replay(b);
    expect((await a.committer.commit(open)).kind).toBe('committed');
    expect(await problems(world, 6)).toEqual([]);
    await Promise.all([a.committer.close(), b.committer.close()]);
  });

  test.each([
    ['was applied, the answer lost', 'lost-answer'],
    ['was not applied, the answer lost', 'lost-request'],
    ['conflict', 'conflict'],
  ] as const)('%s', async (_, fault) => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    a.faults.push(fault);
    expect((await replay(a))?.kind).toBe('committed');
    expect(await problems(world, 4)).toEqual([]);
    expect(await deadOffsets(world)).toEqual([]);
    await a.committer.close();
  });

  test('a crash after the files were written leaves everything dead; the next replay takes it', async () => {
    const world = new World();
    const [a, b] = [await start(world), await start(world)];
    await a.commitTo(4);
    await choose(a);
    expect(await problems(world, 4)).toEqual([]);
    expect((await replay(b))?.kind).toBe('committed');
    expect(await problems(world, 4)).toEqual([]);
    await Promise.all([a.committer.close(), b.committer.close()]);
  });

  test('a crash in the attempt whose answer was lost: whoever comes next sees which it was', async () => {
    for (const applied of [true, false]) {
      const world = new World();
      const [a, b] = [await start(world), await start(world)];
      await a.commitTo(4);
      const prepared = (await choose(a))!;
      a.faults.push(async () => {
        void a.committer.close();
        return applied ? 'lost-answer' : 'lost-request';
      });
      await expect(a.committer.commit(prepared)).rejects.toThrow();
      expect(await problems(world, 4)).toEqual([]);
      const next = await replay(b);
      expect(next?.kind ?? 'nothing left').toBe(applied ? 'nothing left' : 'committed');
      expect(await problems(world, 4)).toEqual([]);
      await b.committer.close();
    }
  });
});

describe('a rollback', () => {
  test('across a replay takes rows and list back together: the records are dead again', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    const before = world.head();
    await replay(a);
    await project(world);
    expect(await deadOffsets(world)).toEqual([]);
    await world.rollback(before);
    expect(await problems(world, 4)).toEqual([]);
    expect(await deadOffsets(world)).toEqual([1, 3]);
    await replay(a);
    expect(await problems(world, 4)).toEqual([]);
    await a.committer.close();
  });

  test('across replay and decision: the records are read again, and the replay of before is no more', async () => {
    const world = new World();
    const a = await start(world);
    const empty = world.head();
    await a.commitTo(4);
    const late = (await choose(a))!;
    await world.rollback(empty);
    expect((await a.committer.commit(late)).kind).toBe('dropped');
    const b = await start(world, (_, offset) => offset === 1);
    await b.catchUp(4);
    expect(await problems(world, 4)).toEqual([]);
    await Promise.all([a.committer.close(), b.committer.close()]);
  });

  test('and another replay: the number of replays alone would not tell', async () => {
    const world = new World();
    const [a, b] = [await start(world), await start(world)];
    await a.commitTo(4);
    const before = world.head();
    await replay(a, (offset) => offset === 1);
    const late = (await choose(a, (offset) => offset === 3))!;
    await world.rollback(before);
    await replay(b, (offset) => offset === 3);
    expect((await a.committer.commit(late)).kind).toBe('dropped');
    expect(await problems(world, 4)).toEqual([]);
    await Promise.all([a.committer.close(), b.committer.close()]);
  });

  test('and nothing else: no sequence number tells, the head does', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(2);
    const before = world.head();
    await a.commitTo(4);
    const late = (await choose(a))!;
    await world.rollback(before);
    expect(await a.committer.commit(late)).toMatchObject({ kind: 'dropped', reason: /put back/ as never });
    await a.catchUp(4);
    expect(await problems(world, 4)).toEqual([]);
    await a.committer.close();
  });

  test('a record that is replayed, taken back and replayed by another between two projections', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    const before = world.head();
    await replay(a, (offset) => offset === 1);
    await project(world);
    await world.rollback(before);
    await replay(a);
    expect(await problems(world, 4)).toEqual([]);
    expect(await deadOffsets(world)).toEqual([]);
    await a.committer.close();
  });
});

describe('the dead-letter table after a replay', () => {
  test('loses the rows wherever compaction has put them, and keeps those of a user deleted', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await a.catchUp(8);
    await project(world);
    await compactDead(world);
    await replay(a, (offset) => offset === 3 || offset === 5);
    await project(world);
    expect(await deadOffsets(world)).toEqual([1, 7]);
    await deleteDeadRows(world);
    await replay(a, (offset) => offset === 7);
    await project(world);
    expect(await deadOffsets(world)).toEqual([]);
    await a.committer.close();
  });

  test('where its statement is gone, the rows decide, and no replayed one comes back', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await project(world);
    await replay(a, (offset) => offset === 1);
    await project(world);
    await compactDead(world);
    const { snapshots } = deadMetadata(world);
    await world.expire(
      snapshots!.slice(0, -1).map((snapshot) => snapshot['snapshot-id']),
      deadIdent,
    );
    expect(await problems(world, 4)).toEqual([]);
    expect(await deadOffsets(world)).toEqual([3]);
    await a.committer.close();
  });

  test('with so many checkpoints that the older ones stand in list files', async () => {
    const world = new World();
    const a = await start(world);
    for (let end = 2; end <= 160; end += 2) await a.commitTo(end);
    await replay(a, (offset) => offset % 20 === 1);
    for (let end = 162; end <= 300; end += 2) await a.commitTo(end);
    await project(world);
    const before = world.head();
    await replay(a, (offset) => offset % 20 === 11);
    expect(await problems(world, 300)).toEqual([]);
    await world.rollback(before);
    expect(await problems(world, 300)).toEqual([]);
    // The second replay's are back: 15; and the first one had taken those below 160, not the 7 above.
    expect((await deadOffsets(world)).filter((offset) => offset % 10 === 1)).toHaveLength(15 + 7);
    await a.committer.close();
  });
});

describe('any interleaving', () => {
  const seeds = Array.from({ length: 60 }, (_, seed) => seed + 1);
  test.each(seeds)('seed %i: services, replays, rollbacks, lost answers, projections', async (seed) => {
    const world = new World({ seed, formatVersion: seed % 2 === 0 ? 3 : 2 });
    const below = (n: number): number => Math.floor(world.ports.random.next() * n);
    const instances = [await start(world), await start(world), await start(world)];
    const heads = [world.head()];
    const open: { instance: Instance; prepared: Prepared }[] = [];
    let end = 0;
    for (let step = 0; step < 40; step++) {
      const instance = instances[below(3)]!;
      if (below(5) === 0) instance.faults.push((['lost-answer', 'lost-request', 'conflict'] as const)[below(3)]!);
      switch (below(7)) {
        case 0:
        case 1:
          end += 1 + below(4);
          await instance.catchUp(end);
          break;
        case 2:
          await replay(instance, (offset) => below(2) === 0 || offset % 5 === 0);
          break;
        case 3: {
          const prepared = await choose(instance, () => below(2) === 0);
          if (prepared) open.push({ instance, prepared });
          break;
        }
        case 4: {
          const late = open.splice(below(open.length), 1)[0];
          if (late) await late.instance.committer.commit(late.prepared);
          break;
        }
        case 5:
          await project(world);
          break;
        case 6:
          if (below(3) === 0) await world.rollback(heads[below(heads.length)]!);
      }
      heads.push(world.head());
    }
    for (const instance of instances) instance.faults.length = 0;
    await instances[0]!.catchUp(end);
    expect(await problems(world, end)).toEqual([]);
    await Promise.all(instances.map(({ committer }) => committer.close()));
  });
});
