import { BatchReader } from '../../source/batch-reader.ts';
import { BatchField } from '../../source/record-batch.ts';
import type { Isolation } from '../../source/source.ts';
import { encodeBatch, encodeMarker } from '../../source/batch-encoder.ts';
import type { RecordToEncode } from '../../source/batch-encoder.ts';
import { compactBatch } from './compaction.ts';
import { BrokerError } from './error-codes.ts';
import { ProducerStates } from './producer-state.ts';
import { readBatchHeader, splitProduced } from './stored-batch.ts';
import type { StoredBatch } from './stored-batch.ts';

export interface LogRead {
  /** Whole batches; the first may begin before the offset asked for. */
  readonly batches: readonly Buffer[];
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
}

interface AbortedRange {
  readonly producerId: bigint;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

const MAX_BATCH_BYTES = 256 << 20;

/**
 * One partition in memory: what the embedded broker and the simulator serve. It does no input or output, and takes the
 * time from its caller.
 *
 * Invariants:
 * - batches stand in offset order without overlap; offsets may be missing between and within them (compaction), and are
 *   never given twice, except after `truncate`;
 * - logStart ≤ lastStableOffset ≤ end; no batch ends before logStart;
 * - `#epochs` grows in epoch, never falls in start offset, and its last entry is `leaderEpoch`.
 */
export class PartitionLog {
  leaderEpoch = 0;
  #start = 0;
  #end = 0;
  #bytes = 0;
  #batches: StoredBatch[] = [];
  #producers = new ProducerStates();
  /** First offset of each transaction under way, by producer. */
  readonly #open = new Map<bigint, number>();
  #aborted: AbortedRange[] = [];
  #epochs: { epoch: number; start: number }[] = [{ epoch: 0, start: 0 }];
  readonly #listeners = new Set<() => void>();
  readonly #retentionBytes: number;

  /** @param retentionBytes oldest batches beyond it are dropped at each append. */
  constructor(retentionBytes = Number.POSITIVE_INFINITY) {
    this.#retentionBytes = retentionBytes;
  }

