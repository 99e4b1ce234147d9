import { beforeEach, expect, test } from 'vitest';
import type { BrokerContext } from '../../../src/demo/broker/context.ts';
import { KafkaError } from '../../../src/demo/broker/error-codes.ts';
import { Groups } from '../../../src/demo/broker/groups.ts';
import { fetch } from '../../../src/demo/broker/log-handlers.ts';
import { Topics } from '../../../src/demo/broker/topics.ts';
import { Transactions } from '../../../src/demo/broker/transactions.ts';
import { manualPorts } from './manual-clock.ts';

interface Partition {
  errorCode: number;
  highWatermark: number;
  records: Buffer[];
}

let ports: ReturnType<typeof manualPorts>;
let broker: BrokerContext;

beforeEach(() => {
  ports = manualPorts();
  const groups = new Groups(ports);
  const topics = new Topics(ports.ids, 1 << 20);
  topics.create('t', 2);
  broker = {
    ports,
    clusterId: 'c',
    host: 'h',
    port: 1,
    autoCreateTopics: false,
    topics,
    groups,
    transactions: new Transactions(ports, groups),
  };
});

const append = (partition: number, bytes = 100): number =>
  broker.topics.partition('t', partition).append([{ timestamp: 0, key: null, value: Buffer.alloc(bytes) }]);

/** The partitions of the answer, or undefined while it waits. */
function ask(
  more: { minBytes?: number; maxBytes?: number; offset?: number; epoch?: number; signal?: AbortSignal } = {},
): {
  answer: Promise<Partition[]>;
  answered: () => boolean;
} {
  let done = false;
  const partition = (index: number): object => ({
    partition: index,
    fetchOffset: more.offset ?? 0,
    currentLeaderEpoch: more.epoch ?? -1,
    partitionMaxBytes: 1000,
  });
  const request = {
    maxWaitMs: 500,
    minBytes: more.minBytes ?? 1,
    maxBytes: more.maxBytes ?? 10_000,
    isolationLevel: 1,
    topics: [{ topic: 't', partitions: [partition(0), partition(1)] }],
  };
  const context = { version: 12, clientId: '', signal: more.signal ?? new AbortController().signal };
  const answer = (async () => {
    const response = (await fetch(broker, request as never, context))!;
    done = true;
    return (response['responses'] as { partitions: Partition[] }[])[0]!.partitions;
  })();
  return { answer, answered: () => done };
}

test('waits for records, no longer than it takes', async () => {
  const waiting = ask();
  await ports.advance(400);
  expect(waiting.answered()).toBe(false);
  append(1);
  await ports.advance(0);
  expect(waiting.answered()).toBe(true);
  expect((await waiting.answer).map(({ records, highWatermark }) => [records.length, highWatermark])).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

test('waits for as many bytes as asked for', async () => {
  const waiting = ask({ minBytes: 300 });
  append(0);
  await ports.advance(100);
  expect(waiting.answered()).toBe(false);
  append(1);
  await ports.advance(0);
  expect(waiting.answered()).toBe(true);
});

test('answers without records when the time is over, or the connection closed', async () => {
  const waiting = ask();
  await ports.advance(501);
  expect((await waiting.answer).map(({ records }) => records.length)).toEqual([0, 0]);
  const abort = new AbortController();
  const closed = ask({ signal: abort.signal });
  abort.abort();
  await ports.advance(0);
  expect(closed.answered()).toBe(true);
});

test('errors are answered at once', async () => {
  expect((await ask({ offset: 5 }).answer).map(({ errorCode }) => errorCode)).toEqual([
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.OFFSET_OUT_OF_RANGE,
  ]);
  broker.topics.partition('t', 1).newLeader();
  expect((await ask({ epoch: 0 }).answer).map(({ errorCode }) => errorCode)).toEqual([
    0,
    KafkaError.FENCED_LEADER_EPOCH,
  ]);
  expect((await ask({ epoch: 1 }).answer).map(({ errorCode }) => errorCode)).toEqual([
    KafkaError.UNKNOWN_LEADER_EPOCH,
    0,
  ]);
});

test('ends at the limit, within a batch if need be; but the first batch is whole', async () => {
  for (let i = 0; i < 3; i++) append(0);
  append(1);
  const size = broker.topics.partition('t', 1).bytes;
  const sizes = async (maxBytes: number): Promise<number[]> =>
    (await ask({ maxBytes }).answer).map(({ records }) => records.reduce((sum, piece) => sum + piece.length, 0));
  expect(await sizes(10)).toEqual([size, 0]);
  expect(await sizes(size + 10)).toEqual([size + 10, 0]);
  expect(await sizes(3 * size + 5)).toEqual([3 * size, 5]);
});
