import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { makeProtobufDecoder, protobufBinding } from '../../src/decode/protobuf.ts';
import { protobufCode } from '../../src/decode/protobuf-codegen.ts';
import { CompiledProtobuf } from '../../src/decode/protobuf-compiled.ts';
import { InterpretedProtobuf } from '../../src/decode/protobuf-interpreted.ts';
import type { ProtobufOptions } from '../../src/schema/protobuf.ts';
import type { IcebergType, ListType, NestedField, Schema, StructType } from '../../src/schema/types.ts';
import { decodeAll } from './decode-all.ts';
import { boundOf, options, twins, typeOf } from './protobuf-lab.ts';
import { encode, messageSample } from './protobuf-samples.ts';
import { positionsOf, rowsOf } from './rows.ts';

describe('Protobuf against protobufjs', () => {
  test('random messages: what protobufjs encodes is read by both decoders', () => {
    fc.assert(
      fc.property(
        messageSample.chain((sample) =>
          fc.tuple(
            fc.constant(sample),
            fc.array(fc.oneof({ weight: 8, arbitrary: sample.value }, fc.constant('tombstone' as const)), {
              maxLength: 12,
            }),
          ),
        ),
        ([sample, values]) => {
          const type = typeOf(sample.text);
          const encoded = values.map((value) => (value === 'tombstone' ? null : encode(type, value)));
          const { layout, compiled, interpreted } = twins(sample.text);
          const nulls = Object.fromEntries(layout.fields.map(({ name }) => [name, null]));
          const wanted = values.map((value) => (value === 'tombstone' ? nulls : sample.expect(value)));
          const oracle = decodeAll(interpreted, layout, encoded);
          expect(oracle).toEqual({ rows: wanted, failed: {}, cut: oracle.cut });
          expect(decodeAll(compiled, layout, encoded)).toEqual(oracle);
          expect(compiled.interpreted, 'only tombstones leave the generated code').toBe(
            encoded.filter((bytes) => !bytes).length,
          );
        },
      ),
      { numRuns: 100, interruptAfterTimeLimit: 40_000 },
    );
  }, 60_000);

  test('random bytes, damaged records and records joined together give rows or failures, the same for both', () => {
    fc.assert(
      fc.property(
        messageSample.chain((sample) =>
          fc.tuple(
            fc.constant(sample),
            fc.array(
              fc.oneof(
                fc.uint8Array({ maxLength: 60 }),
                fc.tuple(sample.value, sample.value),
                fc.tuple(sample.value, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.integer({ min: -3, max: 3 })),
              ),
              { minLength: 1, maxLength: 8 },
            ),
          ),
        ),
        ([sample, inputs]) => {
          const type = typeOf(sample.text);
          const encoded = inputs.map((input) => {
            if (input instanceof Uint8Array) return input;
            // Two encodings one after another are one message with everything merged.
            if (input.length === 2) return Buffer.concat(input.map((value) => encode(type, value)));
            const [value, at, byte, cut] = input;
            const bytes = Buffer.from(encode(type, value));
            if (bytes.length > 0) bytes[at % bytes.length] = byte;
            return cut < 0
              ? bytes.subarray(0, Math.max(0, bytes.length + cut))
              : Buffer.concat([bytes, Buffer.alloc(cut)]);
          });
          const { layout, compiled, interpreted } = twins(sample.text);
          const all = decodeAll(compiled, layout, encoded);
          expect(all).toEqual(decodeAll(interpreted, layout, encoded));
          expect(all.rows.length + Object.keys(all.failed).length).toBe(encoded.length);
        },
      ),
      { numRuns: 150, interruptAfterTimeLimit: 40_000 },
    );
  }, 60_000);
});

