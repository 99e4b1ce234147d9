const COMMA = 0x2c;
const CLOSE_OBJECT = 0x7d;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** 10^0 … 10^22 are exact doubles. */
export const POWERS: Float64Array = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** Sign and digits of a JSON number without exponent. */
export class JsonDigits {
  negative = false;
  /** How many digits there are, and how many of them behind the dot. */
  count = 0;
  fraction = 0;
  /**
   * All digits without the dot, where there is a dot or there are no more than 8; else those behind the first 9, which
   * are in `high`. Exact up to 15 digits with a dot, up to 18 without.
   */
  digits = 0;
  high = 0;

  /** All digits without the dot; exact up to 15. */
  get value(): number {
    return this.fraction === 0 && this.count >= 9 ? this.high * POWERS[this.count - 9]! + this.digits : this.digits;
  }

  /** Reads the number that begins at `p`; the result is the index after it, or -1 for anything else, an exponent included. */
  read(bytes: Uint8Array, p: number, end: number): number {
    const after = this.#short(bytes, p, end);
    return after >= 0 ? after : this.#any(bytes, p, end);
  }

  /** Up to 8 digits before a comma or a brace, as most numbers are; -1 for what may be one of the others. */
  #short(bytes: Uint8Array, p: number, end: number): number {
    const negative = bytes[p] === MINUS;
    const first = negative ? p + 1 : p;
    // With a dot there may be 8 digits before `most`, without one there are 9 when it is reached.
    const most = Math.min(first + 9, end);
    let digits = 0;
    let dot = 0;
    let at = first;
    for (; at < most; at++) {
      const byte = bytes[at]!;
      if (byte >= ZERO && byte <= NINE) digits = (Math.imul(digits, 10) + byte - ZERO) | 0;
      else if (byte === DOT && dot === 0) dot = at;
      else break;
    }
    if (at === most || (bytes[at] !== COMMA && bytes[at] !== CLOSE_OBJECT)) return -1;
    const whole = (dot === 0 ? at : dot) - first;
    if (whole === 0 || (whole > 1 && bytes[first] === ZERO) || dot === at - 1) return -1;
    this.negative = negative;
    this.digits = digits;
    this.fraction = dot === 0 ? 0 : at - dot - 1;
    this.count = whole + this.fraction;
    return at;
  }

  #any(bytes: Uint8Array, p: number, end: number): number {
    this.negative = bytes[p] === MINUS;
    if (this.negative) p++;
    const first = p;
    let dot = -1;
    let digits = 0;
    this.high = 0;
    for (; p < end; p++) {
      const digit = bytes[p]! - ZERO;
      if (digit >= 0 && digit <= 9) {
        digits = digits * 10 + digit;
        if (p - first === 8) {
          this.high = digits;
          if (dot < 0) digits = 0;
        }
        continue;
      }
      if (bytes[p] !== DOT || dot >= 0) break;
      // The whole part is put together again: with a dot at most 15 digits are taken.
      if (p - first >= 9) digits = this.high * POWERS[p - first - 9]! + digits;
      dot = p;
    }
    const whole = (dot < 0 ? p : dot) - first;
    if (whole === 0 || (whole > 1 && bytes[first] === ZERO)) return -1;
    if (dot >= 0 && dot === p - 1) return -1;
    const byte = bytes[p]!;
    if (p < end && (byte === 0x65 || byte === 0x45)) return -1;
    this.fraction = dot < 0 ? 0 : p - dot - 1;
    this.count = whole + this.fraction;
    this.digits = digits;
    return p;
  }
}
