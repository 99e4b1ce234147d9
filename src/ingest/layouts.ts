import { kafkaFields } from '../columns/metadata-columns.ts';
import type { Committer, OffsetsMap, TableState } from '../commit/commit.ts';
import type { TablePlan } from '../config/config.ts';
import type { BoundSchema } from '../decode/decoder.ts';
import { emptyShape, mergeShapes, shapeToStruct } from '../decode/infer.ts';
import type { Shape } from '../decode/infer.ts';
import { TabletopicError, asTabletopicError } from '../errors.ts';
import { currentSchema } from '../iceberg/metadata.ts';
import { PLAIN_KEY } from '../decode/wire-format.ts';
import type { FromWorker, Layout, SchemaAnswer, SchemaKey } from '../pipeline/messages.ts';
import type { Ports } from '../ports.ts';
import { droppedColumns } from '../schema/dropped.ts';
import { assignIds, evolve } from '../schema/evolve.ts';
import type { Evolution, FieldHistory } from '../schema/evolve.ts';
import { withNewColumns } from '../schema/new-column.ts';
import { isServiceColumn } from '../schema/names.ts';
import type { NestedField, StructType } from '../schema/types.ts';
import { Mutex } from './mutex.ts';
import { FIELDS_PROPERTY, createRequest, layoutOf } from './new-table.ts';

export type Question = Extract<FromWorker, { type: 'need-layout' | 'need-schema' | 'need-fields' | 'sample' }>;

/** A writer schema with its converted struct, whose field ids are still 0, and its fields' aliases by dotted path. */
export interface WriterSchema extends BoundSchema {
  readonly aliases: Readonly<Record<string, readonly string[]>>;
}

export interface LayoutSource {
  /** By registry id. Rejects with `REGISTRY_SCHEMA_MISSING`, `SCHEMA_UNSUPPORTED`; waits while the registry is down. */
  byId(id: number | { readonly guid: string }, signal: AbortSignal): Promise<WriterSchema>;
  /** The newest version of the subject of one of these topics' values; null where there is none. */
  latest(topics: readonly string[], signal: AbortSignal): Promise<WriterSchema | null>;
}

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
  send(worker: number, layout: Layout, schemas: readonly SchemaAnswer[]): void;
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

/**
 * Answers what workers ask about columns: a writer schema becomes part of the table's schema before the first row of it
 * is written. One question at a time, so that the schemas of one instance never race each other; those of several
 * instances race in the catalog, which decides (`assert-current-schema-id`).
 */
export class Layouts {
  readonly #o: LayoutsOptions;
  readonly #mutex = new Mutex();
  /** Inference over all workers of this instance; null once it is over. */
  #sample: Sample | null;

  constructor(options: LayoutsOptions) {
    this.#o = options;
    this.#sample = newSample();
  }

  async question(worker: number, question: Question): Promise<void> {
    switch (question.type) {
      case 'need-layout':
        return this.#mutex.run(async () => this.#o.send(worker, await this.#layout(), []));
      case 'need-schema':
        return this.#mutex.run(() => this.#schema(worker, question.key, question.guid));
      case 'sample':
        return this.#sampled(worker, question.shape, question.records);
      case 'need-fields':
        return this.#mutex.run(() => this.#answerJson([worker], question.fields));
    }
  }

  /** Makes sure that the table exists, with what is known of its columns before any record. */
  async ensure(): Promise<TableState> {
    return this.#mutex.run(() => this.#table());
  }

