import { describe, expect, test } from 'vitest';
import { OFFSETS } from '../../src/commit/statement.ts';
import { MAX_CHECKPOINT_AGE } from '../../src/commit/judge.ts';
import { TOPIC, World, begin } from './world.ts';
import type { Snapshot } from '../../src/iceberg/metadata.ts';
import type { CommitRequest } from '../../src/iceberg/catalog.ts';

/**
 * The runs that broke earlier drafts of the protocol (found by explicit-state search), as far as one table is concerned.
 * What is true is read from the manifests and files of the head, never from our own bookkeeping.
 */

describe('A1: the statement in the property', () => {
  test('after rollback, foreign compaction and expiry of the snapshot with the key: no row twice, none lost', async () => {
    const { world, a } = await begin();
    await a.commitTo(1);
    const s0 = world.head();
    await a.commitTo(2);
    const s1 = world.head();
    await world.rollback(s0);
    await world.compact();
    await world.expire(world.but(s1));
    // S1 still exists and states its parent's offsets: exactly what the walk misses.
    const b = world.instance();
    expect((await b.committer.load())!.offsets![TOPIC]!.next).toEqual([1]);
    await b.catchUp(4);
    expect(await world.problems([4])).toEqual([]);
  });

  test('when also the rolled back snapshot has expired: stops, never guesses', async () => {
    const { world, a } = await begin();
    await a.commitTo(1);
    const s0 = world.head();
    await a.commitTo(2);
    await world.rollback(s0);
    await world.compact();
    await world.expire(world.but());
    await expect(world.instance().committer.load()).rejects.toMatchObject({ code: 'OFFSETS_AMBIGUOUS' });
    await expect(a.committer.refresh()).rejects.toMatchObject({ code: 'OFFSETS_AMBIGUOUS' });
    expect(await world.problems([1])).toEqual([]);
  });

  test('an expiry down to the foreign head alone is survived, by the property and without an anchor', async () => {
    const { world, a } = await begin();
    await a.commitTo(3);
    await world.compact();
    await world.expire(world.but());
    expect(world.ids()).toHaveLength(1);
    const b = await world.instance().start();
    expect(b.next()).toBe(3);
    await b.catchUp(5);
    expect(await world.problems([5])).toEqual([]);
  });

  test('two foreign snapshots and an expiry are survived because a refresh anchors the statement on the foreign head', async () => {
    const { world, a } = await begin();
    await a.commitTo(3);
    await world.compact();
    const snapshots = world.ids().length;
    await a.committer.refresh();
    expect(world.ids()).toHaveLength(snapshots);
    await world.compact();
    await world.expire(world.but());
    const b = await world.instance().start();
    expect(b.next()).toBe(3);
    await b.catchUp(5);
    expect(await world.problems([5])).toEqual([]);
  });

  test('a table that was replaced does not start over by itself', async () => {
    const { world, a } = await begin();
    await a.commitTo(2);
    // CREATE OR REPLACE: same UUID and properties, a head without a parent.
    const empty = world.metadata.snapshots![0]!;
    const replaced: Snapshot = {
      'snapshot-id': 77n,
      'sequence-number': 9,
      'timestamp-ms': world.ports.clock.now(),
      'manifest-list': empty['manifest-list']!,
      summary: { operation: 'append' },
    };
    await world.update([
      { action: 'add-snapshot', snapshot: replaced },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 77n },
    ]);
    await expect(a.committer.refresh()).rejects.toMatchObject({ code: 'OFFSETS_AMBIGUOUS' });
    await world.expire(world.but());
    await expect(world.instance().committer.load()).rejects.toMatchObject({ code: 'OFFSETS_AMBIGUOUS' });
  });
});

