import { expect, test } from 'vitest';
import { PLAIN_KEY } from '../../src/decode/wire-format.ts';
import { LaneRoutes } from '../../src/pipeline/lane-routes.ts';
import type { RecordPart } from '../../src/pipeline/record-part.ts';
import { RouteSchemas } from '../../src/pipeline/route-reader.ts';
import { RecordPositions } from '../../src/source/record-batch.ts';
import { options } from './worker-lab.ts';

/** JSON records `{"type": …}`, one after another. */
function positionsOf(types: readonly string[]): RecordPositions {
  const positions = new RecordPositions();
  positions.reserve(types.length);
  const values = types.map((type) => Buffer.from(JSON.stringify({ type })));
  let at = 0;
  values.forEach((value, i) => {
    positions.payloadStart[i] = at;
    positions.payloadLength[i] = value.length;
    at += value.length;
  });
  positions.bytes = Buffer.concat(values);
  positions.view = new DataView(positions.bytes.buffer, positions.bytes.byteOffset, positions.bytes.byteLength);
  positions.count = types.length;
  return positions;
}

/** The runs of a topic in the eyes of its first table, and how many records were looked at for them. */
function walked(types: readonly string[]): { own: number; looked: number; runs: number } {
  let looked = 0;
  const value = {
    schemaKey: PLAIN_KEY,
    hasSchema: false,
    nextRun: (_topic: string, _positions: RecordPositions, from: number, to: number) => {
      looked += to - from;
      return to;
    },
  } as unknown as RecordPart;
  const lane = new LaneRoutes(
    {
      routes: [{ kind: 'field', path: ['type'], test: { equals: ['a'] } }, { kind: 'otherwise' }],
      tables: ['t.a', 't.b'],
      own: 0,
    },
    new RouteSchemas(options),
    'count',
  );
  const positions = positionsOf(types);
  let [own, runs] = [0, 0];
  for (let from = 0; from < types.length; runs++) {
    const fate = lane.next(value, 't', positions, from, types.length);
    if (fate.kind === 'unknown') throw new Error('no schema is needed');
    if (fate.kind === 'own') own += fate.end - from;
    from = fate.end;
  }
  return { own, looked, runs };
}

const N = 4096;

test('routes that alternate: each record is looked at about twice, not once for each that comes before it', () => {
  const { own, looked, runs } = walked(Array.from({ length: N }, (_, i) => (i % 2 ? 'a' : 'b')));
  expect([own, runs]).toEqual([N / 2, N]);
  expect(looked).toBeLessThan(4 * N);
});

test('one route: few looks, however the topic began', () => {
  const { own, looked, runs } = walked(Array.from({ length: N }, (_, i) => (i < 100 && i % 2 ? 'b' : 'a')));
  expect(own).toBe(N - 50);
  expect(runs).toBeLessThan(115);
  expect(looked).toBeLessThan(4 * N);
});
