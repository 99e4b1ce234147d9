import type { Message } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { registerAvro, withId } from './registry-client.ts';
import { scene } from './scene.ts';

// A bad event, as the README tells it: a producer goes over to a schema that the table cannot take, the records are dead
// letters; the configuration is mended, and they are replayed while the service goes on and more come.

const { stack, files, lake, producer } = scene();

interface Replayed {
  readonly selected: number;
  readonly replayed: number;
  readonly failed: readonly { readonly code: string; readonly count: number }[];
  readonly snapshots: readonly string[];
}

interface Verified {
  readonly ok: boolean;
  readonly tables: readonly {
    readonly partitions: readonly { rows: number; deadLetters: number; replayed: number }[];
  }[];
}

const zigzag = (value: number): number[] =>
  value < 64 ? [value * 2] : [((value * 2) & 0x7f) | 0x80, (value * 2) >> 7];
const PARTITIONS = 2;

test('a bad event: dead letters are replayed beside a running service, none twice and none lost', async () => {
  const topic = 'replay.orders';
  await stack.topic.create(topic, PARTITIONS);
  const schema = (amount: string): object => ({
    type: 'record',
    name: 'Order',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'amount', type: amount },
    ],
  });
  const good = await registerAvro(stack.registry.url, `${topic}-value`, schema('int'));
  const bad = await registerAvro(stack.registry.url, `${topic}-by-mistake`, schema('string'));
  let produced = 0;
  /**
   * Every third one is of the schema that does not fit; every ninth one is cut off, and stays a dead letter. Both partitions begin
   * with the schema that fits: the first that comes makes the table.
   */
  const produce = async (count: number): Promise<void> => {
    const messages: (Message & { partition: number })[] = [];
    for (const end = produced + count; produced < end; produced++) {
      const text = `${produced} EUR`;
      const amount = produced % 3 === 2 ? [...zigzag(text.length), ...Buffer.from(text)] : zigzag(produced % 60);
      const body = Buffer.from([...zigzag(produced), ...amount]);
      const value = withId(produced % 3 === 2 ? bad : good, produced % 9 === 8 ? body.subarray(0, -1) : body);
      messages.push({ partition: produced % PARTITIONS, value, key: `k${produced}`, headers: { n: String(produced) } });
    }
    await producer.send({ topic, messages });
  };
  const settings = { defaults: { commitInterval: '1s' } };
  const kafka = { brokers: stack.kafka.brokers, groupId: 'replay' };
  const broken = files.write('replay-broken', [{ topic, value: 'avro' }], { ...settings, kafka });
  const mended = files.write('replay-mended', [{ topic, value: 'avro', onIncompatible: 'new-column' }], {
    ...settings,
    kafka,
  });

  await produce(90);
  const service = files.run(broken);
  await service.until('the first dead letters', ({ tables }) => tables[0]?.deadLetters === 30);
  const dry = await files.json<Replayed>('replay', mended, '--table', topic, '--dry-run');
  expect(dry).toMatchObject({ selected: 30, replayed: 20, snapshots: [] });

  // More of both kinds come all the while, and the service commits each second.
  const producing = new AbortController();
  const more = (async () => {
    for (let rounds = 0; rounds < 106 && !producing.signal.aborted; rounds++) {
      await produce(18);
      await sleep(100);
    }
  })();
  const one = await files.json<Replayed>('replay', mended, '--table', topic, '--offsets', '0:0-20');
  expect(one.replayed).toBeGreaterThan(0);
  // Two at once: together they take everything once.
  const [left, right] = await Promise.all([
    files.json<Replayed>('replay', mended, '--table', topic),
    files.json<Replayed>('replay', mended, '--table', topic, '--code', 'SCHEMA_INCOMPATIBLE'),
  ]);
  expect(one.replayed + left.replayed + right.replayed).toBeGreaterThanOrEqual(20);
  producing.abort();
  await more;
  await service.until('all of it', ({ tables }) => tables[0]!.rows + tables[0]!.deadLetters === produced, 90);
  expect(await service.kill('SIGTERM')).toBe(0);

  const last = await files.json<Replayed>('replay', mended, '--table', topic);
  expect(last.failed.map(({ code }) => code)).toEqual(['DECODE_AVRO']);
  const dead = Math.floor(produced / 9);
  expect(last.failed[0]!.count).toBe(dead);
  for (const level of [[], ['--deep']]) {
    const { ok, tables } = await files.json<Verified>('verify', mended, ...level);
    const sum = (of: 'rows' | 'deadLetters' | 'replayed'): number =>
      tables[0]!.partitions.reduce((total, partition) => total + partition[of], 0);
    expect({ ok, rows: sum('rows'), dead: sum('deadLetters'), replayed: sum('replayed') }).toEqual({
      ok: true,
      rows: produced - dead,
      dead,
      replayed: Math.floor(produced / 3) - dead,
    });
  }
  // What a reader that is not ours finds: each record once, in one of the two tables.
  const rows = await lake.rows(topic, { columns: ['id', 'amount', 'amount_string'] });
  const letters = await lake.rows(`${topic}_dead_letters`);
  const ids = rows.map((row) => Number(row['id'])).sort((a, b) => a - b);
  expect(ids).toEqual([...Array(produced).keys()].filter((id) => id % 9 !== 8));
  expect(
    rows.every((row) => (Number(row['id']) % 3 === 2) === (row['amount_string'] === `${Number(row['id'])} EUR`)),
  ).toBe(true);
  expect(letters.map((row) => Buffer.from(row['key'] as string, 'hex').toString()).sort()).toEqual(
    [...Array(dead).keys()].map((n) => `k${n * 9 + 8}`).sort(),
  );
});
