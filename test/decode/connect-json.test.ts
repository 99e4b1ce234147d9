import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { makeDecoder } from '../../src/decode/factory.ts';
import type { DecoderOptions } from '../../src/decode/factory.ts';
import { InlineSchemas } from '../../src/decode/inline-schema.ts';
import { connectToAvro } from '../../src/schema/connect-json.ts';
import { convertDebezium } from '../../src/schema/debezium.ts';
import { assignIds, typeText } from '../../src/schema/evolve.ts';
import type { Schema } from '../../src/schema/types.ts';
import { positionsOf, rowsOf } from './rows.ts';

const options = {
  timeOfDay: 'time',
  nanos: 'micros',
  unions: 'optional',
  numbers: 'auto',
  uint64: 'decimal',
  columns: {},
  jsonColumns: {},
  maxColumns: 1000,
} as unknown as DecoderOptions;

const field = (name: string, type: string, more: object = {}): object => ({
  type,
  optional: false,
  field: name,
  ...more,
});
const columns = [
  field('id', 'int32'),
  field('tiny', 'int8'),
  field('large', 'int64', { optional: true }),
  field('ratio', 'double'),
  field('single', 'float'),
  field('flag', 'boolean'),
  field('text', 'string', { optional: true }),
  field('raw', 'bytes', { optional: true }),
  field('day', 'int32', { name: 'io.debezium.time.Date', version: 1 }),
  field('zoned', 'string', { name: 'io.debezium.time.ZonedTimestamp', version: 1 }),
  field('price', 'bytes', {
    name: 'org.apache.kafka.connect.data.Decimal',
    parameters: { scale: '2', 'connect.decimal.precision': '10' },
  }),
  field('number', 'struct', {
    name: 'io.debezium.data.VariableScaleDecimal',
    fields: [field('scale', 'int32'), field('value', 'bytes')],
  }),
  field('tags', 'array', { items: { type: 'string', optional: true } }),
  field('counts', 'map', { keys: { type: 'string' }, values: { type: 'int64' } }),
];
const image = (name: string): object => field(name, 'struct', { optional: true, name: 'a-b.Value', fields: columns });
const schema = {
  type: 'struct',
  optional: false,
  name: 'a-b.Envelope',
  fields: [image('before'), image('after'), field('op', 'string'), field('ts_ms', 'int64', { optional: true })],
};
const row = {
  id: -1,
  tiny: 7,
  large: null,
  ratio: 0.5,
  single: 1.5,
  flag: true,
  text: 'é"',
  raw: 'AP8=',
  day: 20_484,
  zoned: '2026-01-31T10:00:00.000001Z',
  price: '/zg=',
  number: { scale: 3, value: '+y4=' },
  tags: ['x', null],
  counts: { a: 1 },
};
const text = (payload: unknown, of: unknown = schema): string => JSON.stringify({ schema: of, payload });

function lab(): {
  types: Record<string, string>;
  decode(values: readonly string[]): { rows: Record<string, unknown>[]; failed: Record<number, string> };
} {
  const avro = connectToAvro(JSON.stringify(schema));
  const { struct } = assignIds(convertDebezium(avro, {}, options).struct, 1);
  const fields = struct.fields.map((one) => ({ ...one, required: false }));
  const layout: Schema = { ...struct, 'schema-id': 0, fields };
  const decoder = makeDecoder({ format: 'debezium-json', text: avro, references: {}, struct }, layout, options);
  return {
    types: Object.fromEntries(fields.map(({ name, type }) => [name, typeText(type)])),
    decode(values) {
      const positions = positionsOf(values.map((value) => Buffer.from(value)));
      const inline = new InlineSchemas();
      values.forEach((_, i) => expect(inline.take(positions, i)).not.toBe(null));
      const batch = new ColumnBatch(layout);
      const failed: Record<number, string> = {};
      let rows = 0;
      for (let i = 0; i < values.length;) {
        const stop = decoder.decode(positions, i, values.length, batch);
        rows += stop - i;
        if (stop < values.length) failed[stop] = `${decoder.failure.code} ${decoder.failure.reason}`;
        i = stop + 1;
      }
      return { rows: rowsOf(batch, rows), failed };
    },
  };
}

