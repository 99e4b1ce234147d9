import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { tableFields } from '../../src/commit/table-fields.ts';
import { parseConfig } from '../../src/config/load.ts';
import { planTables } from '../../src/config/plan.ts';
import type { TabletopicError } from '../../src/errors.ts';
import { currentSchema } from '../../src/iceberg/metadata.ts';
import { Layouts } from '../../src/ingest/layouts.ts';
import type { WriterSchema } from '../../src/ingest/layout-source.ts';
import { approveChanges } from '../../src/maintain/approve.ts';
import { schemaQuestion } from '../../src/pipeline/messages.ts';
import type { SchemaAnswer } from '../../src/pipeline/messages.ts';
import { deriveChange } from '../../src/schema/derive.ts';
import type { NestedField, PrimitiveType } from '../../src/schema/types.ts';
import { waitingChanges } from '../../src/schema/waiting-change.ts';
import { TOPIC, World, ident } from '../commit/world.ts';

const field = (name: string, type: PrimitiveType, required = false): NestedField => ({ id: 0, name, required, type });

/** The questions of one instance about a table whose column is `offset long`; its clock stands until `look`. */
class Questions {
  readonly layouts: Layouts;
  readonly sent: {
    worker: number;
    answers: readonly SchemaAnswer[];
    answered: string | undefined;
    columns: string[];
  }[] = [];
  readonly behind = new Map<string, string[]>();
  readonly log: string[] = [];
  readonly failures: TabletopicError[] = [];
  #sleeping: (() => void)[] = [];

