import type { Logger } from 'pino';
import type { Committer, OffsetsMap, TableState } from '../commit/commit.ts';
import { Serial } from '../commit/serial.ts';
import type { FormatOptions, TablePlan } from '../config/config.ts';
import type { Part } from '../decode/decoder.ts';
import { emptyShape, mergeShapes, shapeToStruct } from '../decode/infer.ts';
import type { Shape } from '../decode/infer.ts';
import { identText } from '../iceberg/catalog.ts';
import { TabletopicError, asTabletopicError } from '../errors.ts';
import { PLAIN_KEY, registryIdOf } from '../decode/wire-format.ts';
import { schemaQuestion } from '../pipeline/messages.ts';
import type { FromWorker, Layout, SchemaAnswer, SchemaKey } from '../pipeline/messages.ts';
import type { RouteSchema } from '../pipeline/route-reader.ts';
import type { Ports } from '../ports.ts';
import type { DerivedChange, WriterFields } from '../schema/derive.ts';
import { WHOLE_KEY } from '../schema/evolve-key.ts';
import { KEY_COLUMN } from '../schema/names.ts';
import { changeText } from '../schema/policy.ts';
import type { StructType } from '../schema/types.ts';
import { askRoute } from './route-schema.ts';
import { createRequest, layoutOf } from './new-table.ts';
import type { LayoutSource, WriterSchema } from './layout-source.ts';
import { positionColumns } from './position-columns.ts';
import { TableSchema, fieldsOf } from './table-schema.ts';
import { WaitingChanges } from './waiting-changes.ts';
import type { Waiting } from './waiting-changes.ts';

export type Question = Extract<FromWorker, { type: 'need-layout' | 'need-schema' | 'need-fields' | 'sample' }>;

export interface LayoutsOptions {
  readonly plan: TablePlan;
  readonly committer: Committer;
  readonly source: LayoutSource;
  readonly ports: Ports;
  readonly signal: AbortSignal;
  /** Runs a task whose failure stops the table. */
  guard(task: () => Promise<void>): void;
  retry<T>(what: string, attempt: () => Promise<T>): Promise<T>;
  firstOffsets(): Promise<OffsetsMap>;
  /** The table exists from now on. */
  created(state: TableState): void;
  /** `answered`: the question of one lane about fields. */
  send(worker: number, layout: Layout, schemas: readonly SchemaAnswer[], answered?: string): void;
  sendRoute(worker: number, key: SchemaKey, schema: RouteSchema | null): void;
  /** Who waits for the approval of a change; left out: a change that needs one rejects with `SCHEMA_CHANGE_WAITS`. */
  readonly approval?: {
    readonly log: Logger;
    /** Lanes that stand until the question is answered, as `topic-partition`. */
    lanesBehind(question: string): readonly string[];
  };
}

interface Sample {
  shape: Shape;
  records: number;
  readonly workers: Set<number>;
  timer: Promise<void> | null;
}

function newSample(): Sample {
  return { shape: emptyShape(), records: 0, workers: new Set(), timer: null };
}

/** A schema without ids in the records (`schema: latest`), and who reads by it. */
interface Followed {
  text: string;
  /** The key under which each worker knows it. */
  readonly workers: Map<number, SchemaKey>;
}

/**
 * Answers what workers ask about columns: a writer schema becomes part of the table's schema before the first row of it
 * is written. One question at a time, so that the schemas of one instance never race each other; those of several
 * instances race in the catalog, which decides (`assert-current-schema-id`).
 */
export class Layouts {
  readonly #o: LayoutsOptions;
  readonly #mutex = new Serial();
  readonly #schemas: TableSchema;
  /** Inference over all workers of this instance; null once it is over. */
  readonly #samples: Record<Part, Sample | null> = { value: newSample(), key: newSample() };
  /** By part and topic. */
  readonly #followed = new Map<string, Followed>();
  readonly #waiting: WaitingChanges | null;
  /** Members of JSON without schema whose columns were dropped and stay so (`onDropped: ignore`). */
  readonly #ignored: Record<Part, Set<string>> = { value: new Set(), key: new Set() };

