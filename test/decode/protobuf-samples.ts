import * as fc from 'fast-check';
import type protobuf from 'protobufjs';

/**
 * Random messages with values that protobufjs encodes, and the rows that must come of them, by the table of DESIGN §6.
 */
export interface Sample {
  /** The text of the .proto file; its first message is `Root`. */
  readonly text: string;
  /** A value as protobufjs takes it. */
  readonly value: fc.Arbitrary<Record<string, unknown>>;
  /** The row of a value. */
  expect(value: Record<string, unknown>): Record<string, unknown>;
}

/** One type of a field: how it is written, what its values are, what they are in a column. */
interface Kind {
  readonly type: string;
  readonly value: fc.Arbitrary<unknown>;
  expect(value: unknown): unknown;
  /** In a column where the bytes have none and the field has no presence. */
  readonly fallback: unknown;
  readonly message?: boolean;
}

type LongLike = { toString(): string };

const int64 = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-70n, 70n));
const uint64 = fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 70n));
const int32 = fc.oneof(fc.integer(), fc.integer({ min: -70, max: 70 }), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1));
const uint32 = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 200 }));
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.string({ maxLength: 200 }));
const big = (value: unknown): bigint => BigInt((value as LongLike).toString());
const hex = (value: unknown): string => Buffer.from(value as Uint8Array).toString('hex');
const long = (arbitrary: fc.Arbitrary<bigint>): fc.Arbitrary<unknown> => arbitrary.map(String);
const same = (value: unknown): unknown => value;

const scalars: readonly Kind[] = [
  { type: 'double', value: fc.double(), expect: same, fallback: 0 },
  { type: 'float', value: fc.float(), expect: same, fallback: 0 },
  ...['int32', 'sint32', 'sfixed32'].map((type) => ({ type, value: int32, expect: same, fallback: 0 })),
  ...['int64', 'sint64', 'sfixed64'].map((type) => ({ type, value: long(int64), expect: big, fallback: 0n })),
  ...['uint32', 'fixed32'].map((type) => ({
    type,
    value: uint32,
    expect: (v: unknown) => BigInt(v as number),
    fallback: 0n,
  })),
  ...['uint64', 'fixed64'].map((type) => ({ type, value: long(uint64), expect: big, fallback: 0n })),
  { type: 'bool', value: fc.boolean(), expect: same, fallback: false },
  { type: 'string', value: text, expect: same, fallback: '' },
  { type: 'bytes', value: fc.uint8Array({ maxLength: 150 }), expect: hex, fallback: '' },
];

const enumNames = ['NONE', 'A', 'LONGER_NAME'] as const;
const enumKind: Kind = {
  type: 'Choice',
  value: fc.constantFrom(0, 1, 2, 77, -5, 5000),
  expect: (value) => enumNames[value as number] ?? String(value),
  fallback: 'NONE',
};

const special: readonly Kind[] = [
  {
    type: 'google.protobuf.Timestamp',
    value: fc.record({
      seconds: fc.integer({ min: -62135596800, max: 253402300799 }),
      nanos: fc.integer({ min: 0, max: 999999999 }),
    }),
    expect: (value) => {
      const { seconds, nanos } = value as { seconds: LongLike; nanos: number };
      return big(seconds) * 1_000_000n + BigInt(Math.floor(nanos / 1000));
    },
    fallback: null,
    message: true,
  },
  {
    type: 'google.protobuf.Duration',
    value: fc
      .tuple(fc.integer({ min: 0, max: 315576000000 }), fc.integer({ min: 0, max: 999999999 }), fc.constantFrom(1, -1))
      .map(([seconds, nanos, sign]) => ({ seconds: seconds * sign, nanos: nanos * sign })),
    expect: (value) => {
      const { seconds, nanos } = value as { seconds: LongLike; nanos: number };
      return (big(seconds) * 1_000_000_000n + BigInt(nanos)) / 1000n;
    },
    fallback: null,
    message: true,
  },
  {
    type: 'google.protobuf.Int64Value',
    value: long(int64).map((value) => ({ value })),
    expect: (value) => big((value as { value: unknown }).value),
    fallback: null,
    message: true,
  },
  {
    type: 'google.protobuf.StringValue',
    value: text.map((value) => ({ value })),
    expect: (value) => (value as { value: string }).value,
    fallback: null,
    message: true,
  },
  {
    type: 'google.protobuf.BoolValue',
    value: fc.boolean().map((value) => ({ value })),
    expect: (value) => (value as { value: boolean }).value,
    fallback: null,
    message: true,
  },
  { type: 'google.protobuf.Empty', value: fc.constant({}), expect: () => true, fallback: null, message: true },
];

/** protobufjs takes the keys of a map as text, and every text for true. */
const keys: readonly Kind[] = scalars.filter(({ type }) => !['double', 'float', 'bytes', 'bool'].includes(type));

function mapKey(key: Kind, text: string): unknown {
  if (key.type === 'string') return text;
  return typeof key.fallback === 'bigint' ? BigInt(text) : Number(text);
}

