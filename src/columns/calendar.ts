/** Ordinals of Iceberg's time transforms: years, months, days and hours since 1970-01-01T00:00Z, rounded down. */

const HOUR = 3_600_000_000;

/** Whole hours in a count of microseconds given as two words. */
export function hoursOf(low: number, high: number): number {
  return divide(low, high, HOUR);
}

/** Whole days in a count of microseconds given as two words. */
export function daysOf(low: number, high: number): number {
  return divide(low, high, 24 * HOUR);
}

/** Whole microseconds in a count of nanoseconds given as two words: the low word, then the high one, in `words`. */
export function microsOfNanos(low: number, high: number, words: Int32Array): void {
  const upper = Math.floor(high / 1000);
  words[0] = Math.floor(((high - upper * 1000) * 4_294_967_296 + (low >>> 0)) / 1000);
  words[1] = upper;
}

export function yearsOfDays(days: number): number {
  return Math.floor(monthsOfDays(days) / 12);
}

/** Proleptic Gregorian calendar, in eras of 400 years (146,097 days) that begin on 1 March. */
export function monthsOfDays(days: number): number {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  return (era * 400 + yearOfEra - 1970) * 12 + fromMarch + 2;
}

function divide(low: number, high: number, unit: number): number {
  const micros = high * 4_294_967_296 + (low >>> 0);
  if (Number.isSafeInteger(micros)) return Math.floor(micros / unit);
  // Beyond the years 1684 to 2255 a double no longer holds microseconds.
  const exact = (BigInt(high) << 32n) | BigInt(low >>> 0);
  const size = BigInt(unit);
  const rest = ((exact % size) + size) % size;
  return Number((exact - rest) / size);
}
