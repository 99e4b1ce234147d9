import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeBatch, encodeMarker } from '../../src/source/batch-encoder.ts';
import { startBroker } from '../../src/demo/broker/broker.ts';
import type { Broker } from '../../src/demo/broker/broker.ts';
import { systemPorts } from '../../src/ports.ts';
import { BatchReader } from '../../src/source/batch-reader.ts';
import { BoundedSource } from '../../src/source/bounded-source.ts';
import { createKafkaSource } from '../../src/source/kafka-source.ts';
import type { FetchedRecords, Lane, Source, SourceHandlers, TopicPartition } from '../../src/source/source.ts';
import { manualPorts } from '../demo/broker/manual-clock.ts';
import { kafkaConfig, until } from './harness.ts';

const row = (value: string): { timestamp: number; key: null; value: Buffer } => ({
  timestamp: 1000,
  key: null,
  value: Buffer.from(value),
});

/** Offsets of the records that a reader yields, and its counts. */
function walk(bytes: Uint8Array, from: number, end?: number, aborted: FetchedRecords['aborted'] = []) {
  const reader = new BatchReader({ isolation: 'read_committed', maxBatchBytes: 1 << 20 });
  reader.open(bytes, from, aborted, end);
  const offsets: number[] = [];
  while (reader.next()) offsets.push(...reader.positions.offsets.subarray(0, reader.positions.count));
  return { offsets, next: reader.nextOffset, ...reader.counts };
}

describe('a batch reader with an end', () => {
  const records = (base: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ ...row(`v${base + i}`), offset: base + i }));
  const bytes = Buffer.concat([
    encodeBatch({ baseOffset: 0, records: records(0, 10), compression: 'zstd' }),
    // Offsets 10 to 12 were compacted away.
    encodeBatch({ baseOffset: 13, records: records(13, 7) }),
    encodeBatch({ baseOffset: 20, records: records(20, 5), transactional: true, producerId: 5n, producerEpoch: 0 }),
    encodeMarker(25, 5n, 0, false, 0),
    encodeBatch({ baseOffset: 26, records: records(26, 4) }),
  ]);
  const aborted = [{ producerId: 5n, firstOffset: 20 }];
  const rows = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 18, 19, 26, 27, 28, 29];

  test('yields what lies before it and accounts for every offset, wherever it falls', () => {
    for (let from = 0; from <= 30; from++) {
      for (let end = from; end <= 31; end++) {
        const found = walk(bytes, from, end, aborted);
        expect(found.offsets, `${from} to ${end}`).toEqual(rows.filter((offset) => offset >= from && offset < end));
        expect(found.records + found.aborted + found.control + found.absent, `${from} to ${end}`).toBe(
          found.next - from,
        );
        expect(found.next).toBeLessThanOrEqual(Math.max(from, end));
        expect(found.aborted).toBe([20, 21, 22, 23, 24].filter((offset) => offset >= from && offset < end).length);
      }
    }
    expect(walk(bytes, 0, undefined, aborted)).toMatchObject({
      offsets: rows,
      next: 30,
      aborted: 5,
      control: 1,
      absent: 3,
    });
  });
});

describe('a source with an end, of the embedded broker', () => {
  let broker: Broker;
  let source: Source;

  beforeEach(async () => {
    broker = await startBroker({ ports: systemPorts, autoCreateTopics: false });
    broker.createTopic('orders', 2);
    for (let i = 0; i < 5; i++) broker.append('orders', 0, ['a', 'b', 'c', 'd'].map(row));
    broker.append('orders', 1, ['x', 'y'].map(row));
    const kafka = createKafkaSource(kafkaConfig([broker.address]), systemPorts, pino({ level: 'silent' }), 'all');
    source = new BoundedSource(kafka, { end: ({ partition }) => (partition === 0 ? 10 : 0), rate: null }, systemPorts);
  });
  afterEach(async () => {
    await source.close();
    await broker.stop();
  });

  test('gives all partitions without a group, and nothing of what lies behind the bound', async () => {
    await source.connect();
    const partitions: TopicPartition[] = [];
    const fetched: FetchedRecords[] = [];
    const handlers: SourceHandlers = {
      onAssigned: (added) => Promise.resolve(void partitions.push(...added)),
      onRevoked: () => Promise.resolve(),
      onLost: () => Promise.resolve(),
      onFetched: (records) => void fetched.push(records),
      onIdle: () => undefined,
      onLaneError: () => undefined,
      onTopics: () => undefined,
      onHealth: () => undefined,
    };
    await source.subscribe(['orders'], [], handlers);
    expect(partitions).toEqual([0, 1].map((partition) => ({ topic: 'orders', partition })));
    for (const { topic, partition } of partitions) source.addLane({ id: partition, topic, partition, worker: 0 }, 0);
    await until('the bound is reached', () => fetched.at(-1)?.nextOffset === 10);
    const offsets = fetched.flatMap(
      ({ buffer, byteOffset, byteLength, fetchOffset, endOffset }) =>
        walk(new Uint8Array(buffer, byteOffset, byteLength), fetchOffset, endOffset).offsets,
    );
    expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(fetched.every(({ lane, highWatermark }) => lane.partition === 0 && highWatermark === 10)).toBe(true);
    const latest = { topic: 'orders', at: 'latest' as const };
    expect(
      await source.listOffsets([
        { ...latest, partition: 0 },
        { ...latest, partition: 1 },
      ]),
    ).toEqual([10, 0]);
  });
});

test('bytes are given back at the rate that was asked for', async () => {
  const ports = manualPorts();
  const released: [number, number][] = [];
  let budget = 0;
  const inner = {
    release: (bytes: number) => void released.push([ports.clock.now(), bytes]),
    setBudget: (bytes: number) => void (budget = bytes),
    close: () => Promise.resolve(),
  } as unknown as Source;
  const source = new BoundedSource(inner, { end: (_: TopicPartition | Lane) => 0, rate: 1_000_000 }, ports);
  source.setBudget(64 << 20);
  expect(budget).toBe(1_000_000);
  for (let i = 0; i < 3; i++) source.release(500_000);
  await ports.advance(400);
  expect(released).toEqual([]);
  await ports.advance(10_000);
  expect(released).toEqual([
    [500, 500_000],
    [1000, 500_000],
    [1500, 500_000],
  ]);
  source.release(250_000);
  await source.close();
  await ports.advance(10_000);
  expect(released).toHaveLength(3);
});
