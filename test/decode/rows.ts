import type { ColumnBatch, Vector } from '../../src/columns/batch.ts';
import { RecordPositions } from '../../src/source/record-batch.ts';
import { decimalOf } from '../../src/schema/types.ts';

/** Rows of a batch as plain values, read from the arrays: 64-bit values and decimals are BigInts, bytes are hex. */
export function rowsOf(batch: ColumnBatch, rows: number): Record<string, unknown>[] {
  return Array.from({ length: rows }, (_, i) =>
    Object.fromEntries(batch.columns.map((column) => [column.field.name, valueAt(column, i)])),
  );
}

export function valueAt(vector: Vector, i: number): unknown {
  if (vector.isNull(i)) return null;
  const { type } = vector.field;
  switch (vector.kind) {
    case 'bool':
      return (vector.bits[i >> 3]! & (1 << (i & 7))) !== 0;
    case 'i32':
      return decimalOf(type) ? BigInt(vector.i32[i]!) : vector.i32[i]!;
    case 'i64':
      return (BigInt(vector.i32[2 * i + 1]!) << 32n) | BigInt(vector.i32[2 * i]! >>> 0);
    case 'f32':
      return vector.f32[i]!;
    case 'f64':
      return vector.f64[i]!;
    case 'fixed': {
      const hex = Buffer.from(vector.bytes.subarray(i * vector.width, (i + 1) * vector.width)).toString('hex');
      return decimalOf(type) ? BigInt.asIntN(8 * vector.width, BigInt(`0x${hex}`)) : hex;
    }
    case 'bytes': {
      const bytes = Buffer.from(vector.bytes.subarray(vector.offsets[i], vector.offsets[i + 1]));
      return type === 'string' ? bytes.toString('utf8') : bytes.toString('hex');
    }
    case 'struct':
      return Object.fromEntries(vector.children.map((child) => [child.field.name, valueAt(child, i)]));
    case 'list':
      return range(vector, i).map((k) => valueAt(vector.children[0]!, k));
    case 'map':
      return range(vector, i).map((k) => [valueAt(vector.children[0]!, k), valueAt(vector.children[1]!, k)]);
  }
}

function range(vector: Vector, i: number): number[] {
  return Array.from({ length: vector.offsets[i + 1]! - vector.offsets[i]! }, (_, k) => vector.offsets[i]! + k);
}

/** Breaches of the invariants of `columns/batch.ts`, by path. */
export function breaches(batch: ColumnBatch, rows: number): string[] {
  const found: string[] = [];
  const check = (vector: Vector, length: number, path: string): void => {
    if (vector.length !== length) found.push(`${path}: length ${vector.length}, not ${length}`);
    for (const [name, bits] of [
      ['validity', vector.validity],
      ['bits', vector.kind === 'bool' ? vector.bits : null],
    ] as const) {
      if (!bits) continue;
      for (let i = length; i < bits.length * 8; i++)
        if (bits[i >> 3]! & (1 << (i & 7))) found.push(`${path}: ${name} has bit ${i} set beyond ${length}`);
    }
    if (vector.kind === 'bytes' && vector.offsets[length]! > vector.byteCapacity) found.push(`${path}: no slack`);
    if (vector.offsets.length > 0 && vector.offsets[0] !== 0)
      found.push(`${path}: offsets begin with ${vector.offsets[0]}`);
    if (vector.kind === 'struct')
      for (const child of vector.children) check(child, length, `${path}.${child.field.name}`);
    if (vector.kind === 'bytes' || vector.kind === 'list' || vector.kind === 'map') {
      for (let i = 0; i < length; i++)
        if (vector.offsets[i + 1]! < vector.offsets[i]!) found.push(`${path}: offset ${i + 1} falls`);
    }
    if (vector.kind === 'list' || vector.kind === 'map')
      for (const child of vector.children) check(child, vector.offsets[length]!, `${path}.${child.field.name}`);
  };
  for (const column of batch.columns) check(column, rows, column.field.name);
  return found;
}

/** Records with these values (null: a tombstone), as the record parser and the plain wire format leave them. */
export function positionsOf(values: readonly (Uint8Array | null)[], slack = 0): RecordPositions {
  const positions = new RecordPositions();
  positions.reserve(values.length);
  const bytes = new Uint8Array(values.reduce((sum, value) => sum + (value?.length ?? 0), 0) + slack);
  let at = 0;
  values.forEach((value, i) => {
    positions.valueStart[i] = positions.payloadStart[i] = at;
    positions.valueLength[i] = positions.payloadLength[i] = value?.length ?? -1;
    positions.keyLength[i] = -1;
    if (!value) return;
    bytes.set(value, at);
    at += value.length;
  });
  positions.bytes = bytes;
  positions.view = new DataView(bytes.buffer);
  positions.count = values.length;
  return positions;
}
