import type { Vector } from '../columns/batch.ts';

/**
 * What one leaf gets from a batch: its levels and which of its values are present (Dremel shredding, Parquet format
 * "Nested Encoding"). Null arrays stand for the common cases, which then cost nothing per value.
 */
export interface LeafSpan {
  readonly vector: Vector;
  /** Level entries: one a row, more below repeated nodes. */
  readonly entries: number;
  /** Null: all entries stand at the maximum level. */
  readonly definition: Uint8Array | null;
  /** Null: not below a repeated node, each entry is a row. */
  readonly repetition: Uint8Array | null;
  /** Indexes of the present values in the vector, in order. Null: values `0 … count-1`. */
  readonly values: Int32Array | null;
  /** Present values. */
  readonly count: number;
}

/**
 * The state of a walk at one node. `index` says where each entry's value stands in the node's vector; -1 where a node
 * above is null or an empty list. Null arrays: all entries stand at level `level`, entry i is value i.
 */
interface Walk {
  readonly entries: number;
  readonly level: number;
  readonly definition: Uint8Array | null;
  readonly repetition: Uint8Array | null;
  readonly depth: number;
  readonly index: Int32Array | null;
  /** Every entry ends above: no vector below has a value. */
  readonly none?: boolean;
}

/** Shreds one top-level column; calls `leaf` for each of its leaves, in depth-first order. */
export function shred(column: Vector, rows: number, leaf: (span: LeafSpan) => void): void {
  visit(column, { entries: rows, level: 0, definition: null, repetition: null, depth: 0, index: null }, leaf);
}

function visit(vector: Vector, above: Walk, leaf: (span: LeafSpan) => void): void {
  if (above.none) return visitNone(vector, above, leaf);
  const walk = vector.validity === null ? above : throughValidity(vector.validity, vector.length, above);
  switch (vector.kind) {
    case 'struct':
      for (const child of vector.children) visit(child, walk, leaf);
      return;
    case 'list':
    case 'map': {
      const inside = throughOffsets(vector.offsets, walk);
      for (const child of vector.children) visit(child, inside, leaf);
      return;
    }
    default:
      leaf(leafSpan(vector, walk));
  }
}

/** Leaves below lists that are all empty, as headers mostly are: they get the levels alone. */
function visitNone(vector: Vector, above: Walk, leaf: (span: LeafSpan) => void): void {
  const { entries, definition, repetition } = above;
  if (vector.children.length > 0) for (const child of vector.children) visitNone(child, above, leaf);
  else leaf({ vector, entries, definition, repetition, values: null, count: 0 });
}

/** An optional node: present values go one level up. */
function throughValidity(validity: Uint8Array, length: number, above: Walk): Walk {
  const { entries, level, index } = above;
  const all = allSet(validity, index === null ? entries : length);
  if (all && index === null) return { ...above, level: level + 1 };
  const definition = new Uint8Array(entries);
  if (index === null) {
    const next = new Int32Array(entries);
    for (let i = 0; i < entries; i++) {
      const present = (validity[i >> 3]! >> (i & 7)) & 1;
      definition[i] = level + present;
      next[i] = present === 1 ? i : -1;
    }
    return { ...above, level: level + 1, definition, index: next };
  }
  // Where there is an index there are definition levels, which are `level` where the index is not -1. Without branches,
  // which could not be foreseen: an index of -1 has all bits, and others not the highest.
  const before = above.definition!;
  if (all) {
    for (let i = 0; i < entries; i++) definition[i] = before[i]! + 1 + (index[i]! >> 31);
    return { ...above, level: level + 1, definition };
  }
  const next = new Int32Array(entries);
  for (let i = 0; i < entries; i++) {
    const none = index[i]! >> 31;
    const at = index[i]! & ~none;
    const present = (validity[at >> 3]! >> (at & 7)) & 1 & ~none;
    definition[i] = before[i]! + present;
    next[i] = (at & -present) | (present - 1);
  }
  return { ...above, level: level + 1, definition, index: next };
}

/** A repeated node: an entry becomes one entry for each element, or one without a value when there is none. */
function throughOffsets(offsets: Int32Array, above: Walk): Walk {
  const { entries, level, index } = above;
  const depth = above.depth + 1;
  if (index === null && offsets[0] === offsets[entries]) {
    const definition = above.definition ?? new Uint8Array(entries).fill(level);
    return { ...above, definition, repetition: new Uint8Array(entries), depth, none: true };
  }
  let total = 0;
  for (let i = 0; i < entries; i++) {
    const at = index === null ? i : index[i]!;
    const size = at < 0 ? 0 : offsets[at + 1]! - offsets[at]!;
    total += size === 0 ? 1 : size;
  }
  const definition = new Uint8Array(total).fill(level + 1);
  const repetition = new Uint8Array(total).fill(depth);
  const next = new Int32Array(total);
  let out = 0;
  for (let i = 0; i < entries; i++) {
    const at = index === null ? i : index[i]!;
    const start = at < 0 ? 0 : offsets[at]!;
    const end = at < 0 ? 0 : offsets[at + 1]!;
    repetition[out] = above.repetition === null ? 0 : above.repetition[i]!;
    if (start === end) {
      definition[out] = above.definition === null ? level : above.definition[i]!;
      next[out++] = -1;
    } else for (let j = start; j < end; j++) next[out++] = j;
  }
  return { entries: total, level: level + 1, definition, repetition, depth, index: next };
}

function leafSpan(vector: Vector, walk: Walk): LeafSpan {
  const { entries, definition, repetition, index } = walk;
  if (index === null) return { vector, entries, definition: null, repetition: null, values: null, count: entries };
  const values = new Int32Array(entries);
  let count = 0;
  let outOfPlace = 0;
  for (let i = 0; i < entries; i++) {
    const at = index[i]!;
    values[count] = at;
    // Of an index that is not -1, which has all bits.
    outOfPlace |= (at ^ count) & ~(at >> 31);
    count += at < 0 ? 0 : 1;
  }
  const whole = count === entries && repetition === null;
  return {
    vector,
    entries,
    definition: whole ? null : definition,
    repetition,
    values: outOfPlace === 0 ? null : values,
    count,
  };
}

function allSet(validity: Uint8Array, count: number): boolean {
  const whole = count >> 3;
  for (let i = 0; i < whole; i++) if (validity[i] !== 0xff) return false;
  const rest = count & 7;
  return rest === 0 || (validity[whole]! & ((1 << rest) - 1)) === (1 << rest) - 1;
}
