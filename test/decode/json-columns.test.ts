import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InferOptions } from '../../src/decode/infer.ts';
import { untypedBinding } from '../../src/decode/json-place.ts';
import { extraField } from '../../src/schema/extra-column.ts';
import type { IcebergType, PrimitiveType, StructType } from '../../src/schema/types.ts';
import { decodeBoth, fields, layoutOf, utf8 } from './json-lab.ts';
import type { Decoded } from './json-lab.ts';

const plain: InferOptions = { numbers: 'auto', columns: {}, jsonColumns: {}, maxColumns: 1_000, nanos: 'micros' };

function decode(
  types: Readonly<Record<string, IcebergType>>,
  values: readonly (string | Uint8Array)[],
  options: Partial<InferOptions> = {},
): Decoded & { interpreted: number } {
  const layout = layoutOf({ type: 'struct', fields: fields(types) });
  return decodeBoth(untypedBinding(layout, { ...plain, ...options }), layout, values);
}

const one = (type: IcebergType, json: string, options: Partial<InferOptions> = {}): unknown => {
  const { rows, failed } = decode({ x: type }, [`{"x":${json}}`], options);
  return rows[0] ? rows[0]['x'] : failed[0]!.code;
};

const map = (value: IcebergType): IcebergType => ({
  type: 'map',
  'key-id': 0,
  key: 'string',
  'value-id': 0,
  'value-required': false,
  value,
});

/** Microseconds by JavaScript's own calendar. */
const micros = (iso: string, rest = 0n): bigint => BigInt(Date.parse(iso)) * 1000n + rest;

