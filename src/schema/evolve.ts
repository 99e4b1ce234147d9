import { IdSource, freshType } from './assign-ids.ts';
import { NameScope, columnDoc, isServiceColumn, sourceName } from './names.ts';
import { commonType } from './promote.ts';
import { isNewer, isOtherProtobufField, isProtobufField, withProtobuf } from './protobuf-history.ts';
import { isSibling } from './sibling-column.ts';
import { isOtherUnit, unitOf } from './unit-doc.ts';
import type { IcebergType, NestedField, PrimitiveType, Schema, StructType } from './types.ts';

export { assignIds } from './assign-ids.ts';

/** Version of the mapping from source types to Iceberg types. It is pinned per table; see `mappingProblem`. */
export const MAPPING_VERSION = 1;

/** Why a table pinned to this mapping version cannot be fed by this program, or null. No pin: the first version. */
export function mappingProblem(pinned: string | undefined): string | null {
  if (pinned === undefined || pinned === String(MAPPING_VERSION)) return null;
  return `the table is pinned to type mapping ${pinned}, and this version of tabletopic has mapping ${MAPPING_VERSION}`;
}

/** Property `tabletopic.fields`: what each field id is known by across versions of its source. */
export type FieldHistory = Readonly<Record<string, KnownField>>;

export interface KnownField {
  /** Every name that its source had, oldest first. */
  readonly names: readonly string[];
  /**
   * Every Protobuf field that it is, one for each message that feeds the table: `<message>#<number>`, with `@` and the
   * registry id of the newest schema that said so.
   */
  readonly protobuf?: readonly string[];
}

/**
 * What fields are known by beside their names, by dotted path in the writer's struct: Avro aliases, or as text the Protobuf
 * field `<message>#<number>`, with `@` and the registry id of the schema where it has one.
 */
export type FieldAliases = Readonly<Record<string, readonly string[] | string>>;

export interface Change {
  readonly kind: 'add' | 'widen' | 'optional' | 'rename';
  /** Dotted path in the table, `element`, `key` and `value` for lists and maps. */
  readonly path: string;
  readonly from?: string;
  readonly to?: string;
  /** Of an addition: the field's dotted path in the writer's struct. */
  readonly writerPath?: string;
}

export interface Incompatible {
  readonly path: string;
  /** Dotted path in the writer's struct, whose names may be others than the table's. */
  readonly writerPath: string;
  readonly from: string;
  readonly to: string;
}

export interface Evolution {
  /** The very object given where nothing changes. The schema id is left for the caller. */
  readonly schema: Schema;
  readonly lastColumnId: number;
  readonly history: FieldHistory;
  /** The writer's struct with the table's field ids at every level; id 0 for what is incompatible. */
  readonly bound: StructType;
  readonly changes: readonly Change[];
  readonly incompatible: readonly Incompatible[];
}

/**
 * What a table's schema must become to hold the rows of a writer schema (DESIGN §6). Pure.
 *
 * Fields are matched by Protobuf field number, then by the name in the source, then by the names that a field had, then
 * by Avro aliases. A column that is another number of the same message is not found by its name. Columns of the service are never touched. Nothing is cast: a type that
 * Iceberg cannot promote is listed in `incompatible` and left as it is. Fields in `ignored` (dotted paths in the
 * writer's struct) get no column where they have none, and are bound to nothing.
 */
export function evolve(
  table: Schema,
  lastColumnId: number,
  writer: StructType,
  history: FieldHistory = {},
  aliases: FieldAliases = {},
  ignored: ReadonlySet<string> = new Set(),
): Evolution {
  const evolver = new Evolver(table, lastColumnId, history, aliases, ignored);
  const { type, bound } = evolver.struct(table, writer, '', '', true);
  return {
    schema: type === table ? table : { ...table, ...type },
    lastColumnId: evolver.ids.last,
    history: withProtobuf(evolver.history, bound, aliases, ''),
    bound,
    changes: evolver.changes,
    incompatible: evolver.incompatible,
  };
}

