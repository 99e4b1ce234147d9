import { describe, expect, test } from 'vitest';
import { DeadLetterPublisher, deadLetterHeaders } from '../../src/commit/dead-letter-topic.ts';
import type { DeadLetterSink } from '../../src/commit/dead-letter-topic.ts';
import type { DeadLetterRow } from '../../src/commit/dead-letter-schema.ts';
import { LetterSet } from '../../src/commit/letter-set.ts';
import { momentOf } from '../../src/commit/prepare.ts';
import { deadByList, prepareReplay } from '../../src/commit/replay.ts';
import { MemoryCatalog } from '../../src/iceberg/memory.ts';
import type { CommitFault } from '../../src/iceberg/memory.ts';
import { deadMetadata } from './dead-table.ts';
import { World, deadIdent, ident, metricsOf } from './world.ts';
import type { Instance } from './world.ts';

const signal = new AbortController().signal;
const odd = (_: number, offset: number): boolean => offset % 2 === 1;

/** A topic that takes so many records, then breaks. */
class Topic implements DeadLetterSink {
  readonly topic = 'bad';
  readonly rows: DeadLetterRow[] = [];
  left = Number.POSITIVE_INFINITY;

  async produce(rows: readonly DeadLetterRow[]): Promise<void> {
    for (const row of rows) {
      if (this.left-- <= 0) throw new Error('the topic is away');
      this.rows.push(row);
    }
    await Promise.resolve();
  }

  get offsets(): number[] {
    return this.rows.map((row) => Number(row.offset)).sort((a, b) => a - b);
  }

  get distinct(): number[] {
    return [...new Set(this.offsets)];
  }
}

function publisher(world: World, topic: Topic, faults: CommitFault[] = []): DeadLetterPublisher {
  const catalog = new MemoryCatalog(world.ports, {
    state: world.state,
    hooks: { commit: () => Promise.resolve(faults.shift() ?? null) },
  });
  const options = { catalog, main: ident, target: deadIdent, io: () => world.io, ports: world.ports };
  return new DeadLetterPublisher(options, topic);
}

async function start(world: World, topic: Topic | null = null): Promise<Instance> {
  const instance = await world.instance({ deadLetterSink: topic }).start();
  instance.dead = odd;
  return instance;
}

/** Everything that is dead becomes a row. */
async function replayAll({ world, committer }: Instance): Promise<void> {
  const base = await committer.refresh();
  const letters = new LetterSet();
  const entries = [];
  for await (const { entry, rows } of deadByList(base.deadLetters, world.io)) {
    entries.push(entry);
    letters.addAll(rows);
  }
  const location = `${base.table.metadata.location}/data/${world.ports.ids.uuid()}.parquet`;
  await world.io.write(location, Buffer.from('[]'));
  const files = [{ location, metrics: metricsOf(letters.size), partition: new Map() }];
  const replay = { base, files, letters, entries, schemaId: 0, specId: 0, begunAt: momentOf(world.ports) };
  await committer.commit(await prepareReplay(replay, base, world));
}

