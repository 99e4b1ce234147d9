import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { python } from '../real/readers.ts';
import { register, withId } from './registry-client.ts';
import { quick, scene } from './scene.ts';
import type { Cells } from './scene.ts';

// JSON as PyIceberg and DuckDB read it: by a JSON Schema of the registry, and without one.

const { stack, files, catalog, lake, producer, url } = scene();
const settings = (groupId: string): ReturnType<typeof quick> => quick({ stack }, groupId);
const MEGABYTES = 1 << 20;

/** Rows as test/readers/canonical.py writes values, by both engines, which must agree. */
async function rows(table: string, columns: readonly string[]): Promise<Cells[]> {
  const script = join(import.meta.dirname, '..', 'readers', 'rows.py');
  const query = { catalog, table, columns, engines: ['pyiceberg', 'duckdb'] };
  const found = JSON.parse(await python(script, JSON.stringify(query))) as Record<'pyiceberg' | 'duckdb', Cells[]>;
  expect(found.duckdb).toEqual(found.pyiceberg);
  return found.pyiceberg;
}

async function letters(table: string): Promise<[unknown, unknown][]> {
  const found = await lake.rows(`${table}_dead_letters`, { columns: ['offset', 'error_code'] });
  return found
    .map((row): [unknown, unknown] => [row['offset'], row['error_code']])
    .sort((a, b) => Number(a[0]) - Number(b[0]));
}

