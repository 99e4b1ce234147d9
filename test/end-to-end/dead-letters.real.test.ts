import type { Message } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { registerAvro, withId } from './registry-client.ts';
import { quick, scene } from './scene.ts';

// A record that cannot become a row goes whole to the dead-letter table, and the topic goes on.

const { stack, files, lake, producer } = scene();
const settings = (groupId: string): ReturnType<typeof quick> => quick({ stack }, groupId);
const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('hex');

interface Letter {
  topic: string;
  partition: number;
  offset: number;
  timestamp: string;
  key: string | null;
  value: string | null;
  headers: { key: string; value: string | null }[];
  error_code: string;
  reason: string;
  schema_id: number | null;
}

async function letters(table: string): Promise<Letter[]> {
  const rows = (await lake.rows(`${table}_dead_letters`)) as unknown as Letter[];
  return rows.sort((a, b) => a.offset - b.offset);
}

/** Avro of {id: long, name: string}, written by hand. */
const avro = (id: number, name: string): Buffer => Buffer.from([id * 2, name.length * 2, ...Buffer.from(name)]);

describe('a bad record among good ones', () => {
  const at = Date.UTC(2026, 4, 2, 3, 4, 5, 678);

  test('of Avro: cut off, without schema id, with an unknown schema id', async () => {
    const topic = 'bad.avro';
    await stack.topic.create(topic, 1);
    const id = await registerAvro(stack.registry.url, `${topic}-value`, {
      type: 'record',
      name: 'Item',
      fields: [
        { name: 'id', type: 'long' },
        { name: 'name', type: 'string' },
      ],
    });
    const cut = withId(id, avro(2, 'two').subarray(0, 3));
    const unknown = withId(987_654, avro(3, 'three'));
    const plain = Buffer.from('{"id":4}');
    await producer.send({
      topic,
      messages: [
        { value: withId(id, avro(1, 'one')) },
        { key: 'k', value: cut, timestamp: String(at), headers: { trace: 'abc', none: Buffer.from([0, 1]) } },
        { value: unknown, timestamp: String(at) },
        { value: plain, timestamp: String(at) },
        { value: withId(id, avro(5, 'five')) },
      ],
    });
    const config = files.write('bad-avro', [{ topic, value: 'avro' }], settings('bad-avro'));
    await files.run(config, '--until-caught-up').ends();
    expect((await lake.rows(topic, { columns: ['id', 'name'] })).map((row) => [row['id'], row['name']])).toEqual([
      [1, 'one'],
      [5, 'five'],
    ]);
    const found = await letters(topic);
    expect(
      found.map(({ offset, partition, error_code, schema_id, value, timestamp }) => ({
        offset,
        partition,
        error_code,
        schema_id,
        value,
        timestamp,
      })),
    ).toEqual([
      {
        offset: 1,
        partition: 0,
        error_code: 'DECODE_AVRO',
        schema_id: id,
        value: hex(cut),
        timestamp: '2026-05-02T03:04:05.678000Z',
      },
      {
        offset: 2,
        partition: 0,
        error_code: 'REGISTRY_SCHEMA_MISSING',
        schema_id: 987_654,
        value: hex(unknown),
        timestamp: '2026-05-02T03:04:05.678000Z',
      },
      {
        offset: 3,
        partition: 0,
        error_code: 'DECODE_WIRE_FORMAT',
        schema_id: null,
        value: hex(plain),
        timestamp: '2026-05-02T03:04:05.678000Z',
      },
    ]);
    expect(found[0]).toMatchObject({
      topic,
      key: hex('k'),
      headers: [
        { key: 'trace', value: hex('abc') },
        { key: 'none', value: '0001' },
      ],
      reason: expect.stringMatching(/\w/) as unknown,
    });
    expect(found[1]).toMatchObject({ key: null, headers: [] });
    const { ok, tables } = await files.json<{
      ok: boolean;
      tables: { rows: number; partitions: { deadLetters: number }[] }[];
    }>('verify', config, '--deep');
    expect([ok, tables[0]!.rows, tables[0]!.partitions[0]!.deadLetters]).toEqual([true, 2, 3]);
    const status = await files.json<{ tables: { deadLetters: number }[] }>('status', config);
    expect(status.tables[0]!.deadLetters).toBe(3);
  });

  test('of JSON: not JSON, cut off, empty, with something after it', async () => {
    const topic = 'bad.json';
    await stack.topic.create(topic, 1);
    const bad = ['not json', '{"id":3,"na', '', '{"id":1} x'];
    const messages: Message[] = [
      { value: '{"id":1,"name":"one"}' },
      ...bad.map((value, i): Message => ({ key: `k${i}`, value, headers: { h: String(i) } })),
      { value: '{"id":7,"name":"seven"}' },
    ];
    await producer.send({ topic, messages });
    const config = files.write('bad-json', [{ topic, value: 'json' }], settings('bad-json'));
    await files.run(config, '--until-caught-up').ends();
    expect((await lake.rows(topic, { columns: ['id', 'name'] })).map((row) => [row['id'], row['name']])).toEqual([
      [1, 'one'],
      [7, 'seven'],
    ]);
    const found = await letters(topic);
    expect(
      found.map(({ offset, error_code, value, key, headers }) => ({ offset, error_code, value, key, headers })),
    ).toEqual(
      bad.map((value, i) => ({
        offset: i + 1,
        error_code: 'DECODE_JSON',
        value: hex(value),
        key: hex(`k${i}`),
        headers: [{ key: 'h', value: hex(String(i)) }],
      })),
    );
    expect((await files.json<{ ok: boolean }>('verify', config, '--deep')).ok).toBe(true);
  });

  test('of a type that the column does not take: the table keeps its type', async () => {
    const topic = 'bad.types';
    await stack.topic.create(topic, 1);
    await producer.send({ topic, messages: [{ value: '{"id":1}' }, { value: '{"id":2}' }] });
    const config = files.write('bad-types', [{ topic }], settings('bad-types'));
    await files.run(config, '--until-caught-up').ends();
    await producer.send({ topic, messages: [{ value: '{"id":"three"}' }, { value: '{"id":4}' }] });
    await files.run(config, '--until-caught-up').ends();
    expect((await lake.rows(topic, { columns: ['id'] })).map((row) => row['id'])).toEqual([1, 2, 4]);
    expect((await letters(topic)).map(({ offset, error_code, value }) => ({ offset, error_code, value }))).toEqual([
      { offset: 2, error_code: 'SCHEMA_INCOMPATIBLE', value: hex('{"id":"three"}') },
    ]);
  });
});