/** Iceberg types are shown as in its documentation. */
export function typeText(type: IcebergType): string {
  if (typeof type === 'string') return type;
  switch (type.type) {
    case 'struct':
      return `struct<${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(', ')}>`;
    case 'list':
      return `list<${typeText(type.element)}>`;
    case 'map':
      return `map<${typeText(type.key)}, ${typeText(type.value)}>`;
  }
}

interface Bound<T extends IcebergType> {
  readonly type: T;
  readonly bound: T;
}

class Evolver {
  readonly changes: Change[] = [];
  readonly incompatible: Incompatible[] = [];
  readonly ids: IdSource;
  history: FieldHistory;
  readonly #aliases: FieldAliases;
  readonly #ignored: ReadonlySet<string>;
  readonly #names = new NameScope();

  constructor(
    table: Schema,
    lastColumnId: number,
    history: FieldHistory,
    aliases: FieldAliases,
    ignored: ReadonlySet<string>,
  ) {
    this.#ignored = ignored;
    this.ids = new IdSource(lastColumnId);
    this.history = history;
    this.#aliases = aliases;
    claimAll(this.#names, table, '');
  }

  struct(table: StructType, writer: StructType, path: string, writerPath: string, top: boolean): Bound<StructType> {
    const matches = this.#match(table, writer, writerPath, top);
    const after = new Map<NestedField, NestedField>();
    const added: NestedField[] = [];
    const bound = writer.fields.map((field): NestedField => {
      const match = matches.get(field);
      const at = `${writerPath}${field.name}`;
      if (!match && this.#ignored.has(at)) return { ...field, id: 0 };
      if (!match) {
        const fresh = this.#added(field, path, at);
        added.push(fresh);
        this.#learn(fresh, field, at, writer);
        return { ...field, id: fresh.id, type: idsOf(field.type, fresh.type) };
      }
      const inner = isOtherUnit(match.doc, field.doc)
        ? this.#otherUnit(match, field, `${path}${match.name}`, at)
        : this.#type(match.type, field.type, `${path}${match.name}`, at);
      const renamed = this.#renamed(match, field, path, this.#aliases[at]);
      this.#learn(match, field, at, writer);
      const required = match.required && field.required;
      if (match.required && !required) this.changes.push({ kind: 'optional', path: `${path}${match.name}` });
      if (inner && inner.type === match.type && required === match.required && !renamed) after.set(match, match);
      else after.set(match, { ...match, ...renamed, required, type: inner?.type ?? match.type });
      return inner ? { ...field, id: match.id, type: inner.bound } : { ...field, id: 0 };
    });
    const kept = table.fields.map((field) => after.get(field) ?? this.#unwritten(field, path, top));
    const same = added.length === 0 && kept.every((field, i) => field === table.fields[i]);
    return {
      type: same ? table : { type: 'struct', fields: [...kept, ...added] },
      bound: { type: 'struct', fields: bound },
    };
  }

  #match(table: StructType, writer: StructType, writerPath: string, top: boolean): Map<NestedField, NestedField> {
    const free = new Set(table.fields.filter((field) => !(top && isServiceColumn(field.name))));
    const matches = new Map<NestedField, NestedField>();
    const pass = (fits: (column: NestedField, field: NestedField) => boolean): void => {
      for (const field of writer.fields) {
        if (matches.has(field)) continue;
        for (const column of free) {
          if (!fits(column, field)) continue;
          matches.set(field, column);
          free.delete(column);
          break;
        }
      }
    };
    const known = (column: NestedField): KnownField | undefined => this.history[column.id];
    const aliases = (field: NestedField): FieldAliases[string] => this.#aliases[`${writerPath}${field.name}`] ?? [];
    pass((column, field) => isProtobufField(known(column), aliases(field)));
    pass(
      (column, field) =>
        sourceName(column) === sourceName(field) &&
        (isSibling(column) || isSibling(field) ? column.name === field.name : true) &&
        !isOtherProtobufField(known(column), aliases(field)),
    );
    pass(
      (column, field) =>
        !isSibling(field) &&
        (known(column)?.names.includes(sourceName(field)) ?? false) &&
        !isOtherProtobufField(known(column), aliases(field)),
    );
    pass((column, field) => {
      const names = [sourceName(column), ...(known(column)?.names ?? [])];
      const found = aliases(field);
      return typeof found !== 'string' && found.some((alias) => names.includes(alias));
    });
    return matches;
  }

  #added(field: NestedField, path: string, writerPath: string): NestedField {
    const source = sourceName(field);
    const sibling = isSibling(field);
    const name = this.#names.claim(path, sibling ? field.name : source);
    const id = this.ids.next();
    const doc =
      sibling || name === field.name
        ? field.doc
        : columnDoc(source, name, field.name === source ? field.doc : undefined);
    const { doc: _, ...rest } = field;
    const column: NestedField = {
      ...rest,
      id,
      name,
      required: false,
      type: freshType(field.type, this.ids),
      ...(doc === undefined ? {} : { doc }),
    };
    claimAll(this.#names, column.type, `${path}${name}.`);
    this.changes.push({ kind: 'add', path: `${path}${name}`, to: typeText(field.type), writerPath });
    return column;
  }

  /**
   * A newer name takes over by alias or field number; a name that the column had before only finds it, unless the schema is
   * known to be newer.
   */
  #renamed(
    match: NestedField,
    field: NestedField,
    path: string,
    alias: FieldAliases[string] | undefined,
  ): { name: string } | null {
    const [before, now] = [sourceName(match), sourceName(field)];
    if (before === now) return null;
    const known = this.history[match.id];
    if (!(isNewer(known, alias ?? []) ?? !known?.names.includes(now))) return null;
    const name = this.#names.claim(path, now);
    const names = known?.names ?? [before];
    const all = names.includes(now) ? names : [...names, now];
    this.history = { ...this.history, [match.id]: { ...known, names: all } };
    this.changes.push({ kind: 'rename', path: `${path}${match.name}`, from: match.name, to: name });
    return { name };
  }

  /** Avro aliases are names that the column had, seen or not: an older version may come after the newer one. */
  #learn({ id }: NestedField, field: NestedField, at: string, siblings: StructType): void {
    const aliases = this.#aliases[at] ?? [];
    if (typeof aliases === 'string') return;
    const names = this.history[id]?.names ?? [sourceName(field)];
    const fresh = aliases.filter(
      (alias) => !names.includes(alias) && !siblings.fields.some((other) => sourceName(other) === alias),
    );
    if (fresh.length === 0) return;
    this.history = { ...this.history, [id]: { ...this.history[id], names: [...fresh, ...names] } };
  }