  get logStart(): number {
    return this.#start;
  }
  /** Offset after the last one; with one replica also the high watermark. */
  get end(): number {
    return this.#end;
  }
  get bytes(): number {
    return this.#bytes;
  }
  get lastStableOffset(): number {
    let least = this.#end;
    for (const first of this.#open.values()) least = Math.min(least, first);
    return Math.max(least, this.#start);
  }

  /** Of all records, -1 where there are none. */
  get maxTimestamp(): number {
    return this.#batches.reduce((max, batch) => (batch.control ? max : Math.max(max, batch.maxTimestamp)), -1);
  }

  /** Calls back after every change of the log; returns how to stop it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The record batches of a produce request.
   * @returns base offset of the first; that of the first append where an idempotent producer sends a batch again.
   * @throws BrokerError
   */
  appendProduced(records: Buffer): number {
    const batches = splitProduced(records);
    if (batches.length === 0) throw new BrokerError('INVALID_RECORD');
    let base: number | undefined;
    for (const bytes of batches) {
      const header = readBatchHeader(bytes);
      if (header.control) throw new BrokerError('INVALID_RECORD');
      const known = header.producerId < 0n ? undefined : this.#producers.check(header);
      base ??= known ?? this.#end;
      if (known === undefined) this.#append(bytes);
    }
    this.#retain();
    this.#changed();
    return base!;
  }

  /** Appends records as one batch, offsets given; for tests, the simulator and the demo's events. */
  append(
    records: readonly Omit<RecordToEncode, 'offset'>[],
    options: Omit<Parameters<typeof encodeBatch>[0], 'records' | 'baseOffset'> = {},
  ): number {
    const base = this.#end;
    this.#append(
      encodeBatch({
        ...options,
        baseOffset: base,
        records: records.map((record, i) => ({ ...record, offset: base + i })),
      }),
    );
    this.#retain();
    this.#changed();
    return base;
  }

  /** Ends a producer's transaction with a control batch. */
  appendMarker(producerId: bigint, producerEpoch: number, committed: boolean, now: number): number {
    const offset = this.#end;
    this.#append(encodeMarker(offset, producerId, producerEpoch, committed, now));
    const first = this.#open.get(producerId);
    this.#open.delete(producerId);
    if (first !== undefined && !committed) this.#aborted.push({ producerId, firstOffset: first, lastOffset: offset });
    this.#producers.marker(producerId, producerEpoch);
    this.#changed();
    return offset;
  }

  #append(bytes: Buffer): void {
    bytes.writeBigInt64BE(BigInt(this.#end), BatchField.baseOffset);
    bytes.writeInt32BE(this.leaderEpoch, BatchField.leaderEpoch);
    const batch = readBatchHeader(bytes);
    this.#batches.push(batch);
    this.#bytes += bytes.length;
    this.#end = batch.lastOffset + 1;
    if (batch.producerId < 0n || batch.control) return;
    this.#producers.appended(batch);
    if (batch.transactional && !this.#open.has(batch.producerId)) this.#open.set(batch.producerId, batch.baseOffset);
  }

  /**
   * Batches from `offset` on: at least one, then until `maxBytes` are reached (the last may cross them).
   * @throws BrokerError OFFSET_OUT_OF_RANGE
   */
  read(offset: number, maxBytes: number, isolation: Isolation): LogRead {
    if (offset < this.#start || offset > this.#end) throw new BrokerError('OFFSET_OUT_OF_RANGE');
    const bound = isolation === 'read_committed' ? this.lastStableOffset : this.#end;
    const batches: Buffer[] = [];
    let size = 0;
    let last = offset;
    for (let i = this.#indexOf(offset); i < this.#batches.length && (size < maxBytes || batches.length === 0); i++) {
      const batch = this.#batches[i]!;
      if (batch.lastOffset >= bound) break;
      batches.push(batch.bytes);
      size += batch.bytes.length;
      last = batch.lastOffset;
    }
    const aborted =
      isolation === 'read_committed' && batches.length > 0
        ? this.#aborted.filter((one) => one.lastOffset >= offset && one.firstOffset <= last)
        : [];
    return { batches, aborted: aborted.map(({ producerId, firstOffset }) => ({ producerId, firstOffset })) };
  }

  /** Bytes that a read of `offset` would find, up to `enough`. */
  available(offset: number, isolation: Isolation, enough: number): number {
    const bound = isolation === 'read_committed' ? this.lastStableOffset : this.#end;
    let size = 0;
    for (let i = this.#indexOf(offset); i < this.#batches.length && size < enough; i++) {
      const batch = this.#batches[i]!;
      if (batch.lastOffset >= bound) break;
      size += batch.bytes.length;
    }
    return size;
  }

  /** The first record at or after a time (ms), or undefined. */
  offsetForTimestamp(timestamp: number): { offset: number; timestamp: number; leaderEpoch: number } | undefined {
    const reader = new BatchReader({ isolation: 'read_uncommitted', maxBatchBytes: MAX_BATCH_BYTES });
    for (const batch of this.#batches) {
      if (batch.maxTimestamp < timestamp || batch.control) continue;
      reader.open(batch.bytes, Math.max(this.#start, batch.baseOffset), []);
      while (reader.next()) {
        const { count, offsets, timestamps } = reader.positions;
        for (let i = 0; i < count; i++) {
          if (timestamps[i]! >= timestamp)
            return { offset: offsets[i]!, timestamp: timestamps[i]!, leaderEpoch: batch.leaderEpoch };
        }
      }
    }
    return undefined;
  }

  /**
   * Largest epoch at most `epoch` and where it ends (KIP-320). An epoch before the first known ends where that begins; -1
   * and -1 for one that is not yet.
   */
  endOffsetForEpoch(epoch: number): { leaderEpoch: number; endOffset: number } {
    if (epoch < 0 || epoch > this.leaderEpoch) return { leaderEpoch: -1, endOffset: -1 };
    const next = this.#epochs.findIndex((one) => one.epoch > epoch);
    if (next === -1) return { leaderEpoch: this.leaderEpoch, endOffset: this.#end };
    return { leaderEpoch: this.#epochs[next - 1]?.epoch ?? epoch, endOffset: this.#epochs[next]!.start };
  }

  /** Leader epoch under which an offset was, or will be, written. */
  epochAt(offset: number): number {
    return this.#epochs.findLast((one) => one.start <= offset)?.epoch ?? -1;
  }

  /** Raises the log start (DeleteRecords, retention); -1 is the end. @throws BrokerError OFFSET_OUT_OF_RANGE */
  deleteRecords(before: number): number {
    const start = before === -1 ? this.#end : before;
    if (start < 0 || start > this.#end) throw new BrokerError('OFFSET_OUT_OF_RANGE');
    this.#raiseStart(start);
    this.#changed();
    return this.#start;
  }

  /** Compaction: keeps the records that `keep` says and leaves holes. Open transactions and markers stay. */
  compact(keep: (offset: number, key: Buffer | null) => boolean): void {
    const bound = this.lastStableOffset;
    this.#batches = this.#batches.flatMap((batch) => {
      if (batch.control || batch.lastOffset >= bound) return [batch];
      const bytes = compactBatch(batch, keep);
      return bytes ? [readBatchHeader(bytes)] : [];
    });
    this.#bytes = this.#batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
    this.#changed();
  }

  /** A new leader, which by an unclean election may know the log up to `end` only: later batches are lost. */
  newLeader(end: number = this.#end): void {
    this.leaderEpoch++;
    if (end < this.#end) this.#truncate(end);
    this.#epochs.push({ epoch: this.leaderEpoch, start: this.#end });
    this.#changed();
  }

  #truncate(end: number): void {
    this.#batches = this.#batches.filter((batch) => batch.lastOffset < end);
    this.#bytes = this.#batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
    this.#end = Math.max(this.#start, (this.#batches.at(-1)?.lastOffset ?? this.#start - 1) + 1);
    this.#epochs = this.#epochs.filter((one) => one.start < this.#end);
    this.#rebuild();
  }

  /** Producers and transactions, as far as the batches tell. */
  #rebuild(): void {
    this.#producers = new ProducerStates();
    this.#open.clear();
    this.#aborted = [];
    for (const batch of this.#batches) {
      if (batch.control) {
        const first = this.#open.get(batch.producerId);
        if (first !== undefined && !batch.commits)
          this.#aborted.push({ producerId: batch.producerId, firstOffset: first, lastOffset: batch.lastOffset });
        this.#open.delete(batch.producerId);
        this.#producers.marker(batch.producerId, batch.producerEpoch);
      } else if (batch.producerId >= 0n) {
        this.#producers.appended(batch);
        if (batch.transactional && !this.#open.has(batch.producerId))
          this.#open.set(batch.producerId, batch.baseOffset);
      }
    }
  }

  /** First batch that ends at or after `offset`. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#batches[middle]!.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #retain(): void {
    let drop = 0;
    let left = this.#bytes;
    while (left > this.#retentionBytes && drop < this.#batches.length - 1) left -= this.#batches[drop++]!.bytes.length;
    if (drop > 0) this.#raiseStart(this.#batches[drop]!.baseOffset);
  }

  #raiseStart(start: number): void {
    if (start <= this.#start) return;
    this.#start = start;
    for (const batch of this.#batches.splice(0, this.#indexOf(start))) this.#bytes -= batch.bytes.length;
    this.#aborted = this.#aborted.filter((one) => one.lastOffset >= start);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
