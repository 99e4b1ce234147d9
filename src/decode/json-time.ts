const ZERO = 0x30;
const MINUS = 0x2d;
const COLON = 0x3a;
const SECONDS_PER_DAY = 86_400;
const FIRST_DAY = daysOf(1, 1, 1);
const LAST_DAY = daysOf(9999, 12, 31);
const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Dates and times as RFC 3339 writes them (ISO 8601, extended), from ASCII bytes. Between date and time `T`, `t` or a space;
 * seconds may be left out where they are 0 (Java's OffsetDateTime does so); any number of fraction digits; offset `Z`, `z`
 * or ±hh:mm.
 */
export class DateTimeText {
  /** Days since 1970-01-01 of `date`. */
  days = 0;
  /** Seconds since 1970 (UTC), or since midnight, rounded down; and nanoseconds beside them. */
  seconds = 0;
  nanos = 0;
  /** There are digits other than 0 behind the ninth. */
  more = false;
  /** After a failure: the only fault is a second 60. */
  leap = false;
  /** The year is not in 0001 to 9999. */
  outside = false;
  #p = 0;

  date(bytes: Uint8Array, start: number, end: number): boolean {
    this.leap = false;
    return this.#date(bytes, start, end) && this.#p === end;
  }

  timeOfDay(bytes: Uint8Array, start: number, end: number): boolean {
    this.outside = false;
    return this.#time(bytes, start, end) && !this.leap && this.#p === end;
  }

  /** `zone`: an offset must stand at the end, else it must not. */
  dateTime(bytes: Uint8Array, start: number, end: number, zone: boolean): boolean {
    this.leap = false;
    if (!this.#date(bytes, start, end) || this.#p >= end) return false;
    const between = bytes[this.#p]!;
    if (between !== 0x54 && between !== 0x74 && between !== 0x20) return false;
    if (!this.#time(bytes, this.#p + 1, end)) return false;
    const offset = zone ? this.#offset(bytes, end) : 0;
    if (offset !== offset || this.#p !== end || this.leap) {
      this.leap = this.leap && offset === offset && this.#p === end;
      return false;
    }
    this.seconds += this.days * SECONDS_PER_DAY - offset;
    const day = Math.floor(this.seconds / SECONDS_PER_DAY);
    if (day < FIRST_DAY || day > LAST_DAY) this.outside = true;
    return true;
  }

  #date(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < 10 || bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS) return false;
    const year = two(bytes, start) * 100 + two(bytes, start + 2);
    const month = two(bytes, start + 5);
    const day = two(bytes, start + 8);
    // Of not-a-number every comparison is false.
    if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return false;
    this.days = daysOf(year, month, day);
    this.outside = year === 0;
    this.#p = start + 10;
    return true;
  }

  #time(bytes: Uint8Array, start: number, end: number): boolean {
    this.leap = false;
    this.nanos = 0;
    this.more = false;
    if (end - start < 5 || bytes[start + 2] !== COLON) return false;
    const hour = two(bytes, start);
    const minute = two(bytes, start + 3);
    if (!(hour <= 23 && minute <= 59)) return false;
    let p = start + 5;
    let second = 0;
    if (p + 3 <= end && bytes[p] === COLON) {
      second = two(bytes, p + 1);
      if (!(second <= 60)) return false;
      this.leap = second === 60;
      p += 3;
      if (p < end && bytes[p] === 0x2e) {
        const first = ++p;
        let unit = 100_000_000;
        for (; p < end; p++) {
          const digit = bytes[p]! - ZERO;
          if (digit < 0 || digit > 9) break;
          if (unit >= 1) this.nanos += digit * unit;
          else if (digit > 0) this.more = true;
          unit = unit > 1 ? unit / 10 : 0;
        }
        if (p === first) return false;
      }
    }
    this.seconds = hour * 3600 + minute * 60 + second;
    this.#p = p;
    return true;
  }

  /** Seconds east of UTC, or NaN. */
  #offset(bytes: Uint8Array, end: number): number {
    const p = this.#p;
    const sign = bytes[p];
    if (p < end && (sign === 0x5a || sign === 0x7a)) {
      this.#p = p + 1;
      return 0;
    }
    if (end - p !== 6 || (sign !== 0x2b && sign !== MINUS) || bytes[p + 3] !== COLON) return Number.NaN;
    const hour = two(bytes, p + 1);
    const minute = two(bytes, p + 4);
    if (!(hour <= 23 && minute <= 59)) return Number.NaN;
    this.#p = end;
    return (hour * 3600 + minute * 60) * (sign === MINUS ? -1 : 1);
  }
}

/** Two decimal digits, or NaN. */
function two(bytes: Uint8Array, at: number): number {
  const [tens, ones] = [bytes[at]! - ZERO, bytes[at + 1]! - ZERO];
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function daysIn(year: number, month: number): number {
  const leapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leapYear ? 29 : LENGTHS[month - 1]!;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
