import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { beforeAll, describe, expect, test } from 'vitest';
import { avroMatrix } from './matrix-avro.ts';
import { jsonSchemaMatrix } from './matrix-json-schema.ts';
import { protobufMatrix } from './matrix-protobuf.ts';
import { pairsOf } from './matrix.ts';
import type { MatrixFormat, MatrixType, Pair } from './matrix.ts';
import { registerAvro, withId } from './registry-client.ts';
import { readByAll, scene } from './scene.ts';
import type { Cells } from './scene.ts';

// Schemas that change while records come in, as PyIceberg, DuckDB and Spark read old and new files.

/** A format takes part by its entry: types, promotions, an encoder. */
const formats: readonly MatrixFormat[] = [avroMatrix, protobufMatrix, jsonSchemaMatrix];
/** `npm run test:nightly`: every pair of types; else every pair that a column can follow and a choice of the others. */
const all = process.env['TABLETOPIC_NIGHTLY'] === '1';

const { stack, files, catalog, lake, producer, url } = scene();

/** Rows in the order of their partitions and offsets, by every engine. */
const read = (table: string, columns: readonly string[]): ReturnType<typeof readByAll> =>
  readByAll(catalog, table, columns);

describe.each(formats)('every pair of types: $format', (format) => {
  const pairs = pairsOf(format, all);
  const topic = `evolution.matrix_${format.format}`;
  const newColumn = ({ column, to }: Pair): string => `${column}_${to.column}`;
  const shared = (type: MatrixType, other: MatrixType): unknown =>
    format.shared?.(type.name, other.name, type.cell) ?? type.cell;

  beforeAll(async () => {
    await stack.topic.create(topic, 1);
    const versions = (['from', 'to'] as const).map((side) => ({
      schema: format.schema(pairs.map((pair) => ({ name: pair.column, type: pair[side].schema(pair.column, side) }))),
      values: Object.fromEntries(pairs.map((pair) => [pair.column, pair[side].value])),
    }));
    const messages = [];
    for (const { schema, values } of versions)
      messages.push(withId(await format.register(url, `${topic}-value`, schema), format.encode(schema, values)));
    const [first, second] = messages as [Buffer, Buffer];
    // The first version comes late once more; all are in one batch.
    await producer.send({ topic, messages: [first, second, first, second].map((value) => ({ value })) });
    const config = files.write(`matrix-${format.format}`, [
      { topic, value: { format: format.format }, onIncompatible: 'new-column' },
      { topic, value: { format: format.format }, table: `${topic}_dead`, onIncompatible: 'dead-letter' },
    ]);
    // The newest registered version must not be what the table is made of: the old one comes first.
    await files.run(config, '--until-caught-up').ends();
  });

  test('a column follows, or a new one begins; old and new files are read right', async () => {
    const other = pairs.filter((pair) => !pair.promotable);
    expect(other.length).toBeGreaterThan(format.types.length / 2);
    const columns = [...pairs.map(({ column }) => column), ...other.map(newColumn)];
    const { columns: types } = await lake.schema(topic);
    expect(
      Object.keys(types)
        .filter((name) => name !== '_kafka')
        .sort(),
    ).toEqual([...columns].sort());
    const row = (side: 'from' | 'to'): Cells =>
      Object.fromEntries([
        ...pairs.map((pair) => {
          const cell = shared(pair[side], pair[side === 'from' ? 'to' : 'from']);
          return [pair.column, side === 'from' || pair.promotable ? cell : null] as const;
        }),
        ...other.map((pair) => [newColumn(pair), side === 'to' ? pair.to.cell : null] as const),
      ]);
    const expected = [row('from'), row('to'), row('from'), row('to')];
    for (const [engine, rows] of Object.entries(await read(topic, columns)))
      expect.soft(rows, engine).toEqual(expected);
  });

  test('under dead-letter a schema that does not fit changes nothing, and its records are kept whole', async () => {
    const table = `${topic}_dead`;
    const { columns: types } = await lake.schema(table);
    expect(Object.keys(types).length).toBe(pairs.length + 1);
    const dead = await lake.rows(`${table}_dead_letters`, { columns: ['offset', 'error_code'] });
    expect(dead.sort((a, b) => Number(a['offset']) - Number(b['offset']))).toEqual(
      [1, 3].map((offset) => ({ offset, error_code: 'SCHEMA_INCOMPATIBLE' })),
    );
  });
});