  /** A column that the writer does not have: it stays, optional. */
  #unwritten(field: NestedField, path: string, top: boolean): NestedField {
    if (!field.required || (top && isServiceColumn(field.name))) return field;
    this.changes.push({ kind: 'optional', path: `${path}${field.name}` });
    return { ...field, required: false };
  }

  #type(table: IcebergType, writer: IcebergType, path: string, writerPath: string): Bound<IcebergType> | null {
    if (typeof table === 'string' || typeof writer === 'string' || table.type !== writer.type)
      return this.#primitive(table, writer, path, writerPath);
    if (table.type === 'struct') return this.struct(table, writer as StructType, `${path}.`, `${writerPath}.`, false);
    if (table.type === 'list' && writer.type === 'list') {
      const element = this.#inside(
        table.element,
        writer.element,
        table['element-required'],
        writer['element-required'],
        `${path}.element`,
        `${writerPath}.element`,
      );
      const bound = {
        ...writer,
        'element-id': element ? table['element-id'] : 0,
        element: element?.bound ?? writer.element,
      };
      if (!element || element.same) return { type: table, bound };
      return { type: { ...table, element: element.type, 'element-required': element.required }, bound };
    }
    if (table.type === 'map' && writer.type === 'map') {
      // Iceberg forbids any change inside a map's key.
      const key = typeText(table.key) === typeText(writer.key) ? table.key : null;
      if (!key)
        this.incompatible.push({
          path: `${path}.key`,
          writerPath: `${writerPath}.key`,
          from: typeText(table.key),
          to: typeText(writer.key),
        });
      const value =
        key &&
        this.#inside(
          table.value,
          writer.value,
          table['value-required'],
          writer['value-required'],
          `${path}.value`,
          `${writerPath}.value`,
        );
      if (!key || !value) return null;
      const bound = {
        ...writer,
        'key-id': table['key-id'],
        key: idsOf(writer.key, key),
        'value-id': table['value-id'],
        value: value.bound,
      };
      if (value.same) return { type: table, bound };
      return { type: { ...table, value: value.type, 'value-required': value.required }, bound };
    }
    return null;
  }

  #inside(
    table: IcebergType,
    writer: IcebergType,
    tableRequired: boolean,
    writerRequired: boolean,
    path: string,
    writerPath: string,
  ): (Bound<IcebergType> & { required: boolean; same: boolean }) | null {
    const inner = this.#type(table, writer, path, writerPath);
    if (!inner) return null;
    const required = tableRequired && writerRequired;
    if (tableRequired && !required) this.changes.push({ kind: 'optional', path });
    return { ...inner, required, same: inner.type === table && required === tableRequired };
  }

  #otherUnit(column: NestedField, field: NestedField, path: string, writerPath: string): null {
    const text = ({ type, doc }: NestedField): string => `${typeText(type)} of ${unitOf(doc)}`;
    this.incompatible.push({ path, writerPath, from: text(column), to: text(field) });
    return null;
  }

  #primitive(table: IcebergType, writer: IcebergType, path: string, writerPath: string): Bound<IcebergType> | null {
    const common = typeof table === 'string' && typeof writer === 'string' ? commonType(table, writer) : null;
    if (common === null) {
      this.incompatible.push({ path, writerPath, from: typeText(table), to: typeText(writer) });
      return null;
    }
    if (common !== table) this.changes.push({ kind: 'widen', path, from: typeText(table), to: common });
    return { type: common, bound: writer as PrimitiveType };
  }
}

