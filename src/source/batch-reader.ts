import { TabletopicError } from '../errors.ts';
import { codecName, decompress, release } from './compression.ts';
import { crc32c } from './crc.ts';
import { BatchField, BatchFlag, RECORD_BATCH_HEADER, RecordPositions } from './record-batch.ts';
import { parseRecords, RecordDamage } from './record-parser.ts';
import type { Isolation } from './source.ts';
import { TransactionFilter } from './transaction-filter.ts';
import type { AbortedTransaction } from './transaction-filter.ts';

export type { AbortedTransaction } from './transaction-filter.ts';

export interface BatchReaderOptions {
  readonly isolation: Isolation;
  /** Most bytes that one batch may decompress to. */
  readonly maxBatchBytes: number;
}

/** Offsets accounted for since `open`, by what became of them. */
export interface OffsetCounts {
  records: number;
  aborted: number;
  control: number;
  absent: number;
}

/**
 * Walks the batches of one fetched buffer (record format v2, KIP-98) in offset order. Nothing is allocated per record.
 *
 * Invariants:
 * - after every `next`: records + aborted + control + absent === nextOffset − fromOffset, with all records of the batch
 *   in `positions` counted;
 * - positions hold offsets at or after `fromOffset` only, strictly increasing over all batches;
 * - any bytes give records or `KAFKA_CORRUPT_BATCH`, never a hang or a read outside of the buffer.
 */
export class BatchReader {
  readonly positions: RecordPositions = new RecordPositions();
  readonly counts: OffsetCounts = { records: 0, aborted: 0, control: 0, absent: 0 };
  /** Everything below it is accounted for. */
  nextOffset = 0;
  /** Of the last batch walked, -1 before the first. */
  leaderEpoch = -1;

  readonly #committedOnly: boolean;
  readonly #maxBatchBytes: number;
  readonly #transactions = new TransactionFilter();
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  /** Of the bytes in `positions`. */
  #codec = 0;
  #fromOffset = 0;
  #endOffset = Infinity;
  /** Smallest base offset that the next batch may have. */
  #minBase = 0;

  constructor(options: BatchReaderOptions) {
    this.#committedOnly = options.isolation === 'read_committed';
    this.#maxBatchBytes = options.maxBatchBytes;
  }

  /**
   * Starts over `bytes`, whole batches back to back. Offsets below `fromOffset` are skipped and not counted.
   * @param aborted the list of the fetch response that brought the bytes; a response may be opened in pieces, in order.
   * @param endOffset offsets from here on are left alone, as if the bytes ended there.
   */
  open(
    bytes: Uint8Array,
    fromOffset: number,
    aborted: readonly AbortedTransaction[],
    endOffset: number = Infinity,
  ): void {
    this.#forget();
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
    this.#fromOffset = fromOffset;
    this.#endOffset = endOffset;
    this.#minBase = 0;
    this.nextOffset = fromOffset;
    this.leaderEpoch = -1;
    this.counts.records = this.counts.aborted = this.counts.control = this.counts.absent = 0;
    this.#transactions.open(aborted, fromOffset);
  }

  /** The records of the last batch are not looked at any more. */
  #forget(): void {
    this.positions.count = 0;
    release(this.#codec, this.positions.bytes);
    this.#codec = 0;
  }

  /** Forgets the partition's transactions: after a seek, or for another partition. */
  reset(): void {
    this.#transactions.reset();
    this.open(new Uint8Array(0), 0, []);
  }

