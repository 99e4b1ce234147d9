import avro from 'avsc';

/** In a schema to write with: a long whose values are bigint. */
export const wideLong: { readonly type: 'long' } = { type: 'long' };

/** Avro's long as number where that is exact, else bigint; written from either. */
export const longType: unknown = (avro.types.LongType as unknown as LongTypeFactory).__with(
  {
    fromBuffer: decode,
    toBuffer: encode,
    fromJSON: (value: unknown) => value,
    toJSON: (value: unknown) => value,
    isValid: (value: unknown) => typeof value === 'bigint' || Number.isSafeInteger(value),
    compare: (a: bigint | number, b: bigint | number) => (a < b ? -1 : a > b ? 1 : 0),
  },
  true,
);

interface LongTypeFactory {
  __with(methods: Record<string, unknown>, noUnpack: boolean): unknown;
}

/** Zigzag and base 128, low group first (Avro specification, "Binary encoding"). */
function encode(value: bigint | number): Buffer {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function decode(bytes: Uint8Array): bigint | number {
  if (bytes.length <= 7) {
    // Up to 49 bits: exact in a double.
    let value = 0;
    for (let i = bytes.length - 1; i >= 0; i--) value = value * 128 + (bytes[i]! & 0x7f);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
  let wide = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) wide = (wide << 7n) | BigInt(bytes[i]! & 0x7f);
  const value = BigInt.asIntN(64, (wide >> 1n) ^ -(wide & 1n));
  const narrow = Number(value);
  return Number.isSafeInteger(narrow) ? narrow : value;
}
