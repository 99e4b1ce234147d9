import { droppedColumns } from './dropped.ts';
import { WHOLE_KEY, evolveKey } from './evolve-key.ts';
import { evolve } from './evolve.ts';
import type { Evolution, FieldAliases, FieldHistory } from './evolve.ts';
import { grown } from './grow.ts';
import { KEY_COLUMN, sourceName } from './names.ts';
import { withNewColumns } from './new-column.ts';
import type { IcebergType, Schema, StructType } from './types.ts';

/** A writer schema as evolution sees it: its struct with field ids 0, and what its fields are known by. */
export interface WriterFields {
  /** Of the value's columns, or of the struct `_key`. */
  readonly part: 'value' | 'key';
  readonly struct: StructType;
  readonly aliases: FieldAliases;
  /**
   * JSON: the struct is what records have beside the table's columns. As much of it is added as there is room for below so
   * many leaves, and `_extra` for the rest.
   */
  readonly most?: number;
}

/** What the table's metadata says of its columns. */
export interface TableFields {
  /** All schemas that the metadata still has; `current` is one of them. */
  readonly schemas: readonly Schema[];
  readonly current: Schema;
  readonly lastColumnId: number;
  readonly history: FieldHistory;
}

export interface ChangeRules {
  readonly onIncompatible: 'dead-letter' | 'stop' | 'new-column';
  readonly onDropped: 'stop' | 'recreate' | 'ignore';
}

export interface DerivedChange extends Evolution {
  /** Columns that somebody dropped and the writer has, under `onDropped: stop`. */
  readonly dropped: readonly string[];
  /** Columns that somebody dropped and that stay so (`onDropped: ignore`): their values are not written. */
  readonly ignored: readonly string[];
}

/**
 * What a table must become for a writer schema under the table's rules. Pure: the same state and schema give the same
 * change to a service, to `check` and to `approve`.
 *
 * A column that somebody else renamed is still found by the name that it had in an earlier schema.
 */
export function deriveChange(table: TableFields, writer: WriterFields, rules: ChangeRules): DerivedChange {
  const { schemas, current, lastColumnId } = table;
  // JSON without schema is read by the names that columns have.
  const history = writer.most === undefined ? withEarlierNames(table) : table.history;
  const run = (struct: StructType, ignored?: ReadonlySet<string>): Evolution =>
    (writer.part === 'key' ? evolveKey : evolve)(current, lastColumnId, struct, history, writer.aliases, ignored);
  const siblings = rules.onIncompatible === 'new-column';
  let struct =
    writer.most === undefined
      ? writer.struct
      : grown(ownColumns(current, writer.part), writer.struct, writer.most, siblings);
  let result = run(struct);
  if (result.incompatible.length > 0 && rules.onIncompatible === 'new-column') {
    struct = withNewColumns(struct, result.incompatible);
    result = run(struct);
  }
  const dropped = rules.onDropped === 'recreate' ? [] : droppedColumns(schemas, current, result.changes);
  if (dropped.length === 0 || rules.onDropped === 'stop') return { ...result, dropped, ignored: [] };
  const paths = new Set(dropped);
  // The column of keys is the writer's struct itself, whose path is empty.
  const ignored = new Set(
    result.changes.flatMap(({ path, writerPath }) => (paths.has(path) ? [writerPath ?? WHOLE_KEY] : [])),
  );
  return { ...run(struct, ignored), dropped: [], ignored: dropped };
}

/** The history with the names that the columns have in earlier schemas: somebody else may have renamed them. */
function withEarlierNames({ schemas, current, history }: TableFields): FieldHistory {
  const now = namesById(current);
  const names = new Map<number, string[]>();
  for (const schema of schemas)
    for (const [id, name] of namesById(schema)) {
      if (now.get(id) === undefined || now.get(id) === name) continue;
      const known = names.get(id) ?? [...(history[id]?.names ?? [])];
      if (!known.includes(name)) known.push(name);
      names.set(id, known);
    }
  if (names.size === 0) return history;
  const merged: Record<string, FieldHistory[string]> = { ...history };
  for (const [id, known] of names) {
    const name = now.get(id)!;
    merged[id] = { ...history[id], names: known.includes(name) ? known : [...known, name] };
  }
  return merged;
}

function namesById(schema: StructType): Map<number, string> {
  const found = new Map<number, string>();
  const visit = (type: IcebergType): void => {
    if (typeof type === 'string') return;
    if (type.type === 'list') visit(type.element);
    else if (type.type === 'map') visit(type.value);
    else
      for (const field of type.fields) {
        found.set(field.id, sourceName(field));
        visit(field.type);
      }
  };
  visit(schema);
  return found;
}

/** The columns of the value (the service's are told apart later), or the fields of the decoded key. */
function ownColumns(current: Schema, part: WriterFields['part']): StructType {
  if (part === 'value') return { type: 'struct', fields: current.fields };
  const type = current.fields.find((field) => field.name === KEY_COLUMN)?.type;
  return typeof type === 'object' && type.type === 'struct' ? type : { type: 'struct', fields: [] };
}
