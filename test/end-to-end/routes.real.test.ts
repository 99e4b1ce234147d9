import type { Message } from 'kafkajs';
import { expect, test } from 'vitest';
import { registerAvro, withId } from './registry-client.ts';
import { quick, scene } from './scene.ts';

// One topic, several tables: each record is in one of them, and each table accounts for every offset of the topic.

const { stack, files, lake, producer } = scene();
const settings = (groupId: string): ReturnType<typeof quick> => quick({ stack }, groupId);

interface Verified {
  readonly ok: boolean;
  readonly tables: readonly {
    readonly table: string;
    readonly partitions: readonly { next: number; rows: number; deadLetters: number; elsewhere?: number }[];
  }[];
}

/** Rows, dead letters and records of other tables, by table; fails unless all is well. */
async function verified(config: string): Promise<Record<string, readonly number[]>> {
  const { ok, tables } = await files.json<Verified>('verify', config, '--deep');
  expect(ok).toBe(true);
  return Object.fromEntries(
    tables.map(({ table, partitions }) => {
      const sum = (of: (partition: (typeof partitions)[number]) => number): number =>
        partitions.reduce((total, partition) => total + of(partition), 0);
      return [table, [sum((p) => p.rows), sum((p) => p.deadLetters), sum((p) => p.elsewhere ?? 0), sum((p) => p.next)]];
    }),
  );
}

async function ids(table: string): Promise<number[]> {
  return (await lake.rows(table, { columns: ['id'] })).map((row) => Number(row['id'])).sort((a, b) => a - b);
}

test('by record name: two Avro records and a third that nobody takes until a rule does', async () => {
  const topic = 'routes.avro';
  await stack.topic.create(topic, 2);
  const schema = (name: string, field: string): object => ({
    type: 'record',
    name,
    namespace: 'shop',
    fields: [
      { name: 'id', type: 'long' },
      { name: field, type: 'long' },
    ],
  });
  const registered = await Promise.all(
    ['Order', 'Payment', 'Refund'].map((name) =>
      registerAvro(stack.registry.url, `${topic}-shop.${name}`, schema(name, name.toLowerCase())),
    ),
  );
  const messages = [...Array(60).keys()].map((n): Message & { partition: number } => ({
    partition: n % 2,
    value: withId(registered[n % 3]!, Buffer.from([n * 2, 2])),
  }));
  await producer.send({ topic, messages });
  const rules = [
    { topic, table: 'routes.orders', value: 'avro', route: { record: 'shop.Order' } },
    { topic, table: 'routes.payments', value: 'avro', route: { record: ['shop.Payment', 'shop.PaymentV2'] } },
  ];
  const config = files.write('routes-avro', rules, settings('routes-avro'));
  await files.run(config, '--until-caught-up').ends();
  expect(await verified(config)).toEqual({ 'routes.orders': [20, 20, 20, 60], 'routes.payments': [20, 0, 40, 60] });
  const of = (rest: number): number[] => [...Array(60).keys()].filter((n) => n % 3 === rest);
  expect(await ids('routes.orders')).toEqual(of(0));
  expect(await ids('routes.payments')).toEqual(of(1));
  // No table has a column of another's records.
  const columns = async (table: string): Promise<string[]> => Object.keys((await lake.rows(table))[0]!).sort();
  expect(await columns('routes.orders')).toEqual(['_kafka', 'id', 'order']);
  expect(await columns('routes.payments')).toEqual(['_kafka', 'id', 'payment']);
  const letters = await lake.rows('routes.orders_dead_letters');
  expect(new Set(letters.map((row) => row['error_code']))).toEqual(new Set(['ROUTE_NONE']));

  // The first table takes them from now on; those of before are replayed.
  const wider = files.write(
    'routes-wider',
    [{ ...rules[0]!, route: { record: ['shop.Order', 'shop.Refund'] } }, rules[1]!],
    settings('routes-avro'),
  );
  const { replayed } = await files.json<{ replayed: number }>('replay', wider, '--table', 'routes.orders');
  expect(replayed).toBe(20);
  expect(await verified(wider)).toEqual({ 'routes.orders': [40, 0, 20, 60], 'routes.payments': [20, 0, 40, 60] });
  expect(await ids('routes.orders')).toEqual([...of(0), ...of(2)].sort((a, b) => a - b));
});

test('by a field, a header and otherwise, of JSON without schema; one table takes the whole topic beside them', async () => {
  const topic = 'routes.json';
  await stack.topic.create(topic, 1);
  const messages = [...Array(40).keys()].map((id): Message => {
    if (id % 4 === 0) return { value: JSON.stringify({ id, event: { type: 'click' }, x: id }) };
    if (id % 4 === 1) return { value: JSON.stringify({ id, y: id }), headers: { type: 'view.full' } };
    return { value: JSON.stringify({ id, z: id }) };
  });
  await producer.send({ topic, messages });
  const config = files.write(
    'routes-json',
    [
      { topic, table: 'routes.clicks', value: 'json', route: { field: { path: 'event.type', equals: 'click' } } },
      { topic, table: 'routes.views', value: 'json', route: { header: { name: 'type', matches: '^view\\.' } } },
      { topic, table: 'routes.rest', value: 'json', route: 'otherwise' },
      { topic, table: 'routes.everything', value: 'json' },
    ],
    settings('routes-json'),
  );
  await files.run(config, '--until-caught-up').ends();
  expect(await verified(config)).toEqual({
    'routes.clicks': [10, 0, 30, 40],
    'routes.views': [10, 0, 30, 40],
    'routes.rest': [20, 0, 20, 40],
    'routes.everything': [40, 0, 0, 40],
  });
  expect(await ids('routes.clicks')).toEqual([...Array(10).keys()].map((n) => n * 4));
  const columns = async (table: string): Promise<string[]> => Object.keys((await lake.rows(table))[0]!).sort();
  expect(await columns('routes.views')).toEqual(['_kafka', 'id', 'y']);
  expect(await columns('routes.rest')).toEqual(['_kafka', 'id', 'z']);
});
