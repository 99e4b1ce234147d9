import { describe, expect, test } from 'vitest';
import { deriveChange } from '../../src/schema/derive.ts';
import type { ChangeRules, DerivedChange } from '../../src/schema/derive.ts';
import { droppedColumns } from '../../src/schema/dropped.ts';
import { evolve } from '../../src/schema/evolve.ts';
import type { Change, FieldHistory } from '../../src/schema/evolve.ts';
import { allowed, changeText } from '../../src/schema/policy.ts';
import {
  changeId,
  encodeWaiting,
  waitingChange,
  waitingChanges,
  waitingProperty,
} from '../../src/schema/waiting-change.ts';
import { withNewColumns } from '../../src/schema/new-column.ts';
import type { IcebergType, NestedField, Schema, StructType } from '../../src/schema/types.ts';

const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });
const struct = (...fields: NestedField[]): StructType => ({ type: 'struct', fields });
const schema = (id: number, ...fields: NestedField[]): Schema => ({ ...struct(...fields), 'schema-id': id });

describe('onIncompatible: new-column', () => {
  const table = schema(
    0,
    field(1, 'id', 'long'),
    field(2, 'price', 'long'),
    field(3, 'lines', {
      type: 'list',
      'element-id': 4,
      'element-required': true,
      element: struct(field(5, 'net', 'string')),
    }),
    field(6, 'tags', { type: 'list', 'element-id': 7, 'element-required': true, element: 'string' }),
  );
  const list = (element: IcebergType): IcebergType => ({
    type: 'list',
    'element-id': 0,
    'element-required': true,
    element,
  });
  const writer = struct(
    field(0, 'id', 'long'),
    field(0, 'price', 'decimal(10, 2)'),
    field(0, 'lines', list(struct(field(0, 'net', 'double')))),
    field(0, 'tags', list('int')),
  );

  test('what does not fit gets a column of its own at its level, and the table takes it', () => {
    const before = evolve(table, 7, writer);
    expect(before.incompatible.map(({ path }) => path)).toEqual(['price', 'lines.element.net', 'tags.element']);
    const renamed = withNewColumns(writer, before.incompatible);
    const after = evolve(table, 7, renamed);
    expect(after.incompatible).toEqual([]);
    expect(after.changes.map(({ kind, path }) => `${kind} ${path}`).sort()).toEqual([
      'add lines.element.net_double',
      'add price_decimal_10_2',
      'add tags_list',
    ]);
    expect(after.bound.fields.map(({ id }) => id > 0)).toEqual([true, true, true, true]);
  });

  test('the same writer schema again changes nothing', () => {
    const first = evolve(table, 7, withNewColumns(writer, evolve(table, 7, writer).incompatible));
    const again = withNewColumns(writer, evolve(first.schema, first.lastColumnId, writer).incompatible);
    expect(evolve(first.schema, first.lastColumnId, again).schema).toBe(first.schema);
  });
});

describe('dropped columns', () => {
  const full = schema(0, field(1, 'a', 'long'), field(2, 's', struct(field(3, 'x', 'long'), field(4, 'y', 'long'))));
  const writer = struct(
    field(0, 'a', 'long'),
    field(0, 's', struct(field(0, 'x', 'long'), field(0, 'y', 'long'))),
    field(0, 'new', 'long'),
  );

  test('a column that an earlier schema had is not taken for a new one', () => {
    const current = schema(1, field(2, 's', struct(field(4, 'y', 'long'))));
    const { changes } = evolve(current, 4, writer);
    expect(droppedColumns([full, current], current, changes).sort()).toEqual(['a', 's.x']);
  });

  test('a column that was never there is new', () => {
    expect(droppedColumns([full], full, evolve(full, 4, writer).changes)).toEqual([]);
  });
});