describe('the example chain of orders', () => {
  const versions = ['v1', 'v2', 'v3'].map(
    (name) =>
      JSON.parse(
        readFileSync(new URL(`../../schemas/examples/evolution/orders/${name}.avsc`, import.meta.url), 'utf8'),
      ) as object,
  );
  const types = versions.map((schema) => avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: true }));
  const cents = (n: number): Buffer => Buffer.from([0, n >> 8, n & 255]);
  /** Order n as its version writes it, and as the table has it in the end. */
  const order = (n: number, version: number): { value: object; row: Cells } => {
    const [text, total] = [`user ${n}`, cents(n)];
    const placed = 1_760_000_000_000 + n;
    const at = `t${new Date(placed).toISOString().slice(0, -1)}000Z`;
    const row = {
      order_id: `i${n}`,
      customer_login: `s${text}`,
      quantity: version === 2 ? null : `i${n}`,
      quantity_string: version === 2 ? `s${n} boxes` : null,
      total: `d${(n / 100).toFixed(2)}`,
      address: [{ city: 'sBern', fax: 's1', country: null }, { city: 'sBern', fax: null, country: 'sCH' }, null][
        version
      ],
      tags: [['sa'], ['sa', null], null][version],
      placed_at: version === 0 ? null : at,
    };
    const value = [
      { order_id: n, customer: text, quantity: n, total, address: { city: 'Bern', fax: '1' }, tags: ['a'] },
      {
        order_id: n,
        customer: text,
        quantity: n,
        total,
        address: { city: 'Bern', country: { string: 'CH' } },
        tags: [{ string: 'a' }, null],
        placed_at: { long: placed },
      },
      { order_id: n, customer_login: text, quantity: `${n} boxes`, total, placed_at: { long: placed } },
    ][version]!;
    return { value, row };
  };
  const register = async (topic: string, version: number): Promise<number> =>
    registerAvro(url, `${topic}-value`, versions[version]!);
  const message = (ids: readonly number[], n: number, version: number) => ({
    partition: n % 4,
    value: withId(ids[version]!, types[version]!.toBuffer(order(n, version).value)),
  });

  /** Two instances that share four partitions evenly. */
  const pair = async (config: string) => {
    const services = [files.run(config), files.run(config)];
    const sum = async (of: (status: Awaited<ReturnType<(typeof services)[0]['status']>>) => number): Promise<number> =>
      (await Promise.all(services.map((service) => service.status()))).map(of).reduce((a, b) => a + b, 0);
    const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
      const deadline = performance.now() + 120_000;
      while (!(await holds().catch(() => false))) {
        if (performance.now() > deadline) throw new Error(`not ${what}\n${services.map(({ log }) => log).join('\n')}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    };
    await until('each with two partitions', async () =>
      (await Promise.all(services.map((service) => service.status()))).every(
        ({ tables }) => tables[0]?.partitions.length === 2,
      ),
    );
    return { services, sum, until };
  };

  test('two instances change the table at the same time, versions in any order; every engine reads all of them', async () => {
    const topic = 'evolution.orders';
    await stack.topic.create(topic, 4);
    const config = files.write('evolution-orders', [{ topic, onIncompatible: 'new-column' }], {
      kafka: { brokers: stack.kafka.brokers, groupId: 'evolution-orders', instanceId: 'none' },
      defaults: { commitInterval: '500ms' },
    });
    const ids = [await register(topic, 0)];
    const { services, sum, until } = await pair(config);
    ids.push(await register(topic, 1), await register(topic, 2));
    const versionOf = (n: number): number => (n < 4 ? 0 : (n + (n >> 2)) % 3);
    await producer.send({ topic, messages: [0, 1, 2, 3].map((n) => message(ids, n, 0)) });
    await until('the first rows', async () => (await sum(({ tables }) => tables[0]!.rows)) === 4);
    // Now all three versions come to all partitions at once.
    const count = 1200;
    await producer.send({
      topic,
      messages: [...Array(count).keys()].slice(4).map((n) => message(ids, n, versionOf(n))),
    });
    await until('all rows', async () => (await sum(({ tables }) => tables[0]!.rows)) === count);
    for (const service of services) service.child.kill('SIGTERM');
    for (const service of services) await service.ends();

    const row = order(0, 0).row;
    const expected = [...Array(count).keys()]
      .sort((a, b) => (a % 4) - (b % 4) || a - b)
      .map((n) => order(n, versionOf(n)).row);
    for (const [engine, rows] of Object.entries(await read(topic, Object.keys(row))))
      expect(rows, engine).toEqual(expected);
    const { columns } = await lake.schema(topic);
    expect(columns).toMatchObject({ quantity: 'long', total: 'decimal(18, 2)', quantity_string: 'string' });
    expect(Object.keys(columns)).not.toContain('customer');
    expect((await files.json<{ ok: boolean }>('verify', config, '--deep')).ok).toBe(true);
  });

  test('manual: the partition waits and says so, others go on; approve lets it through, exactly what was shown', async () => {
    const [topic, quiet] = ['evolution.manual', 'evolution.quiet'];
    for (const name of [topic, quiet]) await stack.topic.create(name, 4);
    const ids = [await register(topic, 0)];
    const config = files.write('evolution-manual', [{ topic, schemaChanges: 'manual' }, { topic: quiet }], {
      kafka: { brokers: stack.kafka.brokers, groupId: 'evolution-manual' },
      defaults: { commitInterval: '500ms', inferTime: '500ms' },
    });
    const send = (of: readonly (readonly [n: number, version: number])[]) =>
      producer.send({ topic, messages: of.map(([n, version]) => message(ids, n, version)) });
    await send([
      [0, 0],
      [1, 0],
    ]);
    const service = files.run(config);
    await service.until('the first rows', ({ tables }) => tables.some(({ rows }) => rows === 2));

    // `check` says it before any record has it.
    ids.push(await register(topic, 1));
    const { json: checked } = await files.result(3, 'check', config);
    const preview = (checked as { tables: { table: string; changes: { change: string; outcome: string }[] }[] }).tables;
    const changes = preview.find(({ table }) => table === topic)!.changes;
    expect(changes.map(({ change }) => change)).toContain('widen quantity from int to long');
    expect(changes.every(({ outcome }) => outcome.startsWith('waits for approval'))).toBe(true);

    // Partition 0: old, new, old. Partition 1: old only.
    await send([
      [4, 0],
      [8, 1],
      [12, 0],
      [5, 0],
      [9, 0],
    ]);
    const status = await service.until('waiting, and all that need not wait in the table', ({ tables }) =>
      tables.some(({ waiting, rows }) => waiting.length === 1 && rows === 5),
    );
    const table = status.tables.find(({ table: name }) => name === topic)!;
    const [waiting] = table.waiting;
    expect(waiting).toMatchObject({ schema: `schema ${ids[1]}`, partitions: [`${topic}-0`] });
    expect(table.partitions.map(({ lag }) => lag)).toEqual([2, 0, 0, 0]);
    expect(status.ready).toBe(false);
    expect(status.reasons.join(' ')).toContain('widen quantity from int to long');
    expect((await service.get('/readyz')).status).toBe(503);
    expect((await service.get('/metrics')).text).toContain(`tabletopic_schema_changes_waiting{table="${topic}"} 1`);
    expect(service.log).toContain(waiting!.command);
    // Another table goes on.
    await producer.send({ topic: quiet, messages: [{ value: '{"id":1}' }] });
    await service.until('the other table', ({ tables }) =>
      tables.some(({ table: name, rows }) => name === quiet && rows === 1),
    );
    // One that only catches up ends, and says that a person is needed.
    const { tables: reported } = await files.json<{ tables: { table: string; waiting: { id: string }[] }[] }>(
      'status',
      config,
    );
    expect(reported.find(({ table: name }) => name === topic)!.waiting.map(({ id }) => id)).toEqual([waiting!.id]);
    service.child.kill('SIGTERM');
    await service.ends();
    const batch = files.run(config, '--until-caught-up');
    await batch.ends(3);
    expect(batch.log).toContain(waiting!.command);

    const again = files.run(config);
    await again.until('waiting again', ({ tables }) => tables.some(({ waiting: found }) => found.length === 1));
    await files.json('approve', config, '--table', topic, '--change', waiting!.id);
    await again.until('all rows', ({ tables }) => tables.some(({ table: name, rows }) => name === topic && rows === 2));
    const after = await again.until('ready', ({ ready }) => ready);
    expect(after.tables.every(({ waiting: found }) => found.length === 0)).toBe(true);
    again.child.kill('SIGTERM');
    await again.ends();
    const rows = await lake.rows(topic, { columns: ['order_id', 'quantity', 'placed_at'] });
    expect(rows.map((found) => [found['order_id'], found['quantity'], found['placed_at'] !== null])).toEqual(
      [0, 4, 8, 12, 1, 5, 9].map((n) => [n, n, n === 8]),
    );
    expect((await files.json<{ ok: boolean }>('verify', config, '--deep')).ok).toBe(true);
  });

  test('ignore: a column that somebody dropped stays away, and what is left out is counted', async () => {
    const topic = 'evolution.dropped';
    await stack.topic.create(topic, 4);
    const ids = [await register(topic, 0)];
    const config = files.write('evolution-dropped', [{ topic, onDropped: 'ignore' }], {
      kafka: { brokers: stack.kafka.brokers, groupId: 'evolution-dropped' },
      defaults: { commitInterval: '500ms' },
    });
    const service = files.run(config);
    await producer.send({ topic, messages: [0, 1, 2].map((n) => message(ids, n, 0)) });
    await service.until('the first rows', ({ tables }) => tables[0]?.rows === 3);
    service.child.kill('SIGTERM');
    await service.ends();
    await lake.ask(topic, { do: 'drop-columns', columns: ['quantity', 'address.fax'] });
    const again = files.run(config);
    await producer.send({ topic, messages: [4, 8].map((n) => message(ids, n, 0)) });
    await again.until('the later rows', ({ tables }) => tables[0]?.rows === 2);
    expect((await again.get('/metrics')).text).toContain(`tabletopic_dropped_column_values_total{table="${topic}"} 4`);
    again.child.kill('SIGTERM');
    await again.ends();
    const rows = await lake.rows(topic, { columns: ['order_id', 'customer', 'address'] });
    expect(rows).toEqual(
      [0, 4, 8, 1, 2].map((n) => ({ order_id: n, customer: `user ${n}`, address: { city: 'Bern' } })),
    );
    expect(Object.keys((await lake.schema(topic)).columns)).not.toContain('quantity');
  });

  test('recreate: a column dropped beside two instances is there again, and none leaves out its values', async () => {
    const topic = 'evolution.recreated';
    await stack.topic.create(topic, 4);
    const config = files.write('evolution-recreated', [{ topic, onDropped: 'recreate' }], {
      kafka: { brokers: stack.kafka.brokers, groupId: 'evolution-recreated', instanceId: 'none' },
      defaults: { commitInterval: '500ms' },
    });
    const ids = [await register(topic, 0), await register(topic, 1)];
    const { services, sum, until } = await pair(config);
    const send = (of: readonly number[], version: number) =>
      producer.send({ topic, messages: of.map((n) => message(ids, n, version)) });
    const rows = (): Promise<number> => sum(({ tables }) => tables[0]!.rows);
    await send([0, 1, 2, 3], 0);
    await until('the first rows', async () => (await rows()) === 4);
    await lake.ask(topic, { do: 'drop-columns', columns: ['quantity'] });
    // The owner of partition 0 finds out, and adds the column anew.
    await send([4], 0);
    await until('the row after the drop', async () => (await rows()) === 5);
    // The others know schema 0 from before the drop, and get the new columns with the answer about schema 1.
    await send([5, 6, 7], 1);
    await send([9, 10, 11], 0);
    await until('all rows', async () => (await rows()) === 11);
    for (const service of services) service.child.kill('SIGTERM');
    for (const service of services) await service.ends();
    const found = await lake.rows(topic, { columns: ['order_id', 'quantity'] });
    expect(found).toEqual(
      [0, 4, 1, 5, 9, 2, 6, 10, 3, 7, 11].map((n) => ({ order_id: n, quantity: n < 4 ? null : n })),
    );
    expect((await files.json<{ ok: boolean }>('verify', config, '--deep')).ok).toBe(true);
  });
});