describe('A2: a file that was in a snapshot is never committed again', () => {
  test('unknown (applied), rollback, commit again, expiry: the files stay alive', async () => {
    const { world, a } = await begin();
    await a.commitTo(1);
    const s0 = world.head();
    const prepared = await a.prepare([2]);
    a.faults.push('lost-answer');
    const load = world.catalog.loadTable.bind(world.catalog);
    let rolledBack = 0n;
    // The answer is lost; before the instance looks, somebody rolls back.
    a.faults[0] = async (request) => {
      await world.catalog.commit({ namespace: ['shop'], name: 'orders' }, request);
      rolledBack = world.head();
      await world.rollback(s0);
      return 'lost-request';
    };
    const result = await a.committer.commit(prepared);
    expect(result.kind).toBe('dropped');
    expect(await load({ namespace: ['shop'], name: 'orders' }, 'all')).not.toBeNull();
    await a.catchUp(3);
    await world.expire([rolledBack]);
    expect(await world.problems([3])).toEqual([]);
  });

  test('the same when the rolled back snapshot is expired before the instance looks', async () => {
    const { world, a } = await begin();
    await a.commitTo(1);
    const s0 = world.head();
    a.faults.push(async (request) => {
      await world.catalog.commit({ namespace: ['shop'], name: 'orders' }, request);
      const applied = world.head();
      await world.rollback(s0);
      await world.expire([applied]);
      return 'lost-request';
    });
    expect((await a.commitTo(2)).kind).toBe('dropped');
    await a.catchUp(3);
    expect(await world.problems([3])).toEqual([]);
  });

  test('a request that arrives late, after a rollback to the head that it asserts, is refused by its sequence number', async () => {
    const { world, a } = await begin();
    await a.commitTo(1);
    const s0 = world.head();
    let late: CommitRequest | undefined;
    a.faults.push(async (request) => {
      late = request;
      return 'lost-request';
    });
    expect((await a.commitTo(2)).kind).toBe('committed');
    await world.rollback(s0);
    const outcome = await world.catalog.commit({ namespace: ['shop'], name: 'orders' }, late!);
    expect(outcome).toMatchObject({ outcome: 'conflict', reason: expect.stringContaining('sequence number') });
    await a.catchUp(3);
    expect(await world.problems([3])).toEqual([]);
  });

  test('rows are never the first snapshot of a table', async () => {
    const { world, a } = await begin();
    const prepared = await a.prepare([2]);
    await world.update([
      { action: 'remove-snapshot-ref', 'ref-name': 'main' },
      { action: 'remove-properties', removals: ['tabletopic.checkpoint.main'] },
    ]);
    expect(await a.committer.commit(prepared)).toMatchObject({ kind: 'dropped' });
    expect(
      a.requests.filter((request) =>
        request.updates.some(
          (update) =>
            update.action === 'add-snapshot' && update.snapshot.summary!['tabletopic.checkpoints'] !== undefined,
        ),
      ),
    ).toEqual([]);
  });

  test('every snapshot carries the next sequence number, also after a rollback', async () => {
    const { world, a } = await begin();
    await a.commitTo(1);
    const s0 = world.head();
    await a.commitTo(2);
    await world.rollback(s0);
    await a.catchUp(2);
    expect(world.metadata.snapshots!.map((snapshot) => snapshot['sequence-number'])).toEqual([1, 2, 3, 4]);
    expect(await world.problems([2])).toEqual([]);
  });
});

describe('A3: who may delete own files', () => {
  test('not after an unknown outcome, though the id is no longer found (applied, foreign snapshot keeps the file, expiry)', async () => {
    const { world, a } = await begin();
    a.faults.push(async (request) => {
      await world.catalog.commit({ namespace: ['shop'], name: 'orders' }, request);
      await world.compact({ files: false });
      await world.expire(world.but());
      return 'lost-request';
    });
    expect((await a.commitTo(3)).kind).toBe('dropped');
    expect(await world.problems([3])).toEqual([]);
    await a.catchUp(4);
    expect(await world.problems([4])).toEqual([]);
  });

  test('not after a refusal that may have answered a resend of an applied request', async () => {
    const { world, a } = await begin();
    a.faults.push(async (request) => {
      await world.catalog.commit({ namespace: ['shop'], name: 'orders' }, request);
      await world.compact({ files: false });
      await world.expire(world.but());
      return 'conflict';
    });
    expect((await a.commitTo(3)).kind).toBe('dropped');
    expect(await world.problems([3])).toEqual([]);
  });

  test('nor where the checkpoint is never published, as only its owner can derive it again', async () => {
    const { world, a } = await begin();
    const prepared = await a.prepare([3], [], { derive: () => Promise.resolve('keep') });
    a.faults.push(async (request) => {
      await world.catalog.commit({ namespace: ['shop'], name: 'orders' }, request);
      await world.compact({ files: false });
      await world.expire(world.but());
      return 'conflict';
    });
    expect((await a.committer.commit(prepared)).kind).toBe('dropped');
    expect(prepared.attempts.published).toBe(false);
    expect(await world.problems([3])).toEqual([]);
  });

  test('not after an unknown outcome, though the history is whole and does not name it: the request may be on its way', async () => {
    const world = new World();
    const [a, b] = [await world.instance().start(), await world.instance().start()];
    const prepared = await a.prepare([2]);
    a.faults.push(async () => {
      await b.commitTo(3);
      return 'lost-request';
    });
    expect((await a.committer.commit(prepared)).kind).toBe('dropped');
    expect(world.io.objects.has(prepared.cut.files[0]!.location)).toBe(true);
    expect(world.io.objects.has(prepared.manifest!.location)).toBe(true);
    expect(await world.problems([3])).toEqual([]);
  });

  test('a refused request whose first sending was applied finds its own id: committed, once', async () => {
    const { world, a } = await begin();
    a.faults.push(async (request) => {
      await world.catalog.commit({ namespace: ['shop'], name: 'orders' }, request);
      return 'conflict';
    });
    expect((await a.commitTo(3)).kind).toBe('committed');
    expect(await world.problems([3])).toEqual([]);
  });

  test('a fenced checkpoint whose attempts were all surely refused takes its files with it, and nobody else’s', async () => {
    const world = new World();
    const [a, b] = [await world.instance().start(), await world.instance().start()];
    const stale = await a.prepare([2]);
    await b.commitTo(3);
    const before = world.io.objects.size;
    expect((await a.committer.commit(stale)).kind).toBe('dropped');
    expect(world.io.objects.size).toBe(before - 2);
    expect(await world.problems([3])).toEqual([]);
  });
});

