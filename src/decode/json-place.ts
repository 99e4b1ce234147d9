import type { ColumnBatch, Vector } from '../columns/batch.ts';
import { isExtraColumn } from '../schema/extra-column.ts';
import type { JsonRead } from '../schema/json-plan.ts';
import { KEY_COLUMN, sourceName } from '../schema/names.ts';
import type { StructType } from '../schema/types.ts';
import type { InferOptions } from './infer.ts';
import { leavesIn } from '../schema/grow.ts';
import { isSibling } from '../schema/sibling-column.ts';
import { valueColumns } from './vectors.ts';
import { at } from '../schema/at.ts';

/** Which columns a JSON decoder fills: those of the value, or the fields of the struct `_key`. */
export type Part = 'value' | 'key';

/** One place of a JSON document, and the column that its values go to. */
export interface JsonPlace {
  /** The key of the member as the document has it; `element` in a list, `value` in a map. */
  readonly key: string;
  /** Without schema: dotted, of the names in the source. */
  readonly path: string;
  readonly vector: Vector;
  readonly read: JsonRead;
  /** Of a struct. */
  readonly members: JsonMembers | null;
  /** Of a list its element, of a map its value. */
  readonly inner: JsonPlace | null;
  /** Without schema: columns beside it for values that it cannot hold, in the order in which they are tried. */
  readonly siblings: readonly JsonPlace[];
}

/** What an object fills. */
export interface JsonMembers {
  readonly places: readonly JsonPlace[];
  /** The column `_extra`, for members without a place. */
  readonly extra: Vector | null;
  /** Columns that the source does not have: null in every row. */
  readonly missing: readonly Vector[];
  /** Keys that are known and have no place. */
  readonly ignored: readonly string[];
}

/** The places of one batch. */
export interface JsonTarget {
  /** Top-level columns that the decoder owns: each gets one value per record. */
  readonly owned: readonly Vector[];
  /** Where the members of a record go that is an object: the columns themselves, or the struct `_key`. */
  readonly members: JsonMembers;
  /** Where the whole record goes, whatever it is (a JSON Schema that is not an object with properties). */
  readonly whole: JsonPlace | null;
}

/** How a decoder's JSON is joined with the columns of a layout. */
export interface JsonBinding {
  readonly part: Part;
  attach(batch: ColumnBatch): JsonTarget;
  /**
   * What becomes of a member without a place: `columns`: the table is asked for columns of its inferred type; `extra`: it
   * goes to `_extra`.
   */
  readonly unknown: 'columns' | 'extra';
  /** By a JSON Schema: also members with null, [] or {} are kept. */
  readonly typed: boolean;
  /** A value that no column of its member can hold is a member without a place. */
  readonly asksSiblings: boolean;
  readonly options: InferOptions;
}

/**
 * JSON without schema: every column of the value is a place, by its name in the source. `ignored`: dotted paths of members
 * that are left out.
 */
export function untypedBinding(
  layout: StructType,
  options: InferOptions,
  part: Part = 'value',
  ignored: readonly string[] = [],
): JsonBinding {
  const columns = part === 'key' ? layout.fields.find((field) => field.name === KEY_COLUMN)?.type : layout;
  const full = columns !== undefined && leavesIn(columns, part === 'value') >= options.maxColumns;
  return {
    part,
    unknown: full ? 'extra' : 'columns',
    typed: false,
    asksSiblings: options.onIncompatible === 'new-column',
    options,
    attach(batch): JsonTarget {
      const owned = ownedBy(batch, part);
      const vectors = vectorsOf(owned, part);
      return { owned, members: untypedMembers(vectors, { ...options, ignored }, ''), whole: null };
    },
  };
}

export function ownedBy(batch: ColumnBatch, part: Part): readonly Vector[] {
  return part === 'key' ? batch.columns.filter((column) => column.field.name === KEY_COLUMN) : valueColumns(batch);
}

/** What the members of an object fill. A table that has seen no key with fields yet has no `_key`. */
export function vectorsOf(owned: readonly Vector[], part: Part): readonly Vector[] {
  return part === 'key' ? (owned[0]?.children ?? []) : owned;
}

interface UntypedOptions extends InferOptions {
  readonly ignored: readonly string[];
}

function untypedMembers(vectors: readonly Vector[], options: UntypedOptions, prefix: string): JsonMembers {
  const extra = vectors.find((vector) => isExtraColumn(vector.field)) ?? null;
  const byKey = Map.groupBy(
    vectors.filter((vector) => vector !== extra),
    ({ field }) => sourceName(field),
  );
  const places = [...byKey].flatMap(([key, columns]): JsonPlace[] => {
    const own = columns.filter(({ field }) => !isSibling(field));
    const siblings = columns.filter(({ field }) => isSibling(field));
    const all = [...own, ...siblings].map((vector) => untypedPlace(key, vector, options, `${prefix}${key}`));
    // Somebody else may have dropped the first column, or made two of one name.
    const alone = all.slice(0, Math.max(1, own.length));
    return alone.map((place, i) => (i === 0 ? { ...place, siblings: all.slice(alone.length) } : place));
  });
  const ignored = options.ignored.filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  return { places, extra, missing: [], ignored };
}

function untypedPlace(key: string, vector: Vector, options: UntypedOptions, path: string): JsonPlace {
  const text = vector.field.type === 'string' && at(options.jsonColumns, path) === 'json';
  return {
    key,
    path,
    vector,
    read: text ? 'text' : 'plain',
    members: vector.kind === 'struct' ? untypedMembers(vector.children, options, `${path}.`) : null,
    siblings: [],
    inner: innerOf(vector, (name, child) => untypedPlace(name, child, options, `${path}.${name}`)),
  };
}

function innerOf(vector: Vector, place: (name: string, child: Vector) => JsonPlace): JsonPlace | null {
  if (vector.kind === 'list') return place('element', vector.children[0]!);
  return vector.kind === 'map' ? place('value', vector.children[1]!) : null;
}
