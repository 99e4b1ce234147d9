import type { Vector } from '../columns/batch.ts';
import type { ByteBuffer } from './byte-buffer.ts';

/**
 * PLAIN encoding (Parquet format, "Encodings") of the values `from … to-1` of a span; `values` as in `LeafSpan`.
 * Booleans are not here: they are packed bits, see the column writer.
 */
export function encodePlain(
  out: ByteBuffer,
  vector: Vector,
  values: Int32Array | null,
  from: number,
  to: number,
): void {
  switch (vector.kind) {
    case 'i32':
      return words(out, vector.i32, 1, values, from, to);
    case 'f32':
      return words(out, asWords(vector.f32), 1, values, from, to);
    case 'i64':
      return words(out, vector.i32, 2, values, from, to);
    case 'f64':
      return words(out, asWords(vector.f64), 2, values, from, to);
    case 'fixed':
      return fixed(out, vector, values, from, to);
    default:
      return strings(out, vector, values, from, to);
  }
}

/** The same memory as 32-bit words. */
export function asWords(floats: Float32Array | Float64Array): Int32Array {
  return new Int32Array(floats.buffer, floats.byteOffset, floats.byteLength >> 2);
}

/** PLAIN size in bytes of the values `from … to-1` of a span of strings or binary. */
export function plainBytes(vector: Vector, values: Int32Array | null, from: number, to: number): number {
  const { offsets } = vector;
  if (values === null) return 4 * (to - from) + offsets[to]! - offsets[from]!;
  let sum = 4 * (to - from);
  for (let k = from; k < to; k++) sum += offsets[values[k]! + 1]! - offsets[values[k]!]!;
  return sum;
}

function words(
  out: ByteBuffer,
  source: Int32Array,
  size: 1 | 2,
  values: Int32Array | null,
  from: number,
  to: number,
): void {
  out.reserve((to - from) * 4 * size);
  if (values === null) {
    const bytes = new Uint8Array(source.buffer, source.byteOffset + from * 4 * size, (to - from) * 4 * size);
    out.bytes.set(bytes, out.length);
    out.length += bytes.length;
    return;
  }
  const { view } = out;
  let at = out.length;
  for (let k = from; k < to; k++) {
    const i = values[k]!;
    if (size === 1) {
      view.setInt32(at, source[i]!, true);
      at += 4;
    } else {
      view.setInt32(at, source[2 * i]!, true);
      view.setInt32(at + 4, source[2 * i + 1]!, true);
      at += 8;
    }
  }
  out.length = at;
}

function fixed(out: ByteBuffer, vector: Vector, values: Int32Array | null, from: number, to: number): void {
  const { width, bytes } = vector;
  if (values === null) return out.append(bytes.subarray(from * width, to * width));
  out.reserve((to - from) * width);
  for (let k = from; k < to; k++) {
    const start = values[k]! * width;
    for (let i = 0; i < width; i++) out.bytes[out.length++] = bytes[start + i]!;
  }
}

function strings(out: ByteBuffer, vector: Vector, values: Int32Array | null, from: number, to: number): void {
  out.reserve(plainBytes(vector, values, from, to));
  const { bytes, offsets } = vector;
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { view } = out;
  let at = out.length;
  for (let k = from; k < to; k++) {
    const i = values === null ? k : values[k]!;
    const start = offsets[i]!;
    const length = offsets[i + 1]! - start;
    view.setInt32(at, length, true);
    at += 4;
    if (length <= 96) {
      // Past the end of the value into the slack on both sides: several times as fast as `subarray` and `set`. V8 makes no
      // BigInt of what goes from view to view.
      for (let j = 0; j < length; j += 8) view.setBigInt64(at + j, source.getBigInt64(start + j, true), true);
    } else out.bytes.set(bytes.subarray(start, start + length), at);
    at += length;
  }
  out.length = at;
}
