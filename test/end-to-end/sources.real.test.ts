import type { Message } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import type { VerifyResult } from '../../src/maintain/verify.ts';
import { expectEveryRecordOnce } from '../real/expected.ts';
import { sums } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import type { KafkaColumn } from './lake.ts';
import { scene } from './scene.ts';

// What Kafka can hand over, through the whole service, as PyIceberg and DuckDB read it back.

const { stack, files, catalog, lake, kafka, producer } = scene();
const group = (groupId: string): Readonly<Record<string, unknown>> => ({
  kafka: { brokers: stack.kafka.brokers, groupId, metadataRefresh: '1s', sessionTimeout: '10s' },
  defaults: { commitInterval: '1s', inferTime: '1s' },
});

interface Verified {
  ok: boolean;
  tables: VerifyResult[];
}

describe('record batches', () => {
  const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
  const n = 20_000;

  test('of every compression come over once', async () => {
    const topicOf = (compression: string): string => `codec.${compression}`;
    for (const compression of codecs)
      await stack.load({ topic: topicOf(compression), n, partitions: 2, format: 'avro', compression });
    const config = files.write(
      'codecs',
      codecs.map((compression) => ({ topic: topicOf(compression) })),
      group('codecs'),
    );
    await files.run(config, '--until-caught-up').ends();
    const expected = await sums({ n, format: 'avro' });
    for (const compression of codecs) {
      const topic = topicOf(compression);
      for (const engine of ['pyiceberg', 'duckdb'] as const) {
        expectEveryRecordOnce(
          await readers.read(engine, { catalog, table: topic, columns: ['id', 'quantity', 'amount', 'active'] }),
          expected,
          { topic, partitions: 2, n },
        );
      }
    }
    expect((await files.json<Verified>('verify', config, '--deep')).ok).toBe(true);
  });
});

describe('transactions', () => {
  test('that were aborted never become rows, and are accounted for', async () => {
    const topic = 'txn.payments';
    await stack.topic.create(topic, 2);
    const transactional = kafka.producer({ transactionalId: 'txn.payments', idempotent: true, maxInFlightRequests: 1 });
    await transactional.connect();
    const transactions: [name: string, records: number, commit: boolean][] = [
      ['A', 10, true],
      ['B', 10, false],
      ['C', 30, true],
      ['D', 1, false],
      ['E', 20_000, false],
      ['F', 5, true],
    ];
    for (const [name, records, commit] of transactions) {
      const transaction = await transactional.transaction();
      const messages = Array.from({ length: records }, (_, i): Message => ({
        partition: i % 2,
        value: JSON.stringify({ transaction: name, i, filler: 'x'.repeat(100) }),
      }));
      for (let from = 0; from < messages.length; from += 5000)
        await transaction.send({ topic, messages: messages.slice(from, from + 5000) });
      await (commit ? transaction.commit() : transaction.abort());
    }
    await transactional.disconnect();
    const config = files.write('txn', [{ topic }], group('txn'));
    await files.run(config, '--until-caught-up').ends();
    const found = Map.groupBy(await lake.rows(topic, { columns: ['transaction', 'i'] }), (row) =>
      String(row['transaction']),
    );
    expect([...found].map(([name, own]) => [name, own.length])).toEqual([
      ['A', 10],
      ['C', 30],
      ['F', 5],
    ]);
    for (const own of found.values())
      expect(own.map((row) => Number(row['i'])).sort((a, b) => a - b)).toEqual(own.map((_, i) => i));
    for (const level of [[], ['--deep']]) {
      const { tables } = await files.json<Verified>('verify', config, ...level);
      const { ok, rows: verified, partitions } = tables[0]!;
      const sum = (key: 'aborted' | 'control'): number =>
        partitions.reduce((total, partition) => total + partition[key], 0);
      // D's one record lies in one partition only, so its marker does too.
      expect({ ok, verified, aborted: sum('aborted'), control: sum('control') }).toEqual({
        ok: true,
        verified: 45,
        aborted: 20_011,
        control: 11,
      });
    }
  });
});

