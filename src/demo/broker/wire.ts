/** Primitive types of the Kafka protocol (kafka.apache.org/protocol#protocol_types), read from one request. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  #take(length: number): number {
    const at = this.#at;
    if (length < 0 || at + length > this.#bytes.length)
      throw new RangeError(`request ends at byte ${this.#bytes.length}`);
    this.#at = at + length;
    return at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1));
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

  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('varint of more than 5 bytes');
  }

  uuid(): string {
    const at = this.#take(16);
    return this.#bytes.toString('hex', at, at + 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  /** Length of a string, or of bytes and arrays; -1 for null. */
  length(flexible: boolean, short: boolean): number {
    return flexible ? this.unsignedVarint() - 1 : short ? this.int16() : this.int32();
  }

  /** A view, not a copy: null where the length is -1. */
  slice(length: number): Buffer | null {
    if (length < 0) return null;
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  skipTaggedFields(): void {
    for (let left = this.unsignedVarint(); left > 0; left--) {
      this.unsignedVarint();
      this.#take(this.unsignedVarint());
    }
  }
}

/** Writes primitive types; long byte strings are passed on without a copy. */
export class WireWriter {
  #parts: Buffer[] = [];
  #buffer: Buffer = Buffer.allocUnsafe(512);
  #at = 0;

  #room(length: number): number {
    if (this.#at + length > this.#buffer.length) {
      this.#flush();
      this.#buffer = Buffer.allocUnsafe(Math.max(4096, length));
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }

  #flush(): void {
    if (this.#at > 0) this.#parts.push(this.#buffer.subarray(0, this.#at));
    this.#buffer = this.#buffer.subarray(this.#at);
    this.#at = 0;
  }

  int8(value: number): void {
    const at = this.#room(1);
    this.#buffer.writeInt8(value, at);
  }
  int16(value: number): void {
    const at = this.#room(2);
    this.#buffer.writeInt16BE(value, at);
  }
  int32(value: number): void {
    const at = this.#room(4);
    this.#buffer.writeInt32BE(value, at);
  }
  int64(value: bigint): void {
    const at = this.#room(8);
    this.#buffer.writeBigInt64BE(value, at);
  }

  unsignedVarint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      const at = this.#room(1);
      this.#buffer[at] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    const at = this.#room(1);
    this.#buffer[at] = rest;
  }

  uuid(value: string): void {
    const at = this.#room(16);
    this.#buffer.write(value.replaceAll('-', ''), at, 'hex');
  }

  length(value: number, flexible: boolean, short: boolean): void {
    if (flexible) this.unsignedVarint(value + 1);
    else if (short) this.int16(value);
    else this.int32(value);
  }

  bytes(value: Uint8Array): void {
    if (value.length > 1024) {
      this.#flush();
      this.#parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    } else {
      const at = this.#room(value.length);
      this.#buffer.set(value, at);
    }
  }

  /** What was written, in pieces; the writer is empty afterwards. */
  take(): Buffer[] {
    this.#flush();
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }
}
