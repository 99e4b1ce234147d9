/** A record batch header as KIP-98 lays it out, and a body of any bytes. */
export function batch(base: number, lastDelta: number, epoch: number, bodySize = 40, magic = 2): Buffer {
  const b = Buffer.alloc(61 + bodySize, 0xee);
  b.writeBigInt64BE(BigInt(base), 0);
  b.writeInt32BE(b.length - 12, 8);
  b.writeInt32BE(epoch, 12);
  b.writeInt8(magic, 16);
  b.writeInt32BE(lastDelta, 23);
  return b;
}
