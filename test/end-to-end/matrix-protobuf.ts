import protobuf from 'protobufjs';
import { wellKnownProto } from '../../src/schema/protobuf-well-known.ts';
import { within } from './matrix.ts';
import type { MatrixFormat, MatrixType } from './matrix.ts';
import { register } from './registry-client.ts';

/** A field's type as it is written, and the message that it names. */
interface Field {
  readonly type: string;
  readonly definition?: string;
}

const field = (name: string, column: string, type: string, value: unknown, cell: unknown): MatrixType => ({
  name,
  column,
  schema: (): Field => ({ type }),
  value,
  cell,
});
/** Both versions of a message have one name, as producers' have. */
const message = (name: string, column: string, body: string, value: unknown, cell: unknown): MatrixType => ({
  name,
  column,
  schema: (of): Field => ({ type: `M_${of}`, definition: `message M_${of} { ${body.replaceAll('SELF', `M_${of}`)} }` }),
  value,
  cell,
});
const each = (types: readonly string[], column: string, value: unknown, cell: unknown): MatrixType[] =>
  types.map((type) => field(type, column, type, value, cell));

const imports = ['duration', 'empty', 'struct', 'timestamp', 'wrappers'];
const ints = ['int32', 'sint32', 'sfixed32'];
const longs = ['int64', 'sint64', 'sfixed64'];

export const protobufMatrix: MatrixFormat = {
  format: 'protobuf',
  types: [
    ...each(ints, 'int', -(2 ** 31), 'i-2147483648'),
    ...each(longs, 'long', '-9223372036854775808', 'i-9223372036854775808'),
    ...each(['uint32', 'fixed32'], 'long', 2 ** 32 - 1, 'i4294967295'),
    ...each(['uint64', 'fixed64'], 'decimal_20_0', '18446744073709551615', 'd18446744073709551615'),
    field('float', 'float', 'float', 1.5, 'f0x1.8000000000000p+0'),
    field('double', 'double', 'double', -0.25, 'f-0x1.0000000000000p-2'),
    field('bool', 'boolean', 'bool', true, true),
    field('string', 'string', 'string', 'zażółć', 'szażółć'),
    field('bytes', 'binary', 'bytes', Buffer.from([1, 255]), 'b01ff'),
    field('enum', 'string', 'Color', 1, 'sGREEN'),
    field('int32_value', 'int', 'google.protobuf.Int32Value', { value: 7 }, 'i7'),
    field('uint64_value', 'decimal_20_0', 'google.protobuf.UInt64Value', { value: 8 }, 'd8'),
    field('string_value', 'string', 'google.protobuf.StringValue', { value: '' }, 's'),
    field('empty', 'boolean', 'google.protobuf.Empty', {}, true),
    field(
      'timestamp',
      'timestamptz',
      'google.protobuf.Timestamp',
      { seconds: -1, nanos: 999_999_000 },
      't1969-12-31T23:59:59.999999Z',
    ),
    field('duration', 'long', 'google.protobuf.Duration', { seconds: -1, nanos: -500_000_000 }, 'i-1500000'),
    field('struct', 'string', 'google.protobuf.Struct', { fields: { a: { string_value: 'x' } } }, 's{"a":"x"}'),
    message('recursive', 'string', 'int32 n = 1; SELF next = 2;', { n: 1, next: { n: 5 } }, 's{"n":1,"next":{"n":5}}'),
    field('int_list', 'list', 'repeated sint32', [1, -2], ['i1', 'i-2']),
    field('long_list', 'list', 'repeated fixed32', [3], ['i3']),
    field('string_list', 'list', 'repeated string', ['', 'x'], ['s', 'sx']),
    field('int_map', 'map', 'map<string, int32>', { k: 1 }, { map: [['sk', 'i1']] }),
    field('long_map', 'map', 'map<string, int64>', { k: 2 }, { map: [['sk', 'i2']] }),
    field('string_map', 'map', 'map<string, string>', { k: 'v' }, { map: [['sk', 'sv']] }),
    field('int_key_map', 'map', 'map<int32, int32>', { 4: 1 }, { map: [['i4', 'i1']] }),
    message('record', 'struct', 'int32 a = 1;', { a: 1 }, { a: 'i1' }),
    message(
      'wider_record',
      'struct',
      // PyIceberg reads a list or map of structs that is null as an empty one: none of them here.
      'map<string, float> b = 2; int64 a = 1; repeated bool c = 3;',
      { a: 2, b: { k: 0.5 }, c: [true] },
      { a: 'i2', b: { map: [['sk', 'f0x1.0000000000000p-1']] }, c: [true] },
    ),
  ],
  promotions: within(
    [...ints, ...longs, 'uint32', 'fixed32', 'int32_value', 'duration'],
    ['uint64', 'fixed64', 'uint64_value'],
    ['float', 'double'],
    ['bool', 'empty'],
    ['string', 'enum', 'string_value', 'struct', 'recursive'],
    ['int_list', 'long_list'],
    ['int_map', 'long_map'],
    ['record', 'wider_record'],
  ),
  shared: (from, to, cell) => (from === 'record' && to === 'wider_record' ? { a: 'i1', b: null, c: null } : cell),
  schema: (columns) => {
    const fields = columns.map(({ name, type }, i) => `${(type as Field).type} ${name} = ${i + 1};`);
    return [
      'syntax = "proto3"; package evolution;',
      ...imports.map((name) => `import "google/protobuf/${name}.proto";`),
      'message Matrix {',
      ...fields,
      ...columns.flatMap(({ type }) => (type as Field).definition ?? []),
      '}',
      'enum Color { RED = 0; GREEN = 1; }',
    ].join('\n');
  },
  encode: (schema, values) => {
    const root = new protobuf.Root();
    for (const name of imports)
      protobuf.parse(wellKnownProto(`google/protobuf/${name}.proto`)!, root, { keepCase: true });
    protobuf.parse(schema as string, root, { keepCase: true });
    const type = root.lookupType('evolution.Matrix');
    // Message index 0 is a single byte.
    return Buffer.concat([Buffer.from([0]), type.encode(type.fromObject(values)).finish()]);
  },
  register: (url, subject, schema) => register(url, subject, schema, [], 'PROTOBUF'),
};
