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
  while (i < to) {
    const value = values[i]!;
    let end = i + 1;
    while (end < to && values[end] === value) end++;
    const pad = (8 - ((i - literals) & 7)) & 7;
    if (end - i - pad >= 8) {
      if (i + pad > literals) packLiterals(out, values, literals, i + pad, width);
      encodeRun(out, value, end - i - pad, width);
      literals = end;
    }
    i = end;
  }
  if (literals < to) packLiterals(out, values, literals, to, width);
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
  let word = 0;
  let used = 0;
  for (let i = from; i < to; i++) {
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
