import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { convertAvro } from '../../src/schema/avro.ts';
import { assignIds, evolve } from '../../src/schema/evolve.ts';
import type { Evolution } from '../../src/schema/evolve.ts';
import { convertProtobuf } from '../../src/schema/protobuf.ts';
import type { Schema } from '../../src/schema/types.ts';

const options = { timeOfDay: 'time', nanos: 'micros', unions: 'optional' } as const;
const version = (name: string): ReturnType<typeof convertAvro> =>
  convertAvro(
    readFileSync(new URL(`../../schemas/examples/evolution/orders/${name}.avsc`, import.meta.url), 'utf8'),
    {},
    options,
  );

test('the example chain of an order: widened and added, then renamed, with one change that no column can follow', () => {
  const { struct, lastId } = assignIds(version('v1').struct, 1);
  const first: Schema = { ...struct, 'schema-id': 0 };
  const second = evolve(first, lastId, version('v2').struct);
  expect(second.incompatible).toEqual([]);
  expect(second.changes.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
    'add address.country',
    'add placed_at',
    'optional address.fax',
    'optional tags.element',
    'widen quantity',
    'widen total',
  ]);
  const { struct: writer, aliases } = version('v3');
  const third = evolve(second.schema, second.lastColumnId, writer, second.history, aliases);
  expect(third.incompatible).toEqual([{ path: 'quantity', writerPath: 'quantity', from: 'long', to: 'string' }]);
  expect(third.schema.fields.map(({ id, name, required }) => `${id} ${name} ${required}`)).toEqual([
    '1 order_id true',
    '2 customer_login true',
    '3 quantity true',
    '4 total true',
    '5 address false',
    '6 tags false',
    '11 placed_at false',
  ]);
  // Records of the first version are still read into the same columns.
  expect(
    evolve(third.schema, third.lastColumnId, version('v1').struct, third.history).bound.fields.map(({ id }) => id),
  ).toEqual([1, 2, 3, 4, 5, 6]);
});

