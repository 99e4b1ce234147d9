import pino from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { TabletopicError } from '../../src/errors.ts';
import { systemPorts } from '../../src/ports.ts';
import { Connections } from '../../src/source/connection.ts';
import { Fetching } from '../../src/source/fetching.ts';
import { ClusterMetadata } from '../../src/source/metadata.ts';
import { OffsetReader } from '../../src/source/offsets.ts';
import type { FetchedRecords, Lane } from '../../src/source/source.ts';
import { batch } from './batch-bytes.ts';
import { kafkaConfig, until } from './harness.ts';
import { type Script, ScriptedCluster } from './scripted-broker.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

interface Run {
  readonly cluster: ScriptedCluster;
  readonly fetching: Fetching;
  readonly fetched: FetchedRecords[];
  readonly errors: { lane: Lane; error: TabletopicError }[];
  readonly idle: number[];
}

async function start(nodes: number, script: Script): Promise<Run> {
  const cluster = await ScriptedCluster.start(nodes, script);
  const config = kafkaConfig(cluster.brokers, { requestTimeout: 1000 });
  const logger = pino({ level: 'silent' });
  const closing = new AbortController();
  const { signal } = closing;
  const connections = new Connections(config, systemPorts, logger);
  const metadata = new ClusterMetadata(connections, 60_000, systemPorts, logger);
  metadata.interest = () => 'all';
  await metadata.request('all');
  const refreshing = metadata.run(signal);
  const offsets = new OffsetReader(connections, metadata, systemPorts, signal);
  const limits = { maxBytes: 1 << 20, partitionBytes: 1 << 16, maxWait: 50, readCommitted: true };
  const fetching = new Fetching({ connections, metadata, offsets, limits, ports: systemPorts, logger, signal });
  const run: Run = { cluster, fetching, fetched: [], errors: [], idle: [] };
  fetching.setHandlers({
    onFetched: (r) => void run.fetched.push(r),
    onIdle: (_lane, offset) => void run.idle.push(offset),
    onLaneError: (lane, error) => void run.errors.push({ lane, error }),
  });
  cleanups.push(async () => {
    closing.abort();
    await connections.close();
    await Promise.all([refreshing, fetching.stopped()]);
    await cluster.stop();
  });
  return run;
}

const lane = (id: number, partition = 0, worker = 0): Lane => ({ id, topic: 't', partition, worker });
const one = (leader: number, epoch: number) => () => ({ t: [{ leader, epoch }] });

test('a leader that moved is followed with its new epoch', async () => {
  let leader = 0;
  const run = await start(2, {
    topics: () => ({ t: [{ leader, epoch: leader + 5 }] }),
    fetch: (node, asked) => {
      if (node !== leader) return { partitions: [{ errorCode: 6 }] };
      if (asked[0]!.epoch !== leader + 5) return { partitions: [{ errorCode: 74 }] };
      if (asked[0]!.offset >= 2) return { partitions: [{ highWatermark: 2 }] };
      return { partitions: [{ highWatermark: 2, records: batch(asked[0]!.offset, 0, leader + 5) }] };
    },
  });
  run.fetching.add(lane(1), 0);
  await until('the end is reached', () => run.idle.length > 0);
  leader = 1;
  run.fetching.seek(lane(1), 0);
  await until('the new leader serves', () => run.fetched.filter((f) => f.generation === 1).length === 2);
  expect(run.fetched.map((f) => [f.generation, f.fetchOffset, f.leaderEpoch])).toEqual([
    [0, 0, 5],
    [0, 1, 5],
    [1, 0, 6],
    [1, 1, 6],
  ]);
  // The epoch of what was read goes along, so that a truncated log is noticed; not across a seek.
  expect(run.cluster.fetches.filter((f) => f.node === 1).map((f) => f.asked[0]!.fetchedEpoch)).toContain(6);
});

test('metadata of a broker that lags behind does not bring an old leader back', async () => {
  let [leader, epoch] = [0, 8];
  const run = await start(2, {
    topics: () => ({ t: [{ leader, epoch }] }),
    fetch: (node, asked) =>
      node === 0 ? { partitions: asked.map(() => ({ highWatermark: 0 })) } : { partitions: [{ errorCode: 6 }] },
  });
  [leader, epoch] = [1, 7];
  run.fetching.add(lane(1), 0);
  run.fetching.add({ ...lane(2), topic: 'unknown' }, 0); // asks for metadata again and again
  await until('the metadata was read often', () => run.errors.length > 0);
  expect(run.cluster.fetches.every((f) => f.node === 0)).toBe(true);
});