describe('by JSON Schema', () => {
  const address = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    definitions: {
      address: {
        type: 'object',
        properties: { zip: { type: 'integer' }, lines: { type: 'array', items: { type: ['string', 'null'] } } },
      },
    },
  };
  const customer = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    properties: { id: { type: 'string', format: 'uuid' }, home: { $ref: 'json.address.json#/definitions/address' } },
  };
  const order = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    required: ['most'],
    properties: {
      most: { type: 'integer' },
      least: { oneOf: [{ type: 'null' }, { type: 'integer' }] },
      real: { type: 'number' },
      day: { type: 'string', format: 'date' },
      at: { type: 'string', format: 'date-time' },
      text: { type: 'string' },
      list: { type: 'array', items: { type: ['integer', 'null'] } },
      map: { type: 'object', additionalProperties: { type: 'number' } },
      customer: { $ref: 'json.customer.json' },
      any: {},
      'a-hyphen': { type: 'string' },
      'a.dot': { type: 'string' },
      CamelCase: { type: 'string' },
      camelcase: { type: 'integer' },
      select: { type: 'boolean' },
      '🍕 pizza': { type: 'string' },
    },
  };
  const topic = 'json.orders';
  const columns = [
    'most',
    'least',
    'real',
    'day',
    'at',
    'text',
    'list',
    'map',
    'customer',
    'any',
    'a-hyphen',
    'a.dot',
    'CamelCase',
    'camelcase_2',
    'select',
    '🍕 pizza',
  ];
  const nothing: Cells = Object.fromEntries(columns.map((column) => [column, null]));
  const long = 'x'.repeat(10 * MEGABYTES);
  const values: (string | Buffer)[] = [
    '{"most":9223372036854775807,"least":-9223372036854775808,"real":-0.0,"day":"1969-12-31","at":"1969-12-31T23:59:59.999999Z","text":"","list":[],"map":{},' +
      '"customer":{"id":"00112233-4455-6677-8899-AABBCCDDEEFF","home":{"zip":8001,"lines":["a",null,"é"]}},"any":{"x": [1, 2.50]},"a-hyphen":"h","a.dot":"d","CamelCase":"C","camelcase":7,"select":true,"🍕 pizza":"🍕"}',
    '{"most":1.0,"real":1e308,"day":"9999-12-31","at":"9999-12-31T23:59:59.999999Z","list":[1,null],"map":{"a":2.5,"b":null},"customer":{"home":{"lines":[]}},"any":"x"}',
    '{"most":2,"at":"2024-03-01T12:34:56.123456+05:30","customer":{},"least":null}',
    JSON.stringify({ most: 3, text: long }),
    // Dead letters: beyond 64 bits, beyond a double, no date, not UTF-8, not JSON.
    '{"most":9223372036854775808}',
    '{"real":1e400}',
    '{"day":"2023-02-29"}',
    Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xff]), Buffer.from('"}')]),
    '{"most":',
    '{"most":4,"new":{"a":1},"customer":{"vip":true}}',
  ];
  const expected: Cells[] = [
    {
      most: 'i9223372036854775807',
      least: 'i-9223372036854775808',
      real: 'f-0x0.0p+0',
      day: 'D1969-12-31',
      at: 't1969-12-31T23:59:59.999999Z',
      text: 's',
      list: [],
      map: { map: [] },
      customer: { id: 's00112233-4455-6677-8899-aabbccddeeff', home: { zip: 'i8001', lines: ['sa', null, 'sé'] } },
      any: 's{"x": [1, 2.50]}',
      'a-hyphen': 'sh',
      'a.dot': 'sd',
      CamelCase: 'sC',
      camelcase_2: 'i7',
      select: true,
      '🍕 pizza': 's🍕',
    },
    {
      ...nothing,
      most: 'i1',
      real: 'f0x1.1ccf385ebc8a0p+1023',
      day: 'D9999-12-31',
      at: 't9999-12-31T23:59:59.999999Z',
      list: ['i1', null],
      map: {
        map: [
          ['sa', 'f0x1.4000000000000p+1'],
          ['sb', null],
        ],
      },
      customer: { id: null, home: { zip: null, lines: [] } },
      any: 's"x"',
    },
    { ...nothing, most: 'i2', at: 't2024-03-01T07:04:56.123456Z', customer: { id: null, home: null } },
    // Text above 1,000 characters is its length and hash.
    { ...nothing, most: 'i3', text: expect.stringMatching(new RegExp(`^s${long.length}:`)) as unknown },
    { ...nothing, most: 'i4', customer: { id: null, home: null } },
  ];

  beforeAll(async () => {
    await stack.topic.create(topic, 1, { 'max.message.bytes': String(32 * MEGABYTES) });
    await register(url, 'json.address', address, [], 'JSON');
    await register(
      url,
      'json.customer',
      customer,
      [{ name: 'json.address.json', subject: 'json.address', version: 1 }],
      'JSON',
    );
    const id = await register(
      url,
      `${topic}-value`,
      order,
      [{ name: 'json.customer.json', subject: 'json.customer', version: 1 }],
      'JSON',
    );
    for (const value of values) await producer.send({ topic, messages: [{ value: withId(id, Buffer.from(value)) }] });
    const config = files.write('json-orders', [
      { topic, value: 'json-schema' },
      // What is not said is found out from the registry.
      { topic, table: `${topic}_auto` },
    ]);
    await files.run(config, '--until-caught-up').ends();
  });

  test.each([topic, `${topic}_auto`])('every edge is read equal from %s', async (table) => {
    // An inner `_extra` came with the last record: of the others it is null.
    const found = (await rows(table, columns)).map((row) => {
      const inner = row['customer'] as Cells | null;
      return inner ? { ...row, customer: { id: inner['id'], home: inner['home'] } } : row;
    });
    expect(found).toEqual(expected);
  });

  test('what the schema does not name is kept in `_extra` of its object', async () => {
    const found = (await rows(topic, ['customer', '_extra'])).map(({ customer: inner, _extra }) => [
      _extra,
      (inner as Cells | null)?.['_extra'] ?? null,
    ]);
    expect(found).toEqual([...Array.from({ length: 4 }, () => [null, null]), ['s{"new":{"a":1}}', 's{"vip":true}']]);
  });

  test('what no column can hold is a dead letter, and nothing else is', async () => {
    expect(await letters(topic)).toEqual([
      [4, 'VALUE_OUT_OF_RANGE'],
      [5, 'VALUE_OUT_OF_RANGE'],
      [6, 'DECODE_JSON'],
      [7, 'DECODE_JSON'],
      [8, 'DECODE_JSON'],
    ]);
  });

  test('1,000 columns', async () => {
    const wide = 'json.wide';
    const names = [...Array(1000).keys()].map((i) => `column ${i}`);
    await stack.topic.create(wide, 1);
    const schema = { type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'integer' }])) };
    const id = await register(url, `${wide}-value`, schema, [], 'JSON');
    const row = Object.fromEntries(names.map((name, i) => [name, i]));
    await producer.send({ topic: wide, messages: [{ value: withId(id, Buffer.from(JSON.stringify(row))) }] });
    await files.run(files.write('json-wide', [{ topic: wide }]), '--until-caught-up').ends();
    expect(await rows(wide, names)).toEqual([Object.fromEntries(names.map((name, i) => [name, `i${i}`]))]);
  });

  test('versions side by side: a property added, a type widened, one that no column can follow', async () => {
    const changing = 'json.versions';
    await stack.topic.create(changing, 1);
    const version = (properties: object): Promise<number> =>
      register(url, `${changing}-value`, { type: 'object', properties }, [], 'JSON');
    const int = { type: 'integer', 'connect.type': 'int32' };
    const ids = [
      await version({ id: { type: 'integer' }, n: int, s: { type: 'string' } }),
      await version({
        id: { type: 'integer' },
        n: { type: 'integer' },
        s: { type: 'string' },
        more: { type: 'array', items: { type: 'string' } },
      }),
      await version({ id: { type: 'integer' }, n: { type: 'integer' }, s: { type: 'boolean' } }),
    ];
    const bodies = [
      '{"id":0,"n":1,"s":"a"}',
      '{"id":1,"n":5000000000,"more":["x"]}',
      '{"id":2,"s":true}',
      '{"id":3,"n":2,"s":"late"}',
    ];
    for (const [i, body] of bodies.entries())
      await producer.send({ topic: changing, messages: [{ value: withId(ids[i % 3]!, Buffer.from(body)) }] });
    await files.run(files.write('json-versions', [{ topic: changing }]), '--until-caught-up').ends();
    expect(await rows(changing, ['id', 'n', 's', 'more'])).toEqual([
      { id: 'i0', n: 'i1', s: 'sa', more: null },
      { id: 'i1', n: 'i5000000000', s: null, more: ['sx'] },
      { id: 'i3', n: 'i2', s: 'slate', more: null },
    ]);
    expect(await letters(changing)).toEqual([[2, 'SCHEMA_INCOMPATIBLE']]);
  });
});

