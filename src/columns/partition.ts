import { TabletopicError } from '../errors.ts';
import type { Schema } from '../schema/types.ts';
import type { ColumnBatch, Vector } from './batch.ts';
import { Coding, coderFor } from './coding.ts';
import type { PartitionValue } from './partition-value.ts';
import { parseTransform, resultType } from './transform.ts';
import type { Transform } from './transform.ts';

/** A field of a partition spec, as the table's metadata has it. */
export interface PartitionFieldSpec {
  readonly fieldId: number;
  readonly sourceId: number;
  /** `identity`, `bucket[16]`, `day` … */
  readonly transform: string;
}

/** Rows of a batch that share a partition tuple. */
export interface PartitionGroup {
  /** One number a tuple. A tuple that was forgotten (see `MAX_TUPLES`) gets another when it comes again. */
  readonly key: number;
  /** The tuple by partition field id. */
  readonly values: ReadonlyMap<number, PartitionValue>;
  /** Row indexes, rising. */
  readonly rows: Int32Array;
}

interface Field {
  readonly spec: PartitionFieldSpec;
  readonly transform: Transform;
  /** Indexes of the column and the struct fields down to the source. */
  readonly path: readonly number[];
  coding: Coding;
}

/** Distinct tuples remembered; then all are forgotten, so that memory stays bounded. */
const MAX_TUPLES = 65_536;

/**
 * Splits batches of one schema by the tuples of one partition spec (Iceberg spec, "Partitioning").
 *
 * Invariant: each row is in exactly one group, and groups keep the order of rows.
 */
export class Partitioner {
  readonly #fields: readonly Field[];
  /** Tuples seen: their codes joined, to key and values. */
  #nextKey = 0;
  readonly #tuples = new Map<string, { readonly key: number; readonly values: ReadonlyMap<number, PartitionValue> }>();

  /** Throws `SCHEMA_UNSUPPORTED` for a spec that cannot be followed. */
  constructor(schema: Schema, fields: readonly PartitionFieldSpec[]) {
    this.#fields = fields.map((spec) => {
      const transform = parseTransform(spec.transform);
      const path = pathTo(schema, spec.sourceId);
      // A dropped source is allowed for `void` alone: such a field is null for ever.
      if (path === null && transform.kind !== 'void') {
        throw new TabletopicError(
          'SCHEMA_UNSUPPORTED',
          `partition field ${spec.fieldId} has no source column ${spec.sourceId} outside lists and maps`,
        );
      }
      if (path !== null) resultType(transform, typeAt(schema, path));
      return { spec, transform, path: path ?? [], coding: new Coding() };
    });
  }

  split(batch: ColumnBatch): PartitionGroup[] {
    if (batch.rows === 0) return [];
    if (this.#tuples.size > MAX_TUPLES) this.#forget();
    const codes = this.#fields.map((field) => codesOf(field, batch));
    // Rows get group numbers of this batch by joining two fields at a time; the joins are as few as the groups.
    let groups: Int32Array = new Int32Array(batch.rows);
    let count = 1;
    for (const next of codes) [groups, count] = join(groups, next);
    return this.#collect(groups, count, codes);
  }

  #forget(): void {
    this.#tuples.clear();
    for (const field of this.#fields) field.coding = new Coding();
  }

  #collect(groups: Int32Array, count: number, codes: readonly Int32Array[]): PartitionGroup[] {
    const sizes = new Int32Array(count);
    for (const group of groups) sizes[group]!++;
    const rows = Array.from(sizes, (size) => new Int32Array(size));
    const used = new Int32Array(count);
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!;
      rows[group]![used[group]!++] = i;
    }
    return rows.map((own) => ({ ...this.#tuple(codes.map((code) => code[own[0]!]!)), rows: own }));
  }

  #tuple(codes: readonly number[]): { readonly key: number; readonly values: ReadonlyMap<number, PartitionValue> } {
    const name = codes.join();
    let tuple = this.#tuples.get(name);
    if (!tuple) {
      const values = new Map(
        this.#fields.map(({ spec, coding }, f) => [spec.fieldId, coding.values[codes[f]!]!] as const),
      );
      this.#tuples.set(name, (tuple = { key: this.#nextKey++, values }));
    }
    return tuple;
  }
}

/** The groups of a single batch; for a run of batches keep a `Partitioner`. */
export function computePartitions(batch: ColumnBatch, fields: readonly PartitionFieldSpec[]): PartitionGroup[] {
  return new Partitioner(batch.schema, fields).split(batch);
}

function codesOf({ transform, path, coding }: Field, batch: ColumnBatch): Int32Array {
  const codes = new Int32Array(batch.rows);
  if (transform.kind === 'void' || path.length === 0) return codes.fill(coding.ofNull());
  const vectors: Vector[] = [];
  let siblings = batch.columns;
  for (const index of path) {
    vectors.push(siblings[index]!);
    siblings = siblings[index]!.children;
  }
  const source = vectors.at(-1)!;
  const coder = coderFor(transform, source, coding);
  const optional = vectors.filter((vector) => vector.validity !== null);
  rows: for (let i = 0; i < codes.length; i++) {
    for (const vector of optional) {
      if (!vector.isNull(i)) continue;
      codes[i] = coding.ofNull();
      continue rows;
    }
    codes[i] = coder(source, i);
  }
  return codes;
}

/** More than the codes of a field: those of the tuples remembered and of one batch. */
const TWO_26 = 67_108_864;

/** Numbers the distinct pairs from 0 in the order of their first row. */
function join(left: Int32Array, right: Int32Array): [groups: Int32Array, count: number] {
  const pairs = new Map<number, number>();
  const groups = new Int32Array(left.length);
  let last = -1;
  let lastGroup = -1;
  for (let i = 0; i < left.length; i++) {
    const pair = left[i]! * TWO_26 + right[i]!;
    if (pair !== last) {
      last = pair;
      const known = pairs.get(pair);
      lastGroup = known ?? pairs.size;
      if (known === undefined) pairs.set(pair, lastGroup);
    }
    groups[i] = lastGroup;
  }
  return [groups, pairs.size];
}

function pathTo(schema: Schema, id: number): number[] | null {
  const search = (fields: Schema['fields'], path: readonly number[]): number[] | null => {
    for (const [index, field] of fields.entries()) {
      const here = [...path, index];
      if (field.id === id) return here;
      const { type } = field;
      const found = typeof type !== 'string' && type.type === 'struct' ? search(type.fields, here) : null;
      if (found) return found;
    }
    return null;
  };
  return search(schema.fields, []);
}

function typeAt(schema: Schema, path: readonly number[]): Schema['fields'][number]['type'] {
  let { fields } = schema as { fields: Schema['fields'] };
  for (const index of path.slice(0, -1)) {
    const { type } = fields[index]!;
    fields = typeof type !== 'string' && type.type === 'struct' ? type.fields : [];
  }
  return fields[path.at(-1)!]!.type;
}
