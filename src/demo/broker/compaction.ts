import { BatchReader } from '../../source/batch-reader.ts';
import { BatchField, BatchFlag } from '../../source/record-batch.ts';
import { codecName } from '../../source/compression.ts';
import { encodeBatch } from '../../source/batch-encoder.ts';
import type { RecordToEncode } from '../../source/batch-encoder.ts';
import type { StoredBatch } from './stored-batch.ts';

/**
 * The batch without the records that `keep` does not want, offsets and last offset unchanged; null when none is left
 * (Kafka then keeps an empty batch only for the sequence numbers of its producer, which are not kept here).
 */
export function compactBatch(batch: StoredBatch, keep: (offset: number, key: Buffer | null) => boolean): Buffer | null {
  const records: RecordToEncode[] = [];
  const reader = new BatchReader({ isolation: 'read_uncommitted', maxBatchBytes: 256 << 20 });
  reader.open(batch.bytes, batch.baseOffset, []);
  while (reader.next()) {
    const p = reader.positions;
    const slice = (start: number, length: number): Buffer | null =>
      length < 0 ? null : Buffer.from(p.bytes.slice(start, start + length));
    for (let i = 0; i < p.count; i++) {
      const key = slice(p.keyStart[i]!, p.keyLength[i]!);
      if (!keep(p.offsets[i]!, key)) continue;
      const headers = readHeaders(p.bytes, p.headersStart[i]!, p.headersCount[i]!);
      records.push({
        offset: p.offsets[i]!,
        timestamp: p.timestamps[i]!,
        key,
        value: slice(p.valueStart[i]!, p.valueLength[i]!),
        headers,
      });
    }
  }
  if (records.length === 0) return null;
  const attributes = batch.bytes.readInt16BE(BatchField.attributes);
  return encodeBatch({
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    records,
    compression: codecName(attributes & BatchFlag.codecMask)!,
    leaderEpoch: batch.leaderEpoch,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    transactional: batch.transactional,
    ...((attributes & BatchFlag.logAppendTime) === 0 ? {} : { logAppendTime: batch.maxTimestamp }),
  });
}

function readHeaders(bytes: Uint8Array, start: number, count: number): [string, Uint8Array | null][] {
  let at = start;
  const take = (): Uint8Array | null => {
    let raw = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const length = (raw >>> 1) ^ -(raw & 1);
    if (length < 0) return null;
    at += length;
    return bytes.slice(at - length, at);
  };
  return Array.from({ length: count }, () => [Buffer.from(take()!).toString(), take()]);
}
