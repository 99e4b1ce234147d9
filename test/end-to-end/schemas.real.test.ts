import avsc from 'avsc';
import type { Message } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { values } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import { registerAvro, withId } from './registry-client.ts';
import { quick, scene } from './scene.ts';

// Schemas as producers register them, and JSON without any, as columns that PyIceberg reads.

const { stack, files, catalog, lake, producer, url } = scene();
const settings = (groupId: string): ReturnType<typeof quick> => quick({ stack }, groupId);

describe('Avro', () => {
  const first = {
    type: 'record',
    name: 'Item',
    namespace: 'shop',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'name', type: 'string' },
    ],
  };

  test('with the schema id in a header', async () => {
    const topic = 'schema.header';
    await stack.topic.create(topic, 1);
    const id = await registerAvro(url, `${topic}-value`, first);
    const type = avsc.Type.forSchema(first as avsc.Schema);
    const header = withId(id, Buffer.alloc(0));
    await producer.send({
      topic,
      messages: [1, 2, 3].map((n) => ({
        value: type.toBuffer({ id: n, name: `name ${n}` }),
        headers: { trace: 'x', __value_schema_id: header },
      })),
    });
    await files.run(files.write('header', [{ topic }], settings('header')), '--until-caught-up').ends();
    expect(await lake.rows(topic, { columns: ['id', 'name'] })).toEqual(
      [1, 2, 3].map((n) => ({ id: n, name: `name ${n}` })),
    );
  });

  test('a column that the second version adds comes in while the service runs, both versions side by side', async () => {
    const topic = 'schema.versions';
    await stack.topic.create(topic, 2);
    const second = { ...first, fields: [...first.fields, { name: 'note', type: ['null', 'string'], default: null }] };
    const types = [first, second].map((schema) => avsc.Type.forSchema(schema as avsc.Schema));
    const ids = [await registerAvro(url, `${topic}-value`, first)];
    const message = (n: number, version: number): Message => ({
      partition: n % 2,
      value: withId(
        ids[version]!,
        types[version]!.toBuffer({ id: n, name: `name ${n}`, note: n % 4 < 2 ? null : `note ${n}` }),
      ),
    });
    const service = files.run(files.write('versions', [{ topic }], settings('versions')));
    await producer.send({ topic, messages: [...Array(10).keys()].map((n) => message(n, 0)) });
    await service.until('the first rows', ({ tables }) => tables[0]?.rows === 10);
    ids.push(await registerAvro(url, `${topic}-value`, second));
    // In each partition in turn: old, old, new, new …
    await producer.send({ topic, messages: [...Array(4000).keys()].map((n) => message(n + 10, (n >> 2) % 2)) });
    await service.until('all rows', ({ tables }) => tables[0]!.rows === 4010);
    service.child.kill('SIGTERM');
    await service.ends();
    expect((await lake.schema(topic)).columns).toMatchObject({ id: 'long', name: 'string', note: 'string' });
    const rows = (await lake.rows(topic, { columns: ['id', 'name', 'note'] })).sort(
      (a, b) => Number(a['id']) - Number(b['id']),
    );
    const note = (n: number): string | null =>
      n >= 10 && ((n - 10) >> 2) % 2 === 1 && n % 4 >= 2 ? `note ${n}` : null;
    expect(rows).toEqual([...Array(4010).keys()].map((n) => ({ id: n, name: `name ${n}`, note: note(n) })));
  });

  test('every type, and a record of another subject, are read equal', async () => {
    const topic = 'schema.types';
    await stack.topic.create(topic, 1);
    const address = {
      type: 'record',
      name: 'Address',
      namespace: 'shop',
      fields: [
        { name: 'street', type: 'string' },
        { name: 'zip', type: ['null', 'int'], default: null },
      ],
    };
    const fields = [
      { name: 'flag', type: 'boolean' },
      { name: 'small', type: 'int' },
      { name: 'large', type: 'long' },
      { name: 'single', type: 'float' },
      { name: 'double', type: 'double' },
      { name: 'raw', type: 'bytes' },
      { name: 'text', type: 'string' },
      { name: 'four', type: { type: 'fixed', name: 'Four', size: 4 } },
      { name: 'color', type: { type: 'enum', name: 'Color', symbols: ['RED', 'GREEN'] } },
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 10, scale: 2 } },
      { name: 'day', type: { type: 'int', logicalType: 'date' } },
      { name: 'at_ms', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'at_us', type: { type: 'long', logicalType: 'timestamp-micros' } },
      { name: 'local', type: { type: 'long', logicalType: 'local-timestamp-micros' } },
      { name: 'time', type: { type: 'int', logicalType: 'time-millis' } },
      { name: 'key', type: { type: 'string', logicalType: 'uuid' } },
      { name: 'list', type: { type: 'array', items: ['null', 'string'] } },
      { name: 'map', type: { type: 'map', values: 'long' } },
      { name: 'either', type: ['null', 'string', 'long'] },
      { name: 'ship', type: 'shop.Address' },
      { name: 'bill', type: ['null', 'shop.Address'], default: null },
      { name: 'past', type: { type: 'array', items: 'shop.Address' } },
    ];
    const schema = { type: 'record', name: 'Order', namespace: 'shop', fields };
    await registerAvro(url, `${topic}-address`, address);
    const id = await registerAvro(url, `${topic}-value`, schema, [
      { name: 'shop.Address', subject: `${topic}-address`, version: 1 },
    ]);
    const inline = {
      ...schema,
      fields: fields.map((field) => (field.name === 'ship' ? { ...field, type: address } : field)),
    };
    const type = avsc.Type.forSchema(inline as unknown as avsc.Schema, { wrapUnions: true });
    const full = {
      flag: true,
      small: -2_147_483_648,
      large: 9_007_199_254_740_990,
      single: 1.5,
      double: -0.1,
      raw: Buffer.from([0, 255]),
      text: 'zażółć 🦆',
      four: Buffer.from([1, 2, 3, 4]),
      color: 'GREEN',
      price: Buffer.from([0xff, 0x38]),
      day: -1,
      at_ms: 1_760_000_000_123,
      at_us: 1_760_000_000_123_456,
      local: -1,
      time: 3_723_004,
      key: '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa',
      list: [{ string: 'a' }, null, { string: '' }],
      map: { one: 1, two: -2 },
      either: { long: 7 },
      ship: { street: 'A 1', zip: { int: 8000 } },
      bill: { 'shop.Address': { street: 'B 2', zip: null } },
      past: [
        { street: 'C 3', zip: null },
        { street: 'D 4', zip: { int: 1 } },
      ],
    };
    const bare = {
      ...full,
      flag: false,
      price: Buffer.from([1]),
      list: [],
      map: {},
      either: { string: 'x' },
      bill: null,
      past: [],
    };
    await producer.send({
      topic,
      messages: [full, bare, { ...bare, either: null }].map((value) => ({ value: withId(id, type.toBuffer(value)) })),
    });
    await files.run(files.write('types', [{ topic }], settings('types')), '--until-caught-up').ends();
    const expected = {
      flag: true,
      small: -2_147_483_648,
      large: 9_007_199_254_740_990,
      single: 1.5,
      double: -0.1,
      raw: '00ff',
      text: 'zażółć 🦆',
      four: '01020304',
      color: 'GREEN',
      price: '-2.00',
      day: '1969-12-31',
      at_ms: '2025-10-09T08:53:20.123000Z',
      at_us: '2025-10-09T08:53:20.123456Z',
      local: '1969-12-31T23:59:59.999999',
      time: '01:02:03.004000',
      key: '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa',
      list: ['a', null, ''],
      map: [
        ['one', 1],
        ['two', -2],
      ],
      either: { string: null, long: 7 },
      ship: { street: 'A 1', zip: 8000 },
      bill: { street: 'B 2', zip: null },
      past: [
        { street: 'C 3', zip: null },
        { street: 'D 4', zip: 1 },
      ],
    };
    const expectedBare = {
      ...expected,
      flag: false,
      price: '0.01',
      list: [],
      map: [],
      either: { string: 'x', long: null },
      bill: null,
      past: [],
    };
    expect(await lake.rows(topic, { columns: fields.map(({ name }) => name) })).toEqual([
      expected,
      expectedBare,
      { ...expectedBare, either: null },
    ]);
  });
});

