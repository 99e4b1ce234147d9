import { connect } from 'node:net';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import type { Admin, EachMessagePayload } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startBroker } from '../../../src/demo/broker/broker.ts';
import type { Broker } from '../../../src/demo/broker/broker.ts';
import { systemPorts } from '../../../src/ports.ts';

let broker: Broker;
let kafka: Kafka;
let admin: Admin;
const errors: Error[] = [];

beforeAll(async () => {
  broker = await startBroker({ ports: systemPorts, onError: (error) => errors.push(error) });
  kafka = new Kafka({
    brokers: [broker.address],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 20, retries: 8 },
  });
  admin = kafka.admin();
  await admin.connect();
});

afterAll(async () => {
  await admin.disconnect();
  await broker.stop();
});

const waitFor = vi.waitFor;
const patience = { timeout: 10_000, interval: 20 };

/** A kafkajs consumer that collects what it reads. */
async function consume(
  groupId: string,
  topic: string,
  readUncommitted = false,
): Promise<{ messages: EachMessagePayload[]; assigned: () => number[]; stop: () => Promise<void> }> {
  const consumer = kafka.consumer({
    groupId,
    readUncommitted,
    sessionTimeout: 2000,
    rebalanceTimeout: 5000,
    heartbeatInterval: 100,
    maxWaitTimeInMs: 100,
  });
  const messages: EachMessagePayload[] = [];
  let assigned: number[] = [];
  consumer.on('consumer.group_join', ({ payload }) => {
    assigned = payload.memberAssignment[topic] ?? [];
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommitInterval: 50,
    eachMessage: async (payload) => {
      messages.push(payload);
    },
  });
  return { messages, assigned: () => assigned, stop: () => consumer.disconnect() };
}

const values = (messages: EachMessagePayload[]): string[] =>
  messages.map(({ message }) => message.value!.toString()).sort();

