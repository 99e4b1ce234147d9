import { describe, expect, test } from 'vitest';
import { typeText } from '../../src/schema/evolve.ts';
import { convertProtobuf } from '../../src/schema/protobuf.ts';
import type { MessageChoice, ProtobufOptions } from '../../src/schema/protobuf.ts';

const options: ProtobufOptions = { nanos: 'micros', uint64: 'decimal' };

function columns(
  text: string,
  choice: MessageChoice = null,
  references: Readonly<Record<string, string>> = {},
  over: ProtobufOptions = options,
): Record<string, string> {
  const { struct } = convertProtobuf(text, references, choice, over);
  return Object.fromEntries(
    struct.fields.map(({ name, type, required }) => [required ? `${name}!` : name, typeText(type)]),
  );
}

const proto3 = (body: string, ...imports: string[]): string =>
  `syntax = "proto3"; package shop; ${imports.map((name) => `import "${name}";`).join(' ')} ${body}`;

describe('Protobuf messages as columns', () => {
  test('scalars, enums, lists, maps, oneofs and messages', () => {
    const text = proto3(`message M {
      double a = 1; float b = 2; int32 c = 3; int64 d = 4; uint32 e = 5; uint64 f = 6; sint32 g = 7; sint64 h = 8; fixed32 i = 9;
      fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12; bool m = 13; string n = 14; bytes o = 15; Kind p = 16; optional int32 q = 17;
      repeated uint64 r = 18; map<fixed64, In> s = 19; oneof t { In u = 20; string v = 21; } None w = 22;
      message In { repeated In2 x = 1; } message In2 { bool y = 1; } message None {}
    } enum Kind { A = 0; }`);
    expect(columns(text)).toEqual({
      a: 'double',
      b: 'float',
      c: 'int',
      d: 'long',
      e: 'long',
      f: 'decimal(20, 0)',
      g: 'int',
      h: 'long',
      i: 'long',
      j: 'decimal(20, 0)',
      k: 'int',
      l: 'long',
      m: 'boolean',
      n: 'string',
      o: 'binary',
      p: 'string',
      q: 'int',
      r: 'list<decimal(20, 0)>',
      s: 'map<decimal(20, 0), struct<x: list<struct<y: boolean>>>>',
      u: 'struct<x: list<struct<y: boolean>>>',
      v: 'string',
      w: 'boolean',
    });
    expect(columns(text, null, {}, { nanos: 'micros', uint64: 'long' })).toMatchObject({ f: 'long', r: 'list<long>' });
  });

  test('well-known types, none of them registered', () => {
    const files = [
      'any',
      'duration',
      'empty',
      'field_mask',
      'struct',
      'timestamp',
      'wrappers',
      'api',
      'type',
      'source_context',
    ];
    const text = proto3(
      `message M {
        google.protobuf.Any a = 1; google.protobuf.Duration b = 2; google.protobuf.Empty c = 3; google.protobuf.FieldMask d = 4;
        google.protobuf.Struct e = 5; google.protobuf.Value f = 6; google.protobuf.ListValue g = 7; google.protobuf.Timestamp h = 8;
        google.protobuf.UInt64Value i = 9; repeated google.protobuf.BytesValue j = 10; google.type.Money k = 11;
        confluent.type.Decimal l = 12 [(confluent.field_meta) = { doc: "price", params: [{ key: "scale" value: "2" }] }];
        google.protobuf.SourceContext m = 13; google.type.DateTime n = 14;
      }`,
      ...files.map((name) => `google/protobuf/${name}.proto`),
      'google/type/money.proto',
      'google/type/datetime.proto',
      'confluent/meta.proto',
      'confluent/types/decimal.proto',
    );
    expect(columns(text)).toMatchObject({
      a: 'string',
      b: 'long',
      c: 'boolean',
      d: 'struct<paths: list<string>>',
      e: 'string',
      f: 'string',
      g: 'string',
      h: 'timestamptz',
      i: 'decimal(20, 0)',
      j: 'list<binary>',
      k: 'struct<currency_code: string, units: long, nanos: int>',
      l: 'struct<value: binary, precision: long, scale: int>',
      m: 'struct<file_name: string>',
    });
    expect(columns(text, null, {}, { nanos: 'long', uint64: 'long' })).toMatchObject({
      b: 'long',
      h: 'long',
      i: 'long',
    });
    expect(columns(text, null, {}, { nanos: 'native', uint64: 'long' })).toMatchObject({
      h: 'timestamptz_ns',
      i: 'long',
    });
  });

  test('messages that contain themselves are JSON, the record itself is not', () => {
    expect(
      columns(
        proto3(
          'message M { int32 a = 1; M b = 2; Loop c = 3; } message Loop { repeated Other o = 1; } message Other { Loop l = 1; }',
        ),
      ),
    ).toEqual({
      a: 'int',
      b: 'string',
      c: 'string',
    });
  });

  test('proto2: required, groups, extensions; editions: presence and encodings', () => {
    const proto2 = `syntax = "proto2"; package shop; message M { required int32 a = 1; optional group Item = 2 { optional bool b = 1; } extensions 10 to 20; }
      extend M { optional string extra = 10; }`;
    expect(columns(proto2)).toEqual({ 'a!': 'int', item: 'struct<b: boolean>', 'shop.extra': 'string' });
    const edition = `edition = "2023"; message M { int32 a = 1 [features.field_presence = LEGACY_REQUIRED]; int32 b = 2 [features.field_presence = IMPLICIT];
      M.In c = 3 [features.message_encoding = DELIMITED]; int32 d = 4; message In { int32 e = 1; } }`;
    const { plan, struct } = convertProtobuf(edition, {}, null, options);
    expect(struct.fields.map(({ name, required }) => `${name} ${required}`)).toEqual([
      'a true',
      'b false',
      'c false',
      'd false',
    ]);
    expect(plan.fields.map(({ field }) => `${field.rule} ${field.delimited}`)).toEqual([
      'required false',
      'implicit false',
      'optional true',
      'optional false',
    ]);
  });

  test('comments are docs; names equal without regard to case get a suffix', () => {
    const { struct, identities } = convertProtobuf(
      proto3('message M { // the first\n int32 id = 1; // its number\n int32 ID = 2; int32 _kafka = 3; }'),
      {},
      null,
      options,
    );
    expect(struct.fields.map(({ name, doc }) => [name, doc])).toEqual([
      ['id', 'its number'],
      ['ID_2', 'Source name: "ID".'],
      ['_kafka_2', 'Source name: "_kafka".'],
    ]);
    expect({ ...identities }).toEqual({ id: 'shop.M#1', ID_2: 'shop.M#2', _kafka_2: 'shop.M#3' });
  });

  test('imports come from the references, through each other', () => {
    const references = {
      'a.proto': 'syntax = "proto3"; package a; import public "b.proto"; message A { b.B b = 1; }',
      'b.proto': 'syntax = "proto2"; package b; message B { optional string x = 1; }',
    };
    expect(columns(proto3('message M { a.A a = 1; b.B b = 2; }', 'a.proto'), null, references)).toEqual({
      a: 'struct<b: struct<x: string>>',
      b: 'struct<x: string>',
    });
    // An import for options only does no harm where it is missing; a type of it does.
    expect(columns(proto3('message M { int32 a = 1 [(buf.rule).gt = 1]; }', 'buf/rule.proto'))).toEqual({ a: 'int' });
    expect(() => columns(proto3('message M { buf.Rule a = 1; }', 'buf/rule.proto'))).toThrow(/buf\/rule\.proto/);
  });

  test.each([
    ['no schema', 'this is { no schema'],
    ['an Avro schema', '{"type": "record", "name": "R", "fields": []}'],
    ['no message', 'syntax = "proto3"; enum E { A = 0; }'],
    ['an unknown type', proto3('message M { Missing a = 1; }')],
    ['a number twice', proto3('message M { int32 a = 1; int32 b = 1; }')],
    ['nested without end', proto3('message M {'.repeat(2000))],
  ])('%s is refused as unsupported', (_, text) => {
    expect(() => columns(text)).toThrow(expect.objectContaining({ code: 'SCHEMA_UNSUPPORTED' }));
  });
});

