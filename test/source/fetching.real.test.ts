import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { afterEach, expect, test } from 'vitest';
import { sharedStack } from '../real/shared.ts';
import { batches, kafkaConfig, Member, produce, uniqueTopic, until } from './harness.ts';

const stack = sharedStack();
const { brokers } = stack.kafka;
const members: Member[] = [];

afterEach(async () => {
  await Promise.all(members.splice(0).map((m) => m.close()));
});

async function reader(
  topic: string,
  overrides: Parameters<typeof kafkaConfig>[1] = {},
  set: Partial<Pick<Member, 'reads'>> = {},
): Promise<Member> {
  const member = await Member.join(kafkaConfig(brokers, overrides), [topic], [], set);
  members.push(member);
  return member;
}

const numbered = (count: number, width = 100): string[] =>
  Array.from({ length: count }, (_, i) => `${i}`.padEnd(width, 'x'));

test('four partitions arrive contiguous and complete, whatever their compression', async () => {
  const topic = uniqueTopic('codecs');
  await stack.topic.create(topic, 4, { 'compression.type': 'producer' });
  const codecs = [CompressionTypes.None, CompressionTypes.GZIP];
  for (const [i, codec] of codecs.entries()) {
    for (let round = 0; round < 5; round++) await produce(brokers, topic, i, numbered(300), codec);
  }
  // The broker recompresses these two: kafkajs has no codec for them.
  const recompressed = [
    [2, 'zstd', 4],
    [3, 'lz4', 3],
  ] as const;
  for (const [partition, codec] of recompressed) {
    const other = uniqueTopic(codec);
    await stack.topic.create(other, 4, { 'compression.type': codec });
    for (let round = 0; round < 5; round++) await produce(brokers, other, partition, numbered(300));
    const m = await reader(other, { fetchPartitionBytes: 16_384 });
    await until(`${codec} is read`, () => m.reached(`${other}/${partition}`) === 1500);
    const found = batches(m.fetched.get(`${other}/${partition}`)!);
    expect(found.every((b) => b.codec === (codec === 'zstd' ? 4 : 3))).toBe(true);
    expect(found.reduce((n, b) => n + b.count, 0)).toBe(1500);
  }
  // Small fetches, so that batches are cut off at the end of most responses.
  const member = await reader(topic, { fetchPartitionBytes: 50_000, fetchMaxBytes: 80_000 });
  for (const partition of [0, 1]) {
    const key = `${topic}/${partition}`;
    await until(`${key} is read`, () => member.reached(key) === 1500);
    const fetched = member.fetched.get(key)!;
    fetched.forEach((f, i) => expect(f.fetchOffset).toBe(i === 0 ? 0 : fetched[i - 1]!.nextOffset));
    const found = batches(fetched);
    found.forEach((b, i) => expect(b.first).toBe(i === 0 ? 0 : found[i - 1]!.last + 1));
    expect(found.at(-1)!.last).toBe(1499);
    expect(new Set(found.map((b) => b.codec))).toEqual(new Set([partition]));
    expect(fetched.at(-1)!.highWatermark).toBe(1500);
  }
});

test('a batch larger than the fetch size arrives whole, and the others of the request are not starved by it', async () => {
  const topic = uniqueTopic('large');
  await stack.topic.create(topic, 2);
  await produce(brokers, topic, 0, ['y'.repeat(700_000)]);
  await produce(brokers, topic, 0, ['z'.repeat(600_000)]);
  await produce(brokers, topic, 1, numbered(50));
  const member = await reader(topic, { fetchPartitionBytes: 10_000, fetchMaxBytes: 20_000 });
  await until('both are read', () => member.reached(`${topic}/0`) === 2 && member.reached(`${topic}/1`) === 50);
  expect(batches(member.fetched.get(`${topic}/0`)!).map((b) => b.count)).toEqual([1, 1]);
});

