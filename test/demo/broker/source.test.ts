import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeBatch } from '../../../src/source/batch-encoder.ts';
import { startBroker } from '../../../src/demo/broker/broker.ts';
import type { Broker } from '../../../src/demo/broker/broker.ts';
import { systemPorts } from '../../../src/ports.ts';
import { BatchReader } from '../../../src/source/batch-reader.ts';
import { kafkaConfig, Member, until } from '../../source/harness.ts';

/** The service's own Kafka side against the embedded broker: what the demo and the Node-only tests rely on. */
let broker: Broker;
let members: Member[];

beforeEach(async () => {
  broker = await startBroker({ ports: systemPorts, autoCreateTopics: false });
  members = [];
});
afterEach(async () => {
  await Promise.all(members.map((member) => member.close()));
  await broker.stop();
});

async function join(topics: string[], overrides: Parameters<typeof kafkaConfig>[1] = {}): Promise<Member> {
  const member = await Member.join(kafkaConfig([broker.address], { groupId: 'group', ...overrides }), topics);
  members.push(member);
  return member;
}

const row = (value: string): { timestamp: number; key: null; value: Buffer } => ({
  timestamp: 1000,
  key: null,
  value: Buffer.from(value),
});

/** Values that the members fetched of a partition, and what became of all its offsets. */
function read(partition: string): { values: string[]; counts: Record<string, number> } {
  const values: string[] = [];
  const counts = { records: 0, aborted: 0, control: 0, absent: 0 };
  for (const fetched of members.flatMap((member) => member.fetched.get(partition) ?? [])) {
    const reader = new BatchReader({ isolation: 'read_committed', maxBatchBytes: 1 << 20 });
    reader.open(
      new Uint8Array(fetched.buffer, fetched.byteOffset, fetched.byteLength),
      fetched.fetchOffset,
      fetched.aborted,
    );
    while (reader.next()) {
      const { bytes, count, valueStart, valueLength } = reader.positions;
      for (let i = 0; i < count; i++) {
        values.push(Buffer.from(bytes.subarray(valueStart[i], valueStart[i]! + valueLength[i]!)).toString());
      }
    }
    for (const kind of ['records', 'aborted', 'control', 'absent'] as const) counts[kind] += reader.counts[kind];
    counts.absent += fetched.nextOffset - reader.nextOffset;
  }
  return { values, counts };
}

test('reads every record of a topic, through transactions and compaction', async () => {
  broker.createTopic('orders', 2);
  const log = broker.log('orders', 0);
  const transactional = (producerId: bigint, values: string[]): number =>
    log.appendProduced(
      encodeBatch({
        baseOffset: 0,
        producerId,
        producerEpoch: 0,
        baseSequence: 0,
        transactional: true,
        records: values.map((value, offset) => ({ ...row(value), offset })),
      }),
    );
  log.append(['a', 'b', 'c'].map(row), { compression: 'zstd' });
  log.compact((offset) => offset !== 1);
  transactional(5n, ['lost', 'lost too']);
  transactional(6n, ['kept']);
  log.appendMarker(5n, 0, false, 0);
  log.appendMarker(6n, 0, true, 0);
  broker.append('orders', 1, ['x', 'y'].map(row));
  const member = await join(['orders']);
  await until('all is read', () => member.reached('orders/0') === log.end && member.reached('orders/1') === 2);
  expect(read('orders/0')).toEqual({
    values: ['a', 'c', 'kept'],
    counts: { records: 3, aborted: 2, control: 2, absent: 1 },
  });
  expect(read('orders/1').values).toEqual(['x', 'y']);
  broker.append('orders', 1, [row('z')]);
  await until('what came later is read', () => member.reached('orders/1') === 3);
});

test('two members share the partitions', async () => {
  broker.createTopic('shared', 4);
  const first = await join(['shared']);
  await until('the first owns all', () => first.owned.size === 4);
  const second = await join(['shared']);
  await until('they share', () => first.owned.size === 2 && second.owned.size === 2);
  expect(new Set([...first.owned, ...second.owned]).size).toBe(4);
  expect(first.events.filter(({ what }) => what === 'lost')).toEqual([]);
});

test('descriptions, offsets and epochs', async () => {
  const topic = broker.createTopic('facts', 2);
  broker.append('facts', 0, ['a', 'b', 'c'].map(row));
  broker.log('facts', 0).newLeader();
  broker.append('facts', 0, [{ ...row('d'), timestamp: 2000 }]);
  const { source } = await join(['facts']);
  const at = { topic: 'facts', partition: 0 };
  expect(await source.describeTopics(['facts', 'absent'])).toEqual([
    {
      name: 'facts',
      id: topic.id,
      partitions: [
        { partition: 0, leaderEpoch: 1 },
        { partition: 1, leaderEpoch: 0 },
      ],
    },
  ]);
  expect(
    await source.listOffsets([
      { ...at, at: 'earliest' },
      { ...at, at: 'latest' },
      { ...at, at: { timestamp: 1500 } },
      { ...at, at: { timestamp: 9000 } },
      { ...at, partition: 1, at: 'latest' },
    ]),
  ).toEqual([0, 4, 3, 4, 0]);
  expect(await source.endOffsetForEpoch(at, 0)).toBe(3);
  expect(await source.endOffsetForEpoch(at, 1)).toBe(4);
});

test('offsets that were deleted are named, and committed offsets are seen by others', async () => {
  broker.createTopic('gone', 1);
  broker.append('gone', 0, ['a', 'b', 'c'].map(row));
  broker.log('gone', 0).append(['d'].map(row));
  broker.log('gone', 0).deleteRecords(3);
  const member = await join(['gone']);
  await until('the lane stops', () => member.laneErrors.length > 0);
  expect(member.laneErrors[0]!.error.code).toBe('KAFKA_OFFSETS_DELETED');
  await member.source.commitOffsets([{ topic: 'gone', partition: 0, offset: 3, leaderEpoch: 0, metadata: 'm' }]);
  expect(broker.groups.offsets('group').get('gone/0')).toEqual({ offset: 3, leaderEpoch: 0, metadata: 'm' });
});

test('a broker that drops every connection is reached again', async () => {
  broker.createTopic('drop', 1);
  const member = await join(['drop']);
  broker.append('drop', 0, [row('before')]);
  await until('the first is read', () => member.reached('drop/0') === 1);
  broker.dropConnections();
  broker.append('drop', 0, [row('after')]);
  await until('the second is read', () => member.reached('drop/0') === 2);
  expect(read('drop/0').values).toEqual(['before', 'after']);
});