describe('dead letters in a topic', () => {
  test('come after the commit that decided them, once where nothing goes wrong', async () => {
    const world = new World();
    const topic = new Topic();
    const a = await start(world, topic);
    const dropped = await a.prepare([4]);
    const b = await start(world);
    await b.commitTo(4);
    expect((await a.committer.commit(dropped)).kind).toBe('dropped');
    await b.committer.close();
    await a.catchUp(8);
    await a.committer.close();
    expect(topic.offsets).toEqual([1, 3, 5, 7]);
    await publisher(world, topic).run(signal);
    expect(topic.offsets).toEqual([1, 3, 5, 7]);
  });

  test('a process that dies between the commit and the topic loses none', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await a.committer.close();
    const topic = new Topic();
    expect(await publisher(world, topic).run(signal)).toBe(2);
    expect(topic.offsets).toEqual([1, 3]);
  });

  test.each([0, 1, 2, 3])('nor one that dies after %i records: they come again', async (left) => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(8);
    await a.committer.close();
    const topic = new Topic();
    topic.left = left;
    await expect(publisher(world, topic).run(signal)).rejects.toThrow('away');
    topic.left = Number.POSITIVE_INFINITY;
    await publisher(world, topic).run(signal);
    expect(topic.distinct).toEqual([1, 3, 5, 7]);
    const after = topic.rows.length;
    await publisher(world, topic).run(signal);
    expect(topic.rows).toHaveLength(after);
  });

  test('nor one whose progress was not recorded', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await a.committer.close();
    const topic = new Topic();
    const faults: CommitFault[] = ['conflict', 'lost-request', 'lost-request', 'conflict', 'conflict'];
    await expect(publisher(world, topic, faults).run(signal)).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' });
    await publisher(world, topic).run(signal);
    expect(topic.offsets).toEqual([1, 1, 3, 3]);
  });

  test('two instances at once make copies, and no hole, whichever records its progress last', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    await a.committer.close();
    const topic = new Topic();
    // The first has loaded and produced; the second does all of its work, with more dead letters; then the first records.
    const slow = new Topic();
    let between: (() => Promise<void>) | null = async () => {
      between = null;
      const b = await start(world);
      await b.catchUp(8);
      await b.committer.close();
      await publisher(world, topic).run(signal);
    };
    const sink: DeadLetterSink = {
      topic: 'bad',
      produce: async (rows) => {
        await slow.produce(rows);
        await between?.();
      },
    };
    const options = { catalog: world.catalog, main: ident, target: deadIdent, io: () => world.io, ports: world.ports };
    await new DeadLetterPublisher(options, sink).run(signal);
    await publisher(world, topic).run(signal);
    expect(topic.distinct).toEqual([1, 3, 5, 7]);
  });

  test('what was replayed before its turn is not produced; what a rollback makes dead again is', async () => {
    const world = new World();
    const a = await start(world);
    await a.commitTo(4);
    const before = world.head();
    await replayAll(a);
    await a.committer.close();
    const topic = new Topic();
    await publisher(world, topic).run(signal);
    expect(topic.offsets).toEqual([]);
    await world.rollback(before);
    await publisher(world, topic).run(signal);
    expect(topic.offsets).toEqual([1, 3]);
  });

  test('a topic that is away holds up neither the table nor the dead-letter table', async () => {
    const world = new World();
    const topic = new Topic();
    topic.left = 0;
    const a = await start(world, topic);
    await a.commitTo(4);
    await a.committer.close();
    expect(deadMetadata(world).snapshots!.at(-1)!.summary!['added-records']).toBe('2');
  });

  test('the headers: its own in their order, then where it is from and why', () => {
    const row: DeadLetterRow = {
      topic: 't',
      partition: 3,
      offset: 9n,
      timestamp: 1_700_000_000_003_000n,
      timestampType: 'CreateTime',
      key: null,
      value: null,
      headers: [
        { key: 'h', value: null },
        { key: 'h', value: Buffer.from('2') },
      ],
      code: 'DECODE_JSON',
      reason: 'why',
      schemaId: 7,
      checkpointId: 'c',
      serviceVersion: '1.2.3',
    };
    expect(
      deadLetterHeaders(row, 'shop.t').map(([key, value]) => [key, value && Buffer.from(value).toString()]),
    ).toEqual([
      ['h', null],
      ['h', '2'],
      ['tabletopic.table', 'shop.t'],
      ['tabletopic.topic', 't'],
      ['tabletopic.partition', '3'],
      ['tabletopic.offset', '9'],
      ['tabletopic.timestamp', '1700000000003'],
      ['tabletopic.code', 'DECODE_JSON'],
      ['tabletopic.reason', 'why'],
      ['tabletopic.schema', '7'],
      ['tabletopic.checkpoint', 'c'],
      ['tabletopic.version', '1.2.3'],
    ]);
  });
});