describe('the example chain of a payment (Protobuf)', () => {
  const payments = (name: string): ReturnType<typeof convertProtobuf> =>
    convertProtobuf(
      readFileSync(new URL(`../../schemas/examples/evolution/payments/${name}.proto`, import.meta.url), 'utf8'),
      {},
      null,
      { nanos: 'micros', uint64: 'decimal' },
    );
  const next = (before: Pick<Evolution, 'schema' | 'lastColumnId' | 'history'>, name: string): Evolution => {
    const { struct, identities } = payments(name);
    return evolve(before.schema, before.lastColumnId, struct, before.history, identities);
  };
  const ids = ({ fields }: { readonly fields: Schema['fields'] }): string[] =>
    fields.map(({ id, name }) => `${id} ${name}`);

  const { struct, lastId } = assignIds(payments('v1').struct, 1);
  const first = next({ schema: { ...struct, 'schema-id': 0 }, lastColumnId: lastId, history: {} }, 'v1');
  const second = next(first, 'v2');

  test('widened, added, and renamed by field number, also inside a list', () => {
    expect(second.incompatible).toEqual([]);
    expect(second.changes.map(({ kind, path, to }) => `${kind} ${path} ${to}`).sort()).toEqual([
      'add currency string',
      'add refunds.element.disputed boolean',
      'rename customer customer_login',
      'rename refunds.element.cents refunded_cents',
      'widen amount_cents long',
      'widen fee double',
      'widen refunds.element.cents long',
    ]);
    expect(ids(second.bound)).toEqual(ids(second.schema).slice(0, 8));
    expect(second.schema.fields.map(({ id }) => id).slice(0, 7)).toEqual(struct.fields.map(({ id }) => id));
  });

  test('an older version that comes late goes to the same columns and renames nothing back', () => {
    const late = next(second, 'v1');
    expect(late.changes).toEqual([]);
    expect(late.schema).toBe(second.schema);
    expect(late.history).toBe(second.history);
    expect(late.bound.fields.map(({ id }) => id)).toEqual(struct.fields.map(({ id }) => id));
  });

  test('a name that another number takes is another column; a number with another type is no column', () => {
    const third = next(second, 'v3');
    expect(third.incompatible).toEqual([
      { path: 'customer_login', writerPath: 'customer_login', from: 'string', to: 'long' },
    ]);
    expect(third.changes.map(({ kind, path, to }) => `${kind} ${path} ${to}`)).toContain('rename fee fee_amount');
    const fee = third.schema.fields.filter(({ name }) => name.startsWith('fee'));
    expect(fee.map(({ name, type }) => `${name} ${type as string}`)).toEqual(['fee_amount double', 'fee_2 boolean']);
  });

  test('the registry id says which name is the newer one, in whatever order the versions come', () => {
    const at = (
      before: Pick<Evolution, 'schema' | 'lastColumnId' | 'history'>,
      name: string,
      id: number,
    ): Evolution => {
      const { struct: writer, identities } = payments(name);
      const aliases = Object.fromEntries(Object.entries(identities).map(([path, field]) => [path, `${field}@${id}`]));
      return evolve(before.schema, before.lastColumnId, writer, before.history, aliases);
    };
    const empty: Schema = { type: 'struct', fields: [], 'schema-id': 0 };
    const newest = at({ schema: empty, lastColumnId: 0, history: {} }, 'v2', 12);
    const late = at(newest, 'v1', 11);
    expect(late.changes).toEqual([]);
    expect(late.schema).toBe(newest.schema);
    expect(late.history['4']).toEqual({ names: ['customer_login', 'customer'], protobuf: ['shop.Payment#4@12'] });
    expect(at(late, 'v1', 11).history).toBe(late.history);
    // The old name again, by a newer schema.
    const back = at(late, 'v1', 13);
    expect(back.changes.filter(({ kind }) => kind === 'rename').map(({ to }) => to)).toEqual(['customer', 'cents']);
  });

  test('a removed field that comes back under its number has its column again; under another number it has not', () => {
    const text = (fields: string): string => `syntax = "proto3"; message M { string id = 1; ${fields} }`;
    const step = (before: Pick<Evolution, 'schema' | 'lastColumnId' | 'history'>, fields: string): Evolution => {
      const converted = convertProtobuf(text(fields), {}, null, { nanos: 'micros', uint64: 'decimal' });
      return evolve(before.schema, before.lastColumnId, converted.struct, before.history, converted.identities);
    };
    const empty: Schema = { type: 'struct', fields: [], 'schema-id': 0 };
    const one = step({ schema: empty, lastColumnId: 0, history: {} }, 'string note = 2;');
    const removed = step(one, '');
    expect(removed.schema.fields.map(({ name }) => name)).toEqual(['id', 'note']);
    expect(step(removed, 'string remark = 2;').changes).toEqual([
      { kind: 'rename', path: 'note', from: 'note', to: 'remark' },
    ]);
    expect(step(removed, 'string note = 3;').schema.fields.map(({ name }) => name)).toEqual(['id', 'note', 'note_2']);
    expect(step(removed, 'int32 note = 2;').incompatible).toHaveLength(1);
  });

  test('another message with the same numbers is matched by name', () => {
    const other = convertProtobuf(
      'syntax = "proto3"; package old; message Payment { int32 amount_cents = 1; string payment_id = 2; }',
      {},
      null,
      { nanos: 'micros', uint64: 'decimal' },
    );
    const { bound, changes, history } = evolve(
      first.schema,
      first.lastColumnId,
      other.struct,
      first.history,
      other.identities,
    );
    expect(changes).toEqual([]);
    expect(bound.fields.map(({ id }) => id)).toEqual([2, 1]);
    expect(history['1']).toEqual({ names: ['payment_id'], protobuf: ['shop.Payment#1', 'old.Payment#2'] });
  });
});
