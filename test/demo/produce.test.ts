import { Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startBroker } from '../../src/demo/broker/broker.ts';
import type { Broker } from '../../src/demo/broker/broker.ts';
import { encodeClick, clickAt, encodeOrder, orderAt } from '../../src/demo/events.ts';
import { CLICKS_TOPIC, ORDERS_TOPIC, produceEvents } from '../../src/demo/produce.ts';
import type { ProducedEvents } from '../../src/demo/produce.ts';
import { startRegistry } from '../../src/demo/registry.ts';
import type { Registry } from '../../src/demo/registry.ts';
import { systemPorts } from '../../src/ports.ts';
import { manualPorts } from './broker/manual-clock.ts';

let broker: Broker;
let registry: Registry;
const logger = pino({ level: 'silent' });

beforeEach(async () => {
  broker = await startBroker({ ports: systemPorts });
  registry = await startRegistry();
});
afterEach(() => Promise.all([broker.stop(), registry.stop()]));

test('a count of events, each once, with key, headers and time', async () => {
  const ports = { ...systemPorts, clock: { ...systemPorts.clock, now: () => 1_767_225_600_000 } };
  expect(
    await produceEvents({
      brokers: [broker.address],
      registryUrl: registry.url,
      ports,
      logger,
      records: 5001,
      seed: 3,
      partitions: 2,
    }),
  ).toEqual({ orders: 2501, clicks: 2500 });
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: 'check', maxWaitTimeInMs: 50 });
  const found = new Map<string, [string, string, string]>();
  let messages = 0;
  await consumer.connect();
  await consumer.subscribe({ topics: [ORDERS_TOPIC, CLICKS_TOPIC], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      messages++;
      found.set(message.headers!['trace']!.toString(), [
        message.key!.toString(),
        message.value!.toString('hex'),
        message.timestamp,
      ]);
    },
  });
  await vi.waitFor(() => expect(messages).toBe(5001), { timeout: 10_000 });
  await consumer.disconnect();
  expect(found.size).toBe(5001);
  const order = orderAt(3, 1200, 1_767_225_600_000);
  expect(found.get('3-2400')).toEqual([order.customerId, encodeOrder(order, 1).toString('hex'), '1767225600000']);
  const click = clickAt(3, 1200, 1_767_225_600_000);
  expect(found.get('3-2401')).toEqual([click.user.id, encodeClick(click).toString('hex'), '1767225600000']);
});

test('keeps to its rate, and ends at the signal', async () => {
  const ports = manualPorts();
  const abort = new AbortController();
  let progress: ProducedEvents = { orders: 0, clicks: 0 };
  const done = produceEvents({
    brokers: [broker.address],
    registryUrl: registry.url,
    ports,
    logger,
    rate: 100,
    signal: abort.signal,
    onProgress: (now) => {
      progress = now;
    },
  });
  for (let round = 1; round <= 3; round++) {
    await vi.waitFor(() => expect(progress).toEqual({ orders: 5 * round, clicks: 5 * round }), {
      timeout: 10_000,
      interval: 10,
    });
    await ports.advance(99);
    await ports.advance(1);
  }
  await vi.waitFor(() => expect(progress.orders).toBe(20));
  abort.abort();
  expect(await done).toEqual({ orders: 20, clicks: 20 });
});

test('a registry that is not there is named', async () => {
  await expect(
    produceEvents({
      brokers: [broker.address],
      registryUrl: 'http://127.0.0.1:1',
      ports: systemPorts,
      logger,
      records: 1,
    }),
  ).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE' });
});
