import type { ByteBuffer } from './byte-buffer.ts';

/** Bits that hold every value up to `max`. */
export function bitWidth(max: number): number {
  return 32 - Math.clz32(max);
}

/**
 * Parquet's RLE / bit-packing hybrid (format, "Encodings", RLE = 3) of `values[from…to)`, without a length in front.
 * `width` is below 32. A run of at least eight equal values becomes an RLE run; what stands between is bit-packed in groups of eight.
 */
export function encodeHybrid(
  out: ByteBuffer,
  values: Uint8Array | Int32Array,
  from: number,
  to: number,
  width: number,
): void {
  let literals = from;
  let i = from;
  // Literals come in groups of eight: a run is looked for only where a group begins.
  while (i + 8 <= to) {
    const value = values[i]!;
    if (!sameEight(values, i, value)) {
      i += 8;
      continue;
    }
    let end = i + 8;
    while (end < to && values[end] === value) end++;
    if (i > literals) packLiterals(out, values, literals, i, width);
    encodeRun(out, value, end - i, width);
    literals = end;
    i = end;
  }
  if (literals < to) packLiterals(out, values, literals, to, width);
}

/** Whether `values[i … i+7]` are all `value`; without a branch for each, since none of these can be foreseen. */
function sameEight(values: Uint8Array | Int32Array, i: number, value: number): boolean {
  if (values[i + 7] !== value) return false;
  const first = (values[i + 1]! ^ value) | (values[i + 2]! ^ value) | (values[i + 3]! ^ value);
  return (first | (values[i + 4]! ^ value) | (values[i + 5]! ^ value) | (values[i + 6]! ^ value)) === 0;
}

/** One RLE run of the hybrid. */
export function encodeRun(out: ByteBuffer, value: number, count: number, width: number): void {
  out.varint(count * 2);
  out.reserve(4);
  for (let bits = 0; bits < width; bits += 8) out.bytes[out.length++] = value >>> bits;
}

function packLiterals(out: ByteBuffer, values: Uint8Array | Int32Array, from: number, to: number, width: number): void {
  const groups = (to - from + 7) >> 3;
  out.varint(groups * 2 + 1);
  const size = groups * width;
  out.reserve(size + 4);
  const { view } = out;
  let at = out.length;
  let start = from;
  if (width <= 4) {
    // Eight values in one word, which may reach past their bytes: the next eight are written over that.
    for (; start + 8 <= to; start += 8, at += width) {
      const low = values[start]! | (values[start + 1]! << width);
      const high = values[start + 2]! | (values[start + 3]! << width);
      const next = values[start + 4]! | (values[start + 5]! << width);
      const last = values[start + 6]! | (values[start + 7]! << width);
      const word = low | (high << (2 * width)) | ((next | (last << (2 * width))) << (4 * width));
      view.setInt32(at, word, true);
    }
  }
  let word = 0;
  let used = 0;
  for (let i = start; i < to; i++) {
    const value = values[i]!;
    word |= value << used;
    used += width;
    if (used >= 32) {
      view.setInt32(at, word, true);
      at += 4;
      used -= 32;
      word = value >>> (width - used);
    }
  }
  const end = out.length + size;
  while (at < end) {
    out.bytes[at++] = word;
    word >>>= 8;
  }
  out.length = end;
}
