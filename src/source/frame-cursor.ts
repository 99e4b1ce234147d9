/**
 * A parser that runs while its bytes arrive: it yields how many it needs next, and goes on when they are there, or when
 * there will be no more of them in the frame.
 */
export type Parsing<T> = Generator<number, T, void>;

/**
 * Reads big-endian values one after another from a stream of frames. The bytes of the stream may lie in memory that is
 * used again for what comes next (`keep`): only values, and copies made by `fill`, outlive a step.
 *
 * Invariant: nothing is read beyond the frame, nor before it is there: both throw `RangeError`.
 */
export class FrameCursor {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Where the frame ends, as an index of `#bytes`; beyond them while not all has arrived. */
  #end = 0;
  /** What is being filled, and how far. */
  #target: Buffer<ArrayBuffer> | null = null;
  #filled = 0;

  /** What follows is a frame of so many bytes. */
  frame(length: number): void {
    if (length < 0) throw new RangeError(`a response of ${length} bytes`);
    this.#end = this.#at + length;
  }

  /** Bytes of the frame that were not read yet, whether they have arrived or not. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** Bytes that arrived and were not read, of the frame or after it. */
  get arrived(): number {
    return this.#bytes.length - this.#at;
  }

  /** Whether so many bytes of the frame can be read, or all that there will be. */
  has(count: number): boolean {
    return this.#filled === this.#target?.length || this.arrived >= Math.min(count, this.left);
  }

  push(chunk: Buffer): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#replace(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
  }

  /**
   * Where the next bytes of the stream belong, if that is known and has room for so many: they may be put there (`landed`).
   * Asked for between two steps of the parser, when all that arrived of what is filled is in it.
   */
  room(atLeast: number): Buffer<ArrayBuffer> | null {
    if (this.#target === null || this.#target.length - this.#filled < atLeast) return null;
    return this.#target.subarray(this.#filled);
  }

  /** So many bytes were put at the beginning of `room`. */
  landed(count: number): void {
    this.#filled += count;
    this.#end -= count;
  }

  /** What was not read is moved out of the memory that was pushed. */
  keep(): void {
    this.#replace(Buffer.from(this.#bytes.subarray(this.#at)));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  /** A 64-bit integer that is an offset. Throws `RangeError` above 2^53. */
  offset(): number {
    const high = this.int32();
    const value = high * 0x1_0000_0000 + (this.int32() >>> 0);
    if (!Number.isSafeInteger(value))
      throw new RangeError(`offset ${value} is outside of what can be represented exactly`);
    return value;
  }

  /** Unsigned varint (KIP-482): at most 5 bytes. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new RangeError('varint is longer than 5 bytes');
  }

  text(length: number): string {
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** A UUID in the canonical hyphenated form. */
  uuid(): string {
    const at = this.#take(16);
    const hex = this.#bytes.toString('hex', at, at + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** Bytes in memory of their own, filled as they arrive: the whole of an `ArrayBuffer` that can be transferred. */
  *fill(length: number): Parsing<Buffer<ArrayBuffer>> {
    if (length > this.left) throw early();
    // Not from the pool that small buffers share, and every byte is written before anybody sees it.
    const target = Buffer.allocUnsafeSlow(length);
    this.#target = target;
    this.#filled = 0;
    while (this.#filled < length) {
      yield 1;
      const end = this.#at + Math.min(length - this.#filled, this.arrived);
      const copied = this.#bytes.copy(target, this.#filled, this.#at, end);
      this.#filled += copied;
      this.#at += copied;
    }
    this.#target = null;
    return target;
  }

  /** Tagged fields (KIP-482): `read` is called with each tag once it is there; what it leaves unread is skipped. */
  *tagged(read: (tag: number, size: number) => boolean = () => false): Parsing<void> {
    yield 5;
    for (let count = this.varint(); count > 0; count--) {
      yield 10;
      const tag = this.varint();
      const size = this.varint();
      yield size;
      if (!read(tag, size)) this.skip(size);
    }
  }

  /** Bytes that have arrived and nobody asks for. */
  skip(count: number): void {
    this.#take(count);
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > Math.min(this.left, this.arrived)) throw early();
    this.#at += count;
    return at;
  }

  #replace(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#end -= this.#at;
    this.#at = 0;
  }
}

function early(): RangeError {
  return new RangeError('the response ends early');
}