test('offsets are listed by time, at the ends and by epoch', async () => {
  const topic = uniqueTopic('offsets');
  await stack.topic.create(topic, 2);
  const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const stamped = [1000, 2000, 3000].map((timestamp) => ({ value: 'v', partition: 0, timestamp: `${timestamp}` }));
  for (const message of stamped) await producer.send({ topic, messages: [message] });
  await producer.disconnect();
  const member = await reader(topic, {}, { reads: false });
  const at = (partition: number, where: 'earliest' | 'latest' | { timestamp: number }) => ({
    topic,
    partition,
    at: where,
  });
  const found = await member.source.listOffsets([
    at(0, 'earliest'),
    at(0, 'latest'),
    at(0, { timestamp: 1500 }),
    at(0, { timestamp: 9000 }),
    at(1, 'latest'),
    at(1, { timestamp: 1 }),
  ]);
  expect(found).toEqual([0, 3, 1, 3, 0, 0]);
  expect(await member.source.endOffsetForEpoch({ topic, partition: 0 }, 0)).toBe(3);
  expect(await member.source.endOffsetForEpoch({ topic, partition: 0 }, 99)).toBe(-1);
  await expect(
    member.source.listOffsets([{ topic: uniqueTopic('nowhere'), partition: 0, at: 'latest' }]),
  ).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
});

test('offsets that were deleted, or that the log never had, stop the lane and are named', async () => {
  const topic = uniqueTopic('deleted');
  await stack.topic.create(topic, 2);
  await produce(brokers, topic, 0, numbered(100));
  await produce(brokers, topic, 1, numbered(10));
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.fetchTopicOffsets(topic); // kafkajs deletes only from topics whose metadata it has
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '60' }] });
  await admin.disconnect();
  const member = await reader(topic, {}, { reads: false });
  const [low, high] = [0, 1].map((partition) => ({ id: 900 + partition, topic, partition, worker: 0 }));
  member.source.addLane(low!, 20);
  member.source.addLane(high!, 50);
  await until('both lanes stop', () => member.laneErrors.length === 2);
  const errorOf = (lane: unknown) => member.laneErrors.find((e) => e.lane === lane)!.error;
  expect(errorOf(low)).toMatchObject({ code: 'KAFKA_OFFSETS_DELETED', where: { requested: 20, logStart: 60 } });
  expect(errorOf(high)).toMatchObject({ code: 'KAFKA_LOG_TRUNCATED', where: { requested: 50, logEnd: 10 } });
  // A seek takes the lane up again.
  expect(member.source.seek(low!, 60)).toBe(1);
  await until('the rest is read', () => member.reached(`${topic}/0`) === 100);
  expect(member.fetched.get(`${topic}/0`)!.every((f) => f.generation === 1)).toBe(true);
});

test('lanes of one partition advance on their own; seek, pause and budget hold', async () => {
  const topic = uniqueTopic('lanes');
  await stack.topic.create(topic, 1);
  await produce(brokers, topic, 0, numbered(200, 1000));
  await produce(brokers, topic, 0, numbered(200, 1000));
  const member = await reader(topic, { fetchPartitionBytes: 100_000 }, { reads: false });
  member.autoRelease = false;
  member.source.setBudget(250_000);
  const [a, b] = [1, 2].map((n) => ({ id: 800 + n, topic, partition: 0, worker: 0 }));
  const of = (lane: unknown) => (member.fetched.get(`${topic}/0`) ?? []).filter((f) => f.lane === lane);
  member.source.addLane(a!, 0);
  await until('one batch is there', () => of(a).length === 1);
  // A batch is larger than what is left: nothing comes until something is given back.
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(of(a).length).toBe(1);
  member.source.release(of(a)[0]!.byteLength);
  await until('the second batch is there', () => of(a).length === 2);
  member.source.release(of(a)[1]!.byteLength);
  member.source.setBudget(10_000_000);
  member.source.addLane(b!, 200);
  await until('the other lane read its part', () => of(b).at(-1)?.nextOffset === 400);
  expect(of(b).map((f) => f.fetchOffset)).toEqual([200]);
  member.source.pause(a!);
  await new Promise((resolve) => setTimeout(resolve, 600)); // what is under way still comes
  const before = of(a).length;
  member.source.seek(a!, 0);
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(of(a).length).toBe(before);
  member.source.resume(a!);
  await until(
    'it goes on from the start',
    () =>
      of(a)
        .filter((f) => f.generation === 1)
        .at(-1)?.nextOffset === 400,
  );
  await until('idleness is told', () =>
    member.idle.some((i) => i.lane === a && i.offset === 400 && i.highWatermark === 400),
  );
});