describe('JSON without schema', () => {
  test('columns are inferred, and a field that comes later becomes one', async () => {
    const topic = 'schema.json';
    await stack.topic.create(topic, 2);
    const send = (rows: readonly object[]) =>
      producer.send({ topic, messages: rows.map((row, i) => ({ partition: i % 2, value: JSON.stringify(row) })) });
    const service = files.run(files.write('json', [{ topic }], settings('json')));
    await send([
      { id: 1, price: 1, geo: { lat: 1.5 }, tags: ['a', 'b'] },
      { id: 2, price: 2.5, ok: true, none: null, empty: {} },
    ]);
    await service.until('the first rows', ({ tables }) => tables[0]?.rows === 2);
    await send([
      { id: 3, price: 3, geo: { lat: 2, city: 'Bern' }, later: 'x' },
      { id: 4, price: 4, none: 'now', items: [[1, 2], [3]] },
    ]);
    await service.until('the later rows', ({ tables }) => tables[0]!.rows === 4);
    service.child.kill('SIGTERM');
    await service.ends();
    const columns = ['id', 'price', 'ok', 'tags', 'geo', 'later', 'none', 'items'];
    const rows = (await lake.rows(topic, { columns })).sort((a, b) => Number(a['id']) - Number(b['id']));
    const nothing = Object.fromEntries(columns.map((column) => [column, null]));
    expect(rows).toEqual([
      { ...nothing, id: 1, price: 1, geo: { lat: 1.5, city: null }, tags: ['a', 'b'] },
      { ...nothing, id: 2, price: 2.5, ok: true },
      { ...nothing, id: 3, price: 3, geo: { lat: 2, city: 'Bern' }, later: 'x' },
      { ...nothing, id: 4, price: 4, none: 'now', items: [[1, 2], [3]] },
    ]);
    expect((await lake.schema(topic)).columns).toMatchObject({
      id: 'long',
      price: 'double',
      ok: 'boolean',
      tags: 'list<string>',
      later: 'string',
    });
  });
});

