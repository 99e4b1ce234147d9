import type { RecordPositions } from './record-batch.ts';

export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** The headers of one record, copied out of the buffer. The parser has checked that they lie inside the record. */
export function readHeaders(positions: RecordPositions, index: number): RecordHeader[] {
  const { bytes } = positions;
  let at = positions.headersStart[index]!;
  const varint = (): number => {
    let raw = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
  };
  const take = (length: number): Uint8Array => bytes.slice(at, (at += length));
  const headers: RecordHeader[] = [];
  for (let i = 0; i < positions.headersCount[index]!; i++) {
    const key = Buffer.from(take(varint())).toString('utf8');
    const length = varint();
    headers.push({ key, value: length < 0 ? null : take(length) });
  }
  return headers;
}