/** The writer's type with the ids of a type of the same shape. */
function idsOf(writer: IcebergType, numbered: IcebergType): IcebergType {
  if (typeof writer === 'string' || typeof numbered === 'string') return writer;
  if (writer.type === 'struct' && numbered.type === 'struct') {
    return {
      type: 'struct',
      fields: writer.fields.map((field, i) => ({
        ...field,
        id: numbered.fields[i]!.id,
        type: idsOf(field.type, numbered.fields[i]!.type),
      })),
    };
  }
  if (writer.type === 'list' && numbered.type === 'list')
    return { ...writer, 'element-id': numbered['element-id'], element: idsOf(writer.element, numbered.element) };
  if (writer.type === 'map' && numbered.type === 'map') {
    return {
      ...writer,
      'key-id': numbered['key-id'],
      key: idsOf(writer.key, numbered.key),
      'value-id': numbered['value-id'],
      value: idsOf(writer.value, numbered.value),
    };
  }
  return writer;
}

/** Takes every name of a type, so that no new field gets one of them. */
function claimAll(names: NameScope, type: IcebergType, prefix: string): void {
  if (typeof type === 'string') return;
  if (type.type === 'struct') {
    for (const field of type.fields) {
      names.claim(prefix, field.name);
      claimAll(names, field.type, `${prefix}${field.name}.`);
    }
  } else if (type.type === 'list') claimAll(names, type.element, `${prefix}element.`);
  else claimAll(names, type.value, `${prefix}value.`);
}
