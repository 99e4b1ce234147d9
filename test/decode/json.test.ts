import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import type { Decoder } from '../../src/decode/decoder.ts';
import { emptyShape, observe, shapeToStruct } from '../../src/decode/infer.ts';
import type { InferOptions } from '../../src/decode/infer.ts';
import { InterpretedJson } from '../../src/decode/json-interpreted.ts';
import { untypedBinding } from '../../src/decode/json-place.ts';
import { JsonDecoder } from '../../src/decode/json.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import type { IcebergType, Schema, StructType } from '../../src/schema/types.ts';
import { breaches, positionsOf, rowsOf } from './rows.ts';

const auto: InferOptions = { numbers: 'auto', columns: {}, jsonColumns: {}, maxColumns: 1_000, nanos: 'micros' };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function layoutOf(struct: StructType): Schema {
  return { ...assignIds(struct, 1).struct, 'schema-id': 0 };
}

function one(name: string, type: IcebergType): Schema {
  return layoutOf({ type: 'struct', fields: [{ id: 0, name, required: false, type }] });
}

function inferred(texts: readonly string[]): Schema {
  return layoutOf(shapeToStruct(texts.map(utf8).reduce(observe, emptyShape()), auto));
}

function decodeAll(
  decoder: Decoder,
  layout: Schema,
  values: readonly (Uint8Array | null)[],
): { rows: unknown[]; failed: Record<number, unknown> } {
  const positions = positionsOf(values);
  const batch = new ColumnBatch(layout);
  const failed: Record<number, unknown> = {};
  let rows = 0;
  for (let i = 0; i < values.length;) {
    const stop = decoder.decode(positions, i, values.length, batch);
    rows += stop - i;
    expect(breaches(batch, rows)).toEqual([]);
    if (stop < values.length) failed[stop] = { ...decoder.failure };
    i = stop + 1;
  }
  return { rows: rowsOf(batch, rows), failed };
}

/** What JSON.parse gives, as the columns of a layout hold it. */
function expected(value: unknown, type: IcebergType): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'long') return BigInt(value as number);
  if (typeof type === 'string') return value;
  if (type.type === 'struct')
    return Object.fromEntries(
      type.fields.map((field) => [field.name, expected((value as Record<string, unknown>)[field.name], field.type)]),
    );
  if (type.type === 'list') return (value as unknown[]).map((item) => expected(item, type.element));
  return value;
}

const keys = ['id', 'name', 'a.b', 'ключ', 'nested', 'x', 'a longer key than most'];
const blank = fc.constantFrom('', '', ' ', '\n\t ');

/** Documents of one schema: every key keeps its kind; keys may be missing, null, and in any order. */
const documents: fc.Arbitrary<unknown[]> = fc
  .array(fc.tuple(fc.constantFrom(...keys), fc.nat(6)), { minLength: 1, maxLength: 6 })
  .chain((fields) => {
    const kinds: fc.Arbitrary<unknown>[] = [
      fc.boolean(),
      fc.oneof(fc.maxSafeInteger(), fc.integer()),
      fc
        .double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 })
        .map((v) => (Number.isInteger(v) ? 0.5 : v)),
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.option(fc.integer()), { maxLength: 4 }),
      fc.record({ p: fc.string(), q: fc.integer() }, { requiredKeys: [] }),
      fc.array(fc.record({ r: fc.string(), s: fc.array(fc.boolean(), { maxLength: 2 }) }, { requiredKeys: [] }), {
        maxLength: 3,
      }),
    ];
    const model = Object.fromEntries(fields.map(([key, kind]) => [key, fc.option(kinds[kind]!)]));
    const shuffled = fc
      .record(model, { requiredKeys: [], noNullPrototype: true })
      .chain((value) =>
        fc
          .shuffledSubarray(Object.keys(value), { minLength: Object.keys(value).length })
          .map((order) => Object.fromEntries(order.map((key) => [key, value[key]]))),
      );
    return fc.array(shuffled, { minLength: 1, maxLength: 10 });
  });

