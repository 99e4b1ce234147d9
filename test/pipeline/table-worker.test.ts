import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { beforeEach, describe, expect, test } from 'vitest';
import { kafkaFields } from '../../src/columns/metadata-columns.ts';
import type { FromWorker, Layout } from '../../src/pipeline/messages.ts';
import { WorkerCore } from '../../src/pipeline/worker-core.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import { isServiceColumn } from '../../src/schema/names.ts';
import { siblingField } from '../../src/schema/sibling-column.ts';
import type { IcebergType, NestedField, Schema } from '../../src/schema/types.ts';
import { records, settle, table } from './worker-lab.ts';

// One worker without a thread: what it is told and what it says.

type Said<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>;

let said: FromWorker[];
let core: WorkerCore;

beforeEach(() => {
  said = [];
  core = new WorkerCore(64 << 20, (message) => said.push(message));
  core.handle(table());
  core.handle({ type: 'lane', table: 7, lane: 1, topic: 't', partition: 0, start: 0, generation: 0 });
});

function all<T extends FromWorker['type']>(type: T): Said<T>[] {
  return said.filter((message) => message.type === type) as Said<T>[];
}

function send(from: number, values: readonly (string | null)[], generation = 0): number {
  const list = values.map((value, i) => ({
    timestamp: 1000 + i,
    key: Buffer.from('k'),
    value: value === null ? null : Buffer.from(value),
    headers: [['h', Buffer.from([0xff])] as const],
  }));
  const message = records(1, from, list, generation);
  core.handle(message);
  return message.byteLength;
}

function layoutOf(columns: Readonly<Record<string, IcebergType>>, schemaId = 0): Layout {
  const fields = Object.entries(columns).map(([name, type]): NestedField => ({ id: 0, name, required: false, type }));
  const { struct } = assignIds({ type: 'struct', fields: [...fields, ...kafkaFields('struct')] }, 1);
  const schema: Schema = { ...struct, 'schema-id': schemaId };
  return { schema, specId: 0, partition: [], fullMetrics: [] };
}

function answer(layout: Layout): void {
  const struct = { type: 'struct' as const, fields: layout.schema.fields.filter(({ name }) => !isServiceColumn(name)) };
  const asked = all('need-fields').at(-1);
  core.handle({
    type: 'layout',
    table: 7,
    layout,
    ...(asked ? { answered: asked.question } : {}),
    schemas: [{ part: 'value', key: -1, bound: { format: 'json', text: '', references: {}, struct } }],
  });
}

/** Rows of all files that were ended. */
async function rows(): Promise<Record<string, unknown>[]> {
  const ended = all('file-end').map(({ file }) => file);
  const found = await Promise.all(
    ended.map((file) => {
      const bytes = new Uint8Array(
        Buffer.concat(all('part').flatMap((part) => (part.file === file ? [part.bytes] : []))),
      );
      return parquetReadObjects({ file: bytes.buffer, compressors });
    }),
  );
  return found.flat();
}