describe('without schema', () => {
  test('declared columns, an object kept as text and one as a map', async () => {
    const topic = 'json.declared';
    await stack.topic.create(topic, 1);
    const bodies = [
      '{"id":1,"paid_at":"2024-03-01T12:34:56.123456Z","born":"1969-12-31","who":{"id":"00112233-4455-6677-8899-aabbccddeeff"},"attrs":{"a":[1, {}]},"labels":{"x":"1"}}',
      '{"id":2,"price":"12.30","labels":{},"attrs":5}',
      '{"id":3,"born":"yesterday"}',
      '{"id":4,"labels":{"y":1}}',
    ];
    await producer.send({ topic, messages: bodies.map((value) => ({ value })) });
    const rule = {
      topic,
      value: 'json',
      columns: { paid_at: 'timestamptz', born: 'date', 'who.id': 'uuid', price: 'decimal(10, 2)', never: 'binary' },
      jsonColumns: { attrs: 'json', labels: 'map' },
      partitionBy: ['day(paid_at)'],
    };
    await files.run(files.write('json-declared', [rule], settings('json-declared')), '--until-caught-up').ends();
    const columns = ['id', 'paid_at', 'born', 'who', 'price', 'never', 'attrs', 'labels'];
    const nothing = Object.fromEntries(columns.map((column) => [column, null]));
    expect(await rows(topic, columns)).toEqual([
      {
        ...nothing,
        id: 'i1',
        paid_at: 't2024-03-01T12:34:56.123456Z',
        born: 'D1969-12-31',
        who: { id: 's00112233-4455-6677-8899-aabbccddeeff' },
        attrs: 's{"a":[1, {}]}',
        labels: { map: [['sx', 's1']] },
      },
      { ...nothing, id: 'i2', price: 'd12.30', labels: { map: [] }, attrs: 's5' },
    ]);
    expect(await letters(topic)).toEqual([
      [2, 'DECODE_JSON'],
      [3, 'SCHEMA_INCOMPATIBLE'],
    ]);
    expect((await lake.schema(topic)).spec).toEqual(['paid_at_day: day']);
  });

  test('onIncompatible: new-column: values of another kind go beside their column, also after a restart', async () => {
    const topic = 'json.kinds';
    await stack.topic.create(topic, 1);
    const rule = { topic, value: 'json', onIncompatible: 'new-column' };
    const run = async (bodies: readonly string[]): Promise<void> => {
      await producer.send({ topic, messages: bodies.map((value) => ({ value })) });
      await files.run(files.write('json-kinds', [rule], settings('json-kinds')), '--until-caught-up').ends();
    };
    await run(['{"id":1,"o":{"a":1}}', '{"id":2,"o":{"a":2}}']);
    await run(['{"id":3}', '{"id":"four","id_string":"own"}', '{"id":5.5,"o":{"a":"x"}}']);
    await run(['{"id":"six","o":{"a":"y"}}', '{"id":18446744073709551616}', '{"id":8}']);
    const columns = ['id', 'id_string', 'id_string_2', 'id_double', 'o'];
    const nothing = Object.fromEntries(columns.map((column) => [column, null]));
    expect(await rows(topic, columns)).toEqual([
      { ...nothing, id: 'i1', o: { a: 'i1', a_string: null } },
      { ...nothing, id: 'i2', o: { a: 'i2', a_string: null } },
      { ...nothing, id: 'i3' },
      { ...nothing, id_string: 'sown', id_string_2: 'sfour' },
      { ...nothing, id_double: 'f0x1.6000000000000p+2', o: { a: null, a_string: 'sx' } },
      { ...nothing, id_string_2: 'ssix', o: { a: null, a_string: 'sy' } },
      { ...nothing, id: 'i8' },
    ]);
    expect(await letters(topic)).toEqual([[6, 'VALUE_OUT_OF_RANGE']]);
  });

  test('keys that are data do not explode the table: not with two instances, not after a restart', async () => {
    const topic = 'json.cap';
    await stack.topic.create(topic, 2);
    const rule = { topic, value: 'json', maxColumns: 20 };
    const send = (from: number, to: number): Promise<unknown> =>
      producer.send({
        topic,
        messages: [...Array(to - from).keys()].map((i) => {
          const n = from + i;
          return {
            partition: n % 2,
            value: JSON.stringify({ id: n, by: { [`user ${n}`]: n }, [`key ${n}`]: `value ${n}` }),
          };
        }),
      });
    // Few in the first sample, so that there is room to grow.
    await send(0, 4);
    const instances = [1, 2].map((n) => files.run(files.write(`json-cap-${n}`, [rule], settings('json-cap'))));
    // Each counts the rows that it has committed itself.
    const committed = async (): Promise<number> =>
      (await Promise.all(instances.map((instance) => instance.status()))).reduce(
        (sum, { tables }) => sum + (tables[0]?.rows ?? 0),
        0,
      );
    await expect.poll(committed, { timeout: 60_000 }).toBe(4);
    await send(4, 60);
    await expect.poll(committed, { timeout: 60_000 }).toBe(60);
    for (const instance of instances) instance.child.kill('SIGTERM');
    for (const instance of instances) await instance.ends();
    await send(60, 80);
    await files.run(files.write('json-cap-3', [rule], settings('json-cap')), '--until-caught-up').ends();
    const { columns } = await lake.schema(topic);
    const names = Object.keys(columns).filter((name) => name !== '_kafka');
    const found = await rows(topic, names);
    const leaves =
      names.filter((name) => name !== '_extra' && name !== 'by').length +
      [...columns['by']!.matchAll(/user \d+/g)].length;
    expect(leaves).toBe(20);
    // Every value is somewhere: in a column of its own, or in `_extra`.
    const seen = found.map((row) => {
      const text = (cell: unknown): object => JSON.parse(typeof cell === 'string' ? cell.slice(1) : '{}') as object;
      const by = { ...(row['by'] as Cells | null) };
      const inside: Cells = { ...text(row['_extra']), ...text(by['_extra']), ...by, ...row };
      const n = Number(String(row['id']).slice(1));
      const nested = (inside['by'] as Cells | null)?.[`user ${n}`] ?? inside[`user ${n}`];
      return [n, String(nested).replace(/^i/, ''), String(inside[`key ${n}`]).replace(/^s(?=value)/, '')];
    });
    expect(seen.sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual(
      [...Array(80).keys()].map((n) => [n, String(n), `value ${n}`]),
    );
  });
});