/** A message with 1 to 8 fields, up to 3 levels deep, of every rule; field numbers small, above 15 and large. */
export const messageSample: fc.Arbitrary<Sample> = fc
  .array(fc.nat(), { minLength: 40, maxLength: 400 })
  .map((choices) => {
    let at = 0;
    let names = 0;
    const next = (below: number): number => choices[at++ % choices.length]! % below;
    const definitions: string[] = [];
    const leaf = (): Kind => {
      const choice = next(scalars.length + special.length + 1);
      return [...scalars, ...special, enumKind][choice]!;
    };
    const message = (depth: number, name: string): Kind => {
      const fields: { name: string; value: fc.Arbitrary<unknown>; expect(value: unknown): unknown }[] = [];
      const lines: string[] = [];
      let number = 0;
      const any = (): Kind => (depth >= 2 || next(4) > 0 ? leaf() : message(depth + 1, `M${names++}`));
      const advance = (): number => (number += 1 + next(3) * next(12) + (next(20) === 0 ? 3000 : 0));
      for (let count = 1 + next(8); count > 0; count--) {
        const field = `f${number}_${count}`;
        const add = (value: fc.Arbitrary<unknown>, expect: (value: unknown) => unknown): void => {
          fields.push({ name: field, value, expect });
        };
        switch (next(7)) {
          case 0:
          case 1: {
            const kind = any();
            lines.push(`${kind.type} ${field} = ${advance()};`);
            add(fc.option(kind.value, { nil: undefined }), (value) =>
              value === undefined || value === null ? kind.fallback : kind.expect(value),
            );
            break;
          }
          case 2: {
            const kind = any();
            lines.push(`optional ${kind.type} ${field} = ${advance()};`);
            add(fc.option(kind.value, { nil: undefined }), (value) =>
              value === undefined || value === null ? null : kind.expect(value),
            );
            break;
          }
          case 3:
          case 4: {
            const kind = any();
            const packed =
              kind.message || ['string', 'bytes'].includes(kind.type) ? '' : next(2) === 0 ? ' [packed=false]' : '';
            lines.push(`repeated ${kind.type} ${field} = ${advance()}${packed};`);
            add(fc.array(kind.value, { maxLength: 4 }), (value) =>
              ((value ?? []) as unknown[]).map((item) => kind.expect(item)),
            );
            break;
          }
          case 5: {
            const key = keys[next(keys.length)]!;
            const kind = any();
            lines.push(`map<${key.type}, ${kind.type}> ${field} = ${advance()};`);
            // Keys as protobufjs has them: text, of 64 bits as 8 characters.
            const entries = fc.uniqueArray(fc.tuple(key.value as fc.Arbitrary<string | number>, kind.value), {
              maxLength: 3,
              selector: ([one]) => String(one),
            });
            add(
              entries.map((list) => new Map(list)),
              (value) =>
                Object.entries(Object.fromEntries((value ?? new Map()) as Map<string, unknown>)).map(([one, inner]) => [
                  mapKey(key, one),
                  kind.expect(inner),
                ]),
            );
            break;
          }
          default: {
            const kinds = Array.from({ length: 1 + next(3) }, any);
            const members = kinds.map((kind, i) => `${kind.type} ${field}_${i} = ${advance()};`);
            lines.push(`oneof ${field} { ${members.join(' ')} }`);
            fields.push({
              name: `oneof ${field}`,
              value: fc.option(
                fc.oneof(...kinds.map((kind, i) => kind.value.map((value) => ({ [`${field}_${i}`]: value })))),
                { nil: {} },
              ),
              expect: (value) =>
                Object.fromEntries(
                  kinds.map((kind, i) => {
                    const inner = (value as Record<string, unknown>)[`${field}_${i}`];
                    return [`${field}_${i}`, inner === undefined || inner === null ? null : kind.expect(inner)];
                  }),
                ),
            });
          }
        }
      }
      definitions.push(`message ${name} { ${lines.join('\n')} }`);
      return {
        type: name,
        message: true,
        fallback: null,
        value: fc.record(Object.fromEntries(fields.map((field) => [field.name, field.value]))).map((parts) => {
          const out: Record<string, unknown> = {};
          for (const [key, value] of Object.entries(parts)) {
            if (key.startsWith('oneof ')) Object.assign(out, value);
            else if (value !== undefined) out[key] = value;
          }
          return out;
        }),
        expect: (value) =>
          Object.fromEntries(
            fields.flatMap(({ name: field, expect }) =>
              field.startsWith('oneof ')
                ? Object.entries(expect(value) as Record<string, unknown>)
                : [[field, expect((value as Record<string, unknown>)[field])]],
            ),
          ),
      };
    };
    const root = message(0, 'Root');
    const text = [
      'syntax = "proto3"; package sample;',
      ...['timestamp', 'duration', 'wrappers', 'empty'].map((file) => `import "google/protobuf/${file}.proto";`),
      definitions.at(-1)!,
      ...definitions.slice(0, -1),
      'enum Choice { NONE = 0; A = 1; LONGER_NAME = 2; }',
    ].join('\n');
    return {
      text,
      value: root.value as fc.Arbitrary<Record<string, unknown>>,
      expect: (value) => root.expect(value) as Record<string, unknown>,
    };
  });

/** A value with its maps as protobufjs takes them, encoded by it. */
export function encode(type: protobuf.Type, value: Record<string, unknown>): Uint8Array {
  return type.encode(plain(value) as Record<string, unknown>).finish();
}

function plain(value: unknown): unknown {
  if (value instanceof Map) return plain(Object.fromEntries(value));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