describe('a table in its worker', () => {
  test('fetched records are given back with their last row, not before', async () => {
    const message = records(1, 0, [{ timestamp: 1, key: null, value: Buffer.from('{"a":1}'), headers: [] }]);
    core.handle(message);
    await settle();
    expect([message.buffer.detached, all('released')]).toEqual([false, []]);
    answer(layoutOf({ a: 'long' }));
    await settle();
    expect([message.buffer.detached, all('released')]).toMatchObject([true, [{ bytes: message.byteLength }]]);
  });

  test('samples, waits for the layout, then writes rows and says where they come from', async () => {
    const bytes = send(0, ['{"a":1}', '{"a":2}', null]);
    await settle();
    expect(all('sample')).toMatchObject([{ records: 3 }]);
    expect(all('released')).toEqual([]);
    answer(layoutOf({ a: 'long' }));
    await settle();
    expect(all('released')).toEqual([{ type: 'released', bytes }]);
    expect(all('position')).toMatchObject([{ next: 3, records: 3, bytes, maxTimestamp: 1002 }]);

    core.handle({ type: 'cut', table: 7, cut: 1 });
    expect(all('cut-done')).toMatchObject([
      {
        cut: 1,
        schemaId: 0,
        deadLetters: [],
        ranges: [{ topic: 't', partition: 0, start: 0, end: 3, accounted: { rows: 3, deadLetters: 0, absent: 0 } }],
      },
    ]);
    expect((await rows()).map((row) => [row['a'], (row['_kafka'] as { offset: bigint }).offset])).toEqual([
      [1n, 0n],
      [2n, 1n],
      [null, 2n],
    ]);
  });

  test('onIncompatible: stop holds for JSON too: a value that does not fit its column stops the table, what is no JSON does not', async () => {
    core.handle(table({ onIncompatible: 'stop' }));
    core.handle({ type: 'lane', table: 7, lane: 1, topic: 't', partition: 0, start: 0, generation: 0 });
    send(0, ['{"a":1}', 'not json', '{"a":"text"}']);
    await settle();
    answer(layoutOf({ a: 'long' }));
    await settle();
    expect(all('failed')).toMatchObject([{ code: 'SCHEMA_INCOMPATIBLE', where: { offset: 2 } }]);
  });

  test('a record that is no row is a dead letter, whole; those around it are rows', async () => {
    send(0, ['{"a":1}', 'not json', '{"a":3}']);
    await settle();
    answer(layoutOf({ a: 'long' }));
    await settle();
    core.handle({ type: 'cut', table: 7, cut: 1 });
    const [done] = all('cut-done');
    expect(done!.ranges[0]!.accounted).toEqual({ rows: 2, deadLetters: 1, aborted: 0, control: 0, absent: 0 });
    expect(done!.deadLetters).toMatchObject([
      {
        topic: 't',
        partition: 0,
        offset: 1,
        timestamp: 1001,
        code: 'DECODE_JSON',
        value: new TextEncoder().encode('not json'),
        key: new TextEncoder().encode('k'),
        headers: [{ key: 'h', value: Uint8Array.of(0xff) }],
      },
    ]);
    expect((await rows()).map((row) => row['a'])).toEqual([1n, 3n]);
  });

  test('a new field is asked for before its row is written; a cut in between holds what came before', async () => {
    send(0, ['{"a":1}', '{"a":2,"b":"x"}']);
    await settle();
    const before = layoutOf({ a: 'long' });
    answer(before);
    await settle();
    expect(all('need-fields')).toMatchObject([{ key: -1, fields: { fields: [{ name: 'b', type: 'string' }] } }]);
    core.handle({ type: 'cut', table: 7, cut: 1 });
    expect(all('cut-done')[0]!.ranges).toMatchObject([{ start: 0, end: 1 }]);

    const { schema } = before;
    const after: Schema = {
      ...schema,
      'schema-id': 1,
      fields: [...schema.fields, { id: 99, name: 'b', required: false, type: 'string' }],
    };
    answer({ ...before, schema: after });
    await settle();
    core.handle({ type: 'cut', table: 7, cut: 2 });
    expect(all('cut-done')[1]).toMatchObject({ schemaId: 1, ranges: [{ start: 1, end: 2, accounted: { rows: 1 } }] });
    expect((await rows()).map((row) => [row['a'], row['b']])).toEqual([
      [1n, undefined],
      [2n, 'x'],
    ]);
  });

  test('a field that is still unknown after the answer makes a dead letter, not a loop', async () => {
    send(0, ['{"a":1}', '{"a":2,"b":"x"}']);
    await settle();
    const layout = layoutOf({ a: 'long' });
    answer(layout);
    await settle();
    answer(layout);
    await settle();
    expect(all('need-fields')).toHaveLength(1);
    core.handle({ type: 'cut', table: 7, cut: 1 });
    expect(all('cut-done')[0]).toMatchObject({ deadLetters: [{ offset: 1 }], ranges: [{ start: 0, end: 2 }] });
  });

  test('onIncompatible: new-column: a record asks again for as long as answers add columns, then it is a row', async () => {
    core.handle(table({ onIncompatible: 'new-column' }));
    core.handle({ type: 'lane', table: 7, lane: 1, topic: 't', partition: 0, start: 0, generation: 0 });
    send(0, ['{"o":{"a":1}}', '{"o":"x","n":1}', '{"o":true}']);
    await settle();
    const struct: IcebergType = { type: 'struct', fields: [{ id: 50, name: 'a', required: false, type: 'long' }] };
    const layout = (id: number, ...more: NestedField[]): Layout => {
      const { schema, ...rest } = layoutOf({ o: struct });
      return { ...rest, schema: { ...schema, 'schema-id': id, fields: [...schema.fields, ...more] } };
    };
    const n: NestedField = { id: 98, name: 'n', required: false, type: 'long' };
    const o: NestedField = { ...siblingField('o', 'string'), id: 99 };
    answer(layout(0));
    await settle();
    // Somebody else's change: half of what was asked for.
    answer(layout(1, n));
    await settle();
    answer(layout(2, n, o));
    await settle();
    // No column of a boolean comes, and the record does not ask for ever.
    answer(layout(2, n, o));
    await settle();
    expect(all('need-fields').map(({ fields }) => fields.fields.map(({ name, type }) => [name, type]))).toEqual([
      [
        ['o', 'string'],
        ['n', 'long'],
      ],
      [['o', 'string']],
      [['o', 'boolean']],
    ]);
    core.handle({ type: 'cut', table: 7, cut: 1 });
    expect(all('cut-done')[0]).toMatchObject({ deadLetters: [{ offset: 2 }], ranges: [{ start: 0, end: 3 }] });
    expect((await rows()).map((row) => [row['o'], row['n'], row['o_string']])).toEqual([
      [{ a: 1n }, undefined, undefined],
      [undefined, 1n, 'x'],
    ]);
  });

  test('a reset drops what is open, and records of the former generation', async () => {
    send(0, ['{"a":1}']);
    await settle();
    answer(layoutOf({ a: 'long' }));
    await settle();
    core.handle({ type: 'reset', table: 7, reset: 1, lanes: [{ lane: 1, start: 0, generation: 1 }] });
    const late = send(1, ['{"a":2}'], 0);
    send(0, ['{"a":1}', '{"a":2}'], 1);
    await settle();
    // Others may have changed the table: what comes after a reset is written as it is now.
    expect(all('position')).toHaveLength(1);
    answer(layoutOf({ a: 'long' }));
    await settle();
    core.handle({ type: 'cut', table: 7, cut: 1 });
    expect(all('released').map(({ bytes }) => bytes)).toContain(late);
    expect(all('cut-done')[0]!.ranges).toMatchObject([{ start: 0, end: 2, accounted: { rows: 2 } }]);
    expect((await rows()).map((row) => row['a'])).toEqual([1n, 2n]);
  });

  test('a reset drops what files and dead letters already hold: read again, each record is there once', async () => {
    const values = Array.from({ length: 5000 }, (_, n) => (n === 17 ? 'not json' : `{"a":${n}}`));
    send(0, values);
    await settle();
    answer(layoutOf({ a: 'long' }));
    await settle();
    const before = all('file').map(({ file }) => file);
    expect(before, 'rows beyond a batch are in a file').toHaveLength(1);
    core.handle({ type: 'reset', table: 7, reset: 1, lanes: [{ lane: 1, start: 0, generation: 1 }] });
    expect(all('file-abort').map(({ file }) => file)).toEqual(before);
    send(0, values, 1);
    await settle();
    answer(layoutOf({ a: 'long' }));
    await settle();
    core.handle({ type: 'cut', table: 7, cut: 1 });
    expect(all('file-end').map(({ file }) => file)).not.toContain(before[0]);
    expect(all('cut-done')[0]).toMatchObject({ ranges: [{ start: 0, end: 5000 }], deadLetters: [{ offset: 17 }] });
    expect(all('cut-done')[0]!.deadLetters).toHaveLength(1);
    const kept = (await rows()).map((row) => Number(row['a']));
    expect(kept).toEqual(values.flatMap((_, n) => (n === 17 ? [] : n)));
  });

  test('a damaged batch stops the table and says where', async () => {
    const message = records(1, 5, [{ timestamp: 1, key: null, value: Buffer.from('{}') }]);
    new Uint8Array(message.buffer, message.byteOffset, message.byteLength)[message.byteLength - 1]! ^= 0xff;
    core.handle(message);
    await settle();
    expect(all('failed')).toMatchObject([{ code: 'KAFKA_CORRUPT_BATCH', where: { topic: 't', partition: 0 } }]);
  });

  test('encoding waits while the store is behind', async () => {
    answer(layoutOf({ a: 'string' }));
    const text = (n: number): string => `{"a":"${String(n).padStart(6, '0').repeat(66_000)}"}`;
    for (let i = 0; i < 60; i++) send(i * 2, [text(i * 2), text(i * 2 + 1)]);
    for (let i = 0; i < 20; i++) await settle();
    const sent = (): number => all('part').reduce((sum, part) => sum + part.bytes.byteLength, 0);
    const read = (): number => all('position').at(-1)?.next ?? 0;
    expect(sent()).toBeGreaterThanOrEqual(32 << 20);
    expect(read()).toBeLessThan(120);
    core.handle({ type: 'uploaded', bytes: sent() });
    for (let i = 0; i < 20; i++) await settle();
    expect(read()).toBe(120);
  });
});
