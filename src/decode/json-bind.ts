import type { Vector } from '../columns/batch.ts';
import { decimalOf } from '../schema/types.ts';
import { slot } from './vectors.ts';

/** Appends a decimal's unscaled value; the caller has checked the precision. */
export function putDecimal(vector: Vector, value: bigint): void {
  const i = slot(vector);
  if (vector.kind === 'i32') vector.i32[i] = Number(value);
  else if (vector.kind === 'i64') {
    vector.i32[2 * i] = Number(BigInt.asIntN(32, value));
    vector.i32[2 * i + 1] = Number(BigInt.asIntN(32, value >> 32n));
  } else {
    let rest = value;
    for (let at = (i + 1) * vector.width - 1; at >= i * vector.width; at--, rest >>= 8n)
      vector.bytes[at] = Number(rest & 0xffn);
  }
  vector.length++;
}

export function fitsPrecision(vector: Vector, value: bigint): boolean {
  const most = 10n ** BigInt(decimalOf(vector.field.type)!.precision);
  return value > -most && value < most;
}