describe('onBadRecord: stop', () => {
  test('stops that table only, with exit code 3; mended, it goes on where it stood', async () => {
    const [bad, good] = ['stop.bad', 'stop.good'];
    for (const topic of [bad, good]) await stack.topic.create(topic, 1);
    const messages = [...Array(20).keys()].map((id): Message => ({ value: `{"id":${id}}` }));
    await producer.send({
      topic: bad,
      messages: [...messages.slice(0, 10), { value: 'poison' }, ...messages.slice(10)],
    });
    await producer.send({ topic: good, messages });
    const service = files.run(
      files.write('stop', [{ topic: bad, onBadRecord: 'stop' }, { topic: good }], settings('stop')),
      '--until-caught-up',
    );
    await service.ends(3);
    expect(service.log).toMatch(/"code":"DECODE_JSON".*the table stops/);
    expect(service.log).toMatch(/"offset":10/);
    expect((await lake.rows(good)).length).toBe(20);
    const mended = files.write('stop-mended', [{ topic: bad }], settings('stop-mended'));
    await files.run(mended, '--until-caught-up').ends();
    expect((await lake.rows(bad)).length).toBe(20);
    expect((await letters(bad)).map(({ offset }) => offset)).toEqual([10]);
    expect((await files.json<{ ok: boolean }>('verify', mended, '--deep')).ok).toBe(true);
  });
});
