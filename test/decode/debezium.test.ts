import avsc from 'avsc';
import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { makeDebeziumDecoder } from '../../src/decode/debezium.ts';
import type { BoundSchema } from '../../src/decode/decoder.ts';
import type { AvroOptions } from '../../src/schema/avro.ts';
import { withConnectTypes } from '../../src/schema/connect-types.ts';
import { convertDebezium } from '../../src/schema/debezium.ts';
import { assignIds, typeText } from '../../src/schema/evolve.ts';
import type { Schema } from '../../src/schema/types.ts';
import { breaches, positionsOf, rowsOf } from './rows.ts';

const options: AvroOptions = { timeOfDay: 'time', nanos: 'micros', unions: 'optional' };

function connect(type: string, name: string, more: object = {}): object {
  return { type, 'connect.version': 1, 'connect.name': name, ...more };
}

/** As Debezium's PostgreSQL connector and Confluent's AvroConverter register it. */
function envelope(fields: readonly object[]): object {
  const value = { type: 'record', name: 'Value', fields, 'connect.name': 'db.public.orders.Value' };
  const source = {
    type: 'record',
    name: 'Source',
    namespace: 'io.debezium.connector.postgresql',
    fields: [
      { name: 'connector', type: 'string' },
      { name: 'ts_ms', type: 'long' },
      { name: 'lsn', type: ['null', 'long'], default: null },
    ],
  };
  const block = {
    type: 'record',
    name: 'block',
    namespace: 'event',
    fields: [
      { name: 'id', type: 'string' },
      { name: 'total_order', type: 'long' },
    ],
  };
  return {
    type: 'record',
    name: 'Envelope',
    namespace: 'db.public.orders',
    fields: [
      { name: 'before', type: ['null', value], default: null },
      { name: 'after', type: ['null', 'Value'], default: null },
      { name: 'source', type: source },
      { name: 'transaction', type: ['null', block], default: null },
      { name: 'op', type: 'string' },
      { name: 'ts_ms', type: ['null', 'long'], default: null },
    ],
    'connect.version': 2,
    'connect.name': 'db.public.orders.Envelope',
  };
}

function lab(schema: object): {
  layout: Schema;
  types: Record<string, string>;
  decode(values: readonly (Uint8Array | null)[]): { rows: Record<string, unknown>[]; failed: Record<number, string> };
} {
  const text = withConnectTypes(JSON.stringify(schema));
  const { struct } = assignIds(convertDebezium(text, {}, options).struct, 1);
  const layout: Schema = {
    ...struct,
    'schema-id': 0,
    fields: struct.fields.map((field) => ({ ...field, required: false })),
  };
  const bound: BoundSchema = { format: 'debezium', text, references: {}, struct };
  const decoder = makeDebeziumDecoder(bound, layout, options, 'value');
  return {
    layout,
    types: Object.fromEntries(layout.fields.map(({ name, type }) => [name, typeText(type)])),
    decode(values) {
      const positions = positionsOf(values);
      const batch = new ColumnBatch(layout);
      const failed: Record<number, string> = {};
      let rows = 0;
      for (let i = 0; i < values.length;) {
        const stop = decoder.decode(positions, i, values.length, batch);
        rows += stop - i;
        if (stop < values.length) failed[stop] = `${decoder.failure.code} ${decoder.failure.reason}`;
        expect(breaches(batch, rows)).toEqual([]);
        i = stop + 1;
      }
      return { rows: rowsOf(batch, rows), failed };
    },
  };
}

const source = { connector: 'postgresql', ts_ms: 5, lsn: 77 };
const orders = envelope([
  { name: 'id', type: 'int' },
  { name: 'note', type: ['null', 'string'], default: null },
]);
const type = avsc.Type.forSchema(orders as avsc.Schema);
const event = (op: string, before: unknown, after: unknown, transaction: unknown = null): Buffer =>
  type.toBuffer({ before, after, source, transaction, op, ts_ms: 9 });

