import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { planTables } from '../../src/config/plan.ts';
import { currentSchema } from '../../src/iceberg/metadata.ts';
import { Layouts } from '../../src/ingest/layouts.ts';
import type { SchemaAnswer } from '../../src/pipeline/messages.ts';
import { typeText } from '../../src/schema/evolve.ts';
import { leavesIn } from '../../src/schema/grow.ts';
import type { NestedField, PrimitiveType } from '../../src/schema/types.ts';
import { TOPIC, World } from '../commit/world.ts';

// What one instance answers when a record of JSON has members that the table has no columns for.

const field = (name: string, type: PrimitiveType = 'long'): NestedField => ({ id: 0, name, required: false, type });

class Instance {
  readonly layouts: Layouts;
  readonly sent: { answers: readonly SchemaAnswer[]; answered: string | undefined; columns: string[] }[] = [];

  constructor(of: World, committer: Awaited<ReturnType<World['instance']>>['committer'], rule: string) {
    const { tables } = parseConfig(
      `kafka: { brokers: [a:1] }
schemaRegistry: { url: http://a }
catalogs: { lake: { type: rest, uri: http://a, warehouse: memory } }
tables: [{ topic: ${TOPIC}, table: shop.orders, ${rule} }]`,
      { env: {}, directory: '/', file: 'test.yaml' },
    );
    this.layouts = new Layouts({
      plan: planTables(tables, [{ name: TOPIC }]).plans[0]!,
      committer,
      source: { known: () => Promise.resolve([]) } as unknown as ConstructorParameters<typeof Layouts>[0]['source'],
      ports: of.ports,
      signal: new AbortController().signal,
      guard: (task) => void task(),
      retry: (_what, attempt) => attempt(),
      firstOffsets: () => Promise.resolve(of.first()),
      created: () => undefined,
      sendRoute: () => undefined,
      send: (_worker, layout, answers, answered) =>
        void this.sent.push({ answers, answered, columns: layout.schema.fields.map(({ name }) => name) }),
    });
  }

  async ask(names: readonly string[], question: string, key = -1): Promise<void> {
    const fields = { type: 'struct' as const, fields: names.map((name) => field(name)) };
    await this.layouts.question(0, { type: 'need-fields', table: 0, part: 'value', key, fields, question });
  }
}

/** A table with the column `offset`, and two instances that read it. */
async function two(rule: string): Promise<{ of: World; a: Instance; b: Instance }> {
  const of = new World();
  const first = await of.instance().start();
  await first.commitTo(10);
  const second = await of.instance().start();
  return { of, a: new Instance(of, first.committer, rule), b: new Instance(of, second.committer, rule) };
}

const columns = (of: World): string[] => currentSchema(of.metadata).fields.map(({ name }) => name);

async function drop(of: World, column: string): Promise<void> {
  const schema = currentSchema(of.metadata);
  await of.update([
    {
      action: 'add-schema',
      schema: { ...schema, fields: schema.fields.filter(({ name }) => name !== column) },
      'last-column-id': of.metadata['last-column-id'],
    },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]);
}