  constructor(options: LayoutsOptions) {
    this.#o = options;
    this.#schemas = new TableSchema(options);
    const { approval, plan } = options;
    this.#waiting = approval
      ? new WaitingChanges({ ...options, ...approval, table: this.#name, rules: plan.rule })
      : null;
  }

  /** Changes that wait for approval, with the partitions behind them. */
  get waiting(): readonly Waiting[] {
    return this.#waiting?.all() ?? [];
  }

  async question(worker: number, question: Question): Promise<void> {
    switch (question.type) {
      case 'need-layout':
        return this.#mutex.run(async () => this.#o.send(worker, await this.#layout(), []));
      case 'need-schema':
        return this.#mutex.run(() => this.#schema(worker, question));
      case 'sample':
        return this.#sampled(worker, question.part, question.shape, question.records);
      case 'need-fields':
        return this.#mutex.run(() => this.#fields(worker, question));
    }
  }

  /** Makes sure that the table exists, with what is known of its columns before any record. */
  async ensure(): Promise<TableState> {
    return this.#mutex.run(() => this.#table());
  }

  /** A table that others made, or changed, may have no place for the positions of rows. */
  async addServiceColumns(): Promise<void> {
    await this.#o.retry('add the columns of positions', () =>
      this.#o.committer.evolve(({ table: { metadata } }) => positionColumns(metadata, this.#o.plan.rule, this.#name)),
    );
  }

  /** Schema and spec of the table as it is now. */
  async ids(): Promise<{ schemaId: number; specId: number }> {
    const { metadata } = (await this.ensure()).table;
    return { schemaId: metadata['current-schema-id'], specId: metadata['default-spec-id'] };
  }

  async #layout(): Promise<Layout> {
    return layoutOf(await this.#table(), this.#o.plan);
  }

  async #table(): Promise<TableState> {
    const known = this.#o.committer.state;
    if (known?.offsets) return known;
    const { topics, rule } = this.#o.plan;
    const values = await this.#known('value', topics);
    const keys = rule.key ? await this.#known('key', topics) : [];
    let state = await this.#create(values[0]?.struct ?? { type: 'struct', fields: [] }, keys[0]?.struct);
    for (const writer of values) state = await this.#schemas.evolve(writerFields('value', writer));
    for (const writer of keys) state = await this.#schemas.evolve(writerFields('key', writer));
    return state;
  }

