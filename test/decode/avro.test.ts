import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { makeAvroDecoder } from '../../src/decode/avro.ts';
import type { BoundSchema } from '../../src/decode/decoder.ts';
import { convertAvro } from '../../src/schema/avro.ts';
import type { AvroOptions } from '../../src/schema/avro.ts';
import { evolve } from '../../src/schema/evolve.ts';
import type { Schema } from '../../src/schema/types.ts';
import { boundOf, options, twins } from './avro-lab.ts';
import { avscType, recordSample } from './avro-samples.ts';
import { decodeAll } from './decode-all.ts';
import { breaches, positionsOf, rowsOf } from './rows.ts';

describe('Avro against avsc', () => {
  test('random schemas and values: compiled, interpreted and avsc agree', () => {
    fc.assert(
      fc.property(
        recordSample.chain((sample) =>
          fc.tuple(
            fc.constant(sample),
            fc.array(fc.oneof({ weight: 8, arbitrary: sample.value }, fc.constant('tombstone')), { maxLength: 12 }),
          ),
        ),
        ([sample, values]) => {
          const type = avscType(sample.schema);
          const encoded = values.map((value) => (value === 'tombstone' ? null : type.toBuffer(value)));
          const { layout, compiled, interpreted } = twins(sample.schema);
          const nulls = Object.fromEntries(layout.fields.map(({ name }) => [name, null]));
          const wanted = encoded.map((bytes) => (bytes ? sample.expect(type.fromBuffer(bytes) as never) : nulls));
          expect(decodeAll(interpreted, layout, encoded)).toEqual({
            rows: wanted,
            failed: {},
            cut: expect.any(Number) as number,
          });
          expect(decodeAll(compiled, layout, encoded)).toEqual({
            rows: wanted,
            failed: {},
            cut: expect.any(Number) as number,
          });
          expect(compiled.interpreted, 'only tombstones leave the generated code').toBe(
            encoded.filter((bytes) => !bytes).length,
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test('random bytes and damaged records give rows or failures, the same for both', () => {
    fc.assert(
      fc.property(
        recordSample.chain((sample) =>
          fc.tuple(
            fc.constant(sample),
            fc.array(
              fc.oneof(
                fc.uint8Array({ maxLength: 60 }),
                fc.tuple(sample.value, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.integer({ min: -3, max: 3 })),
              ),
              { minLength: 1, maxLength: 8 },
            ),
          ),
        ),
        ([sample, inputs]) => {
          const type = avscType(sample.schema);
          const encoded = inputs.map((input) => {
            if (input instanceof Uint8Array) return input;
            const [value, at, byte, cut] = input;
            const bytes = type.toBuffer(value);
            if (bytes.length > 0) bytes[at % bytes.length] = byte;
            return cut < 0
              ? bytes.subarray(0, Math.max(0, bytes.length + cut))
              : Buffer.concat([bytes, Buffer.alloc(cut)]);
          });
          const { layout, compiled, interpreted } = twins(sample.schema);
          const all = decodeAll(compiled, layout, encoded);
          expect(all).toEqual(decodeAll(interpreted, layout, encoded));
          expect(all.rows.length + Object.keys(all.failed).length).toBe(encoded.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('more fields than one generated function holds, at the top and inside', () => {
    const fields = (prefix: string, count: number): { name: string; type: unknown }[] =>
      Array.from({ length: count }, (_, i) => ({
        name: `${prefix}${i}`,
        type: i % 3 === 0 ? ['null', 'long'] : 'string',
      }));
    const schema = {
      type: 'record',
      name: 'Wide',
      fields: [
        ...fields('a', 150),
        { name: 'inner', type: { type: 'record', name: 'Inner', fields: fields('b', 200) } },
        ...fields('c', 10),
      ],
    };
    const type = avscType(schema);
    const values = (prefix: string, count: number): Record<string, unknown> =>
      Object.fromEntries(
        fields(prefix, count).map(({ name }, i) => [
          name,
          i % 3 !== 0 ? `text ${i}` : i % 2 ? null : { long: BigInt(i) ** 5n },
        ]),
      );
    const plain = (of: Record<string, unknown>): unknown =>
      Object.fromEntries(
        Object.entries(of).map(([key, value]) => [
          key,
          typeof value === 'object' && value ? Object.values(value)[0] : value,
        ]),
      );
    const { layout, compiled } = twins(schema);
    const encoded = type.toBuffer({ ...values('a', 150), inner: values('b', 200), ...values('c', 10) });
    const row = {
      ...(plain(values('a', 150)) as object),
      inner: plain(values('b', 200)),
      ...(plain(values('c', 10)) as object),
    };
    expect(decodeAll(compiled, layout, [encoded, encoded])).toEqual({ rows: [row, row], failed: {}, cut: 0 });
    expect(compiled.interpreted).toBe(0);
  });

  test('what one record may hold is counted anew for each', () => {
    const tree = { type: 'record', name: 'T', fields: [{ name: 'next', type: ['null', 'T'] }] };
    const schema = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'nothings', type: { type: 'array', items: 'null' } },
        { name: 'tree', type: tree },
      ],
    };
    const { layout, compiled } = twins(schema);
    const encoded = Buffer.from([0x80, 0xf1, 0x04, 0, 0]);
    const deep = Buffer.from([0, ...new Array<number>(300).fill(2), 0]);
    // Breaks off 300 levels down.
    const broken = deep.subarray(0, -1);
    const { rows, failed } = decodeAll(compiled, layout, [encoded, encoded, broken, broken, deep]);
    expect(rows).toHaveLength(3);
    expect(Object.keys(failed)).toEqual(['2', '3']);
    expect(compiled.interpreted, 'only what is broken').toBe(2);
  });

  test('a short schema that stands for endless fields inside of a recursive one is decoded as fast as any', () => {
    let item: object = { type: 'record', name: 'D0', fields: [{ name: 'a', type: 'int' }] };
    for (let i = 1; i <= 60; i++)
      item = {
        type: 'record',
        name: `D${i}`,
        fields: [
          { name: 'a', type: item },
          { name: 'b', type: `D${i - 1}` },
        ],
      };
    const tree = {
      type: 'record',
      name: 'T',
      fields: [
        { name: 'next', type: ['null', 'T'] },
        { name: 'list', type: { type: 'array', items: item } },
      ],
    };
    const { layout, compiled } = twins({ type: 'record', name: 'R', fields: [{ name: 'tree', type: tree }] });
    expect(decodeAll(compiled, layout, [Buffer.from([0, 0])]).rows).toEqual([{ tree: '{"next":null,"list":[]}' }]);
  });
});

describe('Avro, case by case', () => {
  const one = (type: unknown, over?: AvroOptions): ReturnType<typeof twins> =>
    twins({ type: 'record', name: 'R', fields: [{ name: 'f', type }] }, over);
  const decode = (type: unknown, bytes: readonly number[], over?: AvroOptions): unknown => {
    const { layout, compiled, interpreted } = one(type, over);
    const result = decodeAll(compiled, layout, [Uint8Array.from(bytes)]);
    expect(result).toEqual(decodeAll(interpreted, layout, [Uint8Array.from(bytes)]));
    return result.failed[0] ?? (result.rows[0] as { f: unknown }).f;
  };

  test('a byte that is no UTF-8 is seen wherever it stands in a text', () => {
    // The text is copied in words; behind the record stand others, so that it is not its end that is looked at.
    const text = { type: 'record', name: 'R', fields: [{ name: 'f', type: 'string' }] };
    const { layout, compiled } = twins(text);
    const valid = Buffer.from([40, ...Buffer.from('x'.repeat(20))]);
    for (let length = 1; length <= 100; length++)
      for (let at = 0; at < length; at++) {
        const bytes = Buffer.alloc(length, 'x');
        bytes[at] = 0xff;
        const prefix = length < 64 ? [2 * length] : [((2 * length) & 0x7f) | 0x80, (2 * length) >> 7];
        const { rows, failed } = decodeAll(compiled, layout, [Buffer.from([...prefix, ...bytes]), valid]);
        expect({ rows, failed }).toEqual({
          rows: [{ f: 'x'.repeat(20) }],
          failed: { 0: 'DECODE_AVRO f: a string is not valid UTF-8' },
        });
      }
  });

  test.each([
    ['bytes after the record', 'int', [2, 0], 'DECODE_AVRO the record: 1 bytes follow it'],
    ['bytes end early', 'double', [0, 0], 'DECODE_AVRO f: the bytes end early'],
    ['invalid UTF-8', 'string', [4, 0xc3, 0x28], 'DECODE_AVRO f: a string is not valid UTF-8'],
    ['a surrogate in UTF-8', 'string', [6, 0xed, 0xa0, 0x80], 'DECODE_AVRO f: a string is not valid UTF-8'],
    ['an int beyond 32 bits', 'int', [0xff, 0xff, 0xff, 0xff, 0x7f], 'DECODE_AVRO f: an int has more than 32 bits'],
    ['a varint beyond 64 bits', 'long', Array(9).fill(0xff).concat(2), 'DECODE_AVRO f: a number has more than 64 bits'],
    ['a branch that is not there', ['null', 'int'], [4, 0], 'DECODE_AVRO f: there is no union branch 2'],
    [
      'a decimal wider than declared',
      { type: 'bytes', logicalType: 'decimal', precision: 3, scale: 0 },
      [4, 0x03, 0xe8],
      'VALUE_OUT_OF_RANGE f: the value has more digits than decimal(3, 0)',
    ],
    [
      'the largest negative decimal',
      { type: 'bytes', logicalType: 'decimal', precision: 3, scale: 0 },
      [4, 0xfc, 0x19],
      -999n,
    ],
    [
      'a text that is no UUID',
      { type: 'string', logicalType: 'uuid' },
      [4, 0x30, 0x31],
      'VALUE_OUT_OF_RANGE f: the text is not a UUID',
    ],
    [
      'a time of day of 24 hours',
      { type: 'int', logicalType: 'time-millis' },
      [0x80, 0xf0, 0xb2, 0x52],
      'VALUE_OUT_OF_RANGE f: the time of day is not within a day',
    ],
    ['a negative count with a block size', { type: 'array', items: 'int' }, [3, 4, 2, 4, 0], [1, 2]],
    ['several blocks', { type: 'array', items: 'int' }, [2, 2, 2, 4, 0], [1, 2]],
    [
      'more items than bytes',
      { type: 'array', items: 'int' },
      [0xfe, 0xff, 0xff, 0xff, 0x0f, 2],
      'DECODE_AVRO f: a block has more items than bytes',
    ],
    [
      'endless items without bytes',
      { type: 'array', items: 'null' },
      [0xfe, 0xff, 0xff, 0xff, 0x0f, 0],
      'DECODE_AVRO f: there are more than 65536 items without bytes',
    ],
    ['a few items without bytes', { type: 'array', items: 'null' }, [4, 0], [null, null]],
    ['null alone makes no column', ['null'], [0], undefined],
    ['big-decimal', { type: 'bytes', logicalType: 'big-decimal' }, [8, 4, 0x04, 0xd2, 4], '12.34'],
    [
      'duration',
      { type: 'fixed', name: 'D', size: 12, logicalType: 'duration' },
      [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0],
      '010000000200000003000000',
    ],
  ])('%s', (_, type, bytes, wanted) => {
    expect(decode(type, bytes as number[])).toEqual(wanted);
  });

  test('a timestamp whose microseconds have more than 64 bits is out of range', () => {
    const bytes = [...avscType('long').toBuffer(2n ** 63n / 1000n + 1n)];
    expect(decode({ type: 'long', logicalType: 'timestamp-millis' }, bytes)).toMatch(/^VALUE_OUT_OF_RANGE f: /);
  });

  test('options: time of day as long or text, nanoseconds as long, every union a struct', () => {
    const time = { type: 'int', logicalType: 'time-millis' };
    const ms = [...avscType('int').toBuffer(((13 * 60 + 5) * 60 + 9) * 1000 + 7)];
    expect(decode(time, ms, { ...options, timeOfDay: 'long' })).toBe(47_109_007_000n);
    expect(decode(time, ms, { ...options, timeOfDay: 'string' })).toBe('13:05:09.007');
    expect(decode({ type: 'long', logicalType: 'timestamp-nanos' }, [3], { ...options, nanos: 'long' })).toBe(-2n);
    expect(decode({ type: 'long', logicalType: 'timestamp-nanos' }, [3])).toBe(-1n);
    expect(decode({ type: 'long', logicalType: 'timestamp-nanos' }, [3], { ...options, nanos: 'native' })).toBe(-2n);
    expect(decode(['null', 'int'], [2, 6], { ...options, unions: 'struct' })).toEqual({ int: 3 });
    expect(decode(['null', 'int'], [0], { ...options, unions: 'struct' })).toBe(null);
  });

  test('nanoseconds that are cut are counted', () => {
    const { layout, compiled, interpreted } = one({ type: 'long', logicalType: 'timestamp-nanos' });
    const type = avscType('long');
    expect(
      decodeAll(
        compiled,
        layout,
        [1_999n, 2_000n, -1n].map((ns) => type.toBuffer(ns)),
      ).rows,
    ).toEqual([{ f: 1n }, { f: 2n }, { f: -1n }]);
    expect(compiled.digitsCut).toBe(2);
    // Not those of a record that is no row, and once those before a tombstone.
    const values = [Uint8Array.from([2, 0]), type.toBuffer(1_999n), null];
    for (const decoder of [compiled, interpreted]) {
      const before = decoder.digitsCut;
      expect(decodeAll(decoder, layout, values)).toMatchObject({ rows: [{ f: 1n }, { f: null }], cut: before + 1 });
    }
  });

  test('a recursive type is JSON, however deep the bytes go', () => {
    const schema = {
      type: 'record',
      name: 'Node',
      fields: [
        { name: 'value', type: 'long' },
        { name: 'next', type: ['null', 'Node'] },
      ],
    };
    const { layout, compiled } = twins(schema);
    const type = avscType(schema);
    const list = type.toBuffer({ value: 1n, next: { Node: { value: 2n ** 62n, next: null } } });
    expect(decodeAll(compiled, layout, [list]).rows).toEqual([
      { value: 1n, next: '{"value":4611686018427387904,"next":null}' },
    ]);
    const endless = new Uint8Array(1_000_000).fill(2);
    expect(decodeAll(compiled, layout, [endless]).failed[0]).toBe(
      'DECODE_AVRO next: values are nested deeper than 500 levels',
    );
  });
});

describe('Avro into a table that has moved on', () => {
  test('older and newer writer schemas land in one layout: widened, added and removed at every level', () => {
    const one = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'id', type: 'int' },
        { name: 'gone', type: 'string' },
        { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 5, scale: 2 } },
        {
          name: 'inner',
          type: {
            type: 'record',
            name: 'I',
            fields: [
              { name: 'a', type: 'float' },
              { name: 'z', type: 'int' },
            ],
          },
        },
        {
          name: 'items',
          type: { type: 'array', items: { type: 'record', name: 'J', fields: [{ name: 'b', type: 'int' }] } },
        },
      ],
    };
    const two = {
      type: 'record',
      name: 'R',
      fields: [
        { name: 'fresh', type: { type: 'array', items: 'string' } },
        { name: 'id', type: 'long' },
        { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 25, scale: 2 } },
        {
          name: 'inner',
          type: [
            'null',
            {
              type: 'record',
              name: 'I',
              fields: [
                { name: 'a', type: 'double' },
                { name: 'c', type: 'string' },
              ],
            },
          ],
        },
        {
          name: 'items',
          type: {
            type: 'array',
            items: {
              type: 'record',
              name: 'J',
              fields: [
                { name: 'e', type: ['null', 'string'] },
                { name: 'b', type: 'long' },
              ],
            },
          },
        },
      ],
    };
    const { layout: first } = boundOf(one);
    const structs = [one, two].map((schema) => convertAvro(JSON.stringify(schema), {}, options).struct);
    const { schema: layout } = evolve(first, 20, structs[1]!);
    const decoders = [one, two].map((schema, i) =>
      makeAvroDecoder(
        { format: 'avro', text: JSON.stringify(schema), references: {}, struct: evolve(layout, 40, structs[i]!).bound },
        layout,
        options,
      ),
    );
    const batch = new ColumnBatch(layout);
    const values = [
      avscType(one).toBuffer({
        id: -1,
        gone: 'g',
        d: Buffer.from([0xff]),
        inner: { a: 1.5, z: 3 },
        items: [{ b: 7 }, { b: 8 }],
      }),
      avscType(two).toBuffer({
        fresh: ['x', ''],
        id: 2n ** 40n,
        d: Buffer.alloc(9, 1),
        inner: null,
        items: [{ e: { string: 'e' }, b: 2n ** 50n }],
      }),
    ];
    values.forEach((value, i) => expect(decoders[i]!.decode(positionsOf([value, value]), 0, 2, batch)).toBe(2));
    expect(breaches(batch, 4)).toEqual([]);
    const rows = rowsOf(batch, 4);
    expect(rows[1]).toEqual({
      id: -1n,
      gone: 'g',
      d: -1n,
      inner: { a: 1.5, z: 3, c: null },
      items: [
        { b: 7n, e: null },
        { b: 8n, e: null },
      ],
      fresh: null,
    });
    expect(rows[2]).toEqual({
      id: 2n ** 40n,
      gone: null,
      d: 0x010101010101010101n,
      inner: null,
      items: [{ b: 2n ** 50n, e: 'e' }],
      fresh: ['x', ''],
    });
  });

  test('a key becomes the struct _key', () => {
    const text = '"string"';
    const { struct } = convertAvro(text, {}, options);
    const layout: Schema = {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 1, name: 'v', required: false, type: 'long' },
        {
          id: 2,
          name: '_key',
          required: false,
          type: { type: 'struct', fields: [{ id: 3, name: 'value', required: false, type: 'string' }] },
        },
      ],
    };
    const bound: BoundSchema = {
      format: 'avro',
      text,
      references: {},
      struct: { type: 'struct', fields: [{ ...struct.fields[0]!, id: 3 }] },
    };
    const batch = new ColumnBatch(layout);
    expect(
      makeAvroDecoder(bound, layout, options, 'key').decode(
        positionsOf([Uint8Array.from([4, 0x68, 0x69]), null]),
        0,
        2,
        batch,
      ),
    ).toBe(2);
    batch.columns[0]!.reserve(2);
    batch.columns[0]!.appendNull();
    batch.columns[0]!.appendNull();
    expect(rowsOf(batch, 2).map((row) => row['_key'])).toEqual([{ value: 'hi' }, null]);
  });
});
