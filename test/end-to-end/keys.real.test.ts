import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import avsc from 'avsc';
import { describe, expect, test } from 'vitest';
import { agreeingRows } from './engines.ts';
import { registerAvro, withId } from './registry-client.ts';
import { quick, scene } from './scene.ts';

// Decoded keys, and every way to say which schema records have, through the service into tables that PyIceberg reads.

const { stack, files, catalog, lake, producer, url } = scene();
const settings = (groupId: string): ReturnType<typeof quick> => quick({ stack }, groupId);

function record(name: string, fields: Readonly<Record<string, unknown>>): avsc.Schema & object {
  return {
    type: 'record',
    name,
    namespace: 'shop',
    fields: Object.entries(fields).map(([field, type]) => ({ name: field, type })),
  } as unknown as avsc.Schema & object;
}

const encode = (schema: avsc.Schema, value: unknown): Buffer => avsc.Type.forSchema(schema).toBuffer(value);

describe('keys', () => {
  test('of Avro become the struct _key, which evolves; what is no key is a dead letter that names it', async () => {
    const topic = 'keys.avro';
    await stack.topic.create(topic, 1);
    const first = record('Id', { id: 'int' });
    const second = record('Id', { id: 'long', region: 'string' });
    const keys = [await registerAvro(url, `${topic}-key`, first), await registerAvro(url, 'keys.second-key', second)];
    const value = record('Item', { name: 'string', _key: 'string' });
    const valueId = await registerAvro(url, `${topic}-value`, value);
    const item = (name: string): Buffer => withId(valueId, encode(value, { name, _key: `own ${name}` }));
    await producer.send({
      topic,
      messages: [
        { key: withId(keys[0]!, encode(first, { id: 1 })), value: item('a') },
        { key: withId(keys[1]!, encode(second, { id: 2 ** 40, region: 'eu' })), value: item('b') },
        { key: null, value: item('c') },
        { key: withId(keys[0]!, encode(first, { id: 4 })), value: null },
        { key: 'no schema', value: item('e') },
        { key: withId(keys[1]!, Buffer.from([2, 200])), value: item('f') },
      ],
    });
    const config = files.write('keys-avro', [{ topic, key: 'avro', value: 'avro' }], settings('keys-avro'));
    await files.run(config, '--until-caught-up').ends();
    expect(await lake.rows(topic, { columns: ['name', '_key_2', '_key'] })).toEqual([
      { name: 'a', _key_2: 'own a', _key: { id: 1, region: null } },
      { name: 'b', _key_2: 'own b', _key: { id: 2 ** 40, region: 'eu' } },
      { name: 'c', _key_2: 'own c', _key: null },
      { name: null, _key_2: null, _key: { id: 4, region: null } },
    ]);
    expect(await agreeingRows(catalog, topic, ['name', '_key'])).toBe(4);
    expect((await lake.schema(topic)).columns['_key']).toMatch(/id: optional long, .*region: optional string/);
    const dead = await lake.rows(`${topic}_dead_letters`);
    expect(dead.map((row) => [row['offset'], row['code'] ?? row['error_code'], row['reason']])).toEqual([
      [4, 'DECODE_WIRE_FORMAT', 'key: it carries no schema id, neither before it nor in a header'],
      [5, 'DECODE_AVRO', expect.stringMatching(/^key: region: /)],
    ]);
    const verified = await files.json<{ ok: boolean }>('verify', config, '--deep');
    expect(verified.ok).toBe(true);
  });

  test('of text and of JSON, whose fields are inferred', async () => {
    await stack.topic.create('keys.text', 1);
    await stack.topic.create('keys.json', 1);
    await producer.send({
      topic: 'keys.text',
      messages: [
        { key: 'größe', value: '{"n":1}' },
        { key: '', value: '{"n":2}' },
      ],
    });
    await producer.send({
      topic: 'keys.json',
      messages: [
        { key: '{"id":1}', value: '{"n":1}' },
        { key: '{"id":2.5,"of":{"x":true}}', value: '{"n":2}' },
        { key: null, value: '{"n":3}' },
      ],
    });
    const tables = [
      { topic: 'keys.text', key: 'string' },
      { topic: 'keys.json', key: { format: 'json' } },
    ];
    await files.run(files.write('keys-plain', tables, settings('keys-plain')), '--until-caught-up').ends();
    expect(await lake.rows('keys.text', { columns: ['n', '_key'] })).toEqual([
      { n: 1, _key: { value: 'größe' } },
      { n: 2, _key: { value: '' } },
    ]);
    expect(await lake.rows('keys.json', { columns: ['n', '_key'] })).toEqual([
      { n: 1, _key: { id: 1, of: null } },
      { n: 2, _key: { id: 2.5, of: { x: true } } },
      { n: 3, _key: null },
    ]);
  });
});

