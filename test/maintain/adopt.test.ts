import { describe, expect, test } from 'vitest';
import { type AdoptOffsets, adoptTopics } from '../../src/maintain/adopt.ts';
import type { LogBounds, TopicLog } from '../../src/maintain/topic-log.ts';
import { verifyHistory } from '../../src/maintain/verify-history.ts';
import { verifyRows } from '../../src/maintain/verify-rows.ts';
import { TOPIC, World, ident } from '../commit/world.ts';
import { batchOf } from '../parquet/position-rows.ts';
import { logOf, targetOf } from './change-target.ts';

/** A table that holds offsets 0 to 29 of partition 0 and 0 to 59 of partition 1. */
async function world(): Promise<World> {
  const of = new World({ partitions: 2 });
  const instance = await of.instance().start();
  await instance.commitTo(10, 20);
  await instance.commitTo(30, 60);
  return of;
}

/** Kafka now: another topic of the name, unless said otherwise. */
function adopt(of: World, offsets: AdoptOffsets | null, log: Partial<TopicLog> = {}, topic: string | null = null) {
  return adoptTopics({ ...targetOf(of), topics: [TOPIC], topic, offsets, log: { ...logOf(of), ...log } });
}

const anew = { id: 'topic-2', cluster: 'cluster-1' };
const bounds = (...all: LogBounds[]): Pick<TopicLog, 'bounds'> => ({ bounds: () => Promise.resolve(all) });

async function verified(of: World) {
  const history = verifyHistory((await of.catalog.loadTable(ident, 'all'))!, 'main');
  const files = await of.files();
  const rows = await verifyRows({ data: files, deletes: [] }, history, async function* (file) {
    const held = JSON.parse(Buffer.from(of.io.objects.get(file.location)!.bytes).toString()) as [number, number][];
    yield batchOf(held.map(([partition, offset]) => ({ topic: TOPIC, partition, offset })));
    await Promise.resolve();
  });
  return {
    rows: rows.rows,
    duplicates: [...history.duplicates, ...rows.duplicates],
    missing: [...history.missing, ...rows.missing],
    problems: [...history.problems, ...rows.problems],
  };
}

const clean = { duplicates: [], missing: [], problems: [] };

describe('a topic that was made anew', () => {
  test('stops the table; adopted from its start, all of it follows, and verify tells the two logs apart', async () => {
    const of = await world();
    of.identity = anew;
    await expect(of.instance().start()).rejects.toMatchObject({ code: 'KAFKA_TOPIC_CHANGED' });
    const log = bounds({ start: 0, end: 40 }, { start: 5, end: 15 });
    expect(await adopt(of, 'earliest', log)).toMatchObject({
      snapshotId: String(of.head()),
      topics: [
        {
          topic: TOPIC,
          before: { id: 'topic-1' },
          after: anew,
          partitions: [
            { from: 30, to: 0 },
            { from: 60, to: 5 },
          ],
        },
      ],
      skipped: [],
    });
    const instance = await of.instance().start();
    expect([instance.next(0), instance.next(1)]).toEqual([0, 5]);
    await instance.commitTo(40, 15);
    expect(await verified(of)).toEqual({ rows: 90 + 50, ...clean });
    await instance.commitTo(50, 20);
    expect(await verified(of)).toEqual({ rows: 90 + 65, ...clean });
  });

  test('a row that is there once too often, or not, is found all the same', async () => {
    const of = await world();
    of.identity = anew;
    await adopt(of, 'earliest');
    await (await of.instance().start()).commitTo(40, 15);
    await of.load([[0, 35]]);
    expect((await verified(of)).duplicates).toMatchObject([{ partition: 0, from: 35, count: 1 }]);
    const lost = await world();
    lost.identity = anew;
    await adopt(lost, 'earliest');
    await (await lost.instance().start()).commitTo(40, 15);
    const [newest] = await lost.files();
    const held = JSON.parse(Buffer.from(lost.io.objects.get(newest!.location)!.bytes).toString()) as [number, number][];
    await lost.io.write(`${newest!.location}.copy`, Buffer.from(JSON.stringify(held.slice(1))));
    lost.io.objects.set(newest!.location, lost.io.objects.get(`${newest!.location}.copy`)!);
    expect((await verified(lost)).missing).toMatchObject([{ partition: 0, count: 1 }]);
  });

  test('where to go on must be said: another topic is another log', async () => {
    const of = await world();
    of.identity = anew;
    await expect(adopt(of, null)).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('--offsets') as string,
    });
  });

  test('offsets that the log does not hold are refused, and so is a partition left out', async () => {
    const of = await world();
    of.identity = anew;
    const log = bounds({ start: 10, end: 40 }, { start: 0, end: 15 });
    const before = of.metadata;
    await expect(adopt(of, 'table', log)).rejects.toMatchObject({ code: 'KAFKA_LOG_TRUNCATED' });
    await expect(
      adopt(
        of,
        new Map([
          [0, 9],
          [1, 0],
        ]),
        log,
      ),
    ).rejects.toMatchObject({ code: 'KAFKA_OFFSETS_DELETED' });
    await expect(adopt(of, new Map([[0, 10]]), log)).rejects.toMatchObject({ code: 'USAGE' });
    expect(of.metadata).toBe(before);
  });

  test('with fewer partitions', async () => {
    const of = await world();
    of.identity = anew;
    await adopt(of, 'earliest', { partitions: { [TOPIC]: 1 }, ...bounds({ start: 0, end: 5 }) });
    expect(await verified(of)).toEqual({ rows: 90, ...clean });
  });
});

