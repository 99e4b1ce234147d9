import { expect, test } from 'vitest';
import { scanBatches } from '../../src/source/batch-scan.ts';
import type { FetchedPartition } from '../../src/source/fetch-codec.ts';
import { judge } from '../../src/source/fetch-outcome.ts';
import { LaneState } from '../../src/source/lanes.ts';
import { batch } from './batch-bytes.ts';

function buffer(...parts: Buffer[]): ArrayBuffer {
  const all = Buffer.concat(parts);
  const copy = new ArrayBuffer(all.length);
  Buffer.from(copy).set(all);
  return copy;
}

const state = new LaneState({ id: 1, topic: 't', partition: 3, worker: 0 }, 0, 10);
const asked = (offset: number, first = false) => ({ state, generation: 2, offset, first });
const alone = { fetchedAt: 5, certain: true, nothing: true };
const among = { fetchedAt: 5, certain: false, nothing: false };

function answer(set: Partial<FetchedPartition>): FetchedPartition {
  return {
    topic: 't',
    partition: 3,
    errorCode: 0,
    highWatermark: 100,
    lastStableOffset: 90,
    logStartOffset: 0,
    aborted: [],
    diverging: null,
    records: new ArrayBuffer(0),
    ...set,
  };
}

test('whole batches are counted, a batch that is cut off is left out', () => {
  const whole = [batch(10, 4, 6), batch(15, 0, 7)];
  const size = whole[0]!.length + whole[1]!.length;
  for (let cut = 0; cut < 101; cut++) {
    const scan = scanBatches(buffer(...whole, batch(16, 9, 8).subarray(0, cut)));
    expect(scan).toEqual({ byteLength: size, nextOffset: 16, leaderEpoch: 7, cutOff: 0, magic: 2 });
  }
  expect(scanBatches(buffer(...whole, batch(16, 9, 8)))).toMatchObject({ nextOffset: 26, leaderEpoch: 8 });
  expect(scanBatches(buffer(batch(2 ** 40, 0, 1)))).toMatchObject({ nextOffset: 2 ** 40 + 1 });
});

test('records are handed on with where the next fetch starts', () => {
  const outcome = judge(asked(12), answer({ records: buffer(batch(10, 4, 6)) }), among);
  expect(outcome).toMatchObject({
    kind: 'records',
    leaderEpoch: 6,
    records: { fetchOffset: 12, nextOffset: 15, generation: 2, byteLength: 101, lastStableOffset: 90, fetchedAt: 5 },
  });
});

test('a batch that did not fit is asked for in its full size', () => {
  expect(judge(asked(10), answer({ records: buffer(batch(10, 4, 6, 5000).subarray(0, 300)) }), among)).toEqual({
    kind: 'later',
    alone: false,
    atLeastBytes: 5061,
  });
});

test('offsets count as absent only when the partition was asked for alone and is not held back', () => {
  expect(judge(asked(10), answer({}), among)).toMatchObject({ kind: 'later', alone: false });
  expect(judge(asked(10, true), answer({}), among)).toMatchObject({ kind: 'later', alone: true });
  expect(judge(asked(10), answer({}), { ...among, nothing: true })).toMatchObject({ kind: 'later', alone: true });
  expect(judge(asked(10), answer({}), alone)).toMatchObject({
    kind: 'records',
    records: { byteLength: 0, nextOffset: 90, leaderEpoch: -1 },
  });
  // An open transaction holds the last stable offset at the position: that is the end, not absence.
  expect(judge(asked(90), answer({}), alone)).toEqual({ kind: 'idle' });
});

test('under read_uncommitted the high watermark is the end', () => {
  expect(judge(asked(100), answer({ lastStableOffset: -1 }), among)).toEqual({ kind: 'idle' });
  expect(judge(asked(90), answer({ lastStableOffset: -1 }), among)).toMatchObject({ kind: 'later' });
});

test('a history that parts from ours, old message formats and refusals stop the lane', () => {
  expect(judge(asked(50), answer({ diverging: { epoch: 4, endOffset: 41 } }), among)).toMatchObject({
    kind: 'error',
    error: { code: 'KAFKA_LOG_TRUNCATED', where: { requested: 50, divergesAt: 41 } },
  });
  expect(judge(asked(10), answer({ records: buffer(batch(10, 0, 0, 40, 1)) }), among)).toMatchObject({
    kind: 'error',
    error: { code: 'KAFKA_CORRUPT_BATCH' },
  });
  expect(judge(asked(10), answer({ errorCode: 29 }), among)).toMatchObject({
    kind: 'error',
    error: { code: 'KAFKA_AUTH' },
  });
  expect(judge(asked(10), answer({ errorCode: 1 }), among)).toEqual({ kind: 'out-of-range' });
  for (const errorCode of [3, 6, 74, 75, 56, -1])
    expect(judge(asked(10), answer({ errorCode }), among)).toEqual({ kind: 'refresh' });
});
