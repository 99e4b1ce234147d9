import { describe, expect, test } from 'vitest';
import { encodeBatch } from '../../../src/source/batch-encoder.ts';
import { BrokerError, KafkaError } from '../../../src/demo/broker/error-codes.ts';
import { PartitionLog } from '../../../src/demo/broker/partition-log.ts';
import { BatchReader } from '../../../src/source/batch-reader.ts';
import type { Isolation } from '../../../src/source/source.ts';

const records = (count: number, timestamp = 1000): { timestamp: number; key: Buffer | null; value: Buffer }[] =>
  Array.from({ length: count }, (_, i) => ({
    timestamp: timestamp + i,
    key: Buffer.from(`k${i % 3}`),
    value: Buffer.from(`v${i}`),
  }));

function offsetsFrom(
  log: PartitionLog,
  from: number,
  isolation: Isolation = 'read_committed',
): { offsets: number[]; counts: object; next: number } {
  const { batches, aborted } = log.read(from, 1 << 30, isolation);
  const reader = new BatchReader({ isolation, maxBatchBytes: 1 << 20 });
  reader.open(Buffer.concat(batches), from, aborted);
  const offsets: number[] = [];
  while (reader.next()) offsets.push(...reader.positions.offsets.subarray(0, reader.positions.count));
  return { offsets, counts: { ...reader.counts }, next: reader.nextOffset };
}

const produced = (
  count: number,
  producerId: bigint,
  producerEpoch: number,
  baseSequence: number,
  transactional = false,
): Buffer =>
  encodeBatch({
    baseOffset: 0,
    producerId,
    producerEpoch,
    baseSequence,
    transactional,
    records: records(count).map((record, i) => ({ ...record, offset: i })),
  });

const codeOf = (body: () => unknown): number => {
  try {
    body();
  } catch (error) {
    if (error instanceof BrokerError) return error.code;
    throw error;
  }
  return 0;
};

