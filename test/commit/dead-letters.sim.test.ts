import { describe, expect, test, vi } from 'vitest';
import { decodeDeadLetterList } from '../../src/commit/dead-letter-list.ts';
import { DeadLetterProjection } from '../../src/commit/projection.ts';
import { compactDead, deadHead, deadMetadata, deadRows, deleteDeadRows } from './dead-table.ts';
import { World, deadIdent, ident } from './world.ts';
import type { CommitFault } from '../../src/iceberg/memory.ts';
import { MemoryCatalog } from '../../src/iceberg/memory.ts';

const signal = new AbortController().signal;
const odd = (_: number, offset: number): boolean => offset % 2 === 1;

function projection(
  world: World,
  faults: ((() => Promise<CommitFault | null>) | CommitFault)[] = [],
  onLoad: (name: string) => Promise<void> = async () => undefined,
): DeadLetterProjection {
  const catalog = new MemoryCatalog(world.ports, {
    state: world.state,
    hooks: {
      load: ({ name }) => onLoad(name),
      commit: async () => {
        const fault = faults.shift() ?? null;
        return typeof fault === 'function' ? fault() : fault;
      },
    },
  });
  return new DeadLetterProjection({ catalog, main: ident, target: deadIdent, io: () => world.io, ports: world.ports });
}

const deadOffsets = async (world: World): Promise<number[]> =>
  (await deadRows(world)).map((row) => Number(row.offset)).sort((a, b) => a - b);

/** Each offset of [0, end) is a row of main or of the dead-letter table, never both, never twice. */
async function problems(world: World, end: number): Promise<string[]> {
  const all = [...(await world.rows()).map(([, offset]) => offset), ...(await deadOffsets(world))].sort(
    (a, b) => a - b,
  );
  const expected = Array.from({ length: end }, (_, i) => i);
  return JSON.stringify(all) === JSON.stringify(expected) ? [] : [`${all.join(' ')} instead of 0 to ${end - 1}`];
}

async function start(world: World, dead = odd) {
  const instance = await world.instance().start();
  instance.dead = dead;
  return instance;
}

describe('dead letters ride on the main commit', () => {
  test('a record arrives whole in the dead-letter table, once', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await a.committer.close();
    expect(await problems(world, 4)).toEqual([]);
    const row = (await deadRows(world)).find(({ offset }) => offset === 3n);
    expect(row).toMatchObject({
      topic: 't',
      partition: 0,
      timestamp: 1_700_000_000_003_000n,
      timestampType: 'CreateTime',
      key: null,
      headers: [{ key: 'h', value: null }],
      code: 'DECODE_JSON',
      reason: 'by the test',
      schemaId: null,
      serviceVersion: '0.0.0-test',
    });
    expect(Buffer.from(row!.value!).toString()).toBe('value 3');
  });

  test('their source file never enters a table', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await a.committer.close();
    const sources = [...world.io.objects.keys()].filter((location) => location.includes('/_tabletopic/'));
    expect(sources).toHaveLength(1);
    const named = new Set([...(await world.reachable(ident)), ...(await world.reachable(deadIdent))]);
    expect(sources.filter((location) => named.has(location))).toEqual([]);
  });

  test('a dropped checkpoint leaves neither rows nor dead letters', async () => {
    const world = new World();
    const [a, b] = [await start(world), await start(world)];
    const stale = await a.prepare([4]);
    await b.commitTo(4);
    expect((await a.committer.commit(stale)).kind).toBe('dropped');
    await projection(world).run(signal);
    await Promise.all([a.committer.close(), b.committer.close()]);
    expect(await problems(world, 4)).toEqual([]);
  });

  test('A5: crash between the main commit and the projection: any other instance makes it up', async () => {
    const world = new World();
    const a = await world.instance({ branch: 'main' }).start();
    a.dead = odd;
    // The process ends with the commit: its own projection never runs.
    void a.committer.close();
    const prepared = await a.prepare([4]);
    await expect(a.committer.commit(prepared)).rejects.toThrow();
    const b = await start(world);
    expect((await b.committer.commit(prepared)).kind).toBe('committed');
    await projection(world).run(signal);
    await b.committer.close();
    expect(await problems(world, 4)).toEqual([]);
  });

  test('A5: a decoder that changes and a rollback of main: what was dead is now a row, what was a row is now dead', async () => {
    const world = new World();
    const a = await start(world);
    const empty = world.head();
    await a.commitTo(4);
    await projection(world).run(signal);
    await world.rollback(empty);
    const b = await start(world, (_, offset) => offset === 2);
    await b.catchUp(4);
    await projection(world).run(signal);
    await Promise.all([a.committer.close(), b.committer.close()]);
    expect(await deadOffsets(world)).toEqual([2]);
    expect(await problems(world, 4)).toEqual([]);
  });

  test('rollback, decoder change, expiry of the rolled back snapshots, nobody projecting in between', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(2);
    await a.committer.close();
    const first = world.head();
    const b = await start(world);
    await b.commitTo(4);
    await b.committer.close();
    await world.rollback(first);
    const gone = world.metadata.snapshots!.at(-1)!['snapshot-id'];
    const c = await start(world, () => false);
    await c.catchUp(4);
    await world.expire([gone]);
    await c.committer.close();
    await projection(world).run(signal);
    expect(await deadOffsets(world)).toEqual([1]);
    expect(await problems(world, 4)).toEqual([]);
  });
});

