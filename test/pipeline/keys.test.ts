import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { describe, expect, test } from 'vitest';
import { kafkaFields } from '../../src/columns/metadata-columns.ts';
import type { FormatOptions } from '../../src/config/config.ts';
import type { BoundSchema } from '../../src/decode/decoder.ts';
import type { FromWorker, Layout, SchemaAnswer } from '../../src/pipeline/messages.ts';
import { WorkerCore } from '../../src/pipeline/worker-core.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import { keyColumn } from '../../src/schema/evolve-key.ts';
import type { NestedField, Schema, StructType } from '../../src/schema/types.ts';
import { formatOf, records as recordsOf, settle, table } from './worker-lab.ts';

type Said<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>;

const string: StructType = {
  type: 'struct',
  fields: [{ id: 0, name: 'value', required: false, type: 'string' }],
};

/** A table `a long` with keys of one format, in a worker without a thread. */
class Lab {
  readonly said: FromWorker[] = [];
  readonly core: WorkerCore = new WorkerCore(64 << 20, (message) => this.said.push(message));
  readonly layout: Layout;

  constructor(key: FormatOptions['format'] | null, keyStruct: StructType | null, numbers: 'auto' | 'double' = 'auto') {
    this.core.handle(table({ numbers, key: key && formatOf(key) }));
    this.core.handle({ type: 'lane', table: 7, lane: 1, topic: 't', partition: 0, start: 0, generation: 0 });
    const fields: NestedField[] = [
      { id: 0, name: 'a', required: false, type: 'long' },
      ...(keyStruct ? [keyColumn(keyStruct)] : []),
      ...kafkaFields('struct'),
    ];
    const { struct } = assignIds({ type: 'struct', fields }, 1);
    this.layout = { schema: { ...struct, 'schema-id': 0 }, specId: 0, partition: [], fullMetrics: [] };
  }

  all<T extends FromWorker['type']>(type: T): Said<T>[] {
    return this.said.filter((message) => message.type === type) as Said<T>[];
  }

  get keyFields(): StructType {
    return this.layout.schema.fields.find(({ name }) => name === '_key')!.type as StructType;
  }

  async send(records: readonly (readonly [key: string | Uint8Array | null, value: string | null])[]): Promise<void> {
    const list = records.map(([key, value], i) => ({
      timestamp: 1000 + i,
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    }));
    this.core.handle(recordsOf(1, 0, list));
    await settle();
  }

  async tell(schemas: readonly SchemaAnswer[], layout: Layout = this.layout, answered?: string): Promise<void> {
    this.core.handle({ type: 'layout', table: 7, layout, schemas, ...(answered ? { answered } : {}) });
    await settle();
  }

  value(): SchemaAnswer {
    const fields = this.layout.schema.fields.filter(({ name }) => name === 'a');
    return { part: 'value', key: -1, bound: bound('json', { type: 'struct', fields }) };
  }

  /** Closes the files: rows as [a, _key], dead letters as [offset, code, reason]. */
  async cut(): Promise<{ rows: unknown[]; dead: unknown[]; range: unknown }> {
    this.core.handle({ type: 'cut', table: 7, cut: 1 });
    const rows = await Promise.all(
      this.all('file-end').map(({ file }) => {
        const parts = this.all('part').flatMap((part) => (part.file === file ? [part.bytes] : []));
        return parquetReadObjects({ file: new Uint8Array(Buffer.concat(parts)).buffer, compressors });
      }),
    );
    const [done] = this.all('cut-done');
    return {
      rows: rows.flat().map((row) => [row['a'] === null ? null : Number(row['a']), row['_key'] ?? null]),
      dead: done!.deadLetters.map(({ offset, code, reason }) => [offset, code, reason]),
      range: done!.ranges[0]!.accounted,
    };
  }
}

function bound(format: BoundSchema['format'], struct: StructType): BoundSchema {
  return { format, text: '', references: {}, struct };
}

const bad = new Uint8Array([0xff, 0xfe]);

