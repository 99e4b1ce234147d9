import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reference } from '../real/formats.ts';
import { Lake } from './lake.ts';
import { register as registerSchema, withId } from './registry-client.ts';
import { comparable, readByAll, scene } from './scene.ts';
import type { Cells } from './scene.ts';

// Protobuf: what protoc-generated Python writes is what PyIceberg, DuckDB and Spark read.

/** What write_protobuf.py prints for each topic. */
interface Written {
  files: { name: string; text: string }[];
  columns: string[];
  json: string[];
  message: string;
  records: { index: string; bytes: string; row: Cells | null; code: string | null }[];
}

const { stack, files, catalog, producer, url } = scene();

const read = (table: string, columns: readonly string[]): ReturnType<typeof readByAll> =>
  readByAll(catalog, table, columns);

describe('every type', () => {
  let written: Record<string, Written>;
  const directory = mkdtempSync(join(tmpdir(), 'tabletopic-protobuf-'));
  const topicOf = (name: string): string => `protobuf.${name}`;

  async function register(subject: string, texts: Written['files']): Promise<number> {
    const [schema, ...imports] = texts;
    for (const { name, text } of imports) await registerSchema(url, name, text, [], 'PROTOBUF');
    const references = imports.map(({ name }) => ({ name, subject: name, version: 1 }));
    return registerSchema(url, subject, schema!.text, references, 'PROTOBUF');
  }

  afterAll(() => rmSync(directory, { recursive: true }));

  beforeAll(async () => {
    written = JSON.parse(await reference('write_protobuf.py')) as Record<string, Written>;
    for (const [name, { files: texts, records }] of Object.entries(written)) {
      const topic = topicOf(name);
      await stack.topic.create(topic, 1, { 'max.message.bytes': String(32 << 20) });
      // `two` has its schema in a file, and its records name none.
      const id = name === 'two' ? null : await register(`${topic}-value`, texts);
      for (const { index, bytes } of records) {
        const payload = Buffer.from(bytes, 'base64');
        const value = id === null ? payload : withId(id, Buffer.concat([Buffer.from(index, 'base64'), payload]));
        await producer.send({ topic, messages: [{ value }] });
      }
    }
    await producer.send({ topic: topicOf('two'), messages: [{ value: null }] });
    const file = join(directory, 'two.proto');
    writeFileSync(file, written['two']!.files[0]!.text);
    // `all` by what the registry says of the schema.
    const config = files.write('protobuf', [
      { topic: topicOf('all') },
      { topic: topicOf('inner'), value: { format: 'protobuf' } },
      { topic: topicOf('two'), value: { format: 'protobuf', schema: { file }, message: written['two']!.message } },
    ]);
    await files.run(config, '--until-caught-up').ends();
  });

  test.each(['all', 'inner', 'two'])('%s is read equal', async (name) => {
    const { columns, json, records } = written[name]!;
    const expected = records.flatMap(({ row }) => (row ? [comparable(row, json)] : []));
    if (name === 'two') expected.push(Object.fromEntries(columns.map((column) => [column, null])));
    for (const [engine, rows] of Object.entries(await read(topicOf(name), columns))) {
      const found = typeof rows === 'string' ? rows : rows.map((row) => comparable(row, json));
      expect(found, engine).toEqual(expected);
    }
  });

  test.each(['all', 'two'])('what is no such message in %s is a dead letter, and nothing else is', async (name) => {
    const expected = written[name]!.records.flatMap(({ code }, offset) =>
      code === null ? [] : [{ offset, error_code: code }],
    );
    const found = await new Lake(catalog).rows(`${topicOf(name)}_dead_letters`, { columns: ['offset', 'error_code'] });
    expect(found.sort((a, b) => Number(a['offset']) - Number(b['offset']))).toEqual(expected);
  });
});

test('versions of a schema that follow and cross each other: wider, added, renamed by number in the same column', async () => {
  const topic = 'protobuf.payments';
  await stack.topic.create(topic, 1);
  const register = (version: string): Promise<number> => {
    const path = new URL(`../../schemas/examples/evolution/payments/${version}.proto`, import.meta.url);
    return registerSchema(url, `${topic}-value`, readFileSync(path, 'utf8'), [], 'PROTOBUF');
  };
  const send = (id: number, ...payload: number[]): Promise<unknown> =>
    producer.send({ topic, messages: [{ value: withId(id, Uint8Array.from([0, ...payload])) }] });
  const text = (field: number, value: string): number[] => [field * 8 + 2, value.length, ...Buffer.from(value)];
  const refund = [...text(1, 'late'), 16, 9];
  const first = [...text(1, 'p'), 16, 5, ...text(4, 'ann'), 40, 1, 50, refund.length, ...refund];
  const [v1, v2] = [await register('v1'), await register('v2')];
  await send(v1, ...first);
  await send(v2, ...first, ...text(8, 'EUR'));
  await send(v1, ...first);
  const config = files.write('payments', [{ topic }]);
  await files.run(config, '--until-caught-up').ends();
  // Its number 4 is another type.
  await send(await register('v3'), ...text(1, 'q'));
  await send(v2, ...text(1, 'r'), 40, 2);
  await files.run(config, '--until-caught-up').ends();
  const columns = ['payment_id', 'amount_cents', 'fee', 'customer_login', 'method', 'refunds', 'currency'];
  const whole = {
    payment_id: 'sp',
    amount_cents: 'i5',
    fee: 'f0x0.0p+0',
    customer_login: 'sann',
    method: 'sCARD',
    refunds: [{ reason: 'slate', refunded_cents: 'i9', disputed: null as unknown }],
    currency: null as unknown,
  };
  const newer = { ...whole.refunds[0]!, disputed: false };
  const expected = [
    whole,
    { ...whole, refunds: [newer], currency: 'sEUR' },
    whole,
    { ...whole, payment_id: 'sr', amount_cents: 'i0', customer_login: 's', method: 'sTRANSFER', refunds: [] },
  ];
  for (const [engine, rows] of Object.entries(await read(topic, columns))) expect(rows, engine).toEqual(expected);
  const dead = await new Lake(catalog).rows(`${topic}_dead_letters`, { columns: ['offset', 'error_code'] });
  expect(dead).toEqual([{ offset: 3, error_code: 'SCHEMA_INCOMPATIBLE' }]);
});