test('a log that was truncated below what was read stops the lane', async () => {
  const run = await start(1, {
    topics: one(0, 7),
    fetch: (_node, [p]) =>
      p!.fetchedEpoch === 3
        ? { partitions: [{ diverging: { epoch: 3, endOffset: 4 } }] }
        : { partitions: [{ highWatermark: 10, records: batch(p!.offset, 9, 3) }] },
  });
  run.fetching.add(lane(1), 0);
  await until('it is told', () => run.errors.length > 0);
  expect(run.errors[0]!.error).toMatchObject({ code: 'KAFKA_LOG_TRUNCATED', where: { requested: 10, divergesAt: 4 } });
  const asked = run.cluster.fetches.length;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(run.cluster.fetches.length).toBe(asked);
  // Taken up again somewhere else, nothing is known of the epoch before.
  run.fetching.seek(run.errors[0]!.lane, 4);
  await until('it goes on', () => run.fetched.some((f) => f.generation === 1));
  expect(run.cluster.fetches[asked]!.asked[0]).toMatchObject({ offset: 4, fetchedEpoch: -1 });
});

test('offsets that are absent at the end are passed only after the partition was asked for alone, unthrottled', async () => {
  let throttle = 2;
  const run = await start(1, {
    topics: () => ({
      t: [
        { leader: 0, epoch: 0 },
        { leader: 0, epoch: 0 },
      ],
    }),
    fetch: (_node, asked) => {
      if (asked.length === 1 && throttle-- > 0) return { throttled: true, partitions: [{ highWatermark: 30 }] };
      return { partitions: asked.map((a) => ({ highWatermark: a.partition === 0 ? 30 : 0 })) };
    },
  });
  run.fetching.add(lane(1, 0), 12);
  run.fetching.add(lane(2, 1), 0);
  await until('the gap is passed', () => run.fetched.length > 0);
  expect(run.fetched[0]).toMatchObject({ fetchOffset: 12, nextOffset: 30, byteLength: 0 });
  const next = (): number =>
    run.cluster.fetches.findIndex((f) => f.asked.some((a) => a.partition === 0 && a.offset === 30));
  await until('what follows is asked for', () => next() >= 0);
  const at = next();
  const alone = run.cluster.fetches.slice(0, at).filter((f) => f.asked.length === 1 && f.asked[0]!.partition === 0);
  expect(alone.length).toBe(3);
});

test('a broker that does not answer any more is left after the timeout', async () => {
  let dead = true;
  const run = await start(2, {
    topics: one(0, 0),
    fetch: (_node, [p]) =>
      dead
        ? null
        : { partitions: [p!.offset === 0 ? { highWatermark: 1, records: batch(0, 0, 0) } : { highWatermark: 1 }] },
  });
  run.fetching.add(lane(1), 0);
  await until('it was asked', () => run.cluster.fetches.length > 0);
  dead = false;
  await until('it is asked again', () => run.fetched.length === 1, 5000);
  expect(run.errors).toEqual([]);
});

test('lanes of one partition go in different requests, lanes of different workers too', async () => {
  const run = await start(1, {
    topics: () => ({
      t: [
        { leader: 0, epoch: 0 },
        { leader: 0, epoch: 0 },
      ],
    }),
    fetch: (_node, asked) => ({ partitions: asked.map(() => ({ highWatermark: 0 })) }),
  });
  run.fetching.add(lane(1, 0, 0), 0);
  run.fetching.add(lane(2, 0, 0), 0);
  run.fetching.add(lane(3, 1, 0), 0);
  run.fetching.add(lane(4, 1, 1), 0);
  await until('all have been asked', () => run.cluster.fetches.length > 20);
  const shapes = new Set(
    run.cluster.fetches.slice(5).map((f) =>
      f.asked
        .map((a) => `${a.partition}`)
        .sort()
        .join(),
    ),
  );
  expect([...shapes].sort()).toEqual(['0', '0,1', '1']);
});

test('what was asked before a seek or a removal is not delivered after it', async () => {
  let hold: (() => void) | null = null;
  const run = await start(1, {
    topics: one(0, 0),
    fetch: (_node, [p]) => (hold?.(), { partitions: [{ highWatermark: 1000, records: batch(p!.offset, 0, 0) }] }),
  });
  const l = lane(1);
  hold = () => {
    // While the answer is under way.
    hold = null;
    run.fetching.seek(l, 500);
  };
  run.fetching.add(l, 0);
  await until('it goes on', () => run.fetched.length >= 3);
  expect(run.fetched.slice(0, 3).map((f) => [f.generation, f.fetchOffset])).toEqual([
    [1, 500],
    [1, 501],
    [1, 502],
  ]);
  run.fetching.lanes.remove(l);
  const count = run.fetched.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(run.fetched.length).toBe(count);
});

test('bytes that nobody gives back stop the fetching; close ends the wait', async () => {
  const run = await start(1, {
    topics: one(0, 0),
    fetch: (_node, [p]) => ({ partitions: [{ highWatermark: 1000, records: batch(p!.offset, 0, 0, 60_000) }] }),
  });
  run.fetching.budget.setLimit(300_000);
  run.fetching.add(lane(1), 0);
  await until('some came', () => run.fetched.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const held = run.fetched.reduce((bytes, f) => bytes + f.byteLength, 0);
  expect(held).toBeLessThanOrEqual(300_000);
  expect(run.fetching.budget.used).toBe(held);
  run.fetching.budget.release(held);
  await until('it goes on', () => run.fetched.length > held / 60_061);
});