describe('decoded keys', () => {
  test('stand beside their values; a null key is null; a key that cannot be decoded is a dead letter, its row is gone', async () => {
    const lab = new Lab('string', string);
    await lab.send([
      ['k0', '{"a":0}'],
      [null, '{"a":1}'],
      [bad, '{"a":2}'],
      ['k3', null],
      ['k4', 'not json'],
      ['k5', '{"a":5}'],
    ]);
    await lab.tell([{ part: 'key', key: -1, bound: bound('string', lab.keyFields) }]);
    await lab.tell([lab.value()]);
    const { rows, dead, range } = await lab.cut();
    expect(rows).toEqual([
      [0, { value: 'k0' }],
      [1, null],
      [null, { value: 'k3' }],
      [5, { value: 'k5' }],
    ]);
    expect(dead).toEqual([
      [2, 'DECODE_TEXT', 'key: value: the text is not valid UTF-8'],
      [4, 'DECODE_JSON', expect.not.stringContaining('key')],
    ]);
    expect(range).toMatchObject({ rows: 4, deadLetters: 2, absent: 0 });
  });

  test('that are all bad cost one value decoding each, not a batch of them', async () => {
    const lab = new Lab('string', string);
    const records = Array.from({ length: 6000 }, (_, i) => [i % 7 === 3 ? `k${i}` : bad, `{"a":${i}}`] as const);
    await lab.send(records);
    await lab.tell([{ part: 'key', key: -1, bound: bound('string', lab.keyFields) }]);
    await lab.tell([lab.value()]);
    const { rows, range } = await lab.cut();
    const good = records.flatMap(([key], i) => (typeof key === 'string' ? [[i, { value: key }]] : []));
    expect(rows).toEqual(good);
    expect(range).toMatchObject({ rows: good.length, deadLetters: 6000 - good.length });
  });

  test('of an unknown schema are dead letters, and those without a schema id; records with no key are rows', async () => {
    const lab = new Lab('avro', string);
    const id7 = new Uint8Array([0, 0, 0, 0, 7, 2, 0x78]);
    await lab.send([
      [id7, '{"a":0}'],
      [null, '{"a":1}'],
      [id7, '{"a":2}'],
      ['x', '{"a":3}'],
    ]);
    await lab.tell([lab.value()]);
    expect(lab.all('need-schema')).toMatchObject([{ part: 'key', key: 7, topic: 't' }]);
    await lab.tell([{ part: 'key', key: 7, refused: { code: 'REGISTRY_SCHEMA_MISSING', reason: 'no schema 7' } }]);
    const { rows, dead } = await lab.cut();
    expect(rows).toEqual([[1, null]]);
    expect(dead).toEqual([
      [0, 'REGISTRY_SCHEMA_MISSING', 'key: no schema 7'],
      [2, 'REGISTRY_SCHEMA_MISSING', 'key: no schema 7'],
      [3, 'DECODE_WIRE_FORMAT', 'key: it carries no schema id, neither before it nor in a header'],
    ]);
  });

  test('of Avro by their schema id', async () => {
    const text = '{"type":"record","name":"K","fields":[{"name":"id","type":"long"},{"name":"s","type":"string"}]}';
    const struct: StructType = {
      type: 'struct',
      fields: [
        { id: 0, name: 'id', required: false, type: 'long' },
        { id: 0, name: 's', required: false, type: 'string' },
      ],
    };
    const lab = new Lab('avro', struct);
    await lab.send([
      [new Uint8Array([0, 0, 0, 0, 7, 4, 2, 0x78]), '{"a":0}'],
      [new Uint8Array([0, 0, 0, 0, 7, 4, 9]), '{"a":1}'],
    ]);
    await lab.tell([{ part: 'key', key: 7, bound: { ...bound('avro', lab.keyFields), text } }]);
    await lab.tell([lab.value()]);
    const { rows, dead } = await lab.cut();
    expect(rows).toEqual([[0, { id: 2n, s: 'x' }]]);
    expect(dead).toEqual([[1, 'DECODE_AVRO', expect.stringMatching(/^key: s: /)]]);
  });

  test('of JSON Schema and of Protobuf by their schema id', async () => {
    const struct: StructType = { type: 'struct', fields: [{ id: 0, name: 'id', required: false, type: 'long' }] };
    const typed = new Lab('json-schema', struct);
    const prefix = (text: string): Uint8Array => Buffer.concat([new Uint8Array([0, 0, 0, 0, 7]), Buffer.from(text)]);
    await typed.send([
      [prefix('{"id":5}'), '{"a":0}'],
      [prefix('{"id":"x"}'), '{"a":1}'],
      [null, '{"a":2}'],
    ]);
    const text = '{"type":"object","properties":{"id":{"type":"integer"}}}';
    await typed.tell([{ part: 'key', key: 7, bound: { ...bound('json-schema', typed.keyFields), text } }]);
    await typed.tell([typed.value()]);
    const json = await typed.cut();
    expect(json.rows).toEqual([
      [0, { id: 5n }],
      [2, null],
    ]);
    expect(json.dead).toEqual([[1, expect.any(String), expect.stringMatching(/^key: id: /)]]);

    const proto = new Lab('protobuf', struct);
    await proto.send([[new Uint8Array([0, 0, 0, 0, 7, 0, 8, 5]), '{"a":0}']]);
    const schema = 'syntax = "proto3"; message K { int64 id = 1; }';
    const known = { ...bound('protobuf', proto.keyFields), text: schema, message: 'K' };
    for (const { key } of proto.all('need-schema')) {
      await proto.tell([{ part: 'key', key, indexed: true }]);
      const next = proto.all('need-schema').at(-1)!.key;
      await proto.tell([{ part: 'key', key: next, bound: known }]);
    }
    await proto.tell([proto.value()]);
    expect((await proto.cut()).rows).toEqual([[0, { id: 5n }]]);
  });

  test('of JSON without schema are inferred, and a new field of one is asked for', async () => {
    const lab = new Lab('json', {
      type: 'struct',
      fields: [{ id: 0, name: 'id', required: false, type: 'long' }],
    });
    await lab.send([
      ['{"id":1}', '{"a":0}'],
      ['{"id":2,"z":true}', '{"a":1}'],
    ]);
    expect(lab.all('sample')).toMatchObject([{ part: 'key', records: 2 }]);
    await lab.tell([{ part: 'key', key: -1, bound: bound('json', lab.keyFields) }]);
    await lab.tell([lab.value()]);
    const [asked] = lab.all('need-fields');
    expect(asked).toMatchObject({ part: 'key', fields: { fields: [{ name: 'z', type: 'boolean' }] } });
    const { schema } = lab.layout;
    const grown: Schema = {
      ...schema,
      'schema-id': 1,
      fields: schema.fields.map((field) =>
        field.name !== '_key'
          ? field
          : {
              ...field,
              type: {
                type: 'struct',
                fields: [...lab.keyFields.fields, { id: 99, name: 'z', required: false, type: 'boolean' }],
              },
            },
      ),
    };
    const struct = grown.fields.find(({ name }) => name === '_key')!.type as StructType;
    await lab.tell(
      [{ part: 'key', key: -1, bound: bound('json', struct) }],
      { ...lab.layout, schema: grown },
      asked!.question,
    );
    const { rows } = await lab.cut();
    expect(rows).toEqual([
      [0, { id: 1n }],
      [1, { id: 2n, z: true }],
    ]);
  });

  test('a table with `_key` whose rule decodes no keys (any more) gets nulls', async () => {
    const lab = new Lab(null, string);
    await lab.send([['k0', '{"a":0}']]);
    await lab.tell([lab.value()]);
    expect((await lab.cut()).rows).toEqual([[0, null]]);
  });

  test('without any field make no column', async () => {
    const lab = new Lab('json', null);
    await lab.send([
      ['{}', '{"a":0}'],
      [null, '{"a":1}'],
      ['null', '{"a":2}'],
    ]);
    await lab.tell([{ part: 'key', key: -1, bound: bound('json', { type: 'struct', fields: [] }) }]);
    await lab.tell([lab.value()]);
    expect((await lab.cut()).rows).toEqual([0, 1, 2].map((a) => [a, null]));
  });

  test('whose column was dropped and stays so are left out', async () => {
    const lab = new Lab('json', null);
    await lab.send([
      ['{"id":1}', '{"a":0}'],
      ['{"id":2}', '{"a":1}'],
    ]);
    const ignored = { ...bound('json', { type: 'struct', fields: [] }), ignored: [''] };
    await lab.tell([{ part: 'key', key: -1, bound: ignored, ignored: 1 }]);
    await lab.tell([lab.value()]);
    expect(lab.all('need-fields')).toEqual([]);
    const { rows, dead } = await lab.cut();
    expect([rows, dead]).toEqual([
      [
        [0, null],
        [1, null],
      ],
      [],
    ]);
  });
});