describe('partition log', () => {
  test('offsets follow one another over appends', () => {
    const log = new PartitionLog();
    expect([
      log.append(records(3)),
      log.append(records(2)),
      log.appendProduced(Buffer.concat([produced(2, -1n, -1, -1), produced(1, -1n, -1, -1)])),
    ]).toEqual([0, 3, 5]);
    expect(offsetsFrom(log, 0).offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(offsetsFrom(log, 4).offsets).toEqual([4, 5, 6, 7]);
    expect(codeOf(() => log.read(9, 1, 'read_committed'))).toBe(KafkaError.OFFSET_OUT_OF_RANGE);
  });

  test('a read stops at its bytes, with at least one batch', () => {
    const log = new PartitionLog();
    for (let i = 0; i < 5; i++) log.append(records(1));
    const size = log.bytes / 5;
    expect([0, size, size + 1, 3 * size].map((bytes) => log.read(0, bytes, 'read_committed').batches.length)).toEqual([
      1, 1, 2, 3,
    ]);
  });

  test('an idempotent batch sent again is not appended again; a lost one is noticed', () => {
    const log = new PartitionLog();
    expect(log.appendProduced(produced(3, 7n, 0, 0))).toBe(0);
    expect(log.appendProduced(produced(2, 7n, 0, 3))).toBe(3);
    expect(log.appendProduced(produced(3, 7n, 0, 0))).toBe(0);
    expect(log.end).toBe(5);
    expect(codeOf(() => log.appendProduced(produced(1, 7n, 0, 6)))).toBe(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(log.appendProduced(produced(1, 7n, 1, 0))).toBe(5);
    expect(codeOf(() => log.appendProduced(produced(1, 7n, 0, 5)))).toBe(KafkaError.INVALID_PRODUCER_EPOCH);
  });

  test('a damaged batch is refused', () => {
    const bytes = produced(3, -1n, -1, -1);
    bytes[70] = bytes[70]! ^ 1;
    expect(codeOf(() => new PartitionLog().appendProduced(bytes))).toBe(KafkaError.CORRUPT_MESSAGE);
    bytes[16] = 1;
    expect(codeOf(() => new PartitionLog().appendProduced(bytes))).toBe(KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT);
  });

  test('transactions: the stable end, aborted records, markers', () => {
    const log = new PartitionLog();
    log.append(records(2));
    log.appendProduced(produced(2, 1n, 0, 0, true));
    log.appendProduced(produced(2, 2n, 0, 0, true));
    expect([log.lastStableOffset, log.end]).toEqual([2, 6]);
    expect(offsetsFrom(log, 0).offsets).toEqual([0, 1]);
    log.appendMarker(2n, 0, true, 0);
    expect(log.lastStableOffset).toBe(2);
    log.appendMarker(1n, 0, false, 0);
    expect(log.lastStableOffset).toBe(8);
    expect(offsetsFrom(log, 0)).toEqual({
      offsets: [0, 1, 4, 5],
      counts: { records: 4, aborted: 2, control: 2, absent: 0 },
      next: 8,
    });
    expect(offsetsFrom(log, 0, 'read_uncommitted').offsets).toEqual([0, 1, 2, 3, 4, 5]);
    expect(log.read(0, 1 << 20, 'read_committed').aborted).toEqual([{ producerId: 1n, firstOffset: 2 }]);
  });

  test('compaction leaves holes, and keeps what stays as it was', () => {
    const log = new PartitionLog();
    log.append(records(6), { compression: 'zstd' });
    log.append(records(3));
    log.append(records(1));
    log.compact((offset, key) => offset !== 9 && (offset < 6 ? key!.toString() === 'k1' : offset === 7));
    expect(offsetsFrom(log, 0)).toEqual({
      offsets: [1, 4, 7],
      counts: { records: 3, aborted: 0, control: 0, absent: 6 },
      next: 9,
    });
    expect(log.end).toBe(10);
    expect(log.append(records(1))).toBe(10);
    expect(offsetsFrom(log, 5)).toEqual({
      offsets: [7, 10],
      counts: { records: 2, aborted: 0, control: 0, absent: 4 },
      next: 11,
    });
  });

  test('retention and DeleteRecords raise the log start', () => {
    const log = new PartitionLog(1000);
    for (let i = 0; i < 20; i++) log.append(records(2));
    expect(log.bytes).toBeLessThanOrEqual(1000);
    expect(log.logStart).toBeGreaterThan(0);
    expect(codeOf(() => log.read(0, 1, 'read_committed'))).toBe(KafkaError.OFFSET_OUT_OF_RANGE);
    const within = log.end - 3;
    log.deleteRecords(within);
    expect(offsetsFrom(log, within).offsets).toEqual([within, within + 1, within + 2]);
    expect(log.deleteRecords(-1)).toBe(log.end);
    expect(log.append(records(1))).toBe(40);
  });

  test('the first record at or after a time', () => {
    const log = new PartitionLog();
    log.append(records(5, 1000));
    log.append(records(5, 2000), { compression: 'gzip' });
    expect([0, 1003, 1005, 2002, 2005].map((time) => log.offsetForTimestamp(time)?.offset)).toEqual([
      0,
      3,
      5,
      7,
      undefined,
    ]);
  });

  test('leader epochs, and a log that lost its end', () => {
    const log = new PartitionLog();
    log.append(records(4));
    log.newLeader();
    log.append(records(2));
    expect(log.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 4 });
    expect(log.endOffsetForEpoch(1)).toEqual({ leaderEpoch: 1, endOffset: 6 });
    expect(log.endOffsetForEpoch(2)).toEqual({ leaderEpoch: -1, endOffset: -1 });
    log.newLeader(4);
    expect(log.end).toBe(4);
    expect(log.endOffsetForEpoch(1).endOffset).toBe(4);
    expect(log.append(records(1))).toBe(4);
    expect([3, 4].map((offset) => log.epochAt(offset))).toEqual([0, 2]);
  });

  test('a marker that is lost with the end of the log leaves its transaction open', () => {
    const log = new PartitionLog();
    log.appendProduced(produced(2, 1n, 0, 0, true));
    log.appendMarker(1n, 0, true, 0);
    log.appendProduced(produced(1, 1n, 0, 2, true));
    log.appendMarker(1n, 0, false, 0);
    log.newLeader(4);
    expect([log.end, log.lastStableOffset]).toEqual([4, 3]);
    expect(offsetsFrom(log, 0).offsets).toEqual([0, 1]);
  });
});