describe('a change derived under the rules of a table', () => {
  const rules: ChangeRules = { onIncompatible: 'dead-letter', onDropped: 'stop' };
  const full = schema(0, field(1, 'a', 'long'), field(2, 's', struct(field(3, 'x', 'long'), field(4, 'y', 'long'))));
  const derive = (
    schemas: readonly Schema[],
    writer: StructType,
    changed: Partial<ChangeRules> = {},
    aliases: Readonly<Record<string, readonly string[]>> = {},
    history: FieldHistory = {},
  ): DerivedChange =>
    deriveChange(
      { schemas, current: schemas.at(-1)!, lastColumnId: 9, history },
      { part: 'value', struct: writer, aliases },
      { ...rules, ...changed },
    );
  const writer = struct(
    field(0, 'a', 'long'),
    field(0, 's', struct(field(0, 'x', 'long'), field(0, 'y', 'long'))),
    field(0, 'new', 'long'),
  );
  const without = schema(1, field(2, 's', struct(field(4, 'y', 'long'))));

  test('onDropped stop: the columns are named', () => {
    expect(derive([full, without], writer)).toMatchObject({ dropped: ['a', 's.x'], ignored: [] });
  });

  test('onDropped recreate: they come again, with new ids', () => {
    const { schema, dropped } = derive([full, without], writer, { onDropped: 'recreate' });
    expect(dropped).toEqual([]);
    expect(schema.fields.map(({ id, name }) => `${id} ${name}`)).toEqual(['2 s', '10 a', '12 new']);
  });

  test('onDropped ignore: they stay away at every level, other additions come', () => {
    const { schema, bound, ignored, changes } = derive([full, without], writer, { onDropped: 'ignore' });
    expect(ignored).toEqual(['a', 's.x']);
    expect(changes.map(changeText)).toEqual(['add column new long']);
    expect(schema.fields.map(({ id, name }) => `${id} ${name}`)).toEqual(['2 s', '10 new']);
    expect(bound.fields.map(({ id }) => id)).toEqual([0, 2, 10]);
    expect((bound.fields[1]!.type as StructType).fields.map(({ id }) => id)).toEqual([0, 4]);
    // And again on the schema that came of it: nothing is left to do, and they are still named.
    const again = derive([full, without, schema], writer, { onDropped: 'ignore' });
    expect(again.schema).toBe(schema);
    expect(again.ignored).toEqual(['a', 's.x']);
  });

  test('onDropped ignore: the column of keys stays away as a whole', () => {
    const withKey = schema(0, field(1, 'a', 'long'), field(2, '_key', struct(field(3, 'id', 'long'))));
    const current = schema(1, field(1, 'a', 'long'));
    const of = (onDropped: ChangeRules['onDropped']): DerivedChange =>
      deriveChange(
        { schemas: [withKey, current], current, lastColumnId: 9, history: {} },
        { part: 'key', struct: struct(field(0, 'id', 'long')), aliases: {} },
        { ...rules, onDropped },
      );
    expect(of('stop')).toMatchObject({ dropped: ['_key'], ignored: [] });
    expect(of('recreate').schema.fields.map(({ name }) => name)).toEqual(['a', '_key']);
    const { schema: same, changes, bound, ignored } = of('ignore');
    expect(same).toBe(current);
    expect([changes, ignored]).toEqual([[], ['_key']]);
    expect(bound.fields.map(({ id }) => id)).toEqual([0]);
  });

  test('a column that somebody else renamed is filled on, under its new name', () => {
    const renamed = schema(1, field(1, 'b', 'long'), full.fields[1]!);
    const result = derive([full, renamed], struct(field(0, 'a', 'long'), writer.fields[1]!));
    expect(result.schema).toBe(renamed);
    expect(result.bound.fields.map(({ id }) => id)).toEqual([1, 2]);
    // Its old name is kept for the time when the earlier schema is gone.
    expect(derive([full, renamed], writer).history).toEqual({ 1: { names: ['a', 'b'] } });
  });

  test('but not by JSON without schema, which is read by the names of columns', () => {
    const renamed = schema(1, field(1, 'b', 'long'));
    const writer = { part: 'value' as const, struct: struct(field(0, 'a', 'long')), aliases: {}, most: 10 };
    const table = { schemas: [full, renamed], current: renamed, lastColumnId: 9, history: {} };
    expect(deriveChange(table, writer, rules).changes.map(changeText)).toEqual(['add column a long']);
  });

  test('a name that somebody gave to another column since is that column', () => {
    const swapped = schema(1, field(1, 'b', 'long'), full.fields[1]!, field(5, 'a', 'long'));
    expect(derive([full, swapped], struct(field(0, 'a', 'long'))).bound.fields[0]!.id).toBe(5);
  });

  test('an alias names any name that the column had', () => {
    const table = schema(1, field(1, 'b', 'long'));
    const { changes } = derive([table], struct(field(0, 'c', 'long')), {}, { c: ['a'] }, { 1: { names: ['a', 'b'] } });
    expect(changes.map(changeText)).toEqual(['rename b to c']);
  });

  test('new-column goes by the name in the writer, where the column has another', () => {
    const table: Schema = {
      ...schema(0, field(1, 'id', 'long')),
      fields: [field(1, 'id', 'long'), { ...field(2, 'ID_2', 'long'), doc: 'Source name: "ID".' }],
    };
    const upper = { ...field(0, 'ID_2', 'string'), doc: 'Source name: "ID".' };
    const result = derive([table], struct(field(0, 'id', 'long'), upper), { onIncompatible: 'new-column' });
    expect(result.incompatible).toEqual([]);
    expect(result.bound.fields.map(({ id }) => id > 0)).toEqual([true, true]);
    const late = derive(
      [schema(0, field(1, 'now', 'long'))],
      struct(field(0, 'then', 'string')),
      { onIncompatible: 'new-column' },
      {},
      { 1: { names: ['then', 'now'] } },
    );
    expect(late.incompatible).toEqual([]);
    expect(late.changes.map(changeText)).toEqual(['add column then_string string']);
  });

  test('a field that was removed and comes back with another type follows onIncompatible', () => {
    const back = struct(field(0, 'a', 'string'));
    expect(derive([full], back).incompatible).toMatchObject([{ path: 'a', from: 'long', to: 'string' }]);
    const column = derive([full], back, { onIncompatible: 'new-column' });
    expect(column.incompatible).toEqual([]);
    expect(column.schema.fields.map(({ id, name }) => `${id} ${name}`)).toEqual(['1 a', '2 s', '10 a_string']);
  });
});

