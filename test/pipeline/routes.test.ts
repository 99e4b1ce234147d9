import { expect, test } from 'vitest';
import { kafkaFields } from '../../src/columns/metadata-columns.ts';
import type { Route } from '../../src/config/route.ts';
import type { FromWorker, Layout } from '../../src/pipeline/messages.ts';
import { WorkerCore } from '../../src/pipeline/worker-core.ts';
import { assignIds } from '../../src/schema/evolve.ts';
import { records, settle, table } from './worker-lab.ts';

// Tables of one topic in one worker: each accounts for every offset, and each record is of one of them.

const { struct } = assignIds(
  { type: 'struct', fields: [{ id: 0, name: 'type', required: false, type: 'string' }, ...kafkaFields('struct')] },
  1,
);
const layout: Layout = { schema: { ...struct, 'schema-id': 0 }, specId: 0, partition: [], fullMetrics: [] };
const bound = {
  format: 'json' as const,
  text: '',
  references: {},
  struct: { type: 'struct' as const, fields: [struct.fields[0]!] },
};

const routes: readonly Route[] = [
  { kind: 'field', path: ['type'], test: { equals: ['a'] } },
  { kind: 'header', name: 'type', test: { matches: '^b' } },
  { kind: 'field', path: ['type'], test: { equals: ['c'] } },
];
const tables = ['t.a', 't.b', 't.c'];

async function taken(
  own: number,
  values: readonly (string | null)[],
  elsewhere: 'count' | 'dead-letter' = 'count',
): Promise<Extract<FromWorker, { type: 'cut-done' }>> {
  const said: FromWorker[] = [];
  const core = new WorkerCore(64 << 20, (message) => said.push(message));
  core.handle(table());
  const lane = { topic: 't', partition: 0, start: 0, generation: 0 };
  core.handle({ type: 'lane', table: 7, lane: 1, ...lane, routes: { routes, tables, own }, elsewhere });
  core.handle({ type: 'layout', table: 7, layout, schemas: [{ part: 'value', key: -1, bound }] });
  const list = values.map((type) => ({
    timestamp: 1000,
    key: null,
    value: type === null ? null : Buffer.from(JSON.stringify({ type })),
    headers: type?.startsWith('b') ? [['type', Buffer.from(type)] as const] : [],
  }));
  core.handle(records(1, 0, list));
  await settle();
  core.handle({ type: 'cut', table: 7, cut: 1 });
  return said.find((message) => message.type === 'cut-done')!;
}

const values = ['a', 'b1', 'c', 'c', 'x', 'a', null, 'b2', 'a'];

test('each table accounts for every offset; what no route takes is a dead letter of the first', async () => {
  const cuts = await Promise.all([0, 1, 2].map((own) => taken(own, values)));
  expect(cuts.map(({ ranges }) => ranges.map(({ start, end, accounted }) => ({ start, end, ...accounted })))).toEqual([
    [{ start: 0, end: 9, rows: 3, deadLetters: 2, aborted: 0, control: 0, absent: 0, elsewhere: 4 }],
    [{ start: 0, end: 9, rows: 2, deadLetters: 0, aborted: 0, control: 0, absent: 0, elsewhere: 7 }],
    [{ start: 0, end: 9, rows: 2, deadLetters: 0, aborted: 0, control: 0, absent: 0, elsewhere: 7 }],
  ]);
  expect(cuts[0]!.deadLetters.map(({ offset, code }) => [offset, code])).toEqual([
    [4, 'ROUTE_NONE'],
    [6, 'ROUTE_NONE'],
  ]);
});

test('replayed: a record of another table stays a dead letter, and says of which', async () => {
  const { ranges, deadLetters } = await taken(0, ['a', 'c', 'x'], 'dead-letter');
  expect(ranges[0]!.accounted).toMatchObject({ rows: 1, deadLetters: 2 });
  expect(deadLetters.map(({ code, reason }) => [code, reason])).toEqual([
    ['ROUTE_ELSEWHERE', 'its route is that of table t.c'],
    ['ROUTE_NONE', 'no route of the topic takes the record'],
  ]);
});