  /**
   * Walks to the next batch with records to decode; false at the end of the buffer. What has no records on the way is
   * accounted for.
   * @throws TabletopicError KAFKA_CORRUPT_BATCH; `where` has the offset, the caller adds topic and partition.
   */
  next(): boolean {
    this.#forget();
    while (this.#at < this.#bytes.length) {
      if (this.#batch()) return true;
    }
    return false;
  }

  /** One batch; true when it left records in `positions`. */
  #batch(): boolean {
    const view = this.#view;
    const start = this.#at;
    const left = this.#bytes.length - start;
    if (left < BatchField.magic + 1) throw damaged(this.nextOffset, `${left} bytes at the end are no batch`);
    const base = view.getInt32(start) * 0x1_0000_0000 + view.getUint32(start + 4);
    if (base < this.#minBase || base > Number.MAX_SAFE_INTEGER - 0x8000_0000)
      throw damaged(this.nextOffset, `base offset ${base} after offset ${this.#minBase}`);
    const magic = view.getInt8(start + BatchField.magic);
    if (magic === 0 || magic === 1) {
      throw new TabletopicError(
        'KAFKA_CORRUPT_BATCH',
        `message format v${magic} is not supported (record batches are format v2)`,
        {
          hint: 'The topic holds messages in a format that Kafka replaced in 0.11 and dropped in 4.0: copy them to a new topic, or start behind them.',
          where: { offset: base },
        },
      );
    }
    if (magic !== 2) throw damaged(base, `unknown magic ${magic}`);
    const end = start + BatchField.leaderEpoch + view.getInt32(start + BatchField.length);
    if (end < start + RECORD_BATCH_HEADER || end > this.#bytes.length)
      throw damaged(base, `length ${end - start} of ${left} bytes left`);
    const crc = view.getUint32(start + BatchField.crc);
    if (crc32c(this.#bytes.subarray(start + BatchField.attributes, end)) !== crc)
      throw damaged(base, 'checksum (CRC32C) differs');

    const lastDelta = view.getInt32(start + BatchField.lastOffsetDelta);
    const count = view.getInt32(start + BatchField.recordCount);
    if (lastDelta < 0 || count < 0 || count > lastDelta + 1)
      throw damaged(base, `${count} records with last offset delta ${lastDelta}`);
    const attributes = view.getInt16(start + BatchField.attributes);
    const past = base + lastDelta + 1;
    const after = Math.min(past, this.#endOffset);
    this.#at = end;
    this.#minBase = past;
    if (base >= this.#endOffset) return false;
    this.leaderEpoch = view.getInt32(start + BatchField.leaderEpoch);

    const control = (attributes & BatchFlag.control) !== 0;
    const aborted =
      this.#committedOnly &&
      (attributes & BatchFlag.transactional) !== 0 &&
      this.#isAborted(start, end, base, past - 1, attributes, count);
    if (after <= this.#fromOffset) return false;

    const floor = Math.max(base, this.#fromOffset);
    let kept = count;
    // The exact number is needed of a batch that is to be decoded, or that `fromOffset` or `endOffset` cuts.
    if (count > 0 && ((!control && !aborted) || floor > base || past > after)) {
      this.#parse(start, end, base, lastDelta, attributes, count);
      while (this.positions.count > 0 && this.positions.offsets[this.positions.count - 1]! >= after)
        this.positions.count--;
      kept = this.positions.count;
    }
    if (control) this.counts.control += kept;
    else if (aborted) this.counts.aborted += kept;
    else this.counts.records += kept;
    this.counts.absent += after - this.nextOffset - kept;
    this.nextOffset = after;
    if (!control && !aborted) return kept > 0;
    this.positions.count = 0;
    return false;
  }

  /** Follows the transactions through one transactional batch; true when its records are aborted. */
  #isAborted(start: number, end: number, base: number, last: number, attributes: number, count: number): boolean {
    const producerId = this.#view.getBigInt64(start + BatchField.producerId);
    this.#transactions.reach(last);
    if ((attributes & BatchFlag.control) === 0) return this.#transactions.isAborted(producerId);
    // Compaction may leave a control batch without its record.
    if (count > 0 && this.#isAbortMarker(start, end, base, last - base, attributes, count))
      this.#transactions.abortMarker(producerId, last);
    return false;
  }

  /** Key of a control record: int16 version, int16 type (0 abort, 1 commit). */
  #isAbortMarker(
    start: number,
    end: number,
    base: number,
    lastDelta: number,
    attributes: number,
    count: number,
  ): boolean {
    this.#parse(start, end, base, lastDelta, attributes, count, 0);
    const { view, keyStart, keyLength } = this.positions;
    if (keyLength[0]! < 4) throw damaged(base, 'control record without a type');
    return view.getInt16(keyStart[0]! + 2) === 0;
  }

  #parse(
    start: number,
    end: number,
    base: number,
    lastDelta: number,
    attributes: number,
    count: number,
    fromOffset: number = this.#fromOffset,
  ): void {
    const view = this.#view;
    const out = this.positions;
    out.count = 0;
    out.leaderEpoch = this.leaderEpoch;
    out.timestampType = (attributes & BatchFlag.logAppendTime) === 0 ? 0 : 1;
    const logAppendTime = out.timestampType === 1 ? int64(view, start + BatchField.maxTimestamp) : Number.NaN;
    const baseTimestamp = int64(view, start + BatchField.baseTimestamp);
    const codec = attributes & BatchFlag.codecMask;
    let from = start + RECORD_BATCH_HEADER;
    let to = end;
    try {
      this.#forget();
      if (codec === 0) {
        out.bytes = this.#bytes;
        out.view = view;
      } else {
        out.bytes = decompress(codec, this.#bytes.subarray(from, to), this.#maxBatchBytes);
        this.#codec = codec;
        out.view = new DataView(out.bytes.buffer, out.bytes.byteOffset, out.bytes.byteLength);
        from = 0;
        to = out.bytes.length;
      }
      parseRecords(out, from, to, count, base, lastDelta, baseTimestamp, logAppendTime, fromOffset);
    } catch (error) {
      if (error instanceof RecordDamage) throw damaged(base, error.message);
      throw damaged(
        base,
        `${codecName(codec) ?? 'compressed'} data cannot be read: ${(error as Error).message}`,
        error,
      );
    }
  }
}

/** A signed 64-bit number as a double, exact to 2^53. */
function int64(view: DataView, at: number): number {
  return view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

function damaged(offset: number, reason: string, cause?: unknown): TabletopicError {
  return new TabletopicError('KAFKA_CORRUPT_BATCH', `record batch at offset ${offset}: ${reason}`, {
    cause,
    where: { offset },
  });
}
