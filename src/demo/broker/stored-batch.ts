import { crc32c } from '../../source/crc.ts';
import { BatchField, BatchFlag, RECORD_BATCH_HEADER } from '../../source/record-batch.ts';
import { BrokerError } from './error-codes.ts';

/** One record batch of a log. `bytes` are never changed once it stands in the log. */
export interface StoredBatch {
  readonly bytes: Buffer;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly maxTimestamp: number;
  readonly recordCount: number;
  /** -1n for a producer without idempotence. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
  readonly control: boolean;
  /** Of a control batch: whether it commits its transaction. */
  readonly commits: boolean;
}

/** Low byte of the type in the key of a marker as `encodeMarker` lays it out: after five one-byte numbers. */
const MARKER_TYPE = RECORD_BATCH_HEADER + 5 + 3;

export function readBatchHeader(bytes: Buffer): StoredBatch {
  const attributes = bytes.readInt16BE(BatchField.attributes);
  const control = (attributes & BatchFlag.control) !== 0;
  const baseOffset = Number(bytes.readBigInt64BE(BatchField.baseOffset));
  return {
    bytes,
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(BatchField.lastOffsetDelta),
    leaderEpoch: bytes.readInt32BE(BatchField.leaderEpoch),
    maxTimestamp: Number(bytes.readBigInt64BE(BatchField.maxTimestamp)),
    recordCount: bytes.readInt32BE(BatchField.recordCount),
    producerId: bytes.readBigInt64BE(BatchField.producerId),
    producerEpoch: bytes.readInt16BE(BatchField.producerEpoch),
    baseSequence: bytes.readInt32BE(BatchField.baseSequence),
    transactional: (attributes & BatchFlag.transactional) !== 0,
    control,
    commits: control && bytes[MARKER_TYPE] === 1,
  };
}

/**
 * The batches of a produce request, each checked and copied, so that offset and leader epoch (which the checksum leaves
 * out) can be written into them.
 * @throws BrokerError CORRUPT_MESSAGE, UNSUPPORTED_FOR_MESSAGE_FORMAT, INVALID_RECORD
 */
export function splitProduced(records: Buffer): Buffer[] {
  const batches: Buffer[] = [];
  for (let at = 0; at < records.length;) {
    const left = records.length - at;
    if (left < BatchField.magic + 1) throw new BrokerError('CORRUPT_MESSAGE');
    if (records[at + BatchField.magic] !== 2) throw new BrokerError('UNSUPPORTED_FOR_MESSAGE_FORMAT');
    const length = records.readInt32BE(at + BatchField.length) + BatchField.leaderEpoch;
    if (length < RECORD_BATCH_HEADER || length > left) throw new BrokerError('CORRUPT_MESSAGE');
    const batch = Buffer.from(records.subarray(at, at + length));
    if (crc32c(batch.subarray(BatchField.attributes)) !== batch.readUInt32BE(BatchField.crc))
      throw new BrokerError('CORRUPT_MESSAGE');
    const count = batch.readInt32BE(BatchField.recordCount);
    if (count < 1 || batch.readInt32BE(BatchField.lastOffsetDelta) !== count - 1)
      throw new BrokerError('INVALID_RECORD');
    batches.push(batch);
    at += length;
  }
  return batches;
}
