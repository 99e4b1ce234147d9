import * as fc from 'fast-check';
import { test } from 'vitest';
import { convertAvro } from '../../src/schema/avro.ts';
import { options, twins } from './avro-lab.ts';
import { avscType, recordSample } from './avro-samples.ts';
import { columnsOrRefusal, inTime, mutated, rowsOrFailures, runs, timeout } from './fuzz.ts';

// Any bytes and any schema give rows, failures or a refusal: no exception, no hang, no memory without bound.

const leaf = (type: string, logicalType?: string, more: object = {}): object => ({ type, logicalType, ...more });
const record = (name: string, fields: Readonly<Record<string, unknown>>): object => ({
  type: 'record',
  name,
  fields: Object.entries(fields).map(([field, type]) => ({ name: field, type })),
});
const schema = record('All', {
  id: 'long',
  name: ['null', 'string'],
  price: leaf('bytes', 'decimal', { precision: 20, scale: 2 }),
  at: leaf('long', 'timestamp-nanos'),
  time: leaf('int', 'time-millis'),
  uid: leaf('string', 'uuid'),
  big: leaf('bytes', 'big-decimal'),
  list: { type: 'array', items: ['null', 'int', record('Item', { ok: 'boolean', n: 'double' })] },
  nothings: { type: 'array', items: 'null' },
  empties: { type: 'array', items: record('Empty', {}) },
  map: { type: 'map', values: { type: 'array', items: 'float' } },
  color: { type: 'enum', name: 'Color', symbols: ['RED', 'GREEN'] },
  fixed: { type: 'fixed', name: 'Fixed', size: 5 },
  tree: ['null', record('Tree', { n: 'int', children: { type: 'array', items: 'Tree' }, data: 'bytes' })],
});
const type = avscType(schema);
const value = {
  id: 2n ** 63n - 1n,
  name: { string: 'zażółć' },
  price: Buffer.from([0xff, 0x85]),
  at: -1n,
  time: 86_399_999,
  uid: '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9fa',
  big: Buffer.from([4, 1, 2, 6]),
  list: [null, { int: -1 }, { Item: { ok: true, n: -0 } }],
  nothings: [null, null],
  empties: [{}],
  map: { k: [1.5], '': [] },
  color: 'GREEN',
  fixed: Buffer.from([1, 2, 3, 4, 5]),
  tree: { Tree: { n: 1, children: [{ n: 2, children: [], data: Buffer.from([7]) }], data: Buffer.alloc(0) } },
};
const seeds = [
  type.toBuffer(value),
  type.toBuffer({ ...value, name: null, list: [], nothings: [], empties: [], map: {}, tree: null }),
  // Blocks that say that they have 2^31 and more items.
  Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 2, 2, 2]),
];
const typical = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];
const bytes = fc.oneof(mutated(seeds, typical), fc.uint8Array({ maxLength: 200 }));

test(
  'any bytes, by a schema with every type',
  () => {
    const { layout, compiled, interpreted } = twins(schema);
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 6 }), (records) => {
        rowsOrFailures([compiled, interpreted], layout, records);
      }),
      runs,
    );
  },
  timeout,
);

test(
  'any bytes, by any schema',
  () => {
    fc.assert(
      fc.property(recordSample, fc.array(bytes, { minLength: 1, maxLength: 6 }), (sample, records) => {
        const { layout, compiled, interpreted } = inTime(() => twins(sample.schema));
        rowsOrFailures([compiled, interpreted], layout, records);
      }),
      runs,
    );
  },
  timeout,
);

test(
  'any JSON as a schema gives columns or is refused',
  () => {
    const names = ['A', 'B', 'ns.A', '', '9', '__proto__'];
    const words = [
      'null boolean int long float double bytes string record error enum fixed array map union',
      'date time-millis timestamp-nanos decimal big-decimal uuid duration none',
    ].flatMap((line) => line.split(' '));
    const key = fc.constantFrom(
      ...'type name namespace aliases fields items values symbols size logicalType precision scale default doc'.split(
        ' ',
      ),
      '__proto__',
    );
    const { node } = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 6, depthSize: 'medium' },
        fc.constantFrom<unknown>(...words, ...names, 0, 5, -1, 1.5, 1e308, true, null),
        // What has the parts that its type needs gets further.
        fc.record({ type: fc.constant('record'), name: fc.constantFrom(...names), fields: fc.array(tie('node')) }),
        fc.record({ name: fc.constantFrom('f', 'F', '_kafka', 'a.b', ...names), type: tie('node') }),
        fc.record({ type: fc.constant('array'), items: tie('node') }),
        fc.record({ type: fc.constant('map'), values: tie('node') }),
        fc.dictionary(key, tie('node'), { maxKeys: 5 }),
        fc.array(tie('node'), { maxLength: 4 }),
      ),
    }));
    fc.assert(
      fc.property(node, node, (one, other) => {
        columnsOrRefusal(() => convertAvro(JSON.stringify(one), { A: JSON.stringify(other) }, options));
      }),
      runs,
    );
  },
  timeout,
);

test(
  'any text as a schema gives columns or is refused',
  () => {
    const text = new TextEncoder().encode(JSON.stringify(schema));
    const damaged = mutated([text], [...new TextEncoder().encode('{}[]",:\\0')]).map((one) =>
      Buffer.from(one).toString(),
    );
    fc.assert(
      fc.property(fc.oneof(damaged, fc.string()), (one) => {
        columnsOrRefusal(() => convertAvro(one, {}, options));
      }),
      runs,
    );
  },
  timeout,
);
