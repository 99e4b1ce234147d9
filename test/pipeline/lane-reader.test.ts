import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBatch, encodeMarker } from '../../src/source/batch-encoder.ts';
import { LaneReader } from '../../src/pipeline/lane-reader.ts';
import type { Records } from '../../src/pipeline/lane-reader.ts';
import type { OffsetRange } from '../../src/pipeline/ranges.ts';
import { BatchReader } from '../../src/source/batch-reader.ts';

type Piece =
  | { readonly kind: 'data'; readonly gaps: readonly number[] }
  | { readonly kind: 'aborted'; readonly count: number }
  | { readonly kind: 'hole'; readonly count: number };

const piece = fc.oneof(
  fc.record({
    kind: fc.constant('data' as const),
    gaps: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('aborted' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('hole' as const), count: fc.integer({ min: 1, max: 4 }) }),
);

/** A partition's log, and what is in it. */
function logOf(pieces: readonly Piece[]): {
  bytes: Buffer;
  end: number;
  rows: number[];
  aborted: number;
  control: number;
  list: { producerId: bigint; firstOffset: number }[];
} {
  const batches: Buffer[] = [];
  const rows: number[] = [];
  const list: { producerId: bigint; firstOffset: number }[] = [];
  let next = 0;
  let aborted = 0;
  let control = 0;
  const value = Buffer.from('v');
  for (const [i, one] of pieces.entries()) {
    if (one.kind === 'hole') next += one.count;
    else if (one.kind === 'data') {
      const base = next;
      const offsets = one.gaps.map((gap) => (next += gap) + (next++ && 0));
      rows.push(...offsets);
      batches.push(
        encodeBatch({
          baseOffset: base,
          records: offsets.map((offset) => ({ offset, timestamp: 1000 + offset, key: null, value })),
        }),
      );
    } else {
      const producerId = BigInt(i + 1);
      list.push({ producerId, firstOffset: next });
      const offsets = Array.from({ length: one.count }, () => next++);
      aborted += offsets.length;
      batches.push(
        encodeBatch({
          baseOffset: offsets[0]!,
          records: offsets.map((offset) => ({ offset, timestamp: 1000, key: null, value })),
          producerId,
          producerEpoch: 0,
          transactional: true,
        }),
      );
      batches.push(encodeMarker(next++, producerId, 0, false, 1000));
      control++;
    }
  }
  return { bytes: Buffer.concat(batches), end: next, rows, aborted, control, list };
}

/** Reads the log with cuts after the given numbers of records; what each cut says. */
function read(log: ReturnType<typeof logOf>, cuts: readonly number[]): { ranges: OffsetRange[]; taken: number[] } {
  const lane = new LaneReader(
    1,
    't',
    0,
    0,
    0,
    new BatchReader({ isolation: 'read_committed', maxBatchBytes: 1 << 20 }),
  );
  const buffer = new Uint8Array(log.bytes).buffer;
  const message: Records = {
    type: 'records',
    table: 0,
    lane: 1,
    generation: 0,
    buffer,
    byteOffset: 0,
    byteLength: buffer.byteLength,
    nextOffset: log.end,
    aborted: log.list,
  };
  const ranges: OffsetRange[] = [];
  const taken: number[] = [];
  const cut = (): void => {
    const range = lane.cut();
    if (range) ranges.push(range);
  };
  cut();
  lane.open(message);
  while (lane.nextBatch()) {
    const { positions } = lane.reader;
    for (lane.index = 0; lane.index < positions.count;) {
      if (cuts.includes(taken.length)) cut();
      taken.push(positions.offsets[lane.index]!);
      lane.rows++;
      lane.index++;
    }
    lane.batchDone();
  }
  cut();
  return { ranges, taken };
}

describe('the open range of a lane', () => {
  test('whatever is in the log and wherever it is cut, ranges join and every offset is accounted for once', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 5 }),
        (pieces, cuts) => {
          const log = logOf(pieces);
          const { ranges, taken } = read(log, cuts);
          expect(taken).toEqual(log.rows);
          let at = 0;
          const sum = { rows: 0, aborted: 0, control: 0, absent: 0 };
          for (const { start, end, accounted } of ranges) {
            expect(start).toBe(at);
            expect(accounted.rows).toBe(log.rows.filter((offset) => offset >= start && offset < end).length);
            expect(accounted.rows + accounted.aborted + accounted.control + accounted.absent).toBe(end - start);
            for (const key of ['rows', 'aborted', 'control', 'absent'] as const) {
              expect(accounted[key]).toBeGreaterThanOrEqual(0);
              sum[key] += accounted[key];
            }
            at = end;
          }
          expect(at).toBe(log.end);
          expect(sum).toEqual({
            rows: log.rows.length,
            aborted: log.aborted,
            control: log.control,
            absent: log.end - log.rows.length - log.aborted - log.control,
          });
        },
      ),
    );
  });

  test('a gap that retention left is absent, with its reason', () => {
    const lane = new LaneReader(
      1,
      't',
      3,
      10,
      0,
      new BatchReader({ isolation: 'read_committed', maxBatchBytes: 1 << 20 }),
    );
    lane.skip({ type: 'skip', table: 0, lane: 1, generation: 0, to: 25, reason: 'retention' });
    expect(lane.cut()).toMatchObject({
      topic: 't',
      partition: 3,
      start: 10,
      end: 25,
      accounted: { rows: 0, absent: 15 },
      gaps: [{ from: 10, to: 25, reason: 'retention' }],
    });
    expect(lane.cut()).toBeNull();
  });

  test('rows counted twice are a defect that is told, not committed', () => {
    const lane = new LaneReader(
      1,
      't',
      0,
      0,
      0,
      new BatchReader({ isolation: 'read_committed', maxBatchBytes: 1 << 20 }),
    );
    lane.next = 2;
    lane.rows = 3;
    expect(() => lane.cut()).toThrow(/accounted more than once/);
  });
});
