import { describe, expect, test } from 'vitest';
import type { Route } from '../../src/config/route.ts';
import { PLAIN_KEY } from '../../src/decode/wire-format.ts';
import type { WorkerTableOptions } from '../../src/pipeline/messages.ts';
import { RouteReader, RouteSchemas } from '../../src/pipeline/route-reader.ts';
import { convertAvro } from '../../src/schema/avro.ts';
import { BatchReader } from '../../src/source/batch-reader.ts';
import { encodeBatch } from '../../src/source/batch-encoder.ts';
import type { RecordPositions } from '../../src/source/record-batch.ts';

const options = { nanos: 'micros', timeOfDay: 'time', unions: 'optional', uint64: 'decimal' } as WorkerTableOptions;

interface Sent {
  readonly value: Buffer | null;
  readonly headers?: readonly (readonly [string, Buffer | null])[];
}

/** Positions of records whose payload is the whole value. */
function positionsOf(sent: readonly Sent[]): RecordPositions {
  const records = sent.map(({ value, headers = [] }, offset) => ({ offset, timestamp: 1, key: null, value, headers }));
  const bytes = new Uint8Array(encodeBatch({ baseOffset: 0, records }));
  const reader = new BatchReader({ isolation: 'read_uncommitted', maxBatchBytes: 1 << 20 });
  reader.open(bytes, 0, []);
  reader.next();
  const { positions } = reader;
  for (let i = 0; i < positions.count; i++) {
    positions.payloadStart[i] = positions.valueStart[i]!;
    positions.payloadLength[i] = positions.valueLength[i]!;
  }
  return positions;
}

/** The route of each record, and the runs that they came in. */
function routed(
  routes: readonly Route[],
  sent: readonly Sent[],
  key = PLAIN_KEY,
  schemas = new RouteSchemas(options),
): number[][] {
  const reader = new RouteReader({ routes, tables: routes.map((_, i) => `t${i}`), own: 0 }, schemas);
  const positions = positionsOf(sent);
  const runs: number[][] = [];
  for (let from = 0; from < positions.count;) {
    const { end, route } = reader.run(positions, from, positions.count, key);
    runs.push(Array.from({ length: end - from }, () => route));
    from = end;
  }
  return runs;
}

const json = (value: unknown): Sent => ({ value: Buffer.from(JSON.stringify(value)) });
const field = (path: string, ...equals: string[]): Route => ({
  kind: 'field',
  path: path.split('.'),
  test: { equals },
});

describe('a field of JSON', () => {
  test('the first route that takes a record has it; a run ends where the route changes', () => {
    const routes = [field('type', 'a'), field('type', 'a', 'b'), field('type', '7', 'true')];
    const sent = ['a', 'a', 'b', 7, true, 'c', null, { x: 1 }].map((type) => json({ type }));
    expect(routed(routes, sent)).toEqual([[0, 0], [1], [2, 2], [-1, -1, -1]]);
  });

  test('by a path, and by a regular expression', () => {
    const routes: Route[] = [{ kind: 'field', path: ['event', 'type'], test: { matches: '^order\\.' } }];
    const sent = [{ event: { type: 'order.made' } }, { event: { type: 'reorder.made' } }, { event: 'order.' }, 1].map(
      json,
    );
    expect(routed(routes, sent)).toEqual([[0], [-1, -1, -1]]);
  });

  test('of what is no JSON, or null: no route but `otherwise`', () => {
    const sent = [{ value: Buffer.from('{') }, { value: null }];
    expect(routed([field('type', 'a')], sent)).toEqual([[-1, -1]]);
    expect(routed([{ kind: 'otherwise' }, field('type', 'a')], [...sent, json({ type: 'a' })])).toEqual([[0, 0], [1]]);
  });

  test('names of every object are fields only where the object has them', () => {
    expect(routed([field('constructor.name', 'Object')], [json({})])).toEqual([[-1]]);
  });
});

test('a header: the last one of the name decides', () => {
  const header = (...values: (string | null)[]): Sent => ({
    value: null,
    headers: values.map((value) => ['type', value === null ? null : Buffer.from(value)] as const),
  });
  const routes: Route[] = [{ kind: 'header', name: 'type', test: { equals: ['a'] } }];
  expect(routed(routes, [header('a'), header('b', 'a'), header('a', 'b'), header(null), header()])).toEqual([
    [0, 0],
    [-1, -1, -1],
  ]);
});