describe('partitions', () => {
  test('by day and bucket: engines leave out the files that a filter cannot match', async () => {
    const topic = 'schema.partitioned';
    const day = 8_640_000;
    for (const start of [0, day, 2 * day]) await stack.load({ topic, n: 1000, start, partitions: 2, format: 'avro' });
    await files
      .run(
        files.write(
          'partitioned',
          [{ topic, partitionBy: ['day(event_time)', 'bucket(4, user_id)'] }],
          settings('partitioned'),
        ),
        '--until-caught-up',
      )
      .ends();
    expect((await lake.schema(topic)).spec).toEqual(['event_time_day: day', 'user_id_bucket: bucket[4]']);
    const records = (await Promise.all([0, day, 2 * day].map((start) => values({ n: 1000, start })))).flat();
    const time = (i: number): string => String(records[i]!['event_time']);
    // The generator's records are 10 ms apart: each of the three parts lies on a day of its own, the next 24 hours later.
    const from = `${time(1000).slice(0, 10)}T00:00:00+00:00`;
    const to = `${time(2000).slice(0, 10)}T00:00:00+00:00`;
    const byDay = await lake.ask<{ files: number; of: number; rows: number }>(topic, {
      do: 'plan',
      filter: `event_time >= '${from}' and event_time < '${to}'`,
    });
    expect(byDay.rows).toBe(
      records.filter(
        (record) => String(record['event_time']) >= from.slice(0, 19) && String(record['event_time']) < to.slice(0, 19),
      ).length,
    );
    expect(byDay.files).toBeLessThanOrEqual(byDay.of / 3);
    const user = String(records[17]!['user_id']);
    const byUser = await lake.ask<{ files: number; of: number; rows: number }>(topic, {
      do: 'plan',
      filter: `user_id = '${user}'`,
    });
    expect(byUser.rows).toBe(records.filter((record) => record['user_id'] === user).length);
    expect(byUser.files).toBeLessThanOrEqual(byUser.of / 4);
    for (const engine of readers.engines) {
      const reading = await readers.read(engine, { catalog, table: topic, columns: ['id'] });
      expect([reading.rows, reading.columns['id']!.sum]).toEqual([
        3000,
        records.reduce((sum, record) => sum + Number(record['id']), 0),
      ]);
    }
  });
});
