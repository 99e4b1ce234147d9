import { beforeEach, expect, test } from 'vitest';
import { kafkaFields } from '../../src/columns/metadata-columns.ts';
import type { FromWorker, Layout } from '../../src/pipeline/messages.ts';
import { WorkerCore } from '../../src/pipeline/worker-core.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import { formatOf, records, settle, table } from './worker-lab.ts';

// A topic whose allowance of dead letters is used up is paused in its worker, and nothing of it is lost.

const { struct } = assignIds(
  { type: 'struct', fields: [{ id: 0, name: 'value', required: false, type: 'string' }, ...kafkaFields('struct')] },
  1,
);
const layout: Layout = { schema: { ...struct, 'schema-id': 0 }, specId: 0, partition: [], fullMetrics: [] };
const bound = {
  format: 'string' as const,
  text: '',
  references: {},
  struct: { type: 'struct' as const, fields: [struct.fields[0]!] },
};
const good = Buffer.from('good');
const bad = Buffer.from([0xff]);
let said: FromWorker[];
let core: WorkerCore;
let sent = 0;

beforeEach(() => {
  said = [];
  sent = 0;
  core = new WorkerCore(64 << 20, (message) => said.push(message));
  core.handle(table({ value: formatOf('string'), maxDeadLetterRate: 0.003 }));
  for (const [lane, topic] of ['bad', 'bad', 'other'].entries())
    core.handle({ type: 'lane', table: 7, lane, topic, partition: lane, start: 0, generation: 0 });
  core.handle({ type: 'layout', table: 7, layout, schemas: [{ part: 'value', key: -1, bound }] });
});

function send(lane: number, from: number, values: readonly Buffer[]): void {
  const message = records(
    lane,
    from,
    values.map((value) => ({ timestamp: 1000, key: null, value })),
  );
  sent += message.byteLength;
  core.handle(message);
}

function of<T extends FromWorker['type']>(type: T): Extract<FromWorker, { type: T }>[] {
  return said.filter((message) => message.type === type) as Extract<FromWorker, { type: T }>[];
}

function cut(): Record<string, unknown>[] {
  said.length = 0;
  core.handle({ type: 'cut', table: 7, cut: 1 });
  return of('cut-done')[0]!.ranges.map(({ topic, start, end, accounted: { rows, deadLetters } }) => ({
    topic,
    start,
    end,
    rows,
    deadLetters,
  }));
}

test('all lanes of the topic stop before the record that is one too many; other topics go on', async () => {
  send(0, 0, [good, bad, bad, bad, bad, good]);
  send(1, 0, [good, good]);
  send(2, 0, [bad, good]);
  await settle();
  // An allowance of three: the fourth is not taken.
  expect(of('too-many-dead-letters')).toMatchObject([{ lane: 0, generation: 0, offset: 4, code: 'DECODE_TEXT' }]);
  send(1, 2, [good]);
  send(0, 6, [good]);
  await settle();
  expect(of('released').reduce((sum, { bytes }) => sum + bytes, 0)).toBe(sent);
  expect(of('position').findLast(({ lane }) => lane === 0)).toMatchObject({ next: 4 });
  const ranges = cut();
  expect(ranges.filter(({ topic }) => topic === 'other')).toEqual([
    { topic: 'other', start: 0, end: 2, rows: 1, deadLetters: 1 },
  ]);
  expect(ranges[0]).toEqual({ topic: 'bad', start: 0, end: 4, rows: 1, deadLetters: 3 });
  await settle();
  expect(cut()).toEqual([]);
});

test('a reset begins anew: what was not taken is read, up to the allowance again', async () => {
  send(0, 0, [bad, bad, bad, bad, bad]);
  await settle();
  cut();
  core.handle({ type: 'reset', table: 7, reset: 1, lanes: [{ lane: 0, start: 3, generation: 0 }] });
  core.handle({ type: 'layout', table: 7, layout, schemas: [{ part: 'value', key: -1, bound }] });
  send(0, 3, [bad, bad]);
  await settle();
  expect(cut()).toEqual([{ topic: 'bad', start: 3, end: 5, rows: 0, deadLetters: 2 }]);
});

test('paused by the main thread, because another worker found it: records that are open stay in the checkpoint', async () => {
  send(0, 0, [good, good]);
  await settle();
  core.handle({ type: 'pause-topic', table: 7, topic: 'bad' });
  send(0, 2, [good]);
  await settle();
  expect(cut()).toEqual([{ topic: 'bad', start: 0, end: 2, rows: 2, deadLetters: 0 }]);
});