describe('Protobuf, case by case', () => {
  const head = 'syntax = "proto3"; ';
  const decode = (text: string, bytes: readonly number[], over?: ProtobufOptions): unknown => {
    const { layout, compiled, interpreted } = twins(text, over);
    const result = decodeAll(compiled, layout, [Uint8Array.from(bytes)]);
    expect(result).toEqual(decodeAll(interpreted, layout, [Uint8Array.from(bytes)]));
    return result.failed[0] ?? result.rows[0];
  };
  const one = (type: string, bytes: readonly number[], over?: ProtobufOptions): unknown => {
    const imports = [...type.matchAll(/google\.protobuf\.(\w+)/g)].map(([, name]) =>
      name === 'Timestamp' || name === 'Duration' || name === 'Any' ? name.toLowerCase() : 'struct',
    );
    const text = `${head}${imports.map((name) => `import "google/protobuf/${name}.proto";`).join('')} message M { ${type} f = 1; } enum E { A = 0; B = 5; }`;
    const found = decode(text, bytes, over);
    return typeof found === 'string' ? found : (found as { f: unknown }).f;
  };

  test.each([
    ['a number that ends early', 'int32', [8, 0x80], 'DECODE_PROTOBUF f: the bytes end inside a number'],
    [
      'a varint of eleven bytes',
      'int64',
      [8, ...Array(10).fill(0xff), 1],
      'DECODE_PROTOBUF f: a number has more than 64 bits',
    ],
    [
      'a tenth byte of more than one bit',
      'uint64',
      [8, ...Array(9).fill(0xff), 2],
      'DECODE_PROTOBUF f: a number has more than 64 bits',
    ],
    ['field number 0', 'int32', [0, 1], 'DECODE_PROTOBUF the record: a field number is not valid'],
    ['wire type 6', 'int32', [14, 1], 'DECODE_PROTOBUF the record: there is no wire type 6'],
    ['a length beyond the bytes', 'string', [10, 5, 65], 'DECODE_PROTOBUF f: a length goes beyond the bytes'],
    ['a length of 2^63', 'bytes', [10, ...Array(9).fill(0xff), 1], 'DECODE_PROTOBUF f: a length goes beyond the bytes'],
    ['invalid UTF-8', 'string', [10, 2, 0xc3, 0x28], 'DECODE_PROTOBUF f: a string is not valid UTF-8'],
    ['a fixed that ends early', 'double', [9, 0, 0], 'DECODE_PROTOBUF f: the bytes end early'],
    ['a group that ends and never began', 'int32', [12], 'DECODE_PROTOBUF the record: a group ends that did not begin'],
    ['a group that never ends', 'int32', [19, 8, 1], 'DECODE_PROTOBUF the record: the bytes end inside a group'],
    ['an unknown group', 'int32', [19, 8, 1, 20, 8, 7], 7],
    [
      'a packed list that ends inside a number',
      'repeated int32',
      [10, 2, 1, 0x80],
      'DECODE_PROTOBUF f: the bytes end inside a number',
    ],
    ['the last one wins', 'string', [10, 1, 65, 10, 1, 66], 'B'],
    ['a shorter text after a longer one', 'string', [10, 3, 65, 65, 65, 10, 0], ''],
    ['a default after a value', 'E', [8, 5, 8, 0], 'A'],
    ['an enum number without a name', 'E', [8, 6], '6'],
    ['a negative enum number', 'E', [8, ...Array(9).fill(0xff), 1], '-1'],
    ['an absent enum', 'E', [], 'A'],
    [
      'more than 32 bits in an int32, as every Protobuf library reads it',
      'int32',
      [8, 0x80, 0x80, 0x80, 0x80, 0x10],
      0,
    ],
    ['a bool of two', 'bool', [8, 2], true],
    ['a bool that is true and then false', 'bool', [8, 1, 8, 0], false],
    ['the largest uint64', 'uint64', [8, ...Array(9).fill(0xff), 1], 2n ** 64n - 1n],
    ['a map key twice', 'map<string, int32>', [10, 5, 10, 1, 65, 16, 1, 10, 5, 10, 1, 65, 16, 2], [['A', 2]]],
    ['a map entry without key and value', 'map<int32, E>', [10, 0], [[0, 'A']]],
    ['a Value without a kind', 'google.protobuf.Value', [10, 0], 'null'],
    [
      'an Any of a type that is not there',
      'google.protobuf.Any',
      [10, 6, 10, 1, 65, 18, 1, 7],
      '{"@type":"A","value":"Bw=="}',
    ],
    [
      'the nanoseconds of a Timestamp below zero',
      'google.protobuf.Timestamp',
      [10, 11, 16, ...Array(9).fill(0xff), 1],
      'VALUE_OUT_OF_RANGE f: its nanoseconds are not those of a timestamp',
    ],
    [
      'seconds and nanoseconds of a Duration with different signs',
      'google.protobuf.Duration',
      [10, 13, 8, 1, 16, ...Array(9).fill(0xff), 1],
      'VALUE_OUT_OF_RANGE f: its nanoseconds are not those of a duration',
    ],
  ])('%s', (_, type, bytes, wanted) => {
    expect(one(type, bytes as number[])).toEqual(wanted);
  });

  test('options: uint64 as long, nanoseconds as long', () => {
    const long: ProtobufOptions = { nanos: 'long', uint64: 'long' };
    expect(one('uint64', [8, ...Array(8).fill(0xff), 0x7f], long)).toBe(2n ** 63n - 1n);
    expect(one('fixed64', [9, 0, 0, 0, 0, 0, 0, 0, 0x80], long)).toBe(
      'VALUE_OUT_OF_RANGE f: the value does not fit in a long (`uint64: long`)',
    );
    expect(one('google.protobuf.Timestamp', [10, 4, 8, 3, 16, 9], long)).toBe(3_000_000_009n);
    expect(one('google.protobuf.Timestamp', [10, 6, 8, 0xff, 0xff, 0xff, 0xff, 0x7f], long)).toMatch(
      /^VALUE_OUT_OF_RANGE f: it does not fit in 64 bits of nanoseconds/,
    );
    expect(() => one('google.protobuf.Duration', [], { nanos: 'error', uint64: 'decimal' })).toThrow(
      /`nanos` is `error`/,
    );
  });

  test('nanoseconds in columns of their own, to both ends of 64 bits', () => {
    const native: ProtobufOptions = { nanos: 'native', uint64: 'long' };
    const at = (seconds: number[], nanos: number[]): unknown =>
      one('google.protobuf.Timestamp', [10, seconds.length + nanos.length + 2, 8, ...seconds, 16, ...nanos], native);
    expect(at([3], [9])).toBe(3_000_000_009n);
    expect(one('google.protobuf.Duration', [10, 4, 8, 3, 16, 9], native)).toBe(3_000_000_009n);
    const varint = (value: bigint): number[] =>
      value < 0x80n ? [Number(value)] : [Number(value & 0x7fn) | 0x80, ...varint(value >> 7n)];
    const seconds = (value: bigint): number[] => varint(BigInt.asUintN(64, value));
    expect(at(seconds(-9_223_372_037n), varint(145_224_192n))).toBe(-(2n ** 63n));
    expect(at(seconds(9_223_372_036n), varint(854_775_807n))).toBe(2n ** 63n - 1n);
    for (const [s, n] of [
      [-9_223_372_037n, 145_224_191n],
      [9_223_372_036n, 854_775_808n],
    ] as const)
      expect(at(seconds(s), varint(n))).toMatch(/^VALUE_OUT_OF_RANGE f: it does not fit in 64 bits of nanoseconds/);
  });

  test('nanoseconds that are cut are counted once, also of a record that is read a second time', () => {
    const text = `${head}import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp a = 1; google.protobuf.Timestamp b = 2; }`;
    const { layout, compiled } = twins(text);
    const cut = [10, 3, 16, 0x81, 0x01];
    // The second piece of `a` is merged with the first: not by the generated code.
    expect(
      decodeAll(
        compiled,
        layout,
        [cut, [...cut, ...cut], [...cut, 18, 5]].map((bytes) => Uint8Array.from(bytes)),
      ).cut,
    ).toBe(2);
    expect(compiled.interpreted).toBe(2);
  });

  test('a message in pieces, oneof members that follow each other, and lists in between', () => {
    const text = `${head}message M { In in = 1; repeated int32 list = 2; oneof o { In a = 3; string b = 4; } } message In { int32 x = 1; repeated int32 y = 2; }`;
    const piece = (field: number, ...bytes: number[]): number[] => [field * 8 + 2, bytes.length, ...bytes];
    expect(decode(text, [...piece(1, 8, 1, 16, 5), 16, 7, ...piece(1, 18, 2, 6, 7), 16, 8])).toEqual({
      in: { x: 1, y: [5, 6, 7] },
      list: [7, 8],
      a: null,
      b: null,
    });
    expect(decode(text, [...piece(3, 8, 1), ...piece(4, 65), ...piece(3, 16, 2)])).toMatchObject({
      a: { x: 0, y: [2] },
      b: null,
    });
    expect(decode(text, [...piece(3, 8, 1), ...piece(3, 16, 2)])).toMatchObject({ a: { x: 1, y: [2] }, b: null });
    expect(decode(text, [...piece(3, 8, 1), ...piece(4, 65)])).toMatchObject({ a: null, b: 'A' });
  });

  test('nesting has a limit, in messages, groups and JSON', () => {
    const text = `${head}message M { M m = 1; }`;
    const nested = (levels: number): Uint8Array => {
      let bytes: number[] = [];
      for (let i = 0; i < levels; i++) {
        const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
        bytes = [10, ...length, ...bytes];
      }
      return Uint8Array.from(bytes);
    };
    const { layout, compiled, interpreted } = twins(text);
    for (const decoder of [compiled, interpreted]) {
      const { rows, failed } = decodeAll(decoder, layout, [
        nested(100),
        nested(101),
        new Uint8Array(1_000_000).fill(11),
      ]);
      expect(rows).toEqual([{ m: '{"m":'.repeat(99) + '{}' + '}'.repeat(99) }]);
      expect(Object.keys(failed)).toEqual(['1', '2']);
      expect(Object.values(failed)[0]).toMatch(/messages are nested deeper than 100 levels$/);
    }
  });

  test('a few bytes never stand for any amount of memory', () => {
    const wide = Array.from({ length: 1000 }, (_, i) => `int64 f${i} = ${i + 1};`).join(' ');
    const { layout, compiled, interpreted } = twins(
      `${head}message M { repeated Wide list = 1; } message Wide { ${wide} }`,
    );
    const empty = (count: number): Uint8Array =>
      Uint8Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 10 : 0));
    for (const decoder of [compiled, interpreted]) {
      expect(decoder.decode(positionsOf([empty(5_000)]), 0, 1, new ColumnBatch(layout))).toBe(0);
      expect(decoder.failure.reason).toBe('list: it has more than 4194 items');
      expect(decoder.decode(positionsOf([empty(100)]), 0, 1, new ColumnBatch(layout))).toBe(1);
    }
  }, 60_000);

  test('more fields than one generated function holds, with required ones, a oneof and enums', () => {
    const kinds = ['optional int64', 'optional string', 'repeated sint32', 'required bool', 'optional E'];
    const lines = Array.from({ length: 200 }, (_, i) => `${kinds[i % 5]} f${i} = ${i + 1};`).join(' ');
    const text = `syntax = "proto2"; message M { ${lines} oneof o { string a = 301; int32 b = 302; } } enum E { X = 1; Y = 2; }`;
    const { layout, compiled } = twins(text);
    const type = typeOf(text.replaceAll('required', 'optional'));
    const full = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`f${i}`, [String(i), `text ${i}`, [i, -i], i % 2 === 0, 2][i % 5]]),
    );
    const required = Object.fromEntries(Object.entries(full).filter(([, value]) => typeof value === 'boolean'));
    const encoded = [{ ...full, a: 'x' }, required, { ...full, f3: undefined }, { ...full, b: 4 }].map((value) =>
      type.encode(value).finish(),
    );
    const { rows, failed } = decodeAll(compiled, layout, encoded);
    expect(failed).toEqual({ 2: 'DECODE_PROTOBUF f3: the field is required and missing' });
    expect(rows[0]).toMatchObject({
      f0: 0n,
      f1: 'text 1',
      f2: [2, -2],
      f3: false,
      f4: 'Y',
      f199: 'Y',
      a: 'x',
      b: null,
    });
    expect(rows[1]).toMatchObject({ f0: null, f1: null, f2: [], f198: true, f199: null, a: null, b: null });
    expect(rows[2]).toMatchObject({ a: null, b: 4 });
    expect(compiled.interpreted).toBe(1);
  });

  test('columns that are wider, missing or dropped, at the top and in lists', () => {
    const v1 =
      'message M { int32 id = 1; repeated In list = 2; string gone = 3; float f = 4; } message In { int32 a = 1; string dropped = 3; }';
    const { bound } = boundOf(head + v1);
    const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });
    const [id, list, , f] = bound.struct.fields;
    const element = ((list!.type as ListType).element as StructType).fields;
    const inner: StructType = {
      type: 'struct',
      fields: [field(90, 'more', 'boolean'), field(element[0]!.id, 'a', 'long')],
    };
    const layout: Schema = {
      type: 'struct',
      'schema-id': 0,
      fields: [
        field(91, 'new', 'string'),
        field(f!.id, 'f', 'double'),
        field(list!.id, 'list', { ...(list!.type as ListType), element: inner }),
        field(id!.id, 'id', 'long'),
      ],
    };
    const binding = protobufBinding(bound, layout, options);
    const value = { id: -5, list: [{ a: 1, dropped: 'x' }, { a: -2 }], gone: 'gone', f: 0.5 };
    const encoded = [value, {}, { ...value, id: 2 ** 31 - 1 }].map((one) =>
      typeOf(head + v1)
        .encode(one)
        .finish(),
    );
    const wanted = {
      new: null,
      f: 0.5,
      list: [
        { more: null, a: 1n },
        { more: null, a: -2n },
      ],
      id: -5n,
    };
    for (const decoder of [
      new CompiledProtobuf(binding, protobufCode(binding)!),
      new InterpretedProtobuf(protobufBinding(bound, layout, options)),
    ])
      expect(decodeAll(decoder, layout, encoded).rows).toEqual([
        wanted,
        { new: null, f: 0, list: [], id: 0n },
        { ...wanted, id: 2n ** 31n - 1n },
      ]);
  });

  test('a key becomes the struct _key', () => {
    const { bound } = boundOf(`${head}message Id { string tenant = 1; int32 number = 2; }`);
    const layout: Schema = {
      type: 'struct',
      'schema-id': 0,
      fields: [
        { id: 50, name: 'v', required: false, type: 'long' },
        { id: 51, name: '_key', required: false, type: bound.struct },
      ],
    };
    const batch = new ColumnBatch(layout);
    const positions = positionsOf([Uint8Array.from([10, 1, 65, 16, 3]), null, new Uint8Array(0)]);
    expect(makeProtobufDecoder(bound, layout, options, 'key').decode(positions, 0, 3, batch)).toBe(3);
    for (let i = 0; i < 3; i++) batch.columns[0]!.appendNull();
    expect(rowsOf(batch, 3).map((row) => row['_key'])).toEqual([
      { tenant: 'A', number: 3 },
      null,
      { tenant: '', number: 0 },
    ]);
  });
});