describe('by the writer schema', () => {
  const text = JSON.stringify({
    type: 'record',
    name: 'Event',
    namespace: 'shop',
    fields: [
      { name: 'type', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] } },
      { name: 'n', type: 'long' },
      {
        name: 'inner',
        type: ['null', { type: 'record', name: 'Inner', fields: [{ name: 'yes', type: 'boolean' }] }],
      },
    ],
  });
  const { struct } = convertAvro(text, {}, options);
  const schemas = (): RouteSchemas => {
    const known = new RouteSchemas(options);
    known.add(5, { name: 'shop.Event', bound: { format: 'avro', text, references: {}, struct }, refused: null });
    return known;
  };
  /** {type, n, inner: null or {yes}}. */
  const avro = (type: 0 | 1, n: number, yes: boolean | null): Sent => ({
    value: Buffer.from([type * 2, n * 2, ...(yes === null ? [0] : [2, yes ? 1 : 0])]),
  });

  test('its name, for the whole run', () => {
    const routes: Route[] = [{ kind: 'record', names: ['other.Event', 'shop.Event'] }];
    expect(routed(routes, [avro(0, 1, null), avro(1, 2, true)], 5, schemas())).toEqual([[0, 0]]);
    expect(routed([{ kind: 'record', names: ['Event'] }], [avro(0, 1, null)], 5, schemas())).toEqual([[-1]]);
  });

  test('a null among its records has none, wherever a run begins', () => {
    const routes: Route[] = [{ kind: 'record', names: ['shop.Event'] }, { kind: 'otherwise' }];
    const sent = [avro(0, 1, null), { value: null }, avro(1, 2, true), { value: null }];
    expect(routed(routes, sent, 5, schemas())).toEqual([[0], [1], [0], [1]]);
    expect(routed(routes, sent.slice(1), 5, schemas())).toEqual([[1], [0], [1]]);
    const header: Route = { kind: 'header', name: 'h', test: { equals: ['x'] } };
    expect(routed([header, ...routes], sent, 5, schemas())).toEqual([[1], [2], [1], [2]]);
  });

  test('its fields: enum, whole number, boolean in a record that may be null', () => {
    const sent = [avro(0, 1, null), avro(1, 2, true), avro(0, 3, false), avro(1, 3, null)];
    expect(routed([field('type', 'B')], sent, 5, schemas())).toEqual([[-1], [0], [-1], [0]]);
    expect(routed([field('n', '3')], sent, 5, schemas())).toEqual([
      [-1, -1],
      [0, 0],
    ]);
    expect(routed([field('inner.yes', 'true')], sent, 5, schemas())).toEqual([[-1], [0], [-1, -1]]);
  });

  test('a record that cannot be decoded has no route, and says why; those around it have', () => {
    const reader = new RouteReader({ routes: [field('n', '1')], tables: ['t'], own: 0 }, schemas());
    const positions = positionsOf([avro(0, 1, null), { value: Buffer.from([0]) }, avro(0, 1, null)]);
    expect(reader.run(positions, 0, 3, 5)).toMatchObject({ end: 1, route: 0 });
    expect(reader.run(positions, 1, 3, 5)).toMatchObject({ end: 2, route: -1, refusal: { code: 'DECODE_AVRO' } });
    expect(reader.run(positions, 2, 3, 5)).toMatchObject({ end: 3, route: 0 });
  });

  test('is asked for once it is needed', () => {
    const needs = (routes: readonly Route[], key: number, hasSchema = false): boolean =>
      new RouteReader({ routes, tables: [], own: 0 }, schemas()).needs(key, hasSchema);
    expect(needs([field('n', '1')], 6)).toBe(true);
    expect(needs([field('n', '1')], 5)).toBe(false);
    expect(needs([field('n', '1')], PLAIN_KEY)).toBe(false);
    expect(needs([field('n', '1')], PLAIN_KEY, true)).toBe(true);
    expect(needs([{ kind: 'header', name: 'h', test: { equals: ['a'] } }], 6)).toBe(false);
  });
});