describe('the projection', () => {
  test('of a list without change does nothing, however often it runs', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await a.committer.close();
    const head = deadHead(world);
    expect(await projection(world).run(signal)).toMatchObject({ added: 0, removed: 0 });
    expect(deadHead(world)).toBe(head);
  });

  test('makes no table while there is nothing to hold', async () => {
    const world = new World();
    const a = await start(world, () => false);
    await a.commitTo(4);
    await projection(world).run(signal);
    await a.committer.close();
    expect([...world.state.tables.values()].map((table) => table.ident.name)).toEqual(['orders']);
  });

  test('by two at once adds each record once', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(6);
    await Promise.all([projection(world).run(signal), projection(world).run(signal), projection(world).run(signal)]);
    await a.committer.close();
    expect(await problems(world, 6)).toEqual([]);
  });

  test.each<CommitFault>(['lost-answer', 'lost-request', 'conflict'])('after %s decides anew', async (fault) => {
    const world = new World();
    const a = await start(world, () => false);
    await a.commitTo(1);
    a.dead = odd;
    const only = projection(world, [fault, fault, fault]);
    await a.commitTo(6);
    await only.run(signal);
    await a.committer.close();
    expect(await problems(world, 6)).toEqual([]);
  });

  test('loads its own table before main: a checkpoint that is committed in between is added by the next run, never removed', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(2);
    await projection(world).run(signal);
    const order: string[] = [];
    await projection(world, [], async (name) => void order.push(name)).run(signal);
    expect(order).toEqual(['orders_dead_letters', 'orders']);
    await a.committer.close();
  });

  test('after a rollback of the dead-letter table adds again what is gone, from the sources, in new files', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(2);
    await a.committer.refresh();
    await projection(world).run(signal);
    const early = deadHead(world);
    await a.commitTo(6);
    await projection(world).run(signal);
    const late = deadHead(world);
    const lateFiles = (await world.files('main', deadIdent)).map((file) => file.location);
    await world.rollback(early, deadIdent);
    await projection(world).run(signal);
    await a.committer.close();
    expect(await problems(world, 6)).toEqual([]);
    // The expiry of the rolled back snapshot deletes its file; the new one is another.
    await world.expire([late], deadIdent);
    expect(await problems(world, 6)).toEqual([]);
    expect((await world.files('main', deadIdent)).filter((file) => lateFiles.includes(file.location))).toHaveLength(1);
  });

  test('does not undo a rollback that comes between its load and its commit', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(2);
    await a.committer.close();
    const early = deadHead(world);
    const b = await start(world);
    await b.commitTo(4);
    await b.committer.close();
    const late = deadHead(world);
    const c = await start(world, () => true);
    c.projects = false;
    await c.commitTo(5);
    await c.committer.close();
    const rollback = async (): Promise<null> => {
      await world.rollback(early, deadIdent);
      return null;
    };
    await projection(world, [rollback]).run(signal);
    const parents = deadMetadata(world).snapshots!.filter((snapshot) => snapshot['parent-snapshot-id'] === late);
    expect(parents).toEqual([]);
    expect(await problems(world, 5)).toEqual([]);
  });

  test('is not committed after a machine slept with its file written: orphan removal may have taken the file', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(2);
    await projection(world).run(signal);
    a.projects = false;
    await a.commitTo(4);
    await a.committer.close();
    const write = world.io.write.bind(world.io);
    const sleeps: string[] = [];
    vi.spyOn(world.io, 'write').mockImplementation(async (location, bytes, options) => {
      await write(location, bytes, options);
      if (sleeps.length > 0 || !location.endsWith('.parquet')) return;
      sleeps.push(location);
      world.ports.skip(25 * 3_600_000);
      await world.removeOrphans(24 * 3_600_000, deadIdent);
    });
    await projection(world).run(signal);
    expect(sleeps.map((location) => world.io.objects.has(location))).toEqual([false]);
    expect(await problems(world, 4)).toEqual([]);
  });

  test('does not bring back what a user deleted', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(2);
    await projection(world).run(signal);
    await deleteDeadRows(world);
    await a.commitTo(4);
    await projection(world).run(signal);
    await a.committer.close();
    expect(await deadOffsets(world)).toEqual([3]);
  });

  test('removes by row: a file that live checkpoints share is rewritten', async () => {
    const world = new World();
    const a = await world.instance().start();
    const instance = await start(world);
    await instance.commitTo(2);
    const keep = world.head();
    await instance.commitTo(4);
    await projection(world).run(signal);
    await compactDead(world);
    expect(await world.files('main', deadIdent)).toHaveLength(1);
    await world.rollback(keep);
    expect(await projection(world).run(signal)).toMatchObject({ added: 0, removed: 1 });
    await Promise.all([a.committer.close(), instance.committer.close()]);
    expect(await deadOffsets(world)).toEqual([1]);
    expect(deadMetadata(world).snapshots!.at(-1)!.summary).toMatchObject({
      operation: 'overwrite',
      'total-records': '1',
      'total-data-files': '1',
    });
  });

  test('where its own statement is gone lets the rows decide, and states the list again', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await projection(world).run(signal);
    const property = deadMetadata(world).properties!['tabletopic.dead-letters.main']!;
    expect(property).toContain('"inline"');
    await compactDead(world);
    const head = deadHead(world);
    await world.update([{ action: 'remove-properties', removals: ['tabletopic.dead-letters.main'] }], deadIdent);
    await world.expire(
      deadMetadata(world)
        .snapshots!.map((snapshot) => snapshot['snapshot-id'])
        .filter((id) => id !== head),
      deadIdent,
    );
    await projection(world).run(signal);
    expect(await problems(world, 4)).toEqual([]);
    expect(JSON.parse(deadMetadata(world).properties!['tabletopic.dead-letters.main']!)).toMatchObject({
      snapshot: String(head),
    });
    await a.commitTo(6);
    await projection(world).run(signal);
    await a.committer.close();
    expect(await problems(world, 6)).toEqual([]);
  });

  test('a source that cannot be read stops it, names the offsets, and leaves the table going', async () => {
    const world = new World();
    const failed: string[] = [];
    const a = await world
      .instance({ hooks: { projectionFailed: (error) => void failed.push(`${error.code} ${error.message}`) } })
      .start();
    a.dead = odd;
    const prepared = await a.prepare([4]);
    await world.io.delete([prepared.deadLetters!.file]);
    expect((await a.committer.commit(prepared)).kind).toBe('committed');
    expect((await a.commitTo(8)).kind).toBe('committed');
    await a.committer.close();
    expect(failed[0]).toMatch(/DEAD_LETTERS_UNREADABLE.*2 dead letters of t-0 0–4/);
    expect(await world.problems([8], 'main', odd)).toEqual([]);
  });

  test('of a table that was dropped and made again does not touch the old one’s dead letters', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await a.committer.close();
    await world.catalog.dropTable(ident);
    const b = await start(world, () => false);
    await b.committer.close();
    await expect(projection(world).run(signal)).rejects.toMatchObject({ code: 'TABLE_CHANGED' });
    expect(await deadOffsets(world)).toEqual([1, 3]);
  });
});

