import avsc from 'avsc';
import { plain } from './matrix.ts';
import type { MatrixFormat, MatrixType } from './matrix.ts';
import { registerAvro } from './registry-client.ts';

const decimal = (precision: number, scale: number): MatrixType => {
  const schema = { type: 'bytes', logicalType: 'decimal', precision, scale };
  const text = (1.25).toFixed(scale);
  return plain(
    `decimal_${precision}_${scale}`,
    `decimal_${precision}_${scale}`,
    schema,
    Buffer.from([0x00, ...[Number(text.replace('.', ''))].flatMap((n) => [n >> 8, n & 255])]),
    `d${text}`,
  );
};

export const avroMatrix: MatrixFormat = {
  format: 'avro',
  types: [
    plain('boolean', 'boolean', 'boolean', true, true),
    plain('int', 'int', 'int', -7, 'i-7'),
    plain('long', 'long', 'long', 7, 'i7'),
    plain('float', 'float', 'float', 1.5, 'f0x1.8000000000000p+0'),
    plain('double', 'double', 'double', -0.25, 'f-0x1.0000000000000p-2'),
    plain('bytes', 'binary', 'bytes', Buffer.from([1, 255]), 'b01ff'),
    plain('string', 'string', 'string', 'zażółć', 'szażółć'),
    {
      name: 'fixed',
      column: 'fixed_4',
      schema: (column, side) => ({ type: 'fixed', name: `fixed_${column}_${side}`, size: 4 }),
      value: Buffer.from([1, 2, 3, 4]),
      cell: 'b01020304',
    },
    {
      name: 'enum',
      column: 'string',
      schema: (column, side) => ({ type: 'enum', name: `enum_${column}_${side}`, symbols: ['RED', 'GREEN'] }),
      value: 'GREEN',
      cell: 'sGREEN',
    },
    decimal(9, 2),
    decimal(18, 2),
    decimal(38, 2),
    decimal(18, 3),
    plain(
      'uuid',
      'uuid',
      { type: 'string', logicalType: 'uuid' },
      '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa',
      's0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa',
    ),
    plain('date', 'date', { type: 'int', logicalType: 'date' }, -1, 'D1969-12-31'),
    plain(
      'timestamptz',
      'timestamptz',
      { type: 'long', logicalType: 'timestamp-micros' },
      -1,
      't1969-12-31T23:59:59.999999Z',
    ),
    plain(
      'timestamp',
      'timestamp',
      { type: 'long', logicalType: 'local-timestamp-millis' },
      1,
      't1970-01-01T00:00:00.001000',
    ),
    plain('ints', 'list', { type: 'array', items: 'int' }, [1, 2], ['i1', 'i2']),
    plain('longs', 'list', { type: 'array', items: 'long' }, [3], ['i3']),
    plain('strings', 'list', { type: 'array', items: 'string' }, ['x'], ['sx']),
    plain('int_map', 'map', { type: 'map', values: 'int' }, { k: 1 }, { map: [['sk', 'i1']] }),
    plain('long_map', 'map', { type: 'map', values: 'long' }, { k: 2 }, { map: [['sk', 'i2']] }),
    plain('string_map', 'map', { type: 'map', values: 'string' }, { k: 'v' }, { map: [['sk', 'sv']] }),
    {
      name: 'record',
      column: 'struct',
      schema: (column, side) => ({
        type: 'record',
        name: `record_${column}_${side}`,
        fields: [{ name: 'a', type: 'int' }],
      }),
      value: { a: 1 },
      cell: { a: 'i1' },
    },
    {
      name: 'wider_record',
      column: 'struct',
      schema: (column, side) => ({
        type: 'record',
        name: `wider_${column}_${side}`,
        fields: [
          { name: 'b', type: { type: 'map', values: { type: 'array', items: 'float' } } },
          { name: 'a', type: 'long' },
        ],
      }),
      value: { a: 2, b: { k: [0.5] } },
      cell: { a: 'i2', b: { map: [['sk', ['f0x1.0000000000000p-1']]] } },
    },
  ],
  promotions: [
    ['int', 'long'],
    ['float', 'double'],
    ['decimal_9_2', 'decimal_18_2'],
    ['decimal_9_2', 'decimal_38_2'],
    ['decimal_18_2', 'decimal_38_2'],
    ['string', 'enum'],
    ['ints', 'longs'],
    ['int_map', 'long_map'],
    ['record', 'wider_record'],
  ],
  shared: (from, to, cell) => (from === 'record' && to === 'wider_record' ? { a: 'i1', b: null } : cell),
  schema: (columns) => ({ type: 'record', name: 'Matrix', namespace: 'evolution', fields: columns }),
  encode: (schema, values) => {
    const type = avsc.Type.forSchema(schema as avsc.Schema);
    return type.toBuffer(values);
  },
  register: (url, subject, schema) => registerAvro(url, subject, schema as object),
};
