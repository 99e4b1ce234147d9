import { Kafka, logLevel, type Producer } from 'kafkajs';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { BatchReader } from '../../src/source/batch-reader.ts';
import type { FetchedRecords } from '../../src/source/source.ts';
import { sharedStack } from '../real/shared.ts';
import { kafkaConfig, Member, uniqueTopic, until } from './harness.ts';

const stack = sharedStack();
const { brokers } = stack.kafka;
const topic = uniqueTopic('committed');
const members: Member[] = [];
let end = 0;

/** One producer commits A, aborts B and C, commits D, aborts 5 MB of E, commits F; another is in between, without transactions. */
beforeAll(async () => {
  await stack.topic.create(topic, 1);
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true });
  const plain = kafka.producer();
  await Promise.all([producer.connect(), plain.connect()]);
  await inTransaction(producer, 'A', 10, 100, 'commit');
  await inTransaction(producer, 'B', 10, 100, 'abort');
  await plain.send({ topic, messages: [{ value: 'plain', partition: 0 }] });
  await inTransaction(producer, 'C', 10, 100, 'abort');
  await inTransaction(producer, 'D', 10, 100, 'commit');
  await inTransaction(producer, 'E', 100, 50_000, 'abort');
  await inTransaction(producer, 'F', 10, 100, 'commit');
  await Promise.all([producer.disconnect(), plain.disconnect()]);
  end = (await stack.topic.offsets(topic))[0]!.high;
});

async function inTransaction(
  producer: Producer,
  letter: string,
  count: number,
  width: number,
  how: 'commit' | 'abort',
): Promise<void> {
  const transaction = await producer.transaction();
  // In several batches, so that small fetches begin and end inside of a transaction.
  for (let sent = 0; sent < count; sent += 5) {
    const messages = Array.from({ length: 5 }, (_, i) => ({
      value: `${letter}${sent + i}`.padEnd(width, '.'),
      partition: 0,
    }));
    await transaction.send({ topic, messages });
  }
  await transaction[how]();
}

afterEach(async () => {
  await Promise.all(members.splice(0).map((m) => m.close()));
});

const expected = ['A', 'plain', 'D', 'F'].flatMap((l) =>
  l === 'plain' ? [l] : Array.from({ length: 10 }, (_, i) => `${l}${i}`),
);

function read(fetched: readonly FetchedRecords[]): { offset: number; value: string }[] {
  const reader = new BatchReader({ isolation: 'read_committed', maxBatchBytes: 1 << 26 });
  const found: { offset: number; value: string }[] = [];
  for (const f of fetched) {
    reader.open(new Uint8Array(f.buffer, f.byteOffset, f.byteLength), f.fetchOffset, f.aborted);
    while (reader.next()) {
      const { positions } = reader;
      for (let i = 0; i < positions.count; i++) {
        const start = positions.valueStart[i]!;
        const value = Buffer.from(positions.bytes.subarray(start, start + positions.valueLength[i]!)).toString();
        found.push({ offset: positions.offsets[i]!, value: value.replace(/\.+$/, '') });
      }
    }
    expect(reader.nextOffset).toBe(f.nextOffset);
  }
  return found;
}

test.each([10_000, 100_000, 1_000_000, 50_000_000])(
  'committed records only, each once, at fetches of %i bytes',
  async (bytes) => {
    const member = await Member.join(kafkaConfig(brokers, { fetchMaxBytes: bytes, fetchPartitionBytes: bytes }), [
      topic,
    ]);
    members.push(member);
    const key = `${topic}/0`;
    await until('all is read', () => member.reached(key) === end);
    expect(read(member.fetched.get(key)!).map((r) => r.value)).toEqual(expected);
  },
);

test('from any offset on', async () => {
  const member = await Member.join(kafkaConfig(brokers, { fetchMaxBytes: 100_000 }), [topic], [], { reads: false });
  members.push(member);
  let all: { offset: number; value: string }[] = [];
  for (const offset of [0, 1, 9, 10, 11, 13, 21, 22, 30, 34, 50, 100]) {
    const lane = { id: 10_000 + offset, topic, partition: 0, worker: 0 };
    member.source.addLane(lane, offset);
    const of = () => member.fetched.get(`${topic}/0`)?.filter((f) => f.lane === lane) ?? [];
    await until(`all is read from ${offset}`, () => of().at(-1)?.nextOffset === end);
    const found = read(of());
    if (offset === 0) all = found;
    expect(found).toEqual(all.filter((r) => r.offset >= offset));
    member.source.removeLane(lane);
  }
  expect(all.map((r) => r.value)).toEqual(expected);
});
