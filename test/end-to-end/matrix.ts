import avsc from 'avsc';
import { registerAvro } from './registry-client.ts';

/** One type of a format: how a column of it is declared, a value as the encoder takes it, and the cell that engines read of it. */
export interface MatrixType {
  readonly name: string;
  /** The column's type as it is named in `<column>_<type>` (`onIncompatible: new-column`). */
  readonly column: string;
  /** `unique` makes names of types distinct. */
  schema(unique: string): unknown;
  readonly value: unknown;
  /** As test/readers/canonical.py writes it. */
  readonly cell: unknown;
}

/** What a format brings to the matrix: types, which of them a column can take on or keep, and an encoder. */
export interface MatrixFormat {
  readonly format: string;
  readonly types: readonly MatrixType[];
  /** Pairs (either order) whose values one column holds, by the table of promotions in the README. */
  readonly promotions: readonly (readonly [string, string])[];
  /** The cell of a value of type `from` in the column that both share, where it is not the same. */
  shared?(from: string, to: string, cell: unknown): unknown;
  schema(columns: readonly { readonly name: string; readonly type: unknown }[]): object;
  encode(schema: object, values: Readonly<Record<string, unknown>>): Buffer;
  register(url: string, subject: string, schema: object): Promise<number>;
}

const plain = (name: string, column: string, schema: unknown, value: unknown, cell: unknown): MatrixType => ({
  name,
  column,
  schema: () => schema,
  value,
  cell,
});
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
      schema: (unique) => ({ type: 'fixed', name: `fixed_${unique}`, size: 4 }),
      value: Buffer.from([1, 2, 3, 4]),
      cell: 'b01020304',
    },
    {
      name: 'enum',
      column: 'string',
      schema: (unique) => ({ type: 'enum', name: `enum_${unique}`, symbols: ['RED', 'GREEN'] }),
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
      schema: (unique) => ({ type: 'record', name: `record_${unique}`, fields: [{ name: 'a', type: 'int' }] }),
      value: { a: 1 },
      cell: { a: 'i1' },
    },
    {
      name: 'wider_record',
      column: 'struct',
      schema: (unique) => ({
        type: 'record',
        name: `wider_${unique}`,
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
  register: (url, subject, schema) => registerAvro(url, subject, schema),
};

/** One column of the matrix: declared as `from` in the first version, as `to` in the second. */
export interface Pair {
  readonly column: string;
  readonly from: MatrixType;
  readonly to: MatrixType;
  readonly promotable: boolean;
}

/** All pairs of types, or those that a column can follow and of each type a few that it cannot. */
export function pairsOf({ types, promotions }: MatrixFormat, all: boolean): Pair[] {
  const promotable = (a: string, b: string): boolean =>
    a === b || promotions.some(([x, y]) => (a === x && b === y) || (a === y && b === x));
  return types.flatMap((from, i) =>
    types.flatMap((to, j): Pair[] => {
      const pair = { column: `c_${from.name}_${to.name}`, from, to, promotable: promotable(from.name, to.name) };
      return all || pair.promotable || (i + 1) % types.length === j || (j * 7 + 3) % types.length === i ? [pair] : [];
    }),
  );
}
