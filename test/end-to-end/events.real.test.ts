import avsc from 'avsc';
import { describe, expect, test } from 'vitest';
import { agreeingRows } from './engines.ts';
import { registerAvro, withId } from './registry-client.ts';
import { quick, scene } from './scene.ts';

// Envelopes of others: Debezium and CloudEvents, through the service into tables that PyIceberg reads.

const { stack, files, catalog, lake, producer, url } = scene();
const settings = (groupId: string): ReturnType<typeof quick> => quick({ stack }, groupId);

const source = { connector: 'postgresql', lsn: 42 };

describe('Debezium', () => {
  /** As Debezium's connector and Confluent's AvroConverter register it. */
  function envelope(more: readonly object[]): object {
    const fields = [
      { name: 'id', type: 'int' },
      { name: 'day', type: { type: 'int', 'connect.name': 'io.debezium.time.Date' } },
      { name: 'at', type: { type: 'string', 'connect.name': 'io.debezium.time.ZonedTimestamp' } },
      ...more,
    ];
    const position = {
      type: 'record',
      name: 'Source',
      fields: [
        { name: 'connector', type: 'string' },
        { name: 'lsn', type: 'long' },
      ],
    };
    return {
      type: 'record',
      name: 'Envelope',
      namespace: 'shop.orders',
      fields: [
        { name: 'before', type: ['null', { type: 'record', name: 'Value', fields }], default: null },
        { name: 'after', type: ['null', 'Value'], default: null },
        { name: 'source', type: position },
        { name: 'op', type: 'string' },
        { name: 'ts_ms', type: ['null', 'long'], default: null },
      ],
    };
  }

  test('in Avro: rows with their operation, deletes, tombstones, a new column, and keys', async () => {
    const topic = 'debezium.avro';
    await stack.topic.create(topic, 1);
    const [first, second] = [envelope([]), envelope([{ name: 'note', type: ['null', 'string'], default: null }])];
    const ids = [await registerAvro(url, `${topic}-value`, first), await registerAvro(url, `${topic}-value`, second)];
    const types = [first, second].map((schema) => avsc.Type.forSchema(schema as avsc.Schema));
    const key = { type: 'record', name: 'Key', namespace: 'shop.orders', fields: [{ name: 'id', type: 'int' }] };
    const keyId = await registerAvro(url, `${topic}-key`, key);
    const keyed = (id: number): Buffer => withId(keyId, avsc.Type.forSchema(key as avsc.Schema).toBuffer({ id }));
    const event = (version: number, op: string, before: unknown, after: unknown): Buffer =>
      withId(ids[version]!, types[version]!.toBuffer({ before, after, source, op, ts_ms: 7 }));
    const row = { id: 1, day: 20_484, at: '2026-01-31T12:00:00.000001+02:00' };
    const messages = [
      { key: keyed(1), value: event(0, 'r', null, row) },
      { key: keyed(1), value: event(1, 'u', { ...row, note: null }, { ...row, note: 'x' }) },
      { key: keyed(1), value: event(1, 'd', { ...row, note: 'x' }, null) },
      { key: keyed(1), value: null },
    ];
    await producer.send({ topic, messages });
    const config = files.write('debezium', [{ topic, value: 'debezium', key: 'debezium' }], settings('debezium-avro'));
    await files.run(config, '--until-caught-up').ends();
    const [day, at] = ['2026-01-31', '2026-01-31T10:00:00.000001Z'];
    const change = (op: string): object => ({ source, op, ts_ms: 7 });
    expect(await lake.rows(topic, { columns: ['id', 'day', 'at', 'note', '_debezium', '_key'] })).toEqual([
      { id: 1, day, at, note: null, _debezium: change('r'), _key: { id: 1 } },
      { id: 1, day, at, note: 'x', _debezium: change('u'), _key: { id: 1 } },
      { id: 1, day, at, note: 'x', _debezium: change('d'), _key: { id: 1 } },
      { id: null, day: null, at: null, note: null, _debezium: null, _key: { id: 1 } },
    ]);
    expect(await agreeingRows(catalog, topic, ['id', 'day', 'at', '_debezium', '_key'])).toBe(4);
  });

  test('in JSON, with and without Connect’s wrapper', async () => {
    const topic = 'debezium.json';
    await stack.topic.create(topic, 1);
    const event = (op: string, before: unknown, after: unknown): object => ({ before, after, source, op, ts_ms: 7 });
    const values = [
      event('c', null, { id: 1, name: 'a' }),
      event('u', { id: 1, name: 'a' }, { id: 1, name: 'b' }),
      { schema: null, payload: event('d', { id: 1, name: 'b' }, null) },
    ];
    const messages = values.map((value) => ({ key: '{"id":1}', value: JSON.stringify(value) }));
    await producer.send({ topic, messages: [...messages, { key: '{"id":1}', value: 'not json' }] });
    const config = files.write('debezium-json', [{ topic, value: 'debezium' }], settings('debezium-json'));
    await files.run(config, '--until-caught-up').ends();
    const change = (op: string): object => ({ source, op, ts_ms: 7 });
    expect(await lake.rows(topic, { columns: ['id', 'name', '_debezium'] })).toEqual([
      { id: 1, name: 'a', _debezium: change('c') },
      { id: 1, name: 'b', _debezium: change('u') },
      { id: 1, name: 'b', _debezium: change('d') },
    ]);
    const [dead] = await lake.rows(`${topic}_dead_letters`, { columns: ['offset', 'value'] });
    expect(dead).toEqual({ offset: 3, value: Buffer.from('not json').toString('hex') });
  });
});