describe('strings in columns that are not text', () => {
  test.each<[PrimitiveType, string, unknown]>([
    ['date', '1969-12-31', -1],
    ['date', '0001-01-01', -719162],
    ['date', '9999-12-31', 2932896],
    ['date', '2024-02-29', 19782],
    ['date', '2023-02-29', 'DECODE_JSON'],
    ['date', '0000-01-01', 'VALUE_OUT_OF_RANGE'],
    ['date', '10000-01-01', 'DECODE_JSON'],
    ['date', '2024-1-01', 'DECODE_JSON'],
    ['date', '2024-01-01T00:00:00Z', 'DECODE_JSON'],
    ['time', '23:59:59.999999', 86_399_999_999n],
    ['time', '00:00', 0n],
    ['time', '24:00:00', 'DECODE_JSON'],
    ['time', '12:00:00Z', 'DECODE_JSON'],
    ['timestamptz', '2024-03-01T12:34:56.123456Z', micros('2024-03-01T12:34:56.123Z', 456n)],
    ['timestamptz', '2024-03-01t12:34:56z', micros('2024-03-01T12:34:56Z')],
    ['timestamptz', '2024-03-01 12:34:56.5-08:00', micros('2024-03-01T20:34:56.500Z')],
    ['timestamptz', '2024-03-01T12:34+05:30', micros('2024-03-01T07:04:00Z')],
    ['timestamptz', '1969-12-31T23:59:59.999999Z', -1n],
    ['timestamptz', '0001-01-01T00:00:00Z', micros('0001-01-01T00:00:00Z')],
    ['timestamptz', '9999-12-31T23:59:59.999999Z', micros('9999-12-31T23:59:59.999Z', 999n)],
    ['timestamptz', '9999-12-31T23:59:59-01:00', 'VALUE_OUT_OF_RANGE'],
    ['timestamptz', '0001-01-01T00:00:00+01:00', 'VALUE_OUT_OF_RANGE'],
    ['timestamptz', '2016-12-31T23:59:60Z', 'VALUE_OUT_OF_RANGE'],
    ['timestamptz', '2016-12-31T23:59:61Z', 'DECODE_JSON'],
    ['timestamptz', '2024-03-01T12:34:56', 'DECODE_JSON'],
    ['timestamptz', '2024-03-01T12:34:56.Z', 'DECODE_JSON'],
    ['timestamptz', '2024-03-01T12:34:56+24:00', 'DECODE_JSON'],
    ['timestamptz', '2024-03-01T12:34:56+0100', 'DECODE_JSON'],
    ['timestamp', '2024-03-01T12:34:56.000001', micros('2024-03-01T12:34:56Z', 1n)],
    ['timestamp', '2024-03-01T12:34:56Z', 'DECODE_JSON'],
    ['uuid', '00112233-4455-6677-8899-AABBCCDDEEFF', '00112233445566778899aabbccddeeff'],
    ['uuid', '00112233445566778899aabbccddeeff', 'DECODE_JSON'],
    ['binary', 'AP/+', '00fffe'],
    ['binary', '', ''],
    ['binary', 'AA==', '00'],
    ['binary', 'AAA=', '0000'],
    ['binary', 'AB==', 'DECODE_JSON'],
    ['binary', 'AA', 'DECODE_JSON'],
    ['binary', '-_8=', 'DECODE_JSON'],
    ['binary', 'A===', 'DECODE_JSON'],
    ['fixed[2]', 'AAE=', '0001'],
    ['fixed[2]', 'AA==', 'VALUE_OUT_OF_RANGE'],
    ['decimal(10, 2)', '-12.30', -1230n],
    ['decimal(38, 0)', '99999999999999999999999999999999999999', 10n ** 38n - 1n],
    ['decimal(38, 0)', '100000000000000000000000000000000000000', 'VALUE_OUT_OF_RANGE'],
    ['decimal(10, 2)', '1.234', 'DECODE_JSON'],
    ['decimal(10, 2)', '+1', 'DECODE_JSON'],
    ['decimal(10, 2)', ' 1', 'DECODE_JSON'],
    ['long', '5', 'SCHEMA_INCOMPATIBLE'],
    ['boolean', 'true', 'SCHEMA_INCOMPATIBLE'],
  ])('%s from "%s"', (type, text, wanted) => {
    expect(one(type, JSON.stringify(text))).toEqual(wanted);
    // The same with an escape, which only the interpreted decoder takes.
    if (text !== '') expect(one(type, `"\\u00${text.charCodeAt(0).toString(16)}${text.slice(1)}"`)).toEqual(wanted);
  });

  test('digits beyond microseconds are cut and counted, or refused; zeros are no digits', () => {
    const values = [
      '"2024-03-01T12:34:56.1234567Z"',
      '"2024-03-01T12:34:56.1234560000Z"',
      '"2024-03-01T12:34:56.0000000001Z"',
    ].map((x) => `{"x":${x}}`);
    const wanted = [
      micros('2024-03-01T12:34:56.123Z', 456n),
      micros('2024-03-01T12:34:56.123Z', 456n),
      micros('2024-03-01T12:34:56Z'),
    ];
    expect(decode({ x: 'timestamptz' }, values)).toMatchObject({
      rows: wanted.map((x) => ({ x })),
      cut: 2,
      interpreted: 0,
    });
    // What is cut in a record that is a dead letter in the end does not count.
    expect(decode({ x: 'timestamptz', n: 'long' }, [values[0]!.replace('}', ',"n":"no"}')])).toMatchObject({
      rows: [],
      cut: 0,
    });
    expect(Object.keys(decode({ x: 'timestamptz' }, values, { nanos: 'error' }).failed)).toEqual(['0', '2']);
  });

  test('declared nanoseconds: with time zone and without', () => {
    const values = ['"2024-03-01T12:34:56.123456789Z"', '"2024-03-01T12:34:56.123456789"'].map((x) => `{"x":${x}}`);
    const nanos = BigInt(Date.parse('2024-03-01T12:34:56Z')) * 1_000_000n + 123_456_789n;
    expect(decode({ x: 'timestamptz_ns' }, values)).toMatchObject({ rows: [{ x: nanos }], cut: 0, interpreted: 1 });
    expect(decode({ x: 'timestamp_ns' }, values)).toMatchObject({ rows: [{ x: nanos }], cut: 0, interpreted: 1 });
  });

  test('any date-time is what JavaScript reads, whatever the offset', () => {
    const instant = fc.date({
      min: new Date('0001-01-02T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instant, fc.integer({ min: -1439, max: 1439 }), fc.nat(999), (date, offset, more) => {
        const local = new Date(date.getTime() + offset * 60_000).toISOString();
        const two = (n: number): string => String(n).padStart(2, '0');
        const minutes = Math.abs(offset);
        const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
        const text = `${local.slice(0, -1)}${String(more).padStart(3, '0')}${zone}`;
        expect(one('timestamptz', `"${text}"`)).toBe(BigInt(date.getTime()) * 1000n + BigInt(more));
        expect(one('date', `"${date.toISOString().slice(0, 10)}"`)).toBe(Math.floor(date.getTime() / 86_400_000));
      }),
      { numRuns: 300 },
    );
  });

  test('bytes as Buffer writes them in base64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        expect(one('binary', `"${buffer.toString('base64')}"`)).toBe(buffer.toString('hex'));
      }),
    );
  });
});