describe('JSON against JSON.parse', () => {
  test('documents of one schema: every row is what JSON.parse gives, from the bytes', () => {
    fc.assert(
      fc.property(documents, blank, (values, space) => {
        const texts = values.map((value) => JSON.stringify(value, null, space));
        const layout = inferred(texts);
        const wanted = values.map((value) => expected(value, layout));
        const decoder = new JsonDecoder(untypedBinding(layout, auto));
        expect(decodeAll(new InterpretedJson(untypedBinding(layout, auto)), layout, texts.map(utf8))).toEqual({
          rows: wanted,
          failed: {},
        });
        expect(decodeAll(decoder, layout, texts.map(utf8))).toEqual({ rows: wanted, failed: {} });
        // Plain documents never leave the byte decoder.
        expect(decoder.interpreted).toBeLessThanOrEqual(
          texts.filter((text) => /[[{]\s*[\]}]|null|ключ/.test(text)).length,
        );
      }),
      { numRuns: 500 },
    );
  });

  test('any values and damaged texts: both decoders agree on rows, failures and unknown fields', () => {
    const damage = fc.tuple(
      fc.nat(),
      fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...Buffer.from('{}[]",:\\0-.eE u'))),
      fc.boolean(),
    );
    fc.assert(
      fc.property(
        fc.array(fc.json({ maxDepth: 3 }), { maxLength: 4 }),
        fc.array(documents, { minLength: 1, maxLength: 2 }),
        fc.array(fc.option(damage), { minLength: 1 }),
        (samples, some, damages) => {
          const texts = [...samples, ...some.flat().map((value) => JSON.stringify(value))];
          const layout = inferred(texts.slice(0, Math.ceil(texts.length / 2)));
          const values = texts.map((text, i): Uint8Array => {
            const bytes = utf8(text);
            const change = damages[i % damages.length];
            if (!change || bytes.length === 0) return bytes;
            const [at, byte, cut] = change;
            bytes[at % bytes.length] = byte;
            return cut ? bytes.subarray(0, at % bytes.length) : bytes;
          });
          const all = decodeAll(new JsonDecoder(untypedBinding(layout, auto)), layout, values);
          expect(all).toEqual(decodeAll(new InterpretedJson(untypedBinding(layout, auto)), layout, values));
          expect(all.rows.length + Object.keys(all.failed).length).toBe(values.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('numbers from their digits: the same as JSON.parse, or exact', () => {
    const digits = fc.tuple(
      fc.boolean(),
      fc.bigInt(0n, 10n ** 20n),
      fc.option(fc.tuple(fc.nat(10 ** 9), fc.integer({ min: 1, max: 18 }))),
      fc.option(fc.integer({ min: -30, max: 30 })),
    );
    fc.assert(
      fc.property(
        digits,
        fc.constantFrom<IcebergType>('long', 'int', 'double', 'decimal(9, 2)', 'decimal(18, 0)', 'decimal(38, 10)'),
        ([negative, whole, fraction, exponent], type) => {
          const text = `${negative ? '-' : ''}${whole}${fraction ? `.${String(fraction[0]).padStart(fraction[1], '0')}` : ''}${exponent === null ? '' : `e${exponent}`}`;
          const layout = one('n', type);
          const bytes = [utf8(`{"n":${text}}`)];
          const result = decodeAll(new JsonDecoder(untypedBinding(layout, auto)), layout, bytes);
          expect(result).toEqual(decodeAll(new InterpretedJson(untypedBinding(layout, auto)), layout, bytes));
          const value = (result.rows[0] as { n: unknown } | undefined)?.n;
          if (type === 'double' && value !== undefined) expect(value).toBe(Number(text));
          if ((type === 'long' || type === 'int') && value !== undefined && !fraction && exponent === null)
            expect(`${value as bigint | number}`).toBe(text.replace(/^-0$/, '0'));
          if (type === 'long' && !fraction && exponent === null)
            expect(value === undefined).toBe(BigInt.asIntN(64, BigInt(text)) !== BigInt(text));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('JSON, case by case', () => {
  const all: Schema = layoutOf({
    type: 'struct',
    fields: [
      { id: 0, name: 'n', required: false, type: 'long' },
      { id: 0, name: 's', required: false, type: 'string' },
      { id: 0, name: 'd', required: false, type: 'double' },
      {
        id: 0,
        name: 'o',
        required: false,
        type: { type: 'struct', fields: [{ id: 0, name: 'i', required: false, type: 'int' }] },
      },
      {
        id: 0,
        name: 'l',
        required: false,
        type: { type: 'list', 'element-id': 0, 'element-required': false, element: 'long' },
      },
    ],
  });
  const row = { n: null, s: null, d: null, o: null, l: null };
  const decode = (text: string | Uint8Array): unknown => {
    const bytes = [typeof text === 'string' ? utf8(text) : text];
    const result = decodeAll(new JsonDecoder(untypedBinding(all, auto)), all, bytes);
    expect(result).toEqual(decodeAll(new InterpretedJson(untypedBinding(all, auto)), all, bytes));
    return result.rows[0] ?? result.failed[0];
  };

  test.each<[string, string, object]>([
    ['the last of equal keys counts', '{"n":1,"s":"x","n":2}', { ...row, n: 2n, s: 'x' }],
    ['unknown keys with null, [] and {} make no column', '{"u":null,"v":[],"w":{},"n":1}', { ...row, n: 1n }],
    ['an empty object and list are present', '{"o":{},"l":[]}', { ...row, o: { i: null }, l: [] }],
    ['nulls at every level', '{"o":{"i":null},"l":[null,1]}', { ...row, o: { i: null }, l: [null, 1n] }],
    ['escapes', String.raw`{"s":"\u00e9\ud83d\ude00\n\/\"\\"}`, { ...row, s: 'é😀\n/"\\' }],
    ['an escaped key', String.raw`{"\u006e":5}`, { ...row, n: 5n }],
    ['a whole number in other spelling', '{"n":1.20e2}', { ...row, n: 120n }],
    ['the largest long', '{"n":9223372036854775807}', { ...row, n: 2n ** 63n - 1n }],
    ['18 digits', '{"n":-999999999999999999}', { ...row, n: -999999999999999999n }],
    ['JSON null is a row without values', ' null ', row],
    ['a whole number in a double', '{"d":9007199254740992}', { ...row, d: 2 ** 53 }],
    ['many digits', '{"d":0.1234567890123456789}', { ...row, d: 0.12345678901234568 }],
  ])('%s', (_, text, wanted) => {
    expect(decode(text)).toEqual(wanted);
  });

  test.each([
    [
      'a lone surrogate',
      String.raw`{"s":"\ud800"}`,
      'DECODE_JSON',
      's: a string has a lone surrogate, which no UTF-8 can hold',
    ],
    [
      'a number beyond 64 bits',
      '{"n":9223372036854775808}',
      'VALUE_OUT_OF_RANGE',
      'n: the number cannot be held exactly by long',
    ],
    ['a fraction in a long', '{"n":1.5}', 'VALUE_OUT_OF_RANGE', 'n: the number cannot be held exactly by long'],
    ['1e400', '{"d":1e400}', 'VALUE_OUT_OF_RANGE', 'd: the number cannot be held exactly by double'],
    [
      'a fraction that would become 0',
      '{"d":1e-400}',
      'VALUE_OUT_OF_RANGE',
      'd: the number cannot be held exactly by double',
    ],
    [
      'a whole number that no double is',
      '{"d":9007199254740993}',
      'VALUE_OUT_OF_RANGE',
      'd: the number cannot be held exactly by double',
    ],
    [
      'an int beyond 32 bits',
      '{"o":{"i":2147483648}}',
      'VALUE_OUT_OF_RANGE',
      'o.i: the number cannot be held exactly by int',
    ],
    ['a string in a long', '{"n":"1"}', 'SCHEMA_INCOMPATIBLE', 'n: the column is long, the value is a string'],
    ['an object in a list', '{"l":{}}', 'SCHEMA_INCOMPATIBLE', 'l: the column is a list, the value is an object'],
    [
      'a number in a string',
      '{"l":[1,"x"]}',
      'SCHEMA_INCOMPATIBLE',
      'l.element: the column is long, the value is a string',
    ],
    ['no JSON', '{"n":01}', 'DECODE_JSON', 'the value is not JSON'],
    ['a comma too many', '{"n":1,}', 'DECODE_JSON', 'the value is not JSON'],
    ['text after the value', '{"n":1} x', 'DECODE_JSON', 'the value is not JSON'],
    ['nothing', '', 'DECODE_JSON', 'the value is empty'],
    ['endless nesting', '['.repeat(200_000), 'DECODE_JSON', 'the value is not JSON'],
  ])('%s', (_, text, code, reason) => {
    expect(decode(text)).toEqual({ code, reason });
  });

  test('invalid UTF-8 is refused, wherever it stands', () => {
    expect(decode(Uint8Array.from([...utf8('{"s":"'), 0xff, ...utf8('"}')]))).toEqual({
      code: 'DECODE_JSON',
      reason: 'the value is not valid UTF-8',
    });
    expect(decode(Uint8Array.from([...utf8('{"u'), 0xff, ...utf8('":null}')]))).toEqual({
      code: 'DECODE_JSON',
      reason: 'the value is not valid UTF-8',
    });
  });

  test('keys without a column stop the record and carry what they would be, at every level', () => {
    const failure = decode('{"n":1,"t":"x","o":{"i":1,"j":2.5},"z":null}') as {
      code: string;
      reason: string;
      unknownFields: StructType;
    };
    expect(failure.code).toBe('SCHEMA_INCOMPATIBLE');
    expect(failure.unknownFields.fields.map(({ name, type }) => [name, type])).toEqual([
      ['o', { type: 'struct', fields: [{ id: 0, name: 'j', required: false, type: 'double' }] }],
      ['t', 'string'],
    ]);
  });

  test('a value that is not an object is the column `value`; a tombstone is a row of nulls', () => {
    const layout = inferred(['1', '2']);
    expect(
      decodeAll(new JsonDecoder(untypedBinding(layout, auto)), layout, [utf8('7'), null, utf8('{"value":8}')]),
    ).toEqual({
      rows: [{ value: 7n }, { value: null }, { value: 8n }],
      failed: {},
    });
  });

  test('a required column refuses tombstones and missing values', () => {
    const layout: Schema = { ...all, fields: all.fields.map((field) => ({ ...field, required: field.name === 'n' })) };
    const { rows, failed } = decodeAll(new JsonDecoder(untypedBinding(layout, auto)), layout, [
      null,
      utf8('{"s":"x"}'),
      utf8('{"n":1}'),
    ]);
    expect(rows).toEqual([{ ...row, n: 1n }]);
    expect(failed).toMatchObject({
      0: { code: 'SCHEMA_INCOMPATIBLE' },
      1: { code: 'SCHEMA_INCOMPATIBLE', reason: 'n: is missing or null, and the column is required' },
    });
  });
});