describe('schemaChanges', () => {
  const add: Change = { kind: 'add', path: 'a.b', to: 'string', writerPath: 'x' };
  const widen: Change = { kind: 'widen', path: 'n', from: 'int', to: 'long' };

  test('what is made without asking', () => {
    const table = (['auto', 'additive', 'manual'] as const).map((policy) => [
      allowed(policy, []),
      allowed(policy, [add]),
      allowed(policy, [add, widen]),
      allowed(policy, [{ kind: 'optional', path: 'n' }]),
      allowed(policy, [{ kind: 'rename', path: 'n', from: 'n', to: 'm' }]),
    ]);
    expect(table).toEqual([
      [true, true, true, true, true],
      [true, true, false, false, false],
      [true, false, false, false, false],
    ]);
  });

  test('an id names exactly the changes', () => {
    expect(changeId([add, widen])).toBe(changeId([{ ...add, writerPath: 'y' }, widen]));
    const others = [[add], [widen, add], [add, { ...widen, to: 'double' }], [{ ...add, path: 'a' }, widen]] as const;
    for (const other of others) expect(changeId(other)).not.toBe(changeId([add, widen]));
    expect(changeId([add])).toMatch(/^[0-9a-f]{12}$/);
  });

  test('what waits is in a property of its own, and is read back; what is not of this form is passed over', () => {
    const writer = { part: 'value' as const, struct: struct(field(0, 'n', 'long')), aliases: { n: ['m'] } };
    const first = waitingChange([widen], 'schema 7', 1000, writer);
    const second = waitingChange([add], 'records', 500, writer);
    const properties = {
      ...Object.fromEntries([first, second].map((change) => [waitingProperty(change.id), encodeWaiting(change)])),
      [waitingProperty('abc')]: 'not JSON',
      [waitingProperty('abd')]: '{"v":2}',
      owner: 'me',
    };
    expect(waitingChanges(properties)).toEqual([second, first]);
    expect(first.changes).toEqual(['widen n from int to long']);
  });
});