describe('maps, JSON text, floats', () => {
  test('maps: of equal keys the last counts; null values; structs inside; nested', () => {
    expect(one(map('long'), '{"a":1,"b":null,"":2}')).toEqual([
      ['a', 1n],
      ['b', null],
      ['', 2n],
    ]);
    expect(one(map('long'), '{"a":1,"b":5,"a":3}')).toEqual([
      ['a', 3n],
      ['b', 5n],
    ]);
    expect(one(map('long'), '{ }')).toEqual([]);
    expect(one(map('long'), '{"a":"x"}')).toBe('SCHEMA_INCOMPATIBLE');
    expect(one(map('long'), '[]')).toBe('SCHEMA_INCOMPATIBLE');
    expect(one(map('long'), String.raw`{"\ud800":1}`)).toBe('DECODE_JSON');
    expect(
      one(map(map({ type: 'struct', fields: fields({ d: 'date' }) })), '{"é":{"x":{"d":"1970-01-02"}},"y":{}}'),
    ).toEqual([
      ['é', [['x', { d: 1 }]]],
      ['y', []],
    ]);
  });

  test('maps against JSON.parse', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.option(fc.maxSafeInteger())), (value) => {
        const wanted = Object.entries(value).map(([key, n]) => [key, n === null ? null : BigInt(n)]);
        const found = one(map('long'), JSON.stringify(value)) as [string, unknown][];
        expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted));
        expect(found).toHaveLength(wanted.length);
      }),
    );
  });

  test('JSON text is kept as it was written, whatever it is', () => {
    const json = { jsonColumns: { x: 'json' } } as const;
    for (const text of [
      '{"a" : [1, 1.0,1e400], "a":-0}',
      '"\\ud800"',
      '7',
      'true',
      '[[],{}]',
      '"é"',
      '12345678901234567890',
    ])
      expect(one('string', text, json)).toBe(text);
    expect(one('string', 'null', json)).toBe(null);
    for (const text of ['{"a":}', '[1,]', '01', '"\\x"', '{"a" 1}', '[1}', '{"a":1,}', '1.', 'tru', '-'])
      expect(one('string', text, json)).toBe('DECODE_JSON');
    expect(
      decode({ x: 'string' }, [Uint8Array.from([...utf8('{"x":["'), 0xff, ...utf8('"]}')])], json).failed[0]!.code,
    ).toBe('DECODE_JSON');
  });

  test('any JSON text is kept, from the bytes', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom('', ' ', '\n'), (text, space) => {
        const written = JSON.stringify(JSON.parse(text), null, space);
        const { rows, interpreted } = decode({ x: 'string' }, [`{"x":${space}${written}${space}}`], {
          jsonColumns: { x: 'json' },
        });
        expect(rows).toEqual([{ x: written === 'null' ? null : written }]);
        expect(interpreted).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('nesting deeper than a stack is kept too', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    expect(one('string', deep, { jsonColumns: { x: 'json' } })).toBe(deep);
  });

  test('floats: fractions as the nearest, whole numbers exactly', () => {
    expect(one('float', '0.1')).toBe(Math.fround(0.1));
    expect(one('float', '16777216')).toBe(16_777_216);
    expect(one('float', '16777217')).toBe('VALUE_OUT_OF_RANGE');
    expect(one('float', '1e39')).toBe('VALUE_OUT_OF_RANGE');
    expect(one('double', '-0.0')).toBe(-0);
    expect(one('double', '1e308')).toBe(1e308);
  });
});