  constructor(
    of: World,
    committer: Awaited<ReturnType<World['instance']>>['committer'],
    rule: string,
    approval = true,
  ) {
    const { tables } = parseConfig(
      `kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: memory } }
tables: [{ topic: ${TOPIC}, table: shop.orders, ${rule} }]`,
      { env: {}, directory: '/', file: 'test.yaml' },
    );
    const schemas = new Map<number, NestedField[]>([
      [1, [field('offset', 'long')]],
      [2, [field('offset', 'long'), field('note', 'string')]],
      [3, [field('offset', 'long'), field('note', 'string'), field('tag', 'int')]],
      [4, [field('tag', 'long')]],
    ]);
    const writer = (id: number): WriterSchema => ({
      format: 'avro',
      text: `schema ${id}`,
      references: {},
      struct: { type: 'struct', fields: schemas.get(id)! },
      aliases: {},
    });
    const logger = pino(
      { level: 'error' },
      { write: (line: string) => void this.log.push((JSON.parse(line) as { msg: string }).msg) },
    );
    const abort = new AbortController();
    this.layouts = new Layouts({
      plan: planTables(tables, [{ name: TOPIC }]).plans[0]!,
      committer,
      source: {
        byId: (_part: unknown, id: number) => Promise.resolve(writer(id)),
        inline: () => writer(0),
        known: () => Promise.resolve([]),
        fixed: () => Promise.reject(new Error('not part of this test')),
      },
      ports: {
        ...of.ports,
        clock: { ...of.ports.clock, sleep: () => new Promise((resolve) => this.#sleeping.push(resolve)) },
      },
      signal: abort.signal,
      guard: (task) => void task().catch((error: TabletopicError) => this.failures.push(error)),
      retry: (_what, attempt) => attempt(),
      firstOffsets: () => Promise.resolve(of.first()),
      created: () => undefined,
      sendRoute: () => undefined,
      send: (worker, layout, answers, answered) =>
        void this.sent.push({ worker, answers, answered, columns: layout.schema.fields.map(({ name }) => name) }),
      ...(approval ? { approval: { log: logger, lanesBehind: (question) => this.behind.get(question) ?? [] } } : {}),
    });
  }

  /** A lane of partition `partition` asks for the schema. */
  async ask(id: number, partition: number): Promise<void> {
    const question = schemaQuestion('value', id);
    this.behind.set(question, [...(this.behind.get(question) ?? []), `${TOPIC}-${partition}`]);
    await this.layouts.question(0, {
      type: 'need-schema',
      table: 0,
      part: 'value',
      key: id,
      guid: null,
      index: null,
      text: null,
      topic: TOPIC,
    });
  }

  /** The time of the next look at the table comes, and what follows of it happens. */
  async look(): Promise<void> {
    for (const wake of this.#sleeping.splice(0)) wake();
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  get answeredSchemas(): number[] {
    return this.sent.flatMap(({ answers }) => answers.map(({ key }) => key));
  }
}

async function world(rule: string, approval = true): Promise<{ of: World; questions: Questions }> {
  const of = new World();
  const instance = await of.instance().start();
  await instance.commitTo(10);
  return { of, questions: new Questions(of, instance.committer, rule, approval) };
}

const columns = (of: World): string[] => currentSchema(of.metadata).fields.map(({ name }) => name);
const approve = (of: World, change: string | null) =>
  approveChanges({
    address: { catalog: of.catalog, ident, branch: 'main' },
    ports: of.ports,
    change,
    rules: { onIncompatible: 'dead-letter', onDropped: 'stop' },
  });

describe('schemaChanges: manual', () => {
  test('a schema that changes the table is not answered before its change is approved; one that does not is', async () => {
    const { of, questions } = await world('schemaChanges: manual');
    await questions.ask(2, 0);
    await questions.ask(1, 1);
    expect(questions.answeredSchemas).toEqual([1]);
    expect(columns(of)).toEqual(['offset']);
    const [waiting] = questions.layouts.waiting;
    expect(waiting).toMatchObject({ schema: 'schema 2', changes: ['add column note string'], partitions: ['t-0'] });
    const command = `tabletopic approve -c FILE --table shop.orders --change ${waiting!.id}`;
    expect(waiting!.command).toBe(command);
    expect(questions.log).toEqual([`schema 2 waits for approval: add column note string. ${command}`]);
    expect(waitingChanges(of.metadata.properties).map(({ id }) => id)).toEqual([waiting!.id]);

    await questions.look();
    expect(questions.answeredSchemas, 'time alone approves nothing').toEqual([1]);
    await approve(of, waiting!.id);
    await questions.look();
    expect(questions.answeredSchemas).toEqual([1, 2]);
    expect(questions.sent.at(-1)).toMatchObject({
      columns: ['offset', 'note'],
      answers: [{ bound: { struct: { fields: [{ id: 1 }, { id: 2 }] } } }],
    });
    expect(questions.layouts.waiting).toEqual([]);
    expect(questions.log).toHaveLength(1);
  });

  test('an approval is of one change: the other schema waits on, with what is left for it', async () => {
    const { of, questions } = await world('schemaChanges: manual');
    await questions.ask(2, 0);
    await questions.ask(3, 1);
    const ids = new Map(questions.layouts.waiting.map(({ schema, id }) => [schema, id]));
    await approve(of, ids.get('schema 2')!);
    await questions.look();
    expect(questions.answeredSchemas).toEqual([2]);
    expect(questions.layouts.waiting).toMatchObject([{ schema: 'schema 3', changes: ['add column tag int'] }]);
    const left = waitingChanges(of.metadata.properties);
    expect(left.map(({ changes }) => changes)).toContainEqual(['add column tag int']);
    await approve(of, questions.layouts.waiting[0]!.id);
    await questions.look();
    expect(questions.answeredSchemas).toEqual([2, 3]);
    expect(columns(of)).toEqual(['offset', 'note', 'tag']);
  });

  test('a change that anybody else makes in the table lets it through, and nothing is left to approve', async () => {
    const { of, questions } = await world('schemaChanges: manual');
    await questions.ask(2, 0);
    const writer = {
      part: 'value' as const,
      struct: { type: 'struct' as const, fields: [field('note', 'string')] },
      aliases: {},
    };
    const made = deriveChange(tableFields(of.metadata), writer, { onIncompatible: 'stop', onDropped: 'stop' });
    await of.update([
      { action: 'add-schema', schema: made.schema, 'last-column-id': made.lastColumnId },
      { action: 'set-current-schema', 'schema-id': -1 },
    ]);
    await questions.look();
    expect(questions.answeredSchemas).toEqual([2]);
    expect(waitingChanges(of.metadata.properties)).toEqual([]);
  });

  test('a question that no lane asks any more is forgotten; who asks it next is answered at once if it may be', async () => {
    const { of, questions } = await world('schemaChanges: manual');
    await questions.ask(2, 0);
    questions.behind.clear();
    expect(questions.layouts.waiting).toEqual([]);
    await questions.look();
    await approve(of, null);
    await questions.look();
    expect(questions.answeredSchemas).toEqual([]);
    await questions.ask(2, 0);
    expect(questions.answeredSchemas).toEqual([2]);
  });

  test('fields of a record without schema wait too, and the answer names the question', async () => {
    const { of, questions } = await world('schemaChanges: manual, value: { format: json }');
    const question = 'value fields of lane 1 at 7';
    questions.behind.set(question, ['t-0']);
    const fields = { type: 'struct' as const, fields: [field('extra', 'string')] };
    await questions.layouts.question(0, {
      type: 'need-fields',
      table: 0,
      part: 'value',
      key: -1,
      fields,
      question,
    });
    expect(questions.sent).toEqual([]);
    expect(questions.layouts.waiting).toMatchObject([{ schema: 'records', changes: ['add column extra string'] }]);
    await approve(of, null);
    await questions.look();
    expect(questions.sent).toMatchObject([{ answered: question, columns: ['offset', 'extra'] }]);
  });

  test('where nobody can wait, it is refused', async () => {
    const { questions } = await world('schemaChanges: manual', false);
    await expect(questions.ask(2, 0)).rejects.toMatchObject({ code: 'SCHEMA_CHANGE_WAITS' });
  });
});

test('schemaChanges: additive makes additions at once; a wider type waits', async () => {
  const { of, questions } = await world('schemaChanges: additive');
  await questions.ask(3, 0);
  expect(questions.answeredSchemas).toEqual([3]);
  expect(columns(of)).toEqual(['offset', 'note', 'tag']);
  await questions.ask(4, 1);
  expect(questions.layouts.waiting).toMatchObject([
    { schema: 'schema 4', changes: ['widen tag from int to long'], partitions: ['t-1'] },
  ]);
  await questions.ask(3, 2);
  expect(questions.answeredSchemas, 'the narrower type goes on').toEqual([3, 3]);
  await approve(of, null);
  await questions.look();
  expect(questions.answeredSchemas).toEqual([3, 3, 4]);
  expect(questions.failures).toEqual([]);
});
