import { expect, test } from 'vitest';
import { buildRequest } from '../../src/source/fetch-request.ts';
import { Lanes } from '../../src/source/lanes.ts';

const limits = { maxBytes: 1 << 25, partitionBytes: 1 << 22, maxWait: 500, readCommitted: true };

function requestOf(flowing: boolean, { maxWait = 500, alone = false } = {}) {
  const lane = new Lanes().add({ id: 1, topic: 't', partition: 0, worker: 0 }, 7);
  lane.alone = alone;
  return buildRequest([lane], { granted: 1 << 20, flowing }, { ...limits, maxWait }, () => 3).request;
}

test('a quiet partition is answered with its next record, at once', () => {
  expect(requestOf(false)).toMatchObject({ maxWait: 500, minBytes: 1, maxBytes: 1 << 20 });
});

test('where records flow, the broker gathers them for a moment, and never longer than it may hold a request', () => {
  expect(requestOf(true)).toMatchObject({ maxWait: 20, minBytes: 65_536 });
  expect(requestOf(true, { maxWait: 5 })).toMatchObject({ maxWait: 5, minBytes: 65_536 });
});

test('a partition that is asked alone is not waited for', () => {
  expect(requestOf(true, { alone: true })).toMatchObject({ maxWait: 0, minBytes: 1 });
});
