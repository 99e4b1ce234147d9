import * as fc from 'fast-check';
import { test } from 'vitest';
import { convertProtobuf } from '../../src/schema/protobuf.ts';
import { columnsOrRefusal, inTime, mutated, rowsOrFailures, runs, timeout } from './fuzz.ts';
import { options, twins, typeOf } from './protobuf-lab.ts';
import { messageSample } from './protobuf-samples.ts';

// Any bytes and any schema give rows, failures or a refusal: no exception, no hang, no memory without bound.

const text = `syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
message All {
  int64 id = 1;
  optional string name = 2;
  repeated sint32 list = 3;
  repeated Item items = 4;
  map<string, Item> map = 5;
  map<int32, double> numbers = 6;
  oneof one { string text = 7; Item item = 8; uint64 number = 9; }
  google.protobuf.Timestamp at = 10;
  google.protobuf.Int64Value wrapped = 11;
  google.protobuf.Value json = 12;
  Color color = 13;
  Tree tree = 14;
  bytes data = 15;
  Nothing nothing = 16;
  float ratio = 3000;
}
message Item { bool ok = 1; fixed64 n = 2; repeated string tags = 3; Color color = 4; }
message Tree { int32 n = 1; repeated Tree children = 2; google.protobuf.Timestamp at = 3; }
message Nothing {}
enum Color { RED = 0; GREEN = 1; }`;
const type = typeOf(text);
const seeds = [
  {
    id: '-9223372036854775808',
    name: 'zażółć',
    list: [1, -2, 2 ** 31 - 1],
    items: [{ ok: true, n: '18446744073709551615', tags: ['a', ''] }, {}],
    map: { k: { color: 1 }, '': {} },
    numbers: { 7: -0, 8: 1e308 },
    item: { n: 5 },
    at: { seconds: -1, nanos: 999_999_999 },
    wrapped: { value: 3 },
    json: { struct_value: { fields: { a: { list_value: { values: [{ null_value: 0 }, { number_value: 1.5 }] } } } } },
    color: 77,
    tree: { n: 1, children: [{ children: [{ n: -1 }] }], at: { seconds: 5 } },
    data: Buffer.from([0, 255]),
    nothing: {},
    ratio: 0.5,
  },
  { text: 'only one', list: [] },
].map((value) => type.encode(type.fromObject(value)).finish());
// Tags of the fields, groups, lengths that are too long.
const typical = [0, 1, 8, 0x0a, 0x0b, 0x0c, 0x12, 0x1a, 0x22, 0x2a, 0x42, 0x52, 0x72, 0x7f, 0x80, 0xff];
const bytes = fc.oneof(mutated(seeds, typical), fc.uint8Array({ maxLength: 200 }));

test(
  'any bytes, by a schema with every type',
  () => {
    const { layout, compiled, interpreted } = twins(text);
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 6 }), (records) => {
        rowsOrFailures([compiled, interpreted], layout, records);
      }),
      runs,
    );
  },
  timeout,
);

test(
  'any bytes, by any schema',
  () => {
    fc.assert(
      fc.property(messageSample, fc.array(bytes, { minLength: 1, maxLength: 6 }), (sample, records) => {
        const { layout, compiled, interpreted } = inTime(() => twins(sample.text));
        rowsOrFailures([compiled, interpreted], layout, records);
      }),
      runs,
    );
  },
  timeout,
);

test(
  'any text as a schema gives columns or is refused',
  () => {
    const encoder = new TextEncoder();
    const damaged = mutated([encoder.encode(text)], [...encoder.encode('{}[]<>"=;,/*.0 \n')]).map((one) =>
      Buffer.from(one).toString(),
    );
    // Tokens in any order, most of them where they could stand.
    const name = fc.constantFrom('A', 'B', 'a', 'f', 'A.B', '.A', 'google.protobuf.Any', '__proto__', 'constructor');
    const kind = fc.oneof(name, fc.constantFrom('int32', 'string', 'bytes', 'group', 'map<string, A>', 'repeated A'));
    const number = fc.constantFrom('1', '2', '0', '-1', '536870912', '19000', '1.5', '0x10', 'max', '"x"');
    const line = fc.oneof(
      fc.tuple(kind, name, number).map(([a, b, c]) => `${a} ${b} = ${c};`),
      fc
        .tuple(fc.constantFrom('optional', 'required', 'repeated'), kind, name, number)
        .map((of) => `${of[0]} ${of[1]} ${of[2]} = ${of[3]};`),
      fc.tuple(name, number).map(([a, b]) => `${a} = ${b};`),
      fc.tuple(name, number).map(([a, b]) => `option (${a}) = ${b};`),
      fc.constantFrom(
        'syntax = "proto2";',
        'syntax = "proto3";',
        'edition = "2023";',
        'package A;',
        'import "b.proto";',
      ),
      fc.constantFrom(
        '}',
        '{',
        ';',
        'message',
        'enum',
        'oneof',
        'extend',
        'extensions 1 to max;',
        'reserved 1;',
        '//',
        '/*',
      ),
    );
    const { block } = fc.letrec<{ block: string }>((tie) => ({
      block: fc.oneof(
        { maxDepth: 5, depthSize: 'medium' },
        line,
        fc
          .tuple(
            fc.constantFrom('message', 'enum', 'oneof', 'extend', 'service'),
            name,
            fc.array(tie('block'), { maxLength: 5 }),
          )
          .map(([word, of, inner]) => `${word} ${of} { ${inner.join(' ')} }`),
      ),
    }));
    const file = fc.array(block, { maxLength: 6 }).map((blocks) => blocks.join('\n'));
    fc.assert(
      fc.property(fc.oneof(damaged, file, fc.string()), file, (one, other) => {
        columnsOrRefusal(() => convertProtobuf(one, { 'b.proto': other }, null, options));
      }),
      runs,
    );
  },
  timeout,
);
