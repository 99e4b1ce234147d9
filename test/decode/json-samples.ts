import * as fc from 'fast-check';

export const object = (properties: unknown, rest: object = {}): object => ({ type: 'object', properties, ...rest });

/** A random schema with a value that it describes, and the row that its columns hold. */
export interface Case {
  readonly schema: unknown;
  readonly value: unknown;
  readonly row: unknown;
}
export const nullable = (of: fc.Arbitrary<Case>): fc.Arbitrary<Case> =>
  fc.tuple(of, fc.nat(4)).map(([one, n]) => (n === 0 ? { ...one, value: null, row: null } : one));
const leaf: fc.Arbitrary<Case> = fc.oneof(
  fc.maxSafeInteger().map((value) => ({ schema: { type: 'integer' }, value, row: BigInt(value) })),
  fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 })
    .map((x) => (Number.isInteger(x) ? 0.5 : x))
    .map((value) => ({ schema: { type: 'number' }, value, row: value })),
  fc.string({ unit: 'grapheme' }).map((value) => ({ schema: { type: ['string', 'null'] }, value, row: value })),
  fc.boolean().map((value) => ({ schema: { oneOf: [{ type: 'null' }, { type: 'boolean' }] }, value, row: value })),
  fc
    .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true })
    .map((date) => ({
      schema: { type: 'string', format: 'date-time' },
      value: date.toISOString(),
      row: BigInt(date.getTime()) * 1000n,
    })),
  fc.uuid().map((value) => ({ schema: { $ref: '#/$defs/uuid' }, value, row: value.replaceAll('-', '') })),
  fc
    .jsonValue({ maxDepth: 2 })
    .map((value) => ({ schema: true, value, row: value === null ? null : JSON.stringify(value) })),
);
/** Of members with these names. */
export const nodeOf = (...names: readonly string[]): fc.Arbitrary<Case> =>
  fc.letrec<{ node: Case }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.dictionary(fc.constantFrom(...names), nullable(tie('node')), { minKeys: 1, maxKeys: 3 }).map((members) => ({
        schema: object(Object.fromEntries(Object.entries(members).map(([key, { schema }]) => [key, schema]))),
        value: Object.fromEntries(Object.entries(members).map(([key, { value }]) => [key, value])),
        row: Object.fromEntries(Object.entries(members).map(([key, { row }]) => [key, row])),
      })),
      fc.tuple(tie('node'), fc.nat(3)).map(([{ schema, value, row }, n]) => ({
        schema: { type: 'array', items: schema },
        value: Array<unknown>(n).fill(value),
        row: Array<unknown>(n).fill(row),
      })),
      fc
        .tuple(tie('node'), fc.uniqueArray(fc.string({ unit: 'grapheme' }), { maxLength: 3 }))
        .map(([{ schema, value, row }, keys]) => ({
          schema: { type: 'object', additionalProperties: { allOf: [schema] } },
          value: Object.fromEntries(keys.map((key) => [key, value])),
          row: Object.keys(Object.fromEntries(keys.map((key) => [key, value]))).map((key) => [key, row]),
        })),
    ),
  })).node;

export const node: fc.Arbitrary<Case> = nodeOf('a', 'b', 'key.1', 'ключ', '😀');