describe('Debezium in Avro', () => {
  test('the image after the change is the row, that before a delete; all else is _debezium; tombstones are nulls', () => {
    const { types, decode } = lab(orders);
    expect(types).toEqual({
      id: 'int',
      note: 'string',
      _debezium: expect.stringMatching(
        /^struct<source: struct<connector: string, ts_ms: long, lsn: long>, transaction: .*, op: string, ts_ms: long>$/,
      ),
    });
    const { rows, failed } = decode([
      event('r', null, { id: 1, note: 'a' }),
      event('u', { id: 1, note: 'a' }, { id: 1, note: 'b' }, { id: 'x', total_order: 3 }),
      event('d', { id: 1, note: 'b' }, null),
      null,
      event('t', null, null),
    ]);
    expect(failed).toEqual({});
    const rest = (op: string, transaction: unknown = null): unknown => ({
      source: { connector: 'postgresql', ts_ms: 5n, lsn: 77n },
      transaction,
      op,
      ts_ms: 9n,
    });
    expect(rows).toEqual([
      { id: 1, note: 'a', _debezium: rest('r') },
      { id: 1, note: 'b', _debezium: rest('u', { id: 'x', total_order: 3n }) },
      { id: 1, note: 'b', _debezium: rest('d') },
      { id: null, note: null, _debezium: null },
      { id: null, note: null, _debezium: rest('t') },
    ]);
  });

  test('bytes that are cut anywhere fail alone, and never change the rows around them', () => {
    const { decode } = lab(orders);
    const whole = event('u', { id: 300, note: 'before' }, { id: 300, note: 'after' }, { id: 'x', total_order: 3 });
    const good = event('c', null, { id: 7, note: null });
    for (let cut = 0; cut < whole.length; cut++) {
      const { rows, failed } = decode([good, whole.subarray(0, cut), good]);
      expect(rows.map((row) => row['id'])).toEqual([7, 7]);
      expect(Object.keys(failed)).toEqual(['1']);
      expect(failed[1]).toMatch(/^DECODE_AVRO /);
    }
    const { failed } = decode([Buffer.concat([good, Buffer.from([1])])]);
    expect(failed[0]).toMatch(/^DECODE_AVRO _debezium: /);
  });

  test('the types of Debezium and Connect are those of the database', () => {
    const scaled = {
      type: 'record',
      name: 'VariableScaleDecimal',
      namespace: 'io.debezium.data',
      fields: [
        { name: 'scale', type: 'int' },
        { name: 'value', type: 'bytes' },
      ],
      'connect.name': 'io.debezium.data.VariableScaleDecimal',
    };
    const decimal = (parameters: object, more: object = {}): object =>
      connect('bytes', 'org.apache.kafka.connect.data.Decimal', { 'connect.parameters': parameters, ...more });
    const columns: Record<string, unknown> = {
      day: connect('int', 'io.debezium.time.Date'),
      time: connect('long', 'io.debezium.time.MicroTime'),
      at_ms: connect('long', 'io.debezium.time.Timestamp'),
      at: ['null', connect('long', 'io.debezium.time.MicroTimestamp')],
      zoned: connect('string', 'io.debezium.time.ZonedTimestamp'),
      price: decimal(
        { scale: '2', 'connect.decimal.precision': '10' },
        { logicalType: 'decimal', precision: 64, scale: 2 },
      ),
      amount: decimal({ scale: '3' }, { logicalType: 'decimal', precision: 64, scale: 3 }),
      number: scaled,
      key: connect('string', 'io.debezium.data.Uuid'),
      doc: connect('string', 'io.debezium.data.Json'),
      year: connect('int', 'io.debezium.time.Year'),
      kind: connect('string', 'io.debezium.data.Enum', { 'connect.parameters': { allowed: 'a,b' } }),
    };
    const schema = envelope(Object.entries(columns).map(([name, inner]) => ({ name, type: inner })));
    const { types, decode } = lab(schema);
    expect(types).toMatchObject({
      day: 'date',
      time: 'time',
      at_ms: 'timestamp',
      at: 'timestamp',
      zoned: 'timestamptz',
      price: 'decimal(10, 2)',
      amount: 'decimal(38, 3)',
      number: 'string',
      key: 'uuid',
      doc: 'string',
      year: 'int',
      kind: 'string',
    });
    // The same bytes without the types.
    const plain = envelope(
      Object.entries(columns).map(([name, inner]) => ({
        name,
        type: Array.isArray(inner) ? ['null', 'long'] : inner === scaled ? scaled : (inner as { type: string }).type,
      })),
    );
    const row = {
      day: -1,
      time: 3_600_000_000,
      at_ms: -1,
      at: 1_700_000_000_123_456,
      zoned: '2026-01-31T12:00:00.123456789+02:00',
      price: Buffer.from([0xff, 0x38]),
      amount: Buffer.from([0x04, 0xd2]),
      number: { scale: 3, value: Buffer.from([0xfb, 0x2e]) },
      key: '01234567-89ab-cdef-0123-456789abcdef',
      doc: '{"a":1}',
      year: 2026,
      kind: 'a',
    };
    const writer = avsc.Type.forSchema(plain as avsc.Schema, { wrapUnions: false });
    const bytes = writer.toBuffer({ before: null, after: row, source, transaction: null, op: 'c', ts_ms: null });
    const { rows, failed } = decode([bytes]);
    expect(failed).toEqual({});
    expect(rows).toMatchObject([
      {
        day: -1,
        time: 3_600_000_000n,
        at_ms: -1000n,
        at: 1_700_000_000_123_456n,
        zoned: BigInt(Date.parse('2026-01-31T10:00:00.123Z')) * 1000n + 456n,
        price: -200n,
        amount: 1234n,
        number: '-1.234',
        key: '0123456789abcdef0123456789abcdef',
        doc: '{"a":1}',
        year: 2026,
        kind: 'a',
      },
    ]);
    const wrong = writer.toBuffer({
      before: null,
      after: { ...row, zoned: 'yesterday' },
      source,
      transaction: null,
      op: 'c',
      ts_ms: null,
    });
    expect(decode([wrong]).failed[0]).toMatch(/^VALUE_OUT_OF_RANGE zoned: /);
  });

  test('what is no envelope is read as it is, with the same types', () => {
    const heartbeat = {
      type: 'record',
      name: 'Heartbeat',
      fields: [
        { name: 'ts_ms', type: 'long' },
        { name: 'day', type: connect('int', 'io.debezium.time.Date') },
      ],
    };
    const { types, decode } = lab(heartbeat);
    expect(types).toEqual({ ts_ms: 'long', day: 'date' });
    expect(decode([Buffer.from([14, 4])]).rows).toEqual([{ ts_ms: 7n, day: 2 }]);
  });

  test('a column of the table that is named as ours keeps its values under another name', () => {
    const { types, decode } = lab(envelope([{ name: '_debezium', type: 'int' }]));
    expect(Object.keys(types)).toEqual(['_debezium_2', '_debezium']);
    const own = avsc.Type.forSchema(envelope([{ name: '_debezium', type: 'int' }]) as avsc.Schema);
    const bytes = own.toBuffer({ before: null, after: { _debezium: 4 }, source, transaction: null, op: 'c', ts_ms: 1 });
    expect(decode([bytes]).rows).toMatchObject([{ _debezium_2: 4, _debezium: { op: 'c' } }]);
  });
});

test('Connect names change nothing where the schema says its logical type, or the base is another', () => {
  const text = (type: object): string => JSON.stringify({ type: 'array', items: type });
  const kept = [
    { ...connect('int', 'io.debezium.time.Date'), logicalType: 'time-millis' },
    connect('string', 'io.debezium.time.Date'),
    connect('int', 'io.debezium.time.Unheard'),
  ];
  for (const type of kept) expect(JSON.parse(withConnectTypes(text(type)))).toEqual({ type: 'array', items: type });
  expect(withConnectTypes('com.x.Name')).toBe('com.x.Name');
});
