import { ByteBuffer } from './byte-buffer.ts';

/** Type codes of the Thrift compact protocol (its specification, "Struct encoding"). */
const I16 = 4;
const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;
const TRUE = 1;
const FALSE = 2;

const text = new TextEncoder();

/**
 * Writes Thrift's compact protocol: what Parquet's page headers and footer are made of. Fields are written in rising
 * order of their ids; `struct` and `list` take a callback that writes the inside. Integers are non-negative or small
 * negative numbers, at most 2^52.
 */
export class ThriftWriter {
  readonly out: ByteBuffer = new ByteBuffer(256);
  #last = 0;

  bool(id: number, value: boolean): void {
    this.#field(id, value ? TRUE : FALSE);
  }

  i16(id: number, value: number): void {
    this.#field(id, I16);
    this.#zigzag(value);
  }

  i32(id: number, value: number): void {
    this.#field(id, I32);
    this.#zigzag(value);
  }

  i64(id: number, value: number): void {
    this.#field(id, I64);
    this.#zigzag(value);
  }

  binary(id: number, value: Uint8Array | string): void {
    this.#field(id, BINARY);
    this.#bytes(value);
  }

  struct(id: number, inside: () => void): void {
    this.#field(id, STRUCT);
    this.root(inside);
  }

  /** A struct that is no field: the message itself, or an element of a list. */
  root(inside: () => void): void {
    const outer = this.#last;
    this.#last = 0;
    inside();
    this.out.byte(0);
    this.#last = outer;
  }

  structs<T>(id: number, items: readonly T[], inside: (item: T) => void): void {
    this.#list(id, STRUCT, items.length);
    for (const item of items) this.root(() => inside(item));
  }

  i32s(id: number, items: readonly number[]): void {
    this.#list(id, I32, items.length);
    for (const item of items) this.#zigzag(item);
  }

  i64s(id: number, items: readonly number[]): void {
    this.#list(id, I64, items.length);
    for (const item of items) this.#zigzag(item);
  }

  binaries(id: number, items: readonly (Uint8Array | string)[]): void {
    this.#list(id, BINARY, items.length);
    for (const item of items) this.#bytes(item);
  }

  bools(id: number, items: readonly boolean[]): void {
    this.#list(id, TRUE, items.length);
    for (const item of items) this.out.byte(item ? TRUE : FALSE);
  }

  #field(id: number, type: number): void {
    const delta = id - this.#last;
    if (delta > 0 && delta < 16) this.out.byte((delta << 4) | type);
    else {
      this.out.byte(type);
      this.#zigzag(id);
    }
    this.#last = id;
  }

  #list(id: number, element: number, size: number): void {
    this.#field(id, LIST);
    if (size < 15) this.out.byte((size << 4) | element);
    else {
      this.out.byte(0xf0 | element);
      this.out.varint(size);
    }
  }

  #zigzag(value: number): void {
    this.out.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  #bytes(value: Uint8Array | string): void {
    const bytes = typeof value === 'string' ? text.encode(value) : value;
    this.out.varint(bytes.length);
    this.out.append(bytes);
  }
}
