import { Kafka, logLevel } from 'kafkajs';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../../src/demo/broker/broker.ts';
import type { Broker } from '../../src/demo/broker/broker.ts';
import { systemPorts } from '../../src/ports.ts';
import { Producer } from '../../src/source/producer.ts';
import { kafkaConfig } from './harness.ts';

const signal = new AbortController().signal;
let broker: Broker;
let producer: Producer;

beforeEach(async () => {
  broker = await startBroker({ ports: systemPorts, autoCreateTopics: false });
  producer = new Producer(kafkaConfig([broker.address]), systemPorts, pino({ level: 'silent' }));
});
afterEach(async () => {
  await producer.close();
  await broker.stop();
});

interface Read {
  readonly partition: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, readonly (string | null)[]>>;
}

/** What a client that is not ours finds. */
async function consume(topic: string, count: number): Promise<Read[]> {
  const consumer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).consumer({ groupId: 'reader' });
  const found: Read[] = [];
  const text = (bytes: Buffer | string | null | undefined): string | null => bytes?.toString() ?? null;
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachMessage: ({ partition, message }) => {
            const headers = Object.fromEntries(
              Object.entries(message.headers ?? {}).map(([key, value]) => [
                key,
                (Array.isArray(value) ? value : [value]).map(text),
              ]),
            );
            found.push({ partition, key: text(message.key), value: text(message.value), headers });
            if (found.length === count) resolve();
            return Promise.resolve();
          },
        })
        .catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return found;
}

test('records arrive whole, in the order of their lane', async () => {
  broker.createTopic('dead', 2);
  const records = [...Array(5).keys()].map((n) => ({
    lane: n % 3,
    key: n === 0 ? null : Buffer.from(`k${n}`),
    value: n === 1 ? null : Buffer.from(`v${n}`),
    headers: [
      ['h', Buffer.from('1')],
      ['h', Buffer.from('2')],
      ['none', null],
    ] as const,
  }));
  await producer.produce('dead', records, signal);
  await producer.produce('dead', [{ lane: 5, key: null, value: Buffer.alloc(600_000, 'x'), headers: [] }], signal);
  const found = (await consume('dead', 6)).sort((a, b) => a.partition - b.partition);
  expect(found.map(({ partition, key, value }) => [partition, key, value?.slice(0, 2) ?? null])).toEqual([
    [0, null, 'v0'],
    [0, 'k2', 'v2'],
    [0, 'k3', 'v3'],
    [1, 'k1', null],
    [1, 'k4', 'v4'],
    [1, null, 'xx'],
  ]);
  expect(found[0]!.headers).toEqual({ h: ['1', '2'], none: [null] });
});

test('a topic that does not exist is not made', async () => {
  const record = { lane: 0, key: null, value: null, headers: [] };
  await expect(producer.produce('nowhere', [record], signal)).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
});