test('Debezium in JSON with Connect’s schema: the types are those of the schema', async () => {
  const topic = 'debezium.connect';
  await stack.topic.create(topic, 1);
  const field = (name: string, type: string, more: object = {}): object => ({
    type,
    optional: false,
    field: name,
    ...more,
  });
  const row = (name: string, more: readonly object[]): object =>
    field(name, 'struct', {
      optional: true,
      name: 'shop.public.orders.Value',
      fields: [field('id', 'int32'), field('day', 'int32', { name: 'io.debezium.time.Date', version: 1 }), ...more],
    });
  const schema = (more: readonly object[]): object => ({
    type: 'struct',
    optional: false,
    name: 'shop.public.orders.Envelope',
    fields: [row('before', more), row('after', more), field('op', 'string')],
  });
  const note = field('note', 'string', { optional: true });
  const events = [
    { schema: schema([]), payload: { before: null, after: { id: 1, day: -1 }, op: 'c' } },
    { schema: schema([note]), payload: { before: null, after: { id: 2, day: 0, note: 'x' }, op: 'c' } },
    { schema: schema([]), payload: { before: { id: 1, day: -1 }, after: null, op: 'd' } },
    { schema: { type: 'int128' }, payload: 1 },
    { schema: schema([]), payload: { before: null, after: { id: 'one', day: 0 }, op: 'c' } },
  ];
  await producer.send({ topic, messages: events.map((event) => ({ value: JSON.stringify(event) })) });
  const config = files.write('debezium-connect', [{ topic, value: 'debezium' }], settings('debezium-connect'));
  await files.run(config, '--until-caught-up').ends();
  expect(await lake.rows(topic, { columns: ['id', 'day', 'note', '_debezium'] })).toEqual([
    { id: 1, day: '1969-12-31', note: null, _debezium: { op: 'c' } },
    { id: 2, day: '1970-01-01', note: 'x', _debezium: { op: 'c' } },
    { id: 1, day: '1969-12-31', note: null, _debezium: { op: 'd' } },
  ]);
  const dead = await lake.rows(`${topic}_dead_letters`, { columns: ['offset', 'reason'] });
  expect(dead).toEqual([
    { offset: 3, reason: expect.stringContaining('no type of Kafka Connect') },
    { offset: 4, reason: 'after.id: is not int, as its schema says' },
  ]);
});

test('CloudEvents in both modes are rows of one table', async () => {
  const topic = 'cloud.events';
  await stack.topic.create(topic, 1);
  const attributes = { specversion: '1.0', type: 'shop.paid', source: '/shop', time: '2026-01-31T10:00:00Z' };
  const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce_${name}`, value]));
  await producer.send({
    topic,
    messages: [
      {
        headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' },
        value: JSON.stringify({ ...attributes, id: '1', data: { amount: 1.5 } }),
      },
      { headers: { ...headers, ce_id: '2', 'content-type': 'application/json' }, value: '{"amount":2}' },
      { headers: { ...headers, ce_id: '3' }, value: null },
    ],
  });
  const time = '2026-01-31T10:00:00.000000Z';
  const config = files.write('cloudevents', [{ topic, value: 'cloudevents' }], settings('cloudevents'));
  await files.run(config, '--until-caught-up').ends();
  expect(await lake.rows(topic, { columns: ['id', 'type', 'time', 'data', 'datacontenttype'] })).toEqual([
    { id: '1', type: 'shop.paid', time, data: { amount: 1.5 }, datacontenttype: null },
    { id: '2', type: 'shop.paid', time, data: { amount: 2 }, datacontenttype: 'application/json' },
    { id: '3', type: 'shop.paid', time, data: null, datacontenttype: null },
  ]);
});