describe('the list', () => {
  test('keeps at most 64 in the statement and all of them in what it names', async () => {
    const world = new World();
    const a = await start(world, () => true);
    for (let end = 1; end <= 150; end++) await a.commitTo(end);
    const { deadLetters } = a.committer.state!;
    expect(deadLetters.inline.length).toBeLessThanOrEqual(64);
    expect(deadLetters.older!.checkpoints + deadLetters.inline.length).toBe(150);
    await projection(world).run(signal);
    await a.committer.close();
    expect(await problems(world, 150)).toEqual([]);
    expect(
      decodeDeadLetterList(JSON.parse(deadMetadata(world).properties!['tabletopic.dead-letters.main']!).deadLetters),
    ).toEqual(deadLetters);
  });

  test('whose file is gone is continued, so that the table goes on; only the projection waits', async () => {
    const world = new World();
    const a = await start(world, () => true);
    for (let end = 1; end <= 65; end++) await a.commitTo(end);
    await projection(world).run(signal);
    await world.io.delete([a.committer.state!.deadLetters.older!.file]);
    for (let end = 66; end <= 140; end++) expect((await a.commitTo(end)).kind).toBe('committed');
    expect(a.committer.state!.deadLetters.older!.checkpoints + a.committer.state!.deadLetters.inline.length).toBe(140);
    await a.committer.close();
    await expect(projection(world).run(signal)).rejects.toMatchObject({ code: 'DEAD_LETTERS_UNREADABLE' });
  }, 60_000);
});