describe('a cluster that has moved', () => {
  test('with the same topic: the table goes on where it stands', async () => {
    const of = await world();
    of.identity = { id: 'topic-1', cluster: 'cluster-2' };
    expect((await adopt(of, null)).topics[0]!.partitions).toEqual([
      { partition: 0, from: 30, to: 30 },
      { partition: 1, from: 60, to: 60 },
    ]);
    await (await of.instance().start()).commitTo(40, 80);
    expect(await of.problems([40, 80])).toEqual([]);
    expect(await verified(of)).toEqual({ rows: 120, ...clean });
  });

  test('nothing changed: nothing is committed', async () => {
    const of = await world();
    const before = of.metadata;
    expect(await adopt(of, null)).toMatchObject({ snapshotId: null, topics: [] });
    expect(of.metadata).toBe(before);
  });
});

describe('the same log', () => {
  test('cut off below the table: it goes on where the log ends', async () => {
    const of = await world();
    await adopt(of, 'latest', bounds({ start: 0, end: 25 }, { start: 0, end: 60 }));
    const instance = await of.instance().start();
    expect([instance.next(0), instance.next(1)]).toEqual([25, 60]);
    await instance.commitTo(35, 60);
    expect(await verified(of)).toEqual({ rows: 100, ...clean });
  });

  test('left out in part: the gap is on record', async () => {
    const of = await world();
    expect(
      await adopt(
        of,
        new Map([
          [0, 33],
          [1, 60],
        ]),
      ),
    ).toMatchObject({ skipped: [{ partition: 0, from: 30, to: 33 }] });
    const instance = await of.instance().start();
    expect(instance.committer.state!.offsets![TOPIC]!.gaps).toEqual([[0, 30, 33, 'adopt']]);
    await instance.commitTo(40, 70);
    expect(await verified(of)).toEqual({ rows: 107, ...clean });
  });
});

describe('offsets that are ambiguous', () => {
  /** Rolled back past our snapshots by another engine, then expired: no statement is about what is left. */
  async function broken(): Promise<World> {
    const of = await world();
    const compacted = await of.compact();
    const ours = of.metadata.snapshots!.map((snapshot) => snapshot['snapshot-id']).filter((id) => id !== compacted);
    await of.compact();
    await of.expire([...ours, compacted]);
    await expect(of.instance().start()).rejects.toMatchObject({ code: 'OFFSETS_AMBIGUOUS' });
    return of;
  }

  test('are stated anew: as the property said last, or as told', async () => {
    const of = await broken();
    expect((await adopt(of, 'table')).topics[0]!.partitions.map(({ to }) => to)).toEqual([30, 60]);
    await (await of.instance().start()).commitTo(40, 80);
    expect(await of.problems([40, 80])).toEqual([]);
    expect(await verified(of)).toEqual({ rows: 120, ...clean });
    const other = await broken();
    await adopt(
      other,
      new Map([
        [0, 5],
        [1, 7],
      ]),
    );
    expect((await other.instance().start()).next(1)).toBe(7);
  });

  test('of several topics are stated all at once: one that is left out would be read from its beginning', async () => {
    const of = await broken();
    const before = of.metadata;
    const both = (offsets: AdoptOffsets, topic: string | null) =>
      adoptTopics({
        ...targetOf(of),
        topics: [TOPIC, 'other'],
        topic,
        offsets,
        log: {
          identities: { [TOPIC]: of.identity, other: anew },
          partitions: { [TOPIC]: 2, other: 1 },
          bounds: (partitions) => Promise.resolve(partitions.map(() => ({ start: 0, end: 1000 }))),
        },
      });
    const alone = new Map([
      [0, 30],
      [1, 60],
    ]);
    await expect(both(alone, TOPIC)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(both(alone, null)).rejects.toMatchObject({ code: 'USAGE' });
    expect(of.metadata).toBe(before);
    const { topics } = await both(
      new Map<`${string}:${number}`, number>([
        [`${TOPIC}:0`, 30],
        [`${TOPIC}:1`, 60],
        ['other:0', 8],
      ]),
      null,
    );
    expect(topics.map(({ topic, partitions }) => [topic, partitions.map(({ to }) => to)])).toEqual([
      [TOPIC, [30, 60]],
      ['other', [8]],
    ]);
  });

  test('a table that never held offsets is none of ours', async () => {
    const of = new World();
    await of.catalog.createNamespace(ident.namespace);
    await of.catalog.createTable(ident, {
      schema: { type: 'struct', 'schema-id': 0, fields: [] },
      spec: { 'spec-id': 0, fields: [] },
      properties: {},
    });
    await expect(adopt(of, 'earliest')).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('of a topic that does not feed the table, or that is gone', async () => {
    const of = await world();
    await expect(adopt(of, 'earliest', {}, 'u')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(adopt(of, 'earliest', { identities: {} })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
  });
});
