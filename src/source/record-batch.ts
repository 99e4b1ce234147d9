/** Bytes before the records section of a batch in format v2 (KIP-98). */
export const RECORD_BATCH_HEADER = 61;

/** Where the fields of a batch header stand. `length` counts from `leaderEpoch` on, the checksum from `attributes` on. */
export const BatchField = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const;

/** Bits of a batch's attributes. */
export const BatchFlag = { codecMask: 7, logAppendTime: 8, transactional: 16, control: 32, deleteHorizon: 64 } as const;

/**
 * Positions of the records of one record batch (Kafka record format v2, KIP-98) in reused arrays: no object per record.
 * `bytes` holds the decompressed records section; starts are indexes into it. A length of -1 is null.
 */
export class RecordPositions {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  count = 0;
  /** Absolute offsets. */
  offsets: Float64Array = new Float64Array(0);
  /** Milliseconds since the epoch; for LogAppendTime the batch's max timestamp, as the broker defines it. -1: none. */
  timestamps: Float64Array = new Float64Array(0);
  keyStart: Int32Array = new Int32Array(0);
  keyLength: Int32Array = new Int32Array(0);
  valueStart: Int32Array = new Int32Array(0);
  valueLength: Int32Array = new Int32Array(0);
  /** Start of the first header (after the count varint), and how many there are. */
  headersStart: Int32Array = new Int32Array(0);
  headersCount: Int32Array = new Int32Array(0);
  /** What decoders read: the value (or key) without its schema id. Filled by the wire format before each decode; -1: null. */
  payloadStart: Int32Array = new Int32Array(0);
  payloadLength: Int32Array = new Int32Array(0);
  /** 0 CreateTime, 1 LogAppendTime. */
  timestampType: 0 | 1 = 0;
  leaderEpoch = -1;

  reserve(count: number): void {
    if (count <= this.offsets.length) return;
    const size = Math.max(count, this.offsets.length * 2, 1024);
    this.offsets = new Float64Array(size);
    this.timestamps = new Float64Array(size);
    this.keyStart = new Int32Array(size);
    this.keyLength = new Int32Array(size);
    this.valueStart = new Int32Array(size);
    this.valueLength = new Int32Array(size);
    this.headersStart = new Int32Array(size);
    this.headersCount = new Int32Array(size);
    this.payloadStart = new Int32Array(size);
    this.payloadLength = new Int32Array(size);
  }
}