describe('Debezium in JSON with Connect’s schema', () => {
  test('has the columns and values that the same events have in Avro', () => {
    const { types, decode } = lab();
    expect(types).toMatchObject({
      id: 'int',
      tiny: 'int',
      large: 'long',
      single: 'float',
      raw: 'binary',
      day: 'date',
      zoned: 'timestamptz',
      price: 'decimal(10, 2)',
      number: 'string',
      tags: 'list<string>',
      counts: 'map<string, long>',
      _debezium: 'struct<op: string, ts_ms: long>',
    });
    const { rows, failed } = decode([
      text({ before: null, after: row, op: 'c', ts_ms: 5 }),
      text({ before: { ...row, large: 9_007_199_254_740_991, ratio: 'NaN' }, after: null, op: 'd' }),
      text(null),
    ]);
    expect(failed).toEqual({});
    expect(rows[0]).toMatchObject({
      id: -1,
      tiny: 7,
      large: null,
      ratio: 0.5,
      single: 1.5,
      flag: true,
      text: 'é"',
      raw: '00ff',
      day: 20_484,
      zoned: BigInt(Date.parse('2026-01-31T10:00:00Z')) * 1000n + 1n,
      price: -200n,
      number: '-1.234',
      tags: ['x', null],
      counts: [['a', 1n]],
      _debezium: { op: 'c', ts_ms: 5n },
    });
    expect(rows[1]).toMatchObject({
      large: 9_007_199_254_740_991n,
      ratio: Number.NaN,
      _debezium: { op: 'd', ts_ms: null },
    });
    expect(rows[2]).toMatchObject({ id: null, _debezium: null });
  });

  test('decimals may be numbers; what is not of its type is a failure that names it', () => {
    const { decode } = lab();
    const event = (over: object): string => text({ before: null, after: { ...row, ...over }, op: 'c' });
    const { rows, failed } = decode([
      event({ price: 12.3 }),
      event({ price: -0.01 }),
      event({ price: 1.005 }),
      event({ id: 2 ** 31 }),
      event({ id: 1.5 }),
      event({ id: null }),
      event({ flag: 'yes' }),
      event({ raw: '%' }),
      event({ tags: {} }),
      event({ zoned: 'soon' }),
    ]);
    expect(rows.map(({ price }) => price)).toEqual([1230n, -1n]);
    expect(Object.values(failed).map((reason) => reason.split(':')[0])).toEqual([
      'DECODE_JSON after.price',
      'DECODE_JSON after.id',
      'DECODE_JSON after.id',
      'DECODE_JSON after.id',
      'DECODE_JSON after.flag',
      'DECODE_JSON after.raw',
      'DECODE_JSON after.tags',
      'VALUE_OUT_OF_RANGE zoned',
    ]);
  });

  test('each schema has one key, and the payload stands alone; what looks otherwise has no schema', () => {
    const inline = new InlineSchemas();
    const other = { type: 'struct', fields: [], name: 'with } and \\" in it' };
    const values = [
      text(1),
      text({ a: '}' }),
      text(2, other),
      text(3),
      text(null),
      '{"schema":null,"payload":1}',
      '{}',
      '',
      '{"schema":{"a":1',
    ];
    const positions = positionsOf(values.map((value) => Buffer.from(value)));
    const keys = values.map((_, i) => inline.take(positions, i));
    expect(keys.slice(5)).toEqual([null, null, null, null]);
    expect(new Set([keys[0], keys[1], keys[3], keys[4]]).size).toBe(1);
    expect(keys[2]).not.toBe(keys[0]);
    expect([keys[0], keys[2]].map((key) => JSON.parse(inline.textOf(key!)!))).toEqual([schema, other]);
    const payload = (i: number): string =>
      Buffer.from(
        positions.bytes.subarray(positions.payloadStart[i], positions.payloadStart[i]! + positions.payloadLength[i]!),
      ).toString();
    expect([0, 1, 2, 3].map(payload)).toEqual(['1', '{"a":"}"}', '2', '3']);
    expect(positions.payloadLength[4]).toBe(-1);
    expect(payload(5)).toBe(values[5]);
  });

  test('no more schemas are kept than a worker can hold; the others are read without', () => {
    const inline = new InlineSchemas();
    const taken = (name: string): boolean =>
      inline.take(positionsOf([Buffer.from(text(1, { type: 'struct', name }))]), 0) !== null;
    expect(Array.from({ length: 1000 }, (_, i) => taken(`n${i}`)).every(Boolean)).toBe(true);
    expect([taken('one more'), taken('n7')]).toEqual([false, true]);
    const large = new InlineSchemas();
    const big = (n: number): boolean =>
      large.take(positionsOf([Buffer.from(text(1, { name: `${n}${'x'.repeat(6 << 20)}` }))]), 0) !== null;
    expect([big(1), big(2), big(3)]).toEqual([true, true, false]);
  });

  test('what is no schema of Connect says where', () => {
    const wrong =
      (of: object): (() => string) =>
      () =>
        connectToAvro(JSON.stringify(of));
    expect(wrong({ type: 'int128' })).toThrow(/the schema has no type/);
    expect(wrong({ type: 'struct', fields: [{ type: 'string' }] })).toThrow(/a field without a name/);
    expect(wrong({ type: 'map', keys: { type: 'int32' }, values: { type: 'string' } })).toThrow(/keys are no strings/);
    expect(() => connectToAvro('{')).toThrow(/is not JSON/);
  });
});