describe('the schema of values', () => {
  test('by subject name strategy: the columns of every record of the topic are there before the first of it', async () => {
    const topic = 'strategy.mixed';
    await stack.topic.create(topic, 1);
    await stack.topic.create('strategy.record', 1);
    const [paid, sent] = [record('Paid', { amount: 'double' }), record('Sent', { carrier: 'string', amount: 'float' })];
    const id = await registerAvro(url, `${topic}-shop.Paid`, paid);
    await registerAvro(url, `${topic}-shop.Sent`, sent);
    await registerAvro(url, `${topic}-other-shop.Lost`, record('Lost', { lost: 'int' }));
    const noted = record('Noted', { note: 'string' });
    const notedId = await registerAvro(url, 'shop.Noted', noted);
    await producer.send({ topic, messages: [{ value: withId(id, encode(paid, { amount: 1.5 })) }] });
    await producer.send({
      topic: 'strategy.record',
      messages: [{ value: withId(notedId, encode(noted, { note: 'x' })) }],
    });
    const tables = [
      { topic, value: { format: 'avro', subjectNameStrategy: 'topic-record' } },
      { topic: 'strategy.record', value: { format: 'avro', subjectNameStrategy: 'record', message: 'shop.Noted' } },
    ];
    const config = files.write('strategies', tables, settings('strategies'));
    await files.run(config, '--until-caught-up').ends();
    const { columns } = await lake.schema(topic);
    expect(Object.keys(columns).filter((name) => !name.startsWith('_'))).toEqual(['amount', 'carrier']);
    expect(await lake.rows(topic, { columns: ['amount', 'carrier'] })).toEqual([{ amount: 1.5, carrier: null }]);
    expect(await lake.rows('strategy.record', { columns: ['note'] })).toEqual([{ note: 'x' }]);
  });

  test('the newest version of the subject, without ids in the records; a newer one is noticed', async () => {
    const topic = 'schema.latest';
    await stack.topic.create(topic, 1);
    const first = record('Item', { id: 'long' });
    const second = record('Item', { id: 'long', note: 'string' });
    const value = { format: 'avro', schema: 'latest', refresh: '1s', subject: 'latest-items' };
    const service = files.run(files.write('latest', [{ topic, value }], settings('latest')));
    await producer.send({ topic, messages: [1, 2].map((id) => ({ value: encode(first, { id }) })) });
    // Nothing is registered yet: the records wait, and the service says for what.
    await service.says('no subject latest-items yet');
    await registerAvro(url, 'latest-items', first);
    await service.until('the first rows', ({ tables }) => tables[0]?.rows === 2);
    await registerAvro(url, 'latest-items', second);
    const seen = async (): Promise<boolean> => 'note' in (await lake.schema(topic)).columns;
    const deadline = performance.now() + 60_000;
    while (!(await seen())) if (performance.now() > deadline) throw new Error(service.log);
    await producer.send({ topic, messages: [{ value: encode(second, { id: 3, note: 'third' }) }] });
    await service.until('the third row', ({ tables }) => tables[0]!.rows === 3);
    service.child.kill('SIGTERM');
    await service.ends();
    expect(await lake.rows(topic, { columns: ['id', 'note'] })).toEqual([
      { id: 1, note: null },
      { id: 2, note: null },
      { id: 3, note: 'third' },
    ]);
  });

  test('a schema file with the files of the types that it names, and no registry at all', async () => {
    const topic = 'schema.file';
    await stack.topic.create(topic, 1);
    const customer = record('Customer', { id: 'long' });
    const order = record('Order', { by: 'shop.Customer', total: 'double' });
    writeFileSync(join(files.dir, 'order.avsc'), JSON.stringify(order));
    writeFileSync(join(files.dir, 'customer.avsc'), JSON.stringify(customer));
    const whole = record('Order', { by: customer, total: 'double' });
    await producer.send({ topic, messages: [{ value: encode(whole, { by: { id: 7 }, total: 2.5 }), key: 'k' }] });
    const value = { format: 'avro', schema: { file: ['order.avsc', 'customer.avsc'] } };
    const config = files.write('file', [{ topic, value }], { ...settings('file'), schemaRegistry: undefined });
    await files.run(config, '--until-caught-up').ends();
    expect(await lake.rows(topic, { columns: ['by', 'total'] })).toEqual([{ by: { id: 7 }, total: 2.5 }]);
  });
});
