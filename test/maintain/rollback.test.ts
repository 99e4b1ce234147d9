import { describe, expect, test } from 'vitest';
import type { OffsetsMap } from '../../src/commit/commit.ts';
import { type RollbackTo, rollbackTable } from '../../src/maintain/rollback.ts';
import type { TopicLog } from '../../src/maintain/topic-log.ts';
import { verifyHistory } from '../../src/maintain/verify-history.ts';
import { TOPIC, World, ident } from '../commit/world.ts';
import { catalogOf, logOf, targetOf } from './change-target.ts';

async function world(): Promise<{ world: World; heads: bigint[]; instance: Awaited<ReturnType<typeof start>> }> {
  const made = new World({ partitions: 2 });
  const instance = await start(made);
  const heads = [made.head()];
  for (const end of [10, 20, 30]) {
    made.ports.skip(60_000);
    await instance.commitTo(end, end * 2);
    heads.push(made.head());
  }
  return { world: made, heads, instance };
}

const start = (of: World) => of.instance().start();

function rollback(of: World, to: RollbackTo, options: { log?: Partial<TopicLog>; acceptLoss?: boolean } = {}) {
  const log = { ...logOf(of), ...options.log };
  return rollbackTable({ ...targetOf(of), to, log, acceptLoss: options.acceptLoss ?? false });
}

const next = (offsets: OffsetsMap | null | undefined): readonly number[] => offsets![TOPIC]!.next;

describe('rollback', () => {
  test('puts the rows and the offsets back; a running instance reads again from there, nothing twice', async () => {
    const { world: of, heads, instance } = await world();
    const result = await rollback(of, { snapshotId: heads[1]! });
    expect(result).toMatchObject({
      from: String(heads[3]),
      to: String(heads[1]),
      head: String(heads[1]),
      partitions: [
        { topic: TOPIC, partition: 0, from: 30, to: 10 },
        { topic: TOPIC, partition: 1, from: 60, to: 20 },
      ],
      others: [],
      lost: [],
      warnings: [],
    });
    expect(await of.problems([10, 20])).toEqual([]);
    await instance.catchUp(40, 80);
    expect(await of.problems([40, 80])).toEqual([]);
    expect(verifyHistory((await of.catalog.loadTable(ident, 'all'))!, 'main')).toMatchObject({
      duplicates: [],
      missing: [],
      problems: [],
    });
  });

  test('a checkpoint that was cut before it never gets in, nor twice', async () => {
    const { world: of, heads, instance } = await world();
    const stale = await instance.prepare([35, 70]);
    await rollback(of, { snapshotId: heads[2]! });
    expect(await instance.committer.commit(stale)).toMatchObject({ kind: 'dropped' });
    await instance.catchUp(40, 80);
    expect(await of.problems([40, 80])).toEqual([]);
  });

  test('to a time: the snapshot that was the head then', async () => {
    const { world: of, heads } = await world();
    const at = of.metadata.snapshots!.find((snapshot) => snapshot['snapshot-id'] === heads[2])!['timestamp-ms'];
    expect(await rollback(of, { at: at + 1 })).toMatchObject({ to: String(heads[2]), toTime: at });
    await expect(rollback(of, { at: 1000 })).rejects.toMatchObject({ code: 'USAGE', exit: 2 });
  });

  test('to the head: nothing is committed', async () => {
    const { world: of, heads } = await world();
    const before = of.metadata;
    expect(await rollback(of, { snapshotId: heads[3]! })).toMatchObject({
      from: String(heads[3]),
      head: String(heads[3]),
    });
    expect(of.metadata).toBe(before);
  });

  test('a snapshot of another history is refused, and the newest are named', async () => {
    const { world: of, heads } = await world();
    await expect(rollback(of, { snapshotId: 4711n })).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining(String(heads[3])) as string,
    });
  });

  test('to before the first offsets is refused: nothing would say where to read', async () => {
    const of = new World();
    await of.catalog.createNamespace(ident.namespace);
    await of.catalog.createTable(ident, {
      schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'offset', required: false, type: 'long' }] },
      spec: { 'spec-id': 0, fields: [] },
      properties: {},
    });
    const foreign = await of.load([]);
    await (await start(of)).commitTo(10);
    await expect(rollback(of, { snapshotId: foreign })).rejects.toMatchObject({ code: 'OFFSETS_AMBIGUOUS', exit: 3 });
  });

  test('to a snapshot of another writer: its offsets are stated about it, and survive an expiry of all else', async () => {
    const { world: of, heads, instance } = await world();
    const compacted = await of.compact();
    await instance.catchUp(40, 80);
    await rollback(of, { snapshotId: compacted });
    await of.expire([
      ...heads,
      ...of.metadata.snapshots!.map((s) => s['snapshot-id']).filter((id) => id !== compacted),
    ]);
    const again = await start(of);
    expect(next(again.committer.state?.offsets)).toEqual([30, 60]);
    await again.catchUp(40, 80);
    expect(await of.problems([40, 80])).toEqual([]);
  });

  test('what other writers did since is named: rows that they deleted come back', async () => {
    const { world: of, heads, instance } = await world();
    const compacted = await of.compact();
    const { others, warnings } = await rollback(of, { snapshotId: heads[3]! });
    expect(others).toMatchObject([{ snapshotId: String(compacted), operation: 'replace' }]);
    expect(warnings).toEqual([expect.stringContaining(`snapshot ${compacted} of another writer is undone`)]);
    await instance.catchUp(40, 80);
    expect(await of.problems([40, 80])).toEqual([]);
  });
});

