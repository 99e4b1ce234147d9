import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { IcebergType, NestedField, PrimitiveType, Schema } from '../../src/schema/types.ts';
import { decimalOf, fixedLengthOf } from '../../src/schema/types.ts';
import { plainRows, batchOf } from '../columns/rows.ts';
import type { Plain } from '../columns/rows.ts';
import { decode, encode } from './files.ts';

const primitives: PrimitiveType[] = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'string',
  'uuid',
  'binary',
  'fixed[5]',
  'decimal(7, 2)',
  'decimal(15, 3)',
  'decimal(30, 5)',
];

/** A schema up to three levels deep, with ids from a counter. */
const schemas: fc.Arbitrary<Schema> = fc.array(typeArb(3), { minLength: 1, maxLength: 4 }).map((shapes) => {
  let id = 0;
  const build = (shape: Shape): IcebergType => {
    if (typeof shape === 'string') return shape;
    if (shape.kind === 'struct') {
      return {
        type: 'struct',
        fields: shape.items.map(({ shape: item, required }, i): NestedField => ({
          id: ++id,
          name: `f${i}`,
          required,
          type: build(item),
        })),
      };
    }
    const [first, second] = shape.items;
    if (shape.kind === 'list')
      return { type: 'list', 'element-id': ++id, 'element-required': first!.required, element: build(first!.shape) };
    return {
      type: 'map',
      'key-id': ++id,
      key: 'string',
      'value-id': ++id,
      'value-required': second!.required,
      value: build(second!.shape),
    };
  };
  return {
    type: 'struct',
    'schema-id': 0,
    fields: shapes.map(({ shape, required }, i) => ({ id: ++id, name: `c${i}`, required, type: build(shape) })),
  };
});

interface Item {
  readonly shape: Shape;
  readonly required: boolean;
}
type Shape = PrimitiveType | { readonly kind: 'struct' | 'list' | 'map'; readonly items: readonly Item[] };

function typeArb(depth: number): fc.Arbitrary<Item> {
  const primitive: fc.Arbitrary<Shape> = fc.constantFrom(...primitives);
  const shape =
    depth === 0
      ? primitive
      : fc.oneof(
          { arbitrary: primitive, weight: 2 },
          {
            arbitrary: fc
              .tuple(
                fc.constantFrom('struct' as const, 'list' as const, 'map' as const),
                fc.array(fc.noShrink(typeArb(depth - 1)), { minLength: 2, maxLength: 3 }),
              )
              .map(([kind, items]) => ({ kind, items })),
            weight: 3,
          },
        );
  return fc.record({ shape, required: fc.boolean() });
}

function valueArb(type: IcebergType, required: boolean): fc.Arbitrary<Plain> {
  const value = presentArb(type);
  return required ? value : fc.option(value, { freq: 3 });
}

function presentArb(type: IcebergType): fc.Arbitrary<Plain> {
  if (typeof type !== 'string') {
    if (type.type === 'struct') {
      return fc.record(
        Object.fromEntries(type.fields.map((f) => [f.name, valueArb(f.type, f.required)])),
      ) as fc.Arbitrary<Plain>;
    }
    if (type.type === 'list') return fc.array(valueArb(type.element, type['element-required']), { maxLength: 4 });
    return fc.array(fc.tuple(presentArb(type.key), valueArb(type.value, type['value-required'])), { maxLength: 3 });
  }
  const decimal = decimalOf(type);
  if (decimal)
    return fc.bigInt({ min: -(10n ** BigInt(decimal.precision)) + 1n, max: 10n ** BigInt(decimal.precision) - 1n });
  const fixed = fixedLengthOf(type);
  const bytes = (length: object): fc.Arbitrary<Plain> => fc.uint8Array(length).map((b) => Uint8Array.from(b));
  if (fixed !== null) return bytes({ minLength: fixed, maxLength: fixed });
  switch (type) {
    case 'boolean':
      return fc.boolean();
    case 'int':
    case 'date':
      return fc.oneof(fc.integer(), fc.integer({ min: 0, max: 3 }));
    case 'float':
      return fc.float();
    case 'double':
      return fc.double();
    case 'string':
      return fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('a', 'b'));
    case 'uuid':
      return bytes({ minLength: 16, maxLength: 16 });
    case 'binary':
      return bytes({ maxLength: 9 });
    default:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  }
}

test('what is written is what an independent reader finds, whatever the schema', async () => {
  const cases = schemas.chain((schema) =>
    fc.record({
      schema: fc.constant(schema),
      rows: fc.array(fc.record(Object.fromEntries(schema.fields.map((f) => [f.name, valueArb(f.type, f.required)]))), {
        minLength: 1,
        maxLength: 60,
      }),
      pageSize: fc.constantFrom(16, 100, 1 << 20),
      rowGroupSize: fc.constantFrom(300, 1 << 20),
      dictionarySize: fc.constantFrom(0, 40, 1 << 20),
      batch: fc.constantFrom(7, 1000),
    }),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ({ schema, rows, batch, ...changed }) => {
      const { bytes } = encode(schema, rows, changed, batch);
      expect(await decode(bytes, schema)).toEqual(plainRows(batchOf(schema, rows as Record<string, Plain>[])));
    }),
    { numRuns: 150 },
  );
});
