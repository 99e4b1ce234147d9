import type { PartitionValue } from '../columns/partition-value.ts';
import { decimalOf } from '../schema/types.ts';
import type { IcebergType } from '../schema/types.ts';

/** Single-value serialization and order of values (Iceberg spec, Appendix D). */

export function toBytes(value: Exclude<PartitionValue, null>, type: IcebergType): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (value instanceof Uint8Array) return decimalOf(type) ? shortest(value) : value;
  if (typeof value === 'boolean') return Uint8Array.of(value ? 1 : 0);
  const bytes = new Uint8Array(type === 'int' || type === 'date' || type === 'float' ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if (type === 'float') view.setFloat32(0, Number(value), true);
  else if (type === 'double') view.setFloat64(0, Number(value), true);
  else if (bytes.length === 4) view.setInt32(0, Number(value), true);
  else view.setBigInt64(0, BigInt(value), true);
  return bytes;
}

/** Negative, zero or positive. Strings go by UTF-8 bytes, bytes unsigned, decimals by value, -0.0 before +0.0; NaN must not occur. */
export function compareValues(
  a: Exclude<PartitionValue, null>,
  b: Exclude<PartitionValue, null>,
  type: IcebergType,
): number {
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (a instanceof Uint8Array) {
    if (!decimalOf(type)) return Buffer.compare(a, b as Uint8Array);
    const [x, y] = [decimalValue(a), decimalValue(b as Uint8Array)];
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (a === 0 && b === 0) return Object.is(a, b) ? 0 : Object.is(a, -0) ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Unscaled value of big-endian two's complement bytes. */
export function decimalValue(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}

/** Two's complement in exactly `size` bytes. */
export function signExtend(bytes: Uint8Array, size: number): Uint8Array {
  const short = shortest(bytes);
  if (short.length === size) return short;
  if (short.length > size) throw new RangeError(`a decimal of ${short.length} bytes does not fit into ${size}`);
  const out = new Uint8Array(size).fill(short[0]! & 0x80 ? 0xff : 0);
  out.set(short, size - short.length);
  return out;
}

function shortest(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1) {
    const [first, second] = [bytes[from]!, bytes[from + 1]!];
    if (!((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) break;
    from++;
  }
  return bytes.subarray(from);
}