describe('a log that no longer has what would be read again', () => {
  const shortened = {
    bounds: () =>
      Promise.resolve([
        { start: 25, end: 100 },
        { start: 0, end: 100 },
      ]),
  };

  test('is refused, with the offsets', async () => {
    const { world: of, heads } = await world();
    const before = of.metadata;
    await expect(rollback(of, { snapshotId: heads[1]! }, { log: shortened })).rejects.toMatchObject({
      code: 'KAFKA_OFFSETS_DELETED',
      message: expect.stringContaining('t[0] 10 to 24') as string,
      hint: expect.stringContaining('--accept-loss') as string,
    });
    expect(of.metadata).toBe(before);
  });

  test('with --accept-loss goes on where the log begins, and the gap is on record', async () => {
    const { world: of, heads, instance } = await world();
    const result = await rollback(of, { snapshotId: heads[1]! }, { log: shortened, acceptLoss: true });
    expect(result.lost).toEqual([{ topic: TOPIC, partition: 0, from: 10, to: 25 }]);
    expect(result.head).toBe(String(of.head()));
    const { offsets } = await instance.committer.refresh();
    expect(offsets![TOPIC]).toMatchObject({ next: [25, 20], gaps: [[0, 10, 25, 'rollback']] });
    await instance.catchUp(40, 80);
    expect(
      await of.problems([40, 80], 'main', (partition, offset) => partition === 0 && offset >= 10 && offset < 25),
    ).toEqual([]);
    const history = verifyHistory((await of.catalog.loadTable(ident, 'all'))!, 'main');
    expect(history).toMatchObject({ duplicates: [], missing: [], problems: [] });
    expect(history.partitions[0]).toMatchObject({ rows: 25, absent: 15 });
  });

  test('of another topic, or of none, is refused', async () => {
    const { world: of, heads } = await world();
    const to = { snapshotId: heads[1]! };
    const other = { [TOPIC]: { id: 'topic-2', cluster: 'cluster-1' } };
    await expect(rollback(of, to, { log: { identities: other } })).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_CHANGED',
    });
    await expect(rollback(of, to, { log: { identities: {} } })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
  });
});

describe('others commit meanwhile', () => {
  test('a conflict is planned anew on what is there then', async () => {
    const { world: of, heads, instance } = await world();
    let commits = 0;
    const catalog = catalogOf(of, async () => {
      if (commits++ === 0) await instance.commitTo(40, 80);
      return null;
    });
    const target = { ...targetOf(of), address: { ...targetOf(of).address, catalog } };
    const result = await rollbackTable({ ...target, to: { snapshotId: heads[1]! }, log: logOf(of), acceptLoss: false });
    expect(result.partitions[0]).toMatchObject({ from: 40, to: 10 });
    expect(await of.problems([10, 20])).toEqual([]);
  });

  test('a lost answer is looked up', async () => {
    const { world: of, heads } = await world();
    let commits = 0;
    const catalog = catalogOf(of, () => Promise.resolve(commits++ === 0 ? 'lost-answer' : null));
    const target = { ...targetOf(of), address: { ...targetOf(of).address, catalog } };
    const { from, to } = await rollbackTable({
      ...target,
      to: { snapshotId: heads[1]! },
      log: logOf(of),
      acceptLoss: false,
    });
    expect({ commits, from, to }).toEqual({ commits: 1, from: String(heads[3]), to: String(heads[1]) });
    expect(of.head()).toBe(heads[1]);
  });
});
