import type { Vector } from '../columns/batch.ts';
import { decimalOf } from '../schema/types.ts';
import { timeText } from './avro-convert.ts';
import { fitsPrecision, putDecimal } from './json-bind.ts';
import { putMicros } from './json-leaf.ts';
import { doubleOf, fitsFloat, longOf, unscaled } from './json-number.ts';
import type { JsonPlace } from './json-place.ts';
import { DecodeStop } from './stop.ts';
import { putBytes, putI32, putI64, slot } from './vectors.ts';

const MILLIS_PER_DAY = 86_400_000;

/**
 * Appends a number, given by its text; false where the column is not of a number type.
 *
 * @throws DecodeStop VALUE_OUT_OF_RANGE where the column cannot hold it exactly.
 */
export function putJsonNumber({ vector, read }: JsonPlace, text: string, path: string): boolean {
  const { type } = vector.field;
  const outside = (): never => {
    throw new DecodeStop(
      'VALUE_OUT_OF_RANGE',
      `${path}: the number cannot be held exactly by ${typeof type === 'string' ? type : type.type}`,
    );
  };
  if (read === 'nanos') return false;
  if (read === 'time-millis') {
    const millis = Number(longOf(text) ?? outside());
    if (millis < 0 || millis >= MILLIS_PER_DAY) outside();
    putTime(vector, millis);
    return true;
  }
  const decimal = decimalOf(type);
  if (decimal) {
    const value = unscaled(text, decimal.scale);
    putDecimal(vector, value !== null && fitsPrecision(vector, value) ? value : outside());
    return true;
  }
  switch (type) {
    case 'int':
    case 'long': {
      const value = longOf(text) ?? outside();
      if (type === 'long') putI64(vector, Number(BigInt.asIntN(32, value)), Number(value >> 32n));
      else putI32(vector, BigInt.asIntN(32, value) === value ? Number(value) : outside());
      return true;
    }
    case 'float':
    case 'double': {
      const value = doubleOf(text) ?? outside();
      if (type === 'float' && !fitsFloat(value)) outside();
      const i = slot(vector);
      (vector.kind === 'f32' ? vector.f32 : vector.f64)[i] = value;
      vector.length++;
      return true;
    }
    default:
      break;
  }
  if (read === 'plain') return false;
  const whole = longOf(text) ?? outside();
  if (read === 'days') putI32(vector, BigInt.asIntN(32, whole) === whole ? Number(whole) : outside());
  else {
    const millis = Number(whole);
    if (Math.abs(millis) >= Number.MAX_SAFE_INTEGER) outside();
    const seconds = Math.floor(millis / 1000);
    putMicros(vector, seconds, (millis - seconds * 1000) * 1000);
  }
  return true;
}

/** As text, or as microseconds in a time or long column: as Avro's times of day. */
function putTime(vector: Vector, millis: number): void {
  if (vector.kind === 'bytes') {
    const text = Buffer.from(timeText(millis * 1000, 3));
    putBytes(vector, text, 0, text.length);
  } else putMicros(vector, Math.floor(millis / 1000), (millis % 1000) * 1000);
}