describe('members of JSON without a column', () => {
  test('become columns up to the cap, whichever of two instances asks, and whatever it knew', async () => {
    const { of, a, b } = await two('value: json, maxColumns: 4');
    await Promise.all([a.ask(['x', 'y'], 'one'), b.ask(['p', 'q', 'r'], 'two')]);
    const names = columns(of);
    expect(leavesIn(currentSchema(of.metadata), true)).toBe(4);
    expect(names.filter((name) => name === '_extra')).toHaveLength(1);
    await b.ask(['later'], 'three');
    expect(columns(of)).toEqual(names);
    expect([a.sent.at(-1)!.answered, b.sent.map(({ answered }) => answered)]).toEqual(['one', ['two', 'three']]);
    expect(b.sent.at(-1)!.columns).toEqual(names);
  });

  test('two instances that ask for one name with two types: the first decides, and the other members come in', async () => {
    const { of, a, b } = await two('value: json');
    await a.ask(['x'], 'one');
    const fields = { type: 'struct' as const, fields: [field('x', 'string'), field('y', 'string')] };
    await b.layouts.question(0, { type: 'need-fields', table: 0, part: 'value', key: -1, fields, question: 'two' });
    expect(currentSchema(of.metadata).fields.map(({ name, type }) => `${name} ${typeText(type)}`)).toEqual([
      'offset long',
      'x long',
      'y string',
    ]);
  });

  test('onIncompatible: new-column: two instances that find one member of other kinds make one column of each kind', async () => {
    const { of, a, b } = await two('value: json, onIncompatible: new-column');
    const ask = (instance: Instance, question: string, ...types: PrimitiveType[]): Promise<void> =>
      instance.layouts.question(0, {
        type: 'need-fields',
        table: 0,
        part: 'value',
        key: -1,
        fields: { type: 'struct', fields: types.map((type) => field('x', type)) },
        question,
      });
    const shown = (): string[] =>
      currentSchema(of.metadata).fields.map(({ name, type, doc = '' }) => `${name} ${typeText(type)} ${doc}`.trim());
    await ask(a, 'one', 'long');
    // `b` has not seen the column yet.
    await Promise.all([ask(a, 'two', 'string'), ask(b, 'three', 'string', 'boolean'), ask(b, 'four', 'string')]);
    const doc = 'Source name: "x". Values that do not fit the column of that name.';
    expect(shown()).toEqual(['offset long', 'x long', `x_string string ${doc}`, `x_boolean boolean ${doc}`]);
    expect(b.sent.map(({ answered }) => answered)).toEqual(['three', 'four']);
    expect(b.sent[0]!.columns).toEqual(['offset', 'x', 'x_string', 'x_boolean']);
    // A member that is called as the sibling is, and a third instance, which knows only the table.
    await a.ask(['x_string'], 'five');
    const third = new Instance(of, (await of.instance().start()).committer, 'value: json, onIncompatible: new-column');
    await ask(third, 'six', 'boolean', 'double');
    expect(shown().slice(4)).toEqual(['x_string_2 long Source name: "x_string".', `x_double double ${doc}`]);
  });

  test('by a JSON Schema: the layout is answered, and what is bound stays', async () => {
    const { a } = await two('value: json-schema');
    await a.ask(['_extra'], 'one', 7);
    expect(a.sent).toMatchObject([{ answers: [], answered: 'one' }]);
  });

  test('onDropped: ignore: a member whose column was dropped is left out from then on', async () => {
    const { of, a } = await two('value: json, onDropped: ignore');
    await a.ask(['x', 'y'], 'one');
    await drop(of, 'x');
    await a.ask(['x', 'z'], 'two');
    expect(columns(of)).toEqual(['offset', 'y', 'z']);
    expect(a.sent.at(-1)).toMatchObject({ answered: 'two', answers: [{ bound: { ignored: ['x'] }, ignored: 1 }] });
  });

  test('onDropped: ignore: so is the whole key where its column was dropped', async () => {
    const { of, a } = await two('value: json, key: { format: json }, onDropped: ignore');
    const ask = (question: string, ...names: string[]): Promise<void> =>
      a.layouts.question(0, {
        type: 'need-fields',
        table: 0,
        part: 'key',
        key: -1,
        fields: { type: 'struct', fields: names.map((name) => field(name)) },
        question,
      });
    await ask('one', 'id');
    expect(columns(of)).toEqual(['offset', '_key']);
    await drop(of, '_key');
    await ask('two', 'id', 'more');
    expect(columns(of)).toEqual(['offset']);
    expect(a.sent.at(-1)).toMatchObject({ answered: 'two', answers: [{ bound: { ignored: [''] }, ignored: 1 }] });
  });
});
