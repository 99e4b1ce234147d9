/** What the headers of the record batches of a fetch say, read without touching the records. */
export interface BatchScan {
  /** Bytes up to the end of the last whole batch. */
  readonly byteLength: number;
  /** First offset after the last whole batch, or -1 when there is none. */
  readonly nextOffset: number;
  /** Leader epoch of the last whole batch, or -1. */
  readonly leaderEpoch: number;
  /** Size of the first batch when it is cut off: what to ask for to get it whole; 0 otherwise. */
  readonly cutOff: number;
  /** Message format of a batch that is not v2, or 2. */
  readonly magic: number;
}

// Record batch, format v2 (KIP-98): baseOffset int64, batchLength int32, partitionLeaderEpoch int32, magic int8,
// crc int32, attributes int16, lastOffsetDelta int32, …; batchLength counts what follows it.
const lengthAt = 8;
const epochAt = 12;
const magicAt = 16;
const lastOffsetDeltaAt = 23;
const headerSize = 61;
const prefixSize = 12;

/** Walks the batch headers: 61 bytes each, then a jump to the next. A batch that is cut off at the end is left out. */
export function scanBatches(buffer: ArrayBuffer): BatchScan {
  const view = new DataView(buffer);
  const size = view.byteLength;
  let at = 0;
  let nextOffset = -1;
  let leaderEpoch = -1;
  let cutOff = 0;
  while (at + prefixSize <= size) {
    const end = at + prefixSize + view.getInt32(at + lengthAt);
    if (end > size || end < at + headerSize) {
      if (at === 0 && end > size) cutOff = end;
      break;
    }
    const magic = view.getInt8(at + magicAt);
    if (magic !== 2) return { byteLength: at, nextOffset, leaderEpoch, cutOff: 0, magic };
    const base = view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
    nextOffset = base + view.getInt32(at + lastOffsetDeltaAt) + 1;
    leaderEpoch = view.getInt32(at + epochAt);
    at = end;
  }
  return { byteLength: at, nextOffset, leaderEpoch, cutOff, magic: 2 };
}