describe('kafkajs', () => {
  test('topics and partitions', async () => {
    await admin.createTopics({ topics: [{ topic: 'made', numPartitions: 3 }] });
    expect(await admin.createTopics({ topics: [{ topic: 'made' }] })).toBe(false);
    await admin.createPartitions({ topicPartitions: [{ topic: 'made', count: 5 }] });
    const { topics } = await admin.fetchTopicMetadata({ topics: ['made'] });
    expect(
      topics[0]!.partitions
        .map(({ partitionId, leader }) => `${partitionId} ${leader}`)
        .toSorted((a, b) => a.localeCompare(b)),
    ).toEqual(['0 1', '1 1', '2 1', '3 1', '4 1']);
    expect((await admin.describeCluster()).clusterId).toBe(broker.clusterId);
    await expect(admin.createTopics({ topics: [{ topic: 'no/slash' }] })).rejects.toThrow();
    await admin.deleteTopics({ topics: ['made'] });
    expect(await admin.listTopics()).not.toContain('made');
  });

  test.each([
    [CompressionTypes.None, false],
    [CompressionTypes.GZIP, true],
  ])('what is produced is consumed (compression %i, idempotent %s)', async (compression, idempotent) => {
    const topic = `plain-${compression}`;
    broker.createTopic(topic, 2);
    const producer = kafka.producer({ idempotent });
    await producer.connect();
    for (let part = 0; part < 4; part++) {
      const sent = await producer.send({
        topic,
        compression,
        acks: -1,
        messages: Array.from({ length: 25 }, (_, i) => ({
          key: `k${i}`,
          value: `v${part * 25 + i}`,
          headers: { trace: `t${i}` },
          timestamp: String(1_700_000_000_000 + part),
        })),
      });
      expect(sent.every(({ errorCode }) => errorCode === 0)).toBe(true);
    }
    await producer.disconnect();
    const consumer = await consume(`g-${topic}`, topic);
    await waitFor(() => expect(consumer.messages).toHaveLength(100), patience);
    await waitFor(async () => {
      const [committed] = await admin.fetchOffsets({ groupId: `g-${topic}`, topics: [topic] });
      expect(committed!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0)).toBe(100);
    }, patience);
    await consumer.stop();
    expect(values(consumer.messages)).toEqual(Array.from({ length: 100 }, (_, i) => `v${i}`).sort());
    expect(consumer.messages[0]!.message.headers!['trace']!.toString()).toMatch(/^t\d+$/);
    const again = await consume(`g-${topic}`, topic);
    await waitFor(() => expect(again.assigned()).toHaveLength(2), patience);
    await again.stop();
    expect(again.messages).toEqual([]);
  });

  test('transactions: committed, aborted, and with offsets', async () => {
    broker.createTopic('tx', 1);
    const producer = kafka.producer({ transactionalId: 'tx-1', idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (const [value, commit] of [
      ['a', true],
      ['b', false],
      ['c', false],
      ['d', true],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: 'tx', messages: [{ value }, { value: `${value}2` }] });
      if (commit)
        await transaction.sendOffsets({
          consumerGroupId: 'tx-group',
          topics: [{ topic: 'tx', partitions: [{ partition: 0, offset: value === 'a' ? '11' : '44' }] }],
        });
      await (commit ? transaction.commit() : transaction.abort());
    }
    const open = await producer.transaction();
    await open.send({ topic: 'tx', messages: [{ value: 'open' }] });
    expect([broker.log('tx', 0).lastStableOffset, broker.log('tx', 0).end]).toEqual([12, 13]);
    expect((await admin.fetchOffsets({ groupId: 'tx-group', topics: ['tx'] }))[0]!.partitions[0]!.offset).toBe('44');
    const committed = await consume('tx-read', 'tx');
    await waitFor(() => expect(values(committed.messages)).toEqual(['a', 'a2', 'd', 'd2']), patience);
    await open.commit();
    await waitFor(() => expect(values(committed.messages)).toEqual(['a', 'a2', 'd', 'd2', 'open']), patience);
    await committed.stop();
    const all = await consume('tx-all', 'tx', true);
    await waitFor(() => expect(all.messages).toHaveLength(9), patience);
    await all.stop();
    await producer.disconnect();
  });

  test('a second producer with the same transactional id fences the first', async () => {
    broker.createTopic('fence', 1);
    const [first, second] = [0, 1].map(() =>
      kafka.producer({ transactionalId: 'fenced', idempotent: true, maxInFlightRequests: 1, retry: { retries: 1 } }),
    );
    await first!.connect();
    const transaction = await first!.transaction();
    await transaction.send({ topic: 'fence', messages: [{ value: 'lost' }] });
    await second!.connect();
    const other = await second!.transaction();
    await other.send({ topic: 'fence', messages: [{ value: 'kept' }] });
    await other.commit();
    await expect(transaction.commit()).rejects.toThrow();
    const consumer = await consume('fence-read', 'fence');
    await waitFor(() => expect(values(consumer.messages)).toEqual(['kept']), patience);
    await consumer.stop();
    await Promise.all([first!.disconnect(), second!.disconnect()]);
  });

  test('offsets by time, and deleted records', async () => {
    broker.createTopic('times', 1);
    broker.append(
      'times',
      0,
      Array.from({ length: 10 }, (_, i) => ({ timestamp: 1000 + 10 * i, key: null, value: Buffer.from('x') })),
    );
    expect((await admin.fetchTopicOffsetsByTimestamp('times', 1041))[0]!.offset).toBe('5');
    expect((await admin.fetchTopicOffsetsByTimestamp('times', 5000))[0]!.offset).toBe('10');
    await admin.deleteTopicRecords({ topic: 'times', partitions: [{ partition: 0, offset: '4' }] });
    expect(await admin.fetchTopicOffsets('times')).toMatchObject([{ low: '4', high: '10' }]);
  });

  test('two consumers share the partitions, and one takes over from the other', async () => {
    broker.createTopic('shared', 4);
    const first = await consume('pair', 'shared');
    await waitFor(() => expect(first.assigned()).toHaveLength(4), patience);
    const second = await consume('pair', 'shared');
    await waitFor(
      () => expect([...first.assigned(), ...second.assigned()].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]),
      patience,
    );
    expect(first.assigned()).toHaveLength(2);
    const { groups } = await admin.describeGroups(['pair']);
    expect([groups[0]!.state, groups[0]!.members.length]).toEqual(['Stable', 2]);
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).toContain('pair');
    await first.stop();
    await waitFor(() => expect(second.assigned()).toHaveLength(4), patience);
    await second.stop();
    await admin.deleteGroups(['pair']);
  });

  test('goes on after every connection was dropped', async () => {
    broker.createTopic('drop', 1);
    const consumer = await consume('dropped', 'drop');
    broker.append('drop', 0, [{ timestamp: 1, key: null, value: Buffer.from('before') }]);
    await waitFor(() => expect(consumer.messages).toHaveLength(1), patience);
    broker.dropConnections();
    broker.append('drop', 0, [{ timestamp: 1, key: null, value: Buffer.from('after') }]);
    await waitFor(() => expect(values(consumer.messages)).toContain('after'), patience);
    await consumer.stop();
  });
});

test('no request of kafkajs was one that the broker could not answer', () => {
  expect(errors).toEqual([]);
});

test('a request of an unknown version closes the connection; ApiVersions is answered in its oldest form', async () => {
  const request = (key: number, version: number): Buffer =>
    Buffer.from([0, 0, 0, 10, 0, key, 0, version, 0, 0, 0, 7, 0xff, 0xff]);
  const ask = (bytes: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const socket = connect(broker.port, broker.host, () => socket.write(bytes));
      const parts: Buffer[] = [];
      socket.on('data', (part) => {
        parts.push(part);
        socket.end();
      });
      socket.on('close', () => resolve(Buffer.concat(parts)));
      socket.on('error', reject);
    });
  const answer = await ask(request(18, 99));
  expect([answer.readInt32BE(4), answer.readInt16BE(8)]).toEqual([7, 35]);
  expect(await ask(request(1, 99))).toHaveLength(0);
  expect(errors.splice(0).map(({ message }) => message)).toEqual(['request Fetch version 99 is not supported']);
});