describe('which message of a file', () => {
  const text = proto3(`
    // message Comment { }
    message First { string message = 1; map<string, int32> counts = 2; message Inner { int32 a = 1; } message Second { message Deep { int32 b = 1; } } }
    /* message Other {} */
    enum message_kind { NONE = 0; }
    message Last { string text = 1 [json_name = "message Quoted {"]; First.Inner message = 2; }
  `);

  test.each([
    [null, 'shop.First'],
    [[0], 'shop.First'],
    [[1], 'shop.Last'],
    // As in a descriptor, the entries of a map are the message before.
    [[0, 1], 'shop.First.Inner'],
    [[0, 2, 0], 'shop.First.Second.Deep'],
    // As serializers count that do not know of them.
    [[0, 0], 'shop.First.Inner'],
    ['shop.Last', 'shop.Last'],
    ['First.Inner', 'shop.First.Inner'],
  ] as const)('%j is %s', (choice, name) => {
    expect(convertProtobuf(text, {}, choice, options).message).toBe(name);
  });

  test('groups count as messages, also inside extensions', () => {
    const groups =
      'syntax = "proto2"; message A { repeated group Hit = 1 { optional int32 x = 1; } message B { optional int32 y = 1; } }';
    expect(convertProtobuf(groups, {}, [0, 0], options).message).toBe('A.Hit');
    expect(convertProtobuf(groups, {}, [0, 1], options).message).toBe('A.B');
  });

  test.each([[[2]], [[0, 3]], [[0, 0, 0]], [[]], ['Missing']] as const)('%j is refused', (choice) => {
    expect(() => convertProtobuf(text, {}, choice, options)).toThrow(/has no message/);
  });
});