  /** A schema that no column can hold makes dead letters of its records, not the end of the table. */
  async #known(part: Part, topics: readonly string[]): Promise<readonly WriterSchema[]> {
    try {
      return await this.#o.source.known(part, topics, this.#o.signal);
    } catch (thrown) {
      if (asTabletopicError(thrown).policy !== 'dead-letter') throw thrown;
      return [];
    }
  }

  async #create(struct: StructType, key?: StructType): Promise<TableState> {
    const request = createRequest(this.#o.plan, struct, key);
    const first = await this.#o.firstOffsets();
    const state = await this.#o.retry('create the table', () => this.#o.committer.create(request, first));
    this.#o.created(state);
    return state;
  }

  async #schema(worker: number, question: Extract<Question, { type: 'need-schema' }>): Promise<void> {
    if (question.route)
      return this.#o.sendRoute(worker, question.key, await askRoute(this.#o, this.#formatOf('value'), question));
    const { part, key, guid, index, text, topic } = question;
    const format = this.#formatOf(part);
    if (format.schema !== 'id') return this.#fixed(worker, part, key, topic);
    if (key === PLAIN_KEY) {
      await this.#answer([[worker, key]], part, fixedSchema(format.format));
      return;
    }
    const { source, signal } = this.#o;
    const found = async (): Promise<WriterSchema | null> =>
      text !== null
        ? source.inline(part, text)
        : source.byId(part, guid === null ? registryIdOf(key)! : { guid }, index, signal);
    const writer = await found().catch((thrown: unknown) => asTabletopicError(thrown));
    if (writer === null) return this.#o.send(worker, await this.#layout(), [{ part, key, indexed: true }]);
    if (!(writer instanceof TabletopicError)) {
      await this.#answer([[worker, key]], part, writer);
      return;
    }
    // What stands in a record is the record's fault, not the registry's.
    if (writer.policy !== 'dead-letter' && text === null) throw writer;
    this.#o.send(worker, await this.#layout(), [{ part, key, refused: { code: writer.code, reason: writer.message } }]);
  }

  /** `schema: latest` or a file. */
  async #fixed(worker: number, part: Part, key: SchemaKey, topic: string): Promise<void> {
    const { source, signal } = this.#o;
    const writer = await this.#o.retry('look up the newest schema', () => source.fixed(part, topic, signal));
    await this.#answer([[worker, key]], part, writer);
    if (this.#formatOf(part).schema !== 'latest') return;
    const name = `${part} ${topic}`;
    const known = this.#followed.get(name);
    known?.workers.set(worker, key);
    if (known) return;
    const followed = { text: textOf(writer), workers: new Map([[worker, key]]) };
    this.#followed.set(name, followed);
    this.#o.guard(() => this.#follow(part, topic, followed));
  }

  /** Looks for newer versions for as long as the table is open. */
  async #follow(part: Part, topic: string, followed: Followed): Promise<void> {
    const { source, signal, ports } = this.#o;
    const { refresh } = this.#formatOf(part);
    for (;;) {
      await ports.clock.sleep(refresh, signal);
      const writer = await this.#o.retry('look up the newest schema', () => source.fixed(part, topic, signal));
      if (textOf(writer) === followed.text) continue;
      // One that waits for approval is met again at the next look.
      if (await this.#mutex.run(() => this.#answer(followed.workers, part, writer))) followed.text = textOf(writer);
    }
  }

  #formatOf(part: Part): FormatOptions {
    const { key, value } = this.#o.plan.rule;
    return part === 'key' ? key! : value;
  }

  /**
   * The writer schema becomes part of the table; the workers get the new layout and the schema bound to it. False: they
   * wait, for its change of the table needs approval.
   */
  async #answer(
    workers: Iterable<readonly [worker: number, key: SchemaKey]>,
    part: Part,
    writer: WriterSchema,
  ): Promise<boolean> {
    if (!this.#o.committer.state?.offsets) {
      // A topic of many kinds of records: the table is made for all that are known, not for the first that came.
      const all = part === 'key' || this.#formatOf(part).subjectNameStrategy === 'topic-record';
      await (all ? this.#table() : this.#create(writer.struct));
    }
    const fields = writerFields(part, writer);
    const { state, derived, waits } = await this.#schemas.evolved(fields);
    if (waits) {
      for (const [worker, key] of workers)
        await this.#hold(schemaQuestion(part, key), schemaText(part, key), derived, fields, () =>
          this.#again(() => this.#answer([[worker, key]], part, writer)),
        );
      return false;
    }
    const reason = derived.incompatible
      .map(({ path, from, to }) => `${path}: the table has ${from}, the writer schema ${to}`)
      .join('; ');
    if (reason !== '' && this.#o.plan.rule.onIncompatible === 'stop') {
      throw new TabletopicError('SCHEMA_INCOMPATIBLE', `schema of the ${part}: ${reason}`, {
        where: { table: this.#name },
      });
    }
    const answer =
      reason === ''
        ? { part, bound: { ...writer, struct: derived.bound }, ignored: derived.ignored.length }
        : { part, refused: { code: 'SCHEMA_INCOMPATIBLE' as const, reason } };
    const layout = layoutOf(state, this.#o.plan);
    for (const [worker, key] of workers) {
      this.#o.send(worker, layout, [{ ...answer, key }]);
      this.#waiting?.settled(schemaQuestion(part, key));
    }
    await this.#waiting?.tidy();
    return true;
  }

  /** What one record of JSON has and the table has not. */
  #fields(worker: number, { part, key, fields, question }: Extract<Question, { type: 'need-fields' }>): Promise<void> {
    const { format } = this.#formatOf(part);
    const untyped = format === 'json' || (format !== 'json-schema' && key === PLAIN_KEY);
    return this.#answerJson([worker], part, fields, { question, untyped });
  }

  /**
   * JSON without schema: new fields become columns, and the decoder takes every column of the table, whoever added it.
   * Fields that cannot become columns stay unknown: their records are dead letters. What is bound of a JSON Schema stays as
   * it is: only columns `_extra` are new.
   */
  async #answerJson(
    workers: Iterable<number>,
    part: Part,
    struct: StructType,
    asked?: { readonly question: string; readonly untyped: boolean },
  ): Promise<void> {
    if (!this.#o.committer.state?.offsets) await (part === 'key' ? this.#table() : this.#create(struct));
    const fields: WriterFields = { part, struct, aliases: {}, most: this.#o.plan.rule.maxColumns };
    const { state, derived, waits } = await this.#schemas.evolved(fields);
    if (asked && waits) {
      const again = (): Promise<void> => this.#answerJson(workers, part, struct, asked);
      const what = part === 'key' ? 'keys' : 'records';
      return this.#hold(asked.question, what, derived, fields, () => this.#again(again));
    }
    const layout = layoutOf(state, this.#o.plan);
    for (const path of derived.ignored) this.#ignored[part].add(path);
    const answers = asked?.untyped === false ? [] : [this.#jsonAnswer(state, part)];
    for (const worker of workers) this.#o.send(worker, layout, answers, asked?.question);
    if (asked) this.#waiting?.settled(asked.question);
    await this.#waiting?.tidy();
  }

  #jsonAnswer(state: TableState, part: Part): SchemaAnswer {
    const struct: StructType = { type: 'struct', fields: fieldsOf(state, part) };
    const inside = `${KEY_COLUMN}.`;
    const inKey = (path: string): string => (path === KEY_COLUMN ? WHOLE_KEY : path.slice(inside.length));
    const ignored = [...this.#ignored[part]].map((path) => (part === 'key' ? inKey(path) : path));
    const bound = { format: 'json' as const, text: '', references: {}, struct, ignored };
    return { part, key: PLAIN_KEY, bound, ignored: ignored.length };
  }

  #hold(
    question: string,
    schema: string,
    { changes }: DerivedChange,
    writer: WriterFields,
    again: () => Promise<void>,
  ): Promise<void> {
    if (this.#waiting) return this.#waiting.hold(question, schema, changes, writer, again);
    throw new TabletopicError(
      'SCHEMA_CHANGE_WAITS',
      `${schema} needs approval: ${changes.map(changeText).join(', ')}`,
      {
        where: { table: this.#name },
      },
    );
  }

  #again(answer: () => Promise<unknown>): Promise<void> {
    return this.#mutex.run(async () => {
      await answer();
    });
  }

  get #name(): string {
    return identText(this.#o.plan);
  }

  /** Shapes of all workers are merged: the order of records, partitions and workers does not matter. */
  #sampled(worker: number, part: Part, shape: Shape, records: number): void {
    const { inferRecords, inferTime } = this.#o.plan.rule;
    const known = this.#o.committer.state;
    // A table that has columns is not inferred again: not after a restart, not by a second instance.
    if (known?.offsets && fieldsOf(known, part).length > 0) {
      this.#o.send(worker, layoutOf(known, this.#o.plan), [this.#jsonAnswer(known, part)]);
      return;
    }
    const sample = this.#samples[part];
    if (!sample) {
      // The sample has ended, its answer is under way: this worker gets it right after.
      this.#o.guard(() =>
        this.#mutex.run(async () => {
          const state = await this.#table();
          this.#o.send(worker, layoutOf(state, this.#o.plan), [this.#jsonAnswer(state, part)]);
        }),
      );
      return;
    }
    const { clock } = this.#o.ports;
    sample.shape = mergeShapes(sample.shape, shape);
    sample.records += records;
    sample.workers.add(worker);
    sample.timer ??= clock.sleep(inferTime, this.#o.signal).then(
      () => this.#inferred(part),
      () => undefined,
    );
    if (sample.records >= inferRecords) this.#inferred(part);
  }

  #inferred(part: Part): void {
    const sample = this.#samples[part];
    if (!sample) return;
    this.#samples[part] = null;
    this.#o.guard(() =>
      this.#mutex.run(() => this.#answerJson(sample.workers, part, shapeToStruct(sample.shape, this.#o.plan.rule))),
    );
  }
}

function writerFields(part: Part, { struct, aliases }: WriterSchema): WriterFields {
  return { part, struct, aliases };
}

/** A key that is no registry id says nothing to a person. */
function schemaText(part: Part, key: SchemaKey): string {
  return `${part === 'key' ? 'key ' : ''}${key >= 0 ? `schema ${registryIdOf(key)}` : 'schema without an id'}`;
}

function textOf({ text, references }: WriterSchema): string {
  return JSON.stringify([text, references]);
}

/** Formats whose only column is the value itself. */
function fixedSchema(format: TablePlan['rule']['value']['format']): WriterSchema {
  const type = format === 'string' ? 'string' : 'binary';
  return {
    aliases: {},
    format: format === 'string' ? 'string' : 'bytes',
    text: '',
    references: {},
    struct: { type: 'struct', fields: [{ id: 0, name: 'value', required: false, type }] },
  };
}
