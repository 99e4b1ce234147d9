import type { Committer, TableState } from '../commit/commit.ts';
import { FIELDS_PROPERTY } from '../commit/statement.ts';
import { tableFields } from '../commit/table-fields.ts';
import type { TablePlan } from '../config/config.ts';
import type { Part } from '../decode/decoder.ts';
import { TabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { currentSchema } from '../iceberg/metadata.ts';
import { deriveChange } from '../schema/derive.ts';
import type { DerivedChange, WriterFields } from '../schema/derive.ts';
import { KEY_COLUMN, isServiceColumn } from '../schema/names.ts';
import { allowed } from '../schema/policy.ts';
import type { NestedField } from '../schema/types.ts';

export interface TableSchemaOptions {
  readonly plan: TablePlan;
  readonly committer: Committer;
  retry<T>(what: string, attempt: () => Promise<T>): Promise<T>;
}

/** A table that was asked to take the columns of a writer schema. */
export interface Evolved {
  readonly state: TableState;
  /** How the schema is bound to the columns, and what does not fit them. */
  readonly derived: DerivedChange;
  /** What is left to change waits for approval. */
  readonly waits: boolean;
}

/** Changes the schema of a table under its rules (`schemaChanges`, `onIncompatible`, `onDropped`). */
export class TableSchema {
  readonly #o: TableSchemaOptions;

  constructor(options: TableSchemaOptions) {
    this.#o = options;
  }

  /** As `evolve`; what seems to need approval may have it since the table was last loaded. */
  async evolved(writer: WriterFields): Promise<Evolved> {
    const evolved = this.#look(await this.evolve(writer), writer);
    if (!evolved.waits) return evolved;
    const { committer, retry } = this.#o;
    return this.#look(await retry('load the table', () => committer.refresh()), writer);
  }

  /**
   * A writer schema that does not fit changes nothing: its records are dead letters, and its new fields no columns. Nor
   * does one that waits for approval.
   */
  async evolve(writer: WriterFields): Promise<TableState> {
    const { plan, committer, retry } = this.#o;
    const state = await retry('change the schema', () =>
      committer.evolve((current) => {
        const { schema, lastColumnId, history, changes, incompatible, dropped } = this.#derived(current, writer);
        if (incompatible.length > 0 || schema === currentSchema(current.table.metadata)) return null;
        this.#refuseDropped(dropped);
        // The first columns are no change of a table that its owner knows.
        const first = fieldsOf(current, writer.part).length === 0;
        if (!first && !allowed(plan.rule.schemaChanges, changes)) return null;
        return { schema, lastColumnId, fields: JSON.stringify(history) };
      }),
    );
    // Protobuf field numbers and Avro aliases may be new where the columns are not.
    if (this.#newHistory(state, writer) === null) return state;
    return retry('keep what fields are known by', () =>
      committer.properties((current) => {
        const fields = this.#newHistory(current, writer);
        return fields === null ? null : { set: { [FIELDS_PROPERTY]: fields }, remove: [] };
      }),
    );
  }

  /** What `tabletopic.fields` must become to know the writer's fields by their numbers and aliases; null: it does. */
  #newHistory(state: TableState, writer: WriterFields): string | null {
    if (!Object.values(writer.aliases).some((alias) => alias.length > 0)) return null;
    const { derived, waits } = this.#look(state, writer);
    if (derived.incompatible.length > 0 || waits) return null;
    const fields = JSON.stringify(derived.history);
    return fields === (state.table.metadata.properties?.[FIELDS_PROPERTY] ?? '{}') ? null : fields;
  }

  #look(state: TableState, writer: WriterFields): Evolved {
    const derived = this.#derived(state, writer);
    const changes = derived.schema !== currentSchema(state.table.metadata);
    return { state, derived, waits: derived.incompatible.length === 0 && changes };
  }

  #derived(state: TableState, writer: WriterFields): DerivedChange {
    return deriveChange(tableFields(state.table.metadata), writer, this.#o.plan.rule);
  }

  #refuseDropped(columns: readonly string[]): void {
    if (columns.length === 0) return;
    throw new TabletopicError('TABLE_CHANGED', `records have ${columns.join(', ')}, which was dropped from the table`, {
      hint: 'Set `onDropped: recreate` to add the column again (empty for older rows), or `ignore` to leave its values out; or stop producing the field.',
      where: { table: identText(this.#o.plan), columns: columns.join(', ') },
    });
  }
}

/** The columns that hold the value, all but those of this service; or the fields of the decoded key. */
export function fieldsOf(state: TableState, part: Part): readonly NestedField[] {
  const { fields } = currentSchema(state.table.metadata);
  if (part === 'value') return fields.filter((field) => !isServiceColumn(field.name));
  const type = fields.find((field) => field.name === KEY_COLUMN)?.type;
  return type !== undefined && typeof type !== 'string' && type.type === 'struct' ? type.fields : [];
}