test('read_committed stops at an open transaction, names aborted ones, and goes on when it ends', async () => {
  const topic = uniqueTopic('transactions');
  await stack.topic.create(topic, 1);
  const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer({
    transactionalId: topic,
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  const send = async (end: 'commit' | 'abort') => {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: numbered(10).map((value) => ({ value, partition: 0 })) });
    await transaction[end]();
  };
  await send('commit');
  await send('abort');
  const open = await producer.transaction();
  await open.send({ topic, messages: [{ value: 'open', partition: 0 }] });
  const member = await reader(topic);
  const key = `${topic}/0`;
  // 10 records + marker, 10 aborted records + marker; then the open transaction.
  await until('it stands at the open transaction', () =>
    member.idle.some((i) => i.offset === 22 && i.lastStableOffset === 22 && i.highWatermark === 23),
  );
  expect(member.fetched.get(key)!.flatMap((f) => f.aborted.map((x) => x.firstOffset))).toContain(11);
  expect(await member.source.listOffsets([{ topic, partition: 0, at: 'latest' }])).toEqual([22]);
  await open.commit();
  await until('it goes on', () => member.reached(key) === 24);
  await producer.disconnect();
});

test('a topic that is missing, and one that was made anew, stop their lanes', async () => {
  const topic = uniqueTopic('anew');
  await stack.topic.create(topic, 1);
  await produce(brokers, topic, 0, numbered(5));
  const member = await reader(topic);
  await until('it is read', () => member.reached(`${topic}/0`) === 5);
  const missing = { id: 700, topic: uniqueTopic('nowhere'), partition: 0, worker: 0 };
  member.source.addLane(missing, 0);
  await until('the missing topic is told', () =>
    member.laneErrors.some((e) => e.lane === missing && e.error.code === 'KAFKA_TOPIC_MISSING'),
  );
  const before = member.topics[0]!.id;
  await stack.topic.delete(topic);
  await stack.topic.create(topic, 1);
  await until('the change is told', () => member.laneErrors.some((e) => e.error.code === 'KAFKA_TOPIC_CHANGED'));
  await until('the new id is told', () => member.topics[0]?.id !== before && member.topics.length === 1);
  expect(member.laneErrors.map((e) => e.error.policy)).toEqual(['stop-table', 'stop-table']);
});

test('a topic that was made anew while its lane was paused is not taken for the old one', async () => {
  const topic = uniqueTopic('swapped');
  await stack.topic.create(topic, 1);
  await produce(brokers, topic, 0, numbered(5));
  // Metadata is read so seldom that only the fetch itself can tell.
  const member = await reader(topic, { metadataRefresh: 3_600_000 });
  const key = `${topic}/0`;
  await until('it is read', () => member.reached(key) === 5);
  const lane = member.byPartition.get(key)!;
  member.source.pause(lane);
  await new Promise((resolve) => setTimeout(resolve, 700)); // what is under way ends
  await stack.topic.delete(topic);
  await stack.topic.create(topic, 1);
  await produce(brokers, topic, 0, numbered(50));
  member.source.resume(lane);
  await until('it is told', () => member.laneErrors.some((e) => e.error.code === 'KAFKA_TOPIC_CHANGED'));
  expect(member.reached(key)).toBe(5);
});