  /** A table that others made has no place yet for the positions of rows. */
  async addServiceColumns(): Promise<void> {
    const wanted = kafkaFields(this.#o.plan.rule.metadataColumns);
    await this.#o.retry('add the columns of positions', () =>
      this.#o.committer.evolve(({ table: { metadata } }) => {
        const schema = currentSchema(metadata);
        const missing = wanted.filter(({ name }) => !schema.fields.some((field) => field.name === name));
        if (missing.length === 0) return null;
        const optional = missing.map((field) => ({ ...field, required: false }));
        const { struct, lastId } = assignIds({ type: 'struct', fields: optional }, metadata['last-column-id'] + 1);
        const fields = metadata.properties?.[FIELDS_PROPERTY] ?? '{}';
        return { schema: { ...schema, fields: [...schema.fields, ...struct.fields] }, lastColumnId: lastId, fields };
      }),
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
    const { format } = this.#o.plan.rule.value;
    const latest =
      format === 'auto' || format === 'avro' ? await this.#o.source.latest(this.#o.plan.topics, this.#o.signal) : null;
    return this.#create(latest?.struct ?? { type: 'struct', fields: [] });
  }

  async #create(struct: StructType): Promise<TableState> {
    const request = createRequest(this.#o.plan, struct);
    const first = await this.#o.firstOffsets();
    const state = await this.#o.retry('create the table', () => this.#o.committer.create(request, first));
    this.#o.created(state);
    return state;
  }

  async #schema(worker: number, key: SchemaKey, guid: string | null): Promise<void> {
    if (key === PLAIN_KEY) {
      await this.#answer([worker], PLAIN_KEY, fixedSchema(this.#o.plan.rule.value.format));
      return;
    }
    const writer = await this.#o.source
      .byId(guid === null ? key : { guid }, this.#o.signal)
      .catch((thrown: unknown) => asTabletopicError(thrown));
    if (!(writer instanceof TabletopicError)) return this.#answer([worker], key, writer);
    if (writer.policy !== 'dead-letter') throw writer;
    this.#o.send(worker, await this.#layout(), [{ key, refused: { code: writer.code, reason: writer.message } }]);
  }

  /** The writer schema becomes part of the table; the workers get the new layout and the schema bound to it. */
  async #answer(workers: Iterable<number>, key: SchemaKey, writer: WriterSchema): Promise<void> {
    if (!this.#o.committer.state?.offsets) await this.#create(writer.struct);
    const state = await this.#evolve(writer.struct, writer.aliases);
    const { bound, incompatible } = this.#evolved(state, writer.struct, writer.aliases);
    const reason = incompatible
      .map(({ path, from, to }) => `${path}: the table has ${from}, the writer schema ${to}`)
      .join('; ');
    if (reason !== '' && this.#o.plan.rule.onIncompatible === 'stop') {
      throw new TabletopicError('SCHEMA_INCOMPATIBLE', `schema ${key}: ${reason}`, { where: { table: this.#name } });
    }
    const answer: SchemaAnswer =
      reason === ''
        ? { key, bound: { ...writer, struct: bound } }
        : { key, refused: { code: 'SCHEMA_INCOMPATIBLE', reason } };
    const layout = layoutOf(state, this.#o.plan);
    for (const worker of workers) this.#o.send(worker, layout, [answer]);
  }

  /**
   * JSON without schema: new fields become columns, and the decoder takes every column of the table, whoever added it.
   * Fields that cannot become columns stay unknown: their records are dead letters.
   */
  async #answerJson(workers: Iterable<number>, fields: StructType): Promise<void> {
    if (!this.#o.committer.state?.offsets) await this.#create(fields);
    const state = await this.#evolve(fields);
    const layout = layoutOf(state, this.#o.plan);
    for (const worker of workers) this.#o.send(worker, layout, [jsonAnswer(state)]);
  }

  /** A writer schema that does not fit changes nothing: its records are dead letters, and its new fields no columns. */
  #evolve(writer: StructType, aliases: WriterSchema['aliases'] = {}): Promise<TableState> {
    return this.#o.retry('change the schema', () =>
      this.#o.committer.evolve((current) => {
        const { metadata } = current.table;
        const { schema, lastColumnId, history, changes, incompatible } = this.#evolved(current, writer, aliases);
        if (incompatible.length > 0 || schema === currentSchema(metadata)) return null;
        this.#refuseDropped(droppedColumns(metadata.schemas, currentSchema(metadata), changes));
        return { schema, lastColumnId, fields: JSON.stringify(history) };
      }),
    );
  }

  #evolved(state: TableState, writer: StructType, aliases: WriterSchema['aliases']): Evolution {
    const { metadata } = state.table;
    const history = JSON.parse(metadata.properties?.[FIELDS_PROPERTY] ?? '{}') as FieldHistory;
    const evolved = (struct: StructType): Evolution =>
      evolve(currentSchema(metadata), metadata['last-column-id'], struct, history, aliases);
    const result = evolved(writer);
    if (result.incompatible.length === 0 || this.#o.plan.rule.onIncompatible !== 'new-column') return result;
    return evolved(withNewColumns(writer, result.incompatible));
  }

  #refuseDropped(columns: readonly string[]): void {
    if (columns.length === 0 || this.#o.plan.rule.onDropped === 'recreate') return;
    throw new TabletopicError('TABLE_CHANGED', `records have ${columns.join(', ')}, which was dropped from the table`, {
      hint: 'Set `onDropped: recreate` to add the column again (empty for older rows), or stop producing the field.',
      where: { table: this.#name, columns: columns.join(', ') },
    });
  }

  get #name(): string {
    return [...this.#o.plan.namespace, this.#o.plan.name].join('.');
  }

  /** Shapes of all workers are merged: the order of records, partitions and workers does not matter. */
  #sampled(worker: number, shape: Shape, records: number): void {
    const { inferRecords, inferTime } = this.#o.plan.rule;
    const known = this.#o.committer.state;
    // A table that has columns is not inferred again: not after a restart, not by a second instance.
    if (known?.offsets && valueFields(known).length > 0) {
      this.#o.send(worker, layoutOf(known, this.#o.plan), [jsonAnswer(known)]);
      return;
    }
    const sample = this.#sample;
    if (!sample) {
      // The sample has ended, its answer is under way: this worker gets it right after.
      this.#o.guard(() =>
        this.#mutex.run(async () => {
          const state = await this.#table();
          this.#o.send(worker, layoutOf(state, this.#o.plan), [jsonAnswer(state)]);
        }),
      );
      return;
    }
    const { clock } = this.#o.ports;
    sample.shape = mergeShapes(sample.shape, shape);
    sample.records += records;
    sample.workers.add(worker);
    sample.timer ??= clock.sleep(inferTime, this.#o.signal).then(
      () => this.#inferred(),
      () => undefined,
    );
    if (sample.records >= inferRecords) this.#inferred();
  }

  #inferred(): void {
    const sample = this.#sample;
    if (!sample) return;
    this.#sample = null;
    this.#o.guard(() =>
      this.#mutex.run(() => this.#answerJson(sample.workers, shapeToStruct(sample.shape, this.#o.plan.rule))),
    );
  }
}

function jsonAnswer(state: TableState): SchemaAnswer {
  return {
    key: PLAIN_KEY,
    bound: { format: 'json', text: '', references: {}, struct: { type: 'struct', fields: valueFields(state) } },
  };
}

/** The columns that hold the value: all but those of this service. */
function valueFields(state: TableState): NestedField[] {
  return currentSchema(state.table.metadata).fields.filter((field) => !isServiceColumn(field.name));
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