describe('members without a column', () => {
  const layout = (types: StructType['fields']): ReturnType<typeof layoutOf> =>
    layoutOf({ type: 'struct', fields: types });
  const inner: StructType = { type: 'struct', fields: [...fields({ a: 'long' }), extraField([])] };
  const list = (element: IcebergType): IcebergType => ({
    type: 'list',
    'element-id': 0,
    'element-required': false,
    element,
  });
  const wide = layout([...fields({ n: 'long', o: inner, l: list(inner) }), extraField([])]);

  test('in a table that is full they are kept in `_extra` of their object, as they were written', () => {
    const { rows, interpreted } = decodeBoth(untypedBinding(wide, { ...plain, maxColumns: 3 }), wide, [
      '{"n":1,"k" : [1, 2],"o":{"a":2,"z":{"y":1.0}},"l":[{"p":1},{"a":5}],"k2":"x"}',
      '{"n":2}',
      '{"n":3,"u":null}',
    ]);
    expect(rows).toEqual([
      {
        n: 1n,
        o: { a: 2n, _extra: '{"z":{"y":1.0}}' },
        l: [
          { a: null, _extra: '{"p":1}' },
          { a: 5n, _extra: null },
        ],
        _extra: '{"k":[1, 2],"k2":"x"}',
      },
      { n: 2n, o: null, l: null, _extra: null },
      { n: 3n, o: null, l: null, _extra: '{"u":null}' },
    ]);
    expect(interpreted).toBe(0);
  });

  test('equal keys, keys with escapes and beyond ASCII', () => {
    const { rows } = decodeBoth(untypedBinding(wide, { ...plain, maxColumns: 3 }), wide, [
      String.raw`{"k":1,"é":2,"k":3,"\u0061b":4,"\ud800":5}`,
    ]);
    expect(JSON.parse(rows[0]!['_extra'] as string)).toEqual({ k: 3, é: 2, ab: 4, '\ud800': 5 });
  });

  test('in a table with room they are asked for, also where `_extra` is already', () => {
    const { failed } = decodeBoth(untypedBinding(wide, plain), wide, [
      '{"new":"x","l":[{"b":1},{"c":true}],"_extra":1}',
    ]);
    expect(failed[0]!.unknownFields!.fields.map(({ name }) => name)).toEqual(['l', 'new']);
    const struct = (failed[0]!.unknownFields!.fields[0]!.type as Extract<IcebergType, { type: 'list' }>)
      .element as StructType;
    expect(struct.fields.map(({ name, type }) => [name, type])).toEqual([
      ['b', 'long'],
      ['c', 'boolean'],
    ]);
    // Called as the column of extra members: no column, but kept.
    expect(decodeBoth(untypedBinding(wide, plain), wide, ['{"_extra":1}']).rows[0]!['_extra']).toBe('{"_extra":1}');
  });

  test('members whose column was dropped on purpose are left out, at every level', () => {
    const bare = layout(fields({ n: 'long', o: { type: 'struct', fields: fields({ a: 'long' }) } }));
    const binding = untypedBinding(bare, plain, 'value', ['gone', 'o.gone']);
    const values = [
      '{"n":1,"gone":{"x":[1]},"o":{"a":2,"gone":5}}',
      String.raw`{"gon\u0065":"x","n":2}`,
      '{"o":{"n":1}}',
    ];
    const { rows, failed, interpreted } = decodeBoth(binding, bare, values);
    expect(rows).toEqual([
      { n: 1n, o: { a: 2n } },
      { n: 2n, o: null },
    ]);
    expect(Object.keys(failed)).toEqual(['2']);
    expect(interpreted).toBe(2);
  });

  test('a full table without `_extra` asks for it, at every level, but not for nothing', () => {
    const bare = layout(fields({ n: 'long', o: { type: 'struct', fields: fields({ a: 'long' }) } }));
    const { failed, rows } = decodeBoth(untypedBinding(bare, { ...plain, maxColumns: 2 }), bare, [
      '{"n":1,"o":{"b":1},"c":1}',
      '{"n":2,"c":null,"o":{"d":{}}}',
    ]);
    expect(failed[0]!.unknownFields!.fields).toMatchObject([
      { name: 'o', type: { fields: [{ name: '_extra', type: 'string' }] } },
      { name: '_extra', type: 'string' },
    ]);
    expect(rows).toEqual([{ n: 2n, o: { a: null } }]);
  });
});

test('any bytes in any columns: both decoders agree, every record is a row or a failure', () => {
  const types = {
    d: 'date',
    t: 'timestamptz',
    u: 'uuid',
    b: 'binary',
    m: map('double'),
    j: 'string',
    f: 'float',
    c: 'decimal(20, 3)',
    s: 'string',
  } as const;
  const layout = layoutOf({ type: 'struct', fields: [...fields(types), extraField([])] });
  const binding = untypedBinding(layout, { ...plain, jsonColumns: { j: 'json' }, maxColumns: 5 });
  const value = fc.oneof(
    fc.constantFrom(
      '"2024-01-02"',
      '"2024-01-02T03:04:05.123456789Z"',
      '"00112233-4455-6677-8899-aabbccddeeff"',
      '"AAAA"',
      '1.5',
      '-0.0',
      '1e400',
      '"1.25"',
      '{"a":1.5,"b":null}',
      '{}',
      '[]',
      'null',
    ),
    fc.json({ maxDepth: 2 }),
  );
  const text = fc
    .array(fc.tuple(fc.constantFrom(...Object.keys(types), 'x', 'y'), value), { maxLength: 8 })
    .map((members) => `{${members.map(([key, json]) => `"${key}":${json}`).join(',')}}`);
  const damaged = fc
    .tuple(text, fc.option(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean())))
    .map(([json, damage]) => {
      const bytes = utf8(json);
      if (!damage) return bytes;
      const [at, byte, cut] = damage;
      bytes[at % bytes.length] = byte;
      return cut ? bytes.subarray(0, at % bytes.length) : bytes;
    });
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof({ weight: 9, arbitrary: damaged }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) }),
        { minLength: 1, maxLength: 8 },
      ),
      (values) => {
        decodeBoth(binding, layout, values);
      },
    ),
    { numRuns: 1500 },
  );
});
