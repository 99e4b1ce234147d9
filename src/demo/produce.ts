import kafkajs from 'kafkajs';
import type { Kafka, Message, Producer } from 'kafkajs';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { clickAt, encodeClick, encodeOrder, orderAt } from './events.ts';
import { kafkaLogger } from './kafka-log.ts';
import type { EventLogger } from './kafka-log.ts';
import { orderSchema } from './order-schema.ts';

export const ORDERS_TOPIC = 'shop.orders';
export const CLICKS_TOPIC = 'shop.clicks';

export interface ProduceOptions {
  readonly brokers: readonly string[];
  readonly registryUrl: string;
  readonly ports: Ports;
  readonly logger: EventLogger;
  /** Records altogether, half of them orders and half clicks; without it until `signal` aborts. */
  readonly records?: number;
  /** Records a second; without it as fast as the broker takes them. */
  readonly rate?: number;
  /** Same seed, same events. Default 1. */
  readonly seed?: number;
  /** Of each topic, where it is created here. Default 4. */
  readonly partitions?: number;
  readonly signal?: AbortSignal;
  /** After each batch that the broker acknowledged. */
  readonly onProgress?: (produced: ProducedEvents) => void;
}

export interface ProducedEvents {
  readonly orders: number;
  readonly clicks: number;
}

/** Most records of one round, over both topics. */
const MAX_ROUND = 2000;
const ROUND_MS = 100;

/**
 * Creates the two topics and registers the order schema where they are missing, then produces shop events: orders in
 * Avro, keyed by customer, and clicks in JSON, keyed by user; both with headers. Returns what was acknowledged.
 * @throws TabletopicError KAFKA_UNAVAILABLE, REGISTRY_UNAVAILABLE
 */
export async function produceEvents(options: ProduceOptions): Promise<ProducedEvents> {
  const { ports } = options;
  const kafka = new kafkajs.Kafka({
    clientId: 'tabletopic-demo',
    brokers: [...options.brokers],
    logCreator: kafkaLogger(options.logger),
  });
  const producer = kafka.producer({ idempotent: true, createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  try {
    await createTopics(kafka, options.partitions ?? 4);
    const schemaId = await registerOrders(options.registryUrl);
    await producer.connect();
    const started = ports.clock.monotonic();
    let sent = 0;
    while (!options.signal?.aborted && sent < (options.records ?? Number.POSITIVE_INFINITY)) {
      const due =
        options.rate === undefined
          ? MAX_ROUND
          : Math.floor(((ports.clock.monotonic() - started + ROUND_MS) / 1000) * options.rate) - sent;
      const count = Math.min(due, MAX_ROUND, (options.records ?? Number.POSITIVE_INFINITY) - sent);
      if (count > 0) {
        await sendRound(producer, schemaId, options.seed ?? 1, sent, count, ports.clock.now());
        sent += count;
        options.onProgress?.(split(sent));
      }
      if (options.rate !== undefined) await pause(ports, ROUND_MS, options.signal);
    }
    return split(sent);
  } catch (error) {
    if (!(error instanceof kafkajs.KafkaJSError)) throw error;
    throw new TabletopicError('KAFKA_UNAVAILABLE', `events cannot be produced: ${error.message}`, { cause: error });
  } finally {
    await producer.disconnect();
  }
}

/** Record `n` is an order where it is even, else a click; each kind counts from 0. */
async function sendRound(
  producer: Producer,
  schemaId: number,
  seed: number,
  from: number,
  count: number,
  now: number,
): Promise<void> {
  const orders: Message[] = [];
  const clicks: Message[] = [];
  for (let n = from; n < from + count; n++) {
    const index = Math.floor(n / 2);
    const timestamp = String(now);
    const headers = { source: 'tabletopic-demo', trace: `${seed}-${n}` };
    if (n % 2 === 0) {
      const order = orderAt(seed, index, now);
      orders.push({ key: order.customerId, value: encodeOrder(order, schemaId), headers, timestamp });
    } else {
      const click = clickAt(seed, index, now);
      clicks.push({ key: click.user.id, value: encodeClick(click), headers, timestamp });
    }
  }
  const topicMessages = [
    { topic: ORDERS_TOPIC, messages: orders },
    { topic: CLICKS_TOPIC, messages: clicks },
  ].filter(({ messages }) => messages.length > 0);
  await producer.sendBatch({ topicMessages, compression: kafkajs.CompressionTypes.GZIP });
}

function split(sent: number): ProducedEvents {
  return { orders: Math.ceil(sent / 2), clicks: Math.floor(sent / 2) };
}

async function createTopics(kafka: Kafka, numPartitions: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const topics = [ORDERS_TOPIC, CLICKS_TOPIC].filter((topic) => !existing.has(topic));
    await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions })) });
  } finally {
    await admin.disconnect();
  }
}

async function registerOrders(registryUrl: string): Promise<number> {
  const subject = `${ORDERS_TOPIC}-value`;
  try {
    const response = await fetch(`${registryUrl}/subjects/${subject}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify(orderSchema) }),
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return ((await response.json()) as { id: number }).id;
  } catch (error) {
    throw new TabletopicError(
      'REGISTRY_UNAVAILABLE',
      `the schema of ${subject} cannot be registered: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** Ends early, without an error, when the signal aborts. */
async function pause(ports: Ports, ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await ports.clock.sleep(ms, signal);
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}