describe('A4: a zombie', () => {
  test('and the new owner hold the same range: one of the two is in the table', async () => {
    for (const zombieFirst of [true, false]) {
      const world = new World();
      const [zombie, owner] = [await world.instance().start(), await world.instance().start()];
      const [old, fresh] = [await zombie.prepare([2]), await owner.prepare([3])];
      const results = [
        await (zombieFirst ? zombie.committer.commit(old) : owner.committer.commit(fresh)),
        await (zombieFirst ? owner.committer.commit(fresh) : zombie.committer.commit(old)),
      ];
      expect(results.map((result) => result.kind)).toEqual(['committed', 'dropped']);
      await owner.catchUp(5);
      expect(await world.problems([5])).toEqual([]);
    }
  });

  test('wins between the owner’s load and its commit: the owner only reads again', async () => {
    const world = new World();
    const [zombie, owner] = [await world.instance().start(), await world.instance().start()];
    const old = await zombie.prepare([2]);
    const fresh = await owner.prepare([3]);
    owner.beforeCommit = async () => void (await zombie.committer.commit(old));
    expect((await owner.committer.commit(fresh)).kind).toBe('dropped');
    expect(owner.outcomes).toEqual(['conflict', 'dropped']);
    await owner.catchUp(5);
    expect(await world.problems([5])).toEqual([]);
  });
});

describe('A6: a topic that was made again and adopted', () => {
  test('the old topic’s checkpoint fits by its offsets and is dropped all the same', async () => {
    const { world, a } = await begin();
    const old = await a.prepare([1]);
    // Adopt: the map names the new topic, from 0.
    world.identity = { id: 'topic-2', cluster: 'cluster-1' };
    const head = world.metadata.snapshots!.at(-1)!;
    Object.assign(head.summary!, { [OFFSETS]: head.summary![OFFSETS]!.replace('topic-1', 'topic-2') });
    const result = await a.committer.commit(old);
    expect(result).toMatchObject({ kind: 'dropped', reason: expect.stringContaining('topic-2') });
    expect(await world.rows()).toEqual([]);
    await a.catchUp(2);
    expect(await world.problems([2])).toEqual([]);
  });
});

describe('A7: a checkpoint with several partitions in a file', () => {
  test('of which one is fenced is dropped whole', async () => {
    const world = new World({ partitions: 2 });
    const [a, b] = [await world.instance().start(), await world.instance().start()];
    const both = await b.prepare([1, 1]);
    await a.commitTo(1);
    expect((await b.committer.commit(both)).kind).toBe('dropped');
    expect(await world.problems([1, 0])).toEqual([]);
    await b.catchUp(2, 2);
    expect(await world.problems([2, 2])).toEqual([]);
  });
});

describe('A8: orphan removal and a slow commit', () => {
  test('a checkpoint that is too old for its files to be safe is dropped, not committed', async () => {
    const { world, a } = await begin();
    const slow = await a.prepare([2]);
    world.ports.skip(MAX_CHECKPOINT_AGE);
    await world.removeOrphans(MAX_CHECKPOINT_AGE - 1);
    expect((await a.committer.commit(slow)).kind).toBe('dropped');
    expect(await world.problems([0])).toEqual([]);
    await a.catchUp(2);
    expect(await world.problems([2])).toEqual([]);
  });

  test('one that grew too old between two attempts is dropped too', async () => {
    const { world, a } = await begin();
    a.faults.push(async () => {
      world.ports.skip(MAX_CHECKPOINT_AGE);
      return 'conflict';
    });
    expect((await a.commitTo(2)).kind).toBe('dropped');
  });
});
