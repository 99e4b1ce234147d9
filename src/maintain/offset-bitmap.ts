const segmentBits = 1 << 20;

/** A set of offsets of one partition: one bit each, in segments that exist only where offsets are. */
export class OffsetBitmap {
  readonly #segments = new Map<number, Uint32Array>();
  /** The segment added to last: offsets mostly come in order. */
  #last: Uint32Array = new Uint32Array(0);
  #lastStart = Number.POSITIVE_INFINITY;
  /** Members. */
  size = 0;

  /** False when it was there already. */
  add(offset: number): boolean {
    let bit = offset - this.#lastStart;
    if (bit < 0 || bit >= segmentBits) {
      const index = Math.floor(offset / segmentBits);
      let segment = this.#segments.get(index);
      if (!segment) this.#segments.set(index, (segment = new Uint32Array(segmentBits / 32)));
      this.#last = segment;
      this.#lastStart = index * segmentBits;
      bit = offset - this.#lastStart;
    }
    const word = this.#last[bit >>> 5]!;
    const mask = 1 << (bit & 31);
    if ((word & mask) !== 0) return false;
    this.#last[bit >>> 5] = word | mask;
    this.size++;
    return true;
  }

  has(offset: number): boolean {
    const index = Math.floor(offset / segmentBits);
    const bit = offset - index * segmentBits;
    return ((this.#segments.get(index)?.[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  }

  /** Members in [from, to). */
  count(from: number, to: number): number {
    let total = 0;
    for (let at = from; at < to;) {
      const index = Math.floor(at / segmentBits);
      const segmentEnd = Math.min(to, (index + 1) * segmentBits);
      const segment = this.#segments.get(index);
      if (segment)
        for (; at < segmentEnd;) {
          const bit = at - index * segmentBits;
          if ((bit & 31) === 0 && at + 32 <= segmentEnd) {
            total += popcount(segment[bit >>> 5]!);
            at += 32;
          } else {
            total += (segment[bit >>> 5]! >>> (bit & 31)) & 1;
            at++;
          }
        }
      at = segmentEnd;
    }
    return total;
  }

  /** Spans of [from, to) without members, in order, at most `limit`. */
  holes(from: number, to: number, limit: number): { from: number; to: number }[] {
    const result: { from: number; to: number }[] = [];
    for (let at = this.#first(from, to, false); at < to && result.length < limit;) {
      const end = this.#first(at, to, true);
      result.push({ from: at, to: end });
      at = this.#first(end, to, false);
    }
    return result;
  }

  /** The first offset of [from, to) that is a member, or is none; `to` where there is no such offset. Whole words at a time. */
  #first(from: number, to: number, member: boolean): number {
    const passed = member ? 0 : -1;
    for (let at = from; at < to;) {
      const index = Math.floor(at / segmentBits);
      const segmentEnd = Math.min(to, (index + 1) * segmentBits);
      const segment = this.#segments.get(index);
      if (!segment && !member) return at;
      if (segment) {
        while (at < segmentEnd) {
          const bit = at - index * segmentBits;
          const word = segment[bit >>> 5]! | 0;
          if ((bit & 31) === 0 && word === passed) at += 32;
          else if (((word >>> (bit & 31)) & 1) === (member ? 1 : 0)) return at;
          else at++;
        }
      }
      at = segmentEnd;
    }
    return to;
  }
}

function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
