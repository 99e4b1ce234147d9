import { plain, within } from './matrix.ts';
import type { MatrixFormat, MatrixType } from './matrix.ts';
import { register } from './registry-client.ts';

const integer = (connect: string): object => ({ type: 'integer', 'connect.type': connect });
const text = (format: string): object => ({ type: 'string', format });
const array = (items: object): object => ({ type: 'array', items });
const map = (additionalProperties: object): object => ({ type: 'object', additionalProperties });
const logical = (name: string, type: string, parameters: object = {}): object => ({
  type,
  title: `org.apache.kafka.connect.data.${name}`,
  'connect.parameters': parameters,
});
/** Kafka Connect's Decimal, as base64 of the unscaled value. */
const decimal = (precision: number, scale: number): MatrixType => {
  const [unscaled, name] = [-(125 * 10 ** (scale - 2)), `decimal_${precision}_${scale}`];
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(unscaled);
  const schema = logical('Decimal', 'number', { scale: `${scale}`, 'connect.decimal.precision': `${precision}` });
  return plain(name, name, schema, bytes.toString('base64'), `d-1.25${'0'.repeat(scale - 2)}`);
};

export const jsonSchemaMatrix: MatrixFormat = {
  format: 'json-schema',
  types: [
    plain('boolean', 'boolean', { type: 'boolean' }, true, true),
    plain('int', 'int', integer('int32'), -(2 ** 31), 'i-2147483648'),
    plain('long', 'long', { type: 'integer' }, Number.MAX_SAFE_INTEGER, `i${Number.MAX_SAFE_INTEGER}`),
    plain('optional_long', 'long', { oneOf: [{ type: 'null' }, { type: 'integer' }] }, 5, 'i5'),
    plain('float', 'float', { type: 'number', 'connect.type': 'float32' }, 1.5, 'f0x1.8000000000000p+0'),
    plain('double', 'double', { type: 'number' }, -0.25, 'f-0x1.0000000000000p-2'),
    plain('string', 'string', { type: 'string' }, 'zażółć', 'szażółć'),
    plain('enum', 'string', { enum: ['RED', 'GREEN'] }, 'GREEN', 'sGREEN'),
    plain('any', 'string', {}, { x: [1, null] }, 's{"x":[1,null]}'),
    plain('either', 'string', { anyOf: [{ type: 'integer' }, { type: 'string' }] }, 'y', 's"y"'),
    plain('binary', 'binary', { type: 'string', contentEncoding: 'base64' }, 'Af8=', 'b01ff'),
    plain('date', 'date', text('date'), '1969-12-31', 'D1969-12-31'),
    plain('days', 'date', logical('Date', 'integer'), -1, 'D1969-12-31'),
    plain(
      'timestamptz',
      'timestamptz',
      text('date-time'),
      '1970-01-01T05:29:59.999999+05:30',
      't1969-12-31T23:59:59.999999Z',
    ),
    plain('millis', 'timestamptz', logical('Timestamp', 'integer'), -1, 't1969-12-31T23:59:59.999000Z'),
    plain(
      'uuid',
      'uuid',
      text('uuid'),
      '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa',
      's0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa',
    ),
    decimal(9, 2),
    decimal(18, 2),
    decimal(38, 2),
    decimal(18, 3),
    plain('ints', 'list', array(integer('int16')), [1, null], ['i1', null]),
    plain('longs', 'list', array({ type: 'integer' }), [3], ['i3']),
    plain('strings', 'list', array({ type: 'string' }), ['x'], ['sx']),
    plain('int_map', 'map', map(integer('int8')), { k: 1 }, { map: [['sk', 'i1']] }),
    plain('long_map', 'map', map({ type: 'integer' }), { k: 2 }, { map: [['sk', 'i2']] }),
    plain('string_map', 'map', map({ type: 'string' }), { k: 'v' }, { map: [['sk', 'sv']] }),
    plain('record', 'struct', { type: 'object', properties: { a: integer('int32') } }, { a: 1 }, { a: 'i1' }),
    plain(
      'wider_record',
      'struct',
      { type: 'object', properties: { b: map(array({ type: 'number' })), a: { type: 'integer' } } },
      { a: 2, b: { k: [0.5] } },
      { a: 'i2', b: { map: [['sk', ['f0x1.0000000000000p-1']]] } },
    ),
  ],
  promotions: within(
    ['int', 'long', 'optional_long'],
    ['float', 'double'],
    ['string', 'enum', 'any', 'either'],
    ['date', 'days'],
    ['timestamptz', 'millis'],
    ['decimal_9_2', 'decimal_18_2', 'decimal_38_2'],
    ['ints', 'longs'],
    ['int_map', 'long_map'],
    ['record', 'wider_record'],
  ),
  shared: (from, to, cell) => (from === 'record' && to === 'wider_record' ? { a: 'i1', b: null } : cell),
  schema: (columns) => ({
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Matrix',
    type: 'object',
    properties: Object.fromEntries(columns.map(({ name, type }) => [name, type])),
  }),
  encode: (_, values) => Buffer.from(JSON.stringify(values)),
  register: (url, subject, schema) => register(url, subject, schema, [], 'JSON'),
};
