/** JSON numbers by their text: exact, or refused. */

const INTEGER = /^-?\d+$/;
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;
/** Numbers with more digits, or zeros to write out, fit in no column. */
const MOST_DIGITS = 400;

/** True for a number written without fraction and exponent that fits in 64 bits. */
export function isLong(text: string): boolean {
  if (!INTEGER.test(text)) return false;
  if (text.length < 19) return true;
  if (text.length > 20) return false;
  const value = BigInt(text);
  return value >= LONG_MIN && value <= LONG_MAX;
}

/** The unscaled value with exactly `scale` fraction digits, or null where the number has more (other than zeros). */
export function unscaled(text: string, scale: number): bigint | null {
  const match = NUMBER.exec(text);
  if (!match) return null;
  const [, sign, whole, fraction = '', exponent = '0'] = match;
  let digits = whole! + fraction;
  if (/^0*$/.test(digits)) return 0n;
  const places = Number(exponent) - fraction.length + scale;
  if (Math.abs(places) > MOST_DIGITS || digits.length > MOST_DIGITS) return null;
  if (places >= 0) digits += '0'.repeat(places);
  else {
    const kept = digits.slice(0, places);
    if (!/^0*$/.test(digits.slice(places))) return null;
    digits = kept;
  }
  return BigInt(`${sign}${digits || '0'}`);
}

/** The 64-bit value of a number without remainder (`1.0` and `1e3` are whole too), or null. */
export function longOf(text: string): bigint | null {
  const value = unscaled(text, 0);
  return value !== null && value >= LONG_MIN && value <= LONG_MAX ? value : null;
}

/**
 * The double of a number: for a whole number the very same, or null; for a fraction the nearest one. Null beyond the
 * range, also where a number other than 0 would become 0.
 */
export function doubleOf(text: string): number | null {
  const value = Number(text);
  if (!Number.isFinite(value)) return null;
  if (value === 0) return /^-?[0.]*(?:[eE].*)?$/.test(text) ? value : null;
  if (INTEGER.test(text) && !Number.isSafeInteger(value) && BigInt(text) !== BigInt(value)) return null;
  return value;
}

/** Whole numbers exactly; a fraction as the nearest float, within its range. */
export function fitsFloat(value: number): boolean {
  const float = Math.fround(value);
  return Number.isInteger(value) ? float === value : Number.isFinite(float) && float !== 0;
}