describe('records', () => {
  test('keep key, headers and timestamp; a tombstone is a row of nulls', async () => {
    const topic = 'meta.events';
    await stack.topic.create(topic, 1);
    const at = Date.UTC(2026, 3, 1, 12);
    await producer.send({
      topic,
      messages: [
        {
          key: 'k1',
          value: JSON.stringify({ a: 1, b: 'x' }),
          timestamp: String(at),
          headers: { one: 'first', two: ['v1', 'v2'] },
        },
        { key: Buffer.from([0, 255]), value: JSON.stringify({ a: 2 }), timestamp: String(at + 1) },
        { key: 'k1', value: null, timestamp: String(at + 2), headers: { why: 'deleted' } },
        { key: null, value: JSON.stringify({ a: 3, b: null }), timestamp: String(at + 3) },
      ],
    });
    for (const metadataColumns of ['struct', 'flat'] as const) {
      const table = `meta.events_${metadataColumns}`;
      await files
        .run(
          files.write(`meta-${metadataColumns}`, [{ topic, table, metadataColumns }], group(`meta-${metadataColumns}`)),
          '--until-caught-up',
        )
        .ends();
      const rows = await lake.rows(table);
      const own = rows.map(({ a, b, ...rest }) => ({
        a,
        b,
        kafka:
          metadataColumns === 'struct'
            ? (rest['_kafka'] as KafkaColumn)
            : (Object.fromEntries(
                Object.entries(rest).map(([name, value]) => [name.replace('_kafka_', ''), value]),
              ) as unknown as KafkaColumn),
      }));
      own.sort((x, y) => x.kafka.offset - y.kafka.offset);
      const hex = (text: string): string => Buffer.from(text).toString('hex');
      expect(own.map(({ a, b }) => [a, b])).toEqual([
        [1, 'x'],
        [2, null],
        [null, null],
        [3, null],
      ]);
      expect(own.map(({ kafka: { topic: name, partition, offset } }) => [name, partition, offset])).toEqual(
        [0, 1, 2, 3].map((offset) => [topic, 0, offset]),
      );
      expect(own.map(({ kafka: { key } }) => key)).toEqual([hex('k1'), '00ff', hex('k1'), null]);
      expect(own.map(({ kafka: { timestamp } }) => timestamp)).toEqual([
        '2026-04-01T12:00:00.000000Z',
        '2026-04-01T12:00:00.001000Z',
        '2026-04-01T12:00:00.002000Z',
        '2026-04-01T12:00:00.003000Z',
      ]);
      expect(own.map(({ kafka: { headers } }) => headers)).toEqual([
        [
          { key: 'one', value: hex('first') },
          { key: 'two', value: hex('v1') },
          { key: 'two', value: hex('v2') },
        ],
        [],
        [{ key: 'why', value: hex('deleted') }],
        [],
      ]);
    }
  });
});

describe('while the service runs', () => {
  test('topics of a pattern and partitions that appear become rows', async () => {
    await stack.load({ topic: 'found.a', n: 1000, partitions: 1, format: 'avro' });
    const rules = [
      { topicPattern: '^found\\.(.+)$', table: 'found.each_$1' },
      { topicPattern: '^found\\.(.+)$', table: 'found.all' },
    ];
    const service = files.run(files.write('found', rules, group('found')));
    const rowsOf = (table: string, rows: number) =>
      service.until(
        `${rows} rows in ${table}`,
        (status) => status.tables.find((found) => found.table === table)?.rows === rows,
      );
    await rowsOf('found.each_a', 1000);
    await stack.load({ topic: 'found.b', n: 1500, partitions: 2, format: 'avro' });
    await rowsOf('found.each_b', 1500);
    await rowsOf('found.all', 2500);
    await stack.topic.addPartitions('found.a', 3);
    await stack.load({ topic: 'found.a', n: 3000, start: 1000, partitions: 3, format: 'avro' });
    await rowsOf('found.each_a', 4000);
    await rowsOf('found.all', 5500);
    await service.kill('SIGTERM');
    await service.ends();
    const all = await readers.pyiceberg({ catalog, table: 'found.all', columns: ['id'] });
    expect(all.rows).toBe(5500);
    expect(
      all.kafka!.map(({ topic, partition, count, distinct, min }) => [topic, partition, count, distinct, min]),
    ).toEqual([
      ['found.a', 0, 2000, 2000, 0],
      ['found.a', 1, 1000, 1000, 0],
      ['found.a', 2, 1000, 1000, 0],
      ['found.b', 0, 750, 750, 0],
      ['found.b', 1, 750, 750, 0],
    ]);
  });

  test('a rolling restart of two instances loses nothing and doubles nothing', async () => {
    const loaded = { topic: 'rolling.orders', partitions: 4, n: 60_000 };
    await stack.topic.create(loaded.topic, loaded.partitions);
    const config = files.write('rolling', [{ topic: loaded.topic }], group('rolling'));
    let first = files.run(config);
    let second = files.run(config);
    const loading = stack.load({ ...loaded, format: 'avro', rate: 3000 });
    const reads = (process: typeof first) =>
      process.until('partitions of its own', ({ tables }) => tables.some(({ partitions }) => partitions.length > 0));
    await Promise.all([reads(first), reads(second)]);
    await first.until('a commit', ({ tables }) => tables.some(({ rows }) => rows > 0));
    first.child.kill('SIGTERM');
    await first.ends();
    first = files.run(config);
    await reads(first);
    second.child.kill('SIGTERM');
    await second.ends();
    second = files.run(config);
    await reads(second);
    await loading;
    await files.run(config, '--until-caught-up').ends();
    for (const process of [first, second]) process.child.kill('SIGTERM');
    await Promise.all([first.ends(), second.ends()]);
    expectEveryRecordOnce(
      await readers.duckdb({ catalog, table: loaded.topic, columns: ['id', 'quantity', 'amount', 'active'] }),
      await sums({ n: loaded.n, format: 'avro' }),
      loaded,
    );
    expect((await files.json<Verified>('verify', config, '--deep')).ok).toBe(true);
  });
});
