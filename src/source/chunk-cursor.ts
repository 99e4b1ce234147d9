/**
 * Reads big-endian values one after another from the chunks in which a response arrived, without joining them. Record
 * bytes are copied out once, into a buffer of their own that can be transferred to a worker.
 */
export class ChunkCursor {
  readonly #chunks: readonly Buffer[];
  #index = 0;
  #chunk: Buffer;
  #at = 0;

  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks;
    this.#chunk = chunks[0] ?? Buffer.alloc(0);
  }

  uint8(): number {
    while (this.#at >= this.#chunk.length) this.#nextChunk();
    return this.#chunk[this.#at++]!;
  }

  int16(): number {
    return ((this.uint8() << 24) >> 16) | this.uint8();
  }

  int32(): number {
    if (this.#at + 4 <= this.#chunk.length) {
      const value = this.#chunk.readInt32BE(this.#at);
      this.#at += 4;
      return value;
    }
    return (this.uint8() << 24) | (this.uint8() << 16) | (this.uint8() << 8) | this.uint8();
  }

  int64(): bigint {
    const high = this.int32();
    return (BigInt(high) << 32n) | BigInt(this.int32() >>> 0);
  }

  /** A 64-bit integer that is an offset. Throws `RangeError` above 2^53. */
  offset(): number {
    const high = this.int32();
    const value = high * 0x1_0000_0000 + (this.int32() >>> 0);
    if (!Number.isSafeInteger(value))
      throw new RangeError(`offset ${value} is outside of what can be represented exactly`);
    return value;
  }

  /** Unsigned varint (KIP-482). */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.uint8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new RangeError('varint is longer than 5 bytes');
  }

  compactString(): string {
    const length = this.varint() - 1;
    return length <= 0 ? '' : Buffer.from(this.copy(length)).toString('utf8');
  }

  /** A UUID in the canonical hyphenated form. */
  uuid(): string {
    const hex = Buffer.from(this.copy(16)).toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  copy(length: number): ArrayBuffer {
    const buffer = new ArrayBuffer(length);
    const target = Buffer.from(buffer);
    let filled = 0;
    while (filled < length) {
      if (this.#at >= this.#chunk.length) this.#nextChunk();
      const copied = this.#chunk.copy(target, filled, this.#at, this.#at + length - filled);
      filled += copied;
      this.#at += copied;
    }
    return buffer;
  }

  skip(length: number): void {
    for (let left = length; left > 0;) {
      if (this.#at >= this.#chunk.length) this.#nextChunk();
      const step = Math.min(left, this.#chunk.length - this.#at);
      this.#at += step;
      left -= step;
    }
  }

  /** Tagged fields (KIP-482): `read` is called with each tag; what it leaves unread is skipped. */
  tagged(read: (tag: number, size: number) => boolean = () => false): void {
    for (let left = this.varint(); left > 0; left--) {
      const tag = this.varint();
      const size = this.varint();
      if (!read(tag, size)) this.skip(size);
    }
  }

  #nextChunk(): void {
    const next = this.#chunks[++this.#index];
    if (next === undefined) throw new RangeError('the response ends early');
    this.#chunk = next;
    this.#at = 0;
  }
}
