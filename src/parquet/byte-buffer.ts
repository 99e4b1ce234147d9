import { free, WORTH_FREEING } from '../free.ts';

/**
 * A growable run of bytes, little-endian. `view` and `bytes` cover the same memory; both are replaced when it grows, and
 * the old ones may be empty then, so hot loops read them again after `reserve`. Eight bytes of slack stand behind the
 * capacity, so that short strings may be copied in whole words.
 */
export class ByteBuffer {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView;
  length = 0;

  constructor(capacity = 0) {
    this.bytes = new Uint8Array(capacity + 8);
    this.view = new DataView(this.bytes.buffer);
  }

  get capacity(): number {
    return this.bytes.length - 8;
  }

  /** Room for `count` more bytes. */
  reserve(count: number): void {
    const need = this.length + count;
    if (need <= this.bytes.length - 8) return;
    const bytes = new Uint8Array(Math.max(need, this.bytes.length * 2, 256) + 8);
    bytes.set(this.bytes.subarray(0, this.length));
    if (this.bytes.length > WORTH_FREEING) free(this.bytes.buffer);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  int32(value: number): void {
    this.reserve(4);
    this.view.setInt32(this.length, value, true);
    this.length += 4;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /**
   * `length` bytes of `from`, behind which at least 7 more must be readable: short runs go by words of 8 bytes, for which
   * nothing is allocated, as it is for `subarray`.
   */
  copyFrom(from: DataView, start: number, length: number): void {
    this.reserve(length);
    const at = this.length;
    if (length <= 96) {
      const { view } = this;
      for (let i = 0; i < length; i += 8) view.setBigInt64(at + i, from.getBigInt64(start + i, true), true);
    } else this.bytes.set(new Uint8Array(from.buffer, from.byteOffset + start, length), at);
    this.length = at + length;
  }

  /** Unsigned LEB128 of an integer in [0, 2^53]. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest > 0x7fffffff) {
      this.bytes[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  clear(): void {
    this.length = 0;
  }

  /** Gives the memory back; views of it are empty then. */
  release(): void {
    free(this.bytes.buffer);
    this.length = 0;
    this.bytes = new Uint8Array(8);
    this.view = new DataView(this.bytes.buffer);
  }

  used(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  /** The used bytes in an array of their own. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}
