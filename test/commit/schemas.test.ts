import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeAccounted, encodeAccounted } from '../../src/commit/accounted.ts';
import { decodeListFile, encodeListFile } from '../../src/commit/dead-letter-list.ts';
import { deadLetterHeaders } from '../../src/commit/dead-letter-topic.ts';
import { deadLetterSchema } from '../../src/commit/dead-letter-schema.ts';
import { statementText } from '../../src/commit/dead-letter-table.ts';
import { LetterSet } from '../../src/commit/letter-set.ts';
import { decodePending, encodePending } from '../../src/commit/pending.ts';
import { decodeReplayed, encodeReplayed } from '../../src/commit/replayed.ts';
import { encodeStatement } from '../../src/commit/statement.ts';
import { convertProtobuf } from '../../src/schema/protobuf.ts';
import { deriveChange } from '../../src/schema/derive.ts';
import { encodeWaiting, waitingChange } from '../../src/schema/waiting-change.ts';
import type { DeadLetterList } from '../../src/commit/dead-letter-list.ts';
import type { Pending } from '../../src/commit/pending.ts';

/** What is written into tables follows the published schemas. */
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictTuples: false });
const read = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../schemas/${name}.schema.json`, import.meta.url), 'utf8')) as Record<
    string,
    unknown
  >;
const names = [
  'offsets',
  'accounted',
  'dead-letters',
  'pending',
  'replayed',
  'waiting',
  'fields',
  'dead-letter-headers',
];
for (const name of names) ajv.addSchema(read(name));

function problems(schema: string, value: unknown): unknown {
  const validate = ajv.getSchema(schema)!;
  return validate(value) === true ? [] : validate.errors;
}

const list: DeadLetterList = {
  inline: [
    { checkpointId: 'c', file: 's3://b/c.parquet', count: 2, ranges: [['t', 0, 5, 9]] },
    { checkpointId: 'd', file: 's3://b/d.json', count: 1, ranges: [['t', 0, 5, 9]], replay: true },
  ],
  older: { file: 's3://b/list.json', checkpoints: 70, count: 90, replays: 3 },
};
const many = (value: number): number[] => Array.from({ length: 100 }, (_, i) => i * value);

test.each([
  [
    'few partitions',
    { t: { id: 'i', cluster: 'c', first: [0], next: [4], epoch: [-1], gaps: [[0, 1, 2, 'retention'] as const] } },
  ],
  ['many partitions', { t: { id: 'i', cluster: 'c', first: many(1), next: many(7), epoch: many(0), gaps: [] } }],
])('the offsets statement of %s', (_, offsets) => {
  const text = encodeStatement({ offsets, deadLetters: list }, 12n);
  expect(problems('offsets.schema.json', JSON.parse(text))).toEqual([]);
  const broken = JSON.parse(text) as { topics: { t: { next?: unknown } } };
  delete broken.topics.t.next;
  expect(problems('offsets.schema.json', broken)).not.toEqual([]);
});

test('accounted', () => {
  const ranges = many(10).map((start, partition) => ({
    topic: partition < 30 ? 'a' : 'b',
    partition,
    start,
    end: start + 3,
    accounted: { rows: 1, deadLetters: 1, aborted: 1, control: 0, absent: 0 },
  }));
  expect(problems('accounted.schema.json', JSON.parse(encodeAccounted(ranges)))).toEqual([]);
  const { topics } = JSON.parse(encodeAccounted(ranges)) as { topics: { a: object } };
  expect(Object.keys(topics.a)).not.toContain('elsewhere');
  // Routed: the third of each range is another table's, and nothing of topic b.
  const routed = ranges.map((range) =>
    range.topic === 'b' ? range : { ...range, accounted: { ...range.accounted, aborted: 0, elsewhere: 1 } },
  );
  expect(problems('accounted.schema.json', JSON.parse(encodeAccounted(routed)))).toEqual([]);
  expect(decodeAccounted(encodeAccounted(routed))).toEqual(routed);
  const wrong = routed.map((range) => ({ ...range, accounted: { ...range.accounted, elsewhere: 3 } }));
  expect(() => decodeAccounted(encodeAccounted(wrong))).toThrow('does not add up');
});

test('dead letters: the table’s statement and list files', () => {
  expect(problems('dead-letters.schema.json', JSON.parse(statementText(list, 3n)))).toEqual([]);
  expect(problems('dead-letters.schema.json', JSON.parse(statementText({ inline: [], older: null })))).toEqual([]);
  const bytes = encodeListFile({ entries: list.inline, older: list.older });
  expect(problems('dead-letters.schema.json#/$defs/file', JSON.parse(Buffer.from(bytes).toString()))).toEqual([]);
  expect(decodeListFile(bytes)).toEqual({ entries: list.inline, older: list.older });
});

test('what a replay took: the snapshot’s summary and the replay’s file', () => {
  const replayed = [{ checkpointId: 'c', topic: 't', partition: 0, start: 5, end: 9, rows: 1 }];
  expect(problems('replayed.schema.json', JSON.parse(encodeReplayed(replayed)))).toEqual([]);
  expect(decodeReplayed(encodeReplayed(replayed))).toEqual(replayed);
  const letters = new LetterSet();
  for (let offset = 0; offset < 100; offset++)
    letters.add({ checkpointId: 'c', topic: '__proto__', partition: 2, offset });
  const bytes = letters.add({ checkpointId: 'd', topic: 't', partition: 0, offset: 7n }).encode();
  expect(problems('dead-letters.schema.json#/$defs/replayed', JSON.parse(Buffer.from(bytes).toString()))).toEqual([]);
  expect([...LetterSet.decode(bytes)]).toEqual(
    [...letters].map((letter) => ({ ...letter, offset: Number(letter.offset) })),
  );
});

test('dead letters: the columns', () => {
  const { row } = read('dead-letters')['$defs'] as { row: { properties: Record<string, { const: string }> } };
  expect(Object.fromEntries(Object.entries(row.properties).map(([name, type]) => [name, type.const]))).toEqual(
    Object.fromEntries(
      deadLetterSchema.fields.map((field) => [
        field.name,
        typeof field.type === 'string' ? field.type : 'list<struct<key: string, value: binary>>',
      ]),
    ),
  );
});

test('dead letters: the headers in a topic', () => {
  const row = {
    topic: 't',
    partition: 0,
    offset: 5n,
    timestamp: 1_700_000_000_000_000n,
    timestampType: 'CreateTime',
    key: null,
    value: Buffer.from('x'),
    headers: [],
    code: 'DECODE_JSON',
    reason: 'the value is not JSON',
    schemaId: 12,
    checkpointId: 'c',
    serviceVersion: '1.2.3',
  };
  const headers = (
    of: typeof row | (Omit<typeof row, 'timestamp' | 'schemaId'> & { timestamp: null; schemaId: null }),
  ) => Object.fromEntries(deadLetterHeaders(of, 'shop.orders').map(([name, value]) => [name, String(value)]));
  const all = headers(row);
  expect(problems('dead-letter-headers.schema.json', all)).toEqual([]);
  expect(problems('dead-letter-headers.schema.json', headers({ ...row, timestamp: null, schemaId: null }))).toEqual([]);
  const { properties } = read('dead-letter-headers') as { properties: object };
  expect(Object.keys(all).toSorted()).toEqual(Object.keys(properties).toSorted());
});

test('a schema change that waits, and what fields are known by', () => {
  const text =
    'syntax = "proto3"; message Order { int64 id = 1; repeated Line lines = 2; map<string, int32> by = 3; } message Line { string sku = 1; }';
  const { struct, identities } = convertProtobuf(text, {}, 'Order', { uint64: 'decimal', nanos: 'micros' });
  const writer = { part: 'value' as const, struct, aliases: identities };
  const empty = { type: 'struct' as const, 'schema-id': 0, fields: [] };
  const derived = deriveChange({ schemas: [empty], current: empty, lastColumnId: 0, history: {} }, writer, {
    onIncompatible: 'stop',
    onDropped: 'stop',
  });
  const waiting = JSON.parse(encodeWaiting(waitingChange(derived.changes, 'schema 12', 1_700_000_000_000, writer))) as {
    changes: unknown[];
  };
  expect(problems('waiting.schema.json', waiting)).toEqual([]);
  expect(problems('waiting.schema.json', { ...waiting, changes: [] })).not.toEqual([]);
  expect(Object.keys(derived.history)).not.toEqual([]);
  expect(problems('fields.schema.json', JSON.parse(JSON.stringify(derived.history)))).toEqual([]);
});

const pending: Pending = {
  branch: 'main',
  preparedAt: 1_700_000_000_000,
  checkpoint: {
    id: 'c',
    tableUuid: 'u',
    lastSequenceNumber: 7,
    topics: { t: { id: 'i', cluster: 'k' } },
    ranges: [
      {
        topic: 't',
        partition: 3,
        start: 10,
        end: 15,
        epoch: -1,
        accounted: { rows: 1, deadLetters: 2, aborted: 0, control: 1, absent: 1 },
        gaps: [{ from: 11, to: 12, reason: 'retention' }],
      },
    ],
    schemaId: 1,
    specId: 2,
    manifest: {
      location: 's3://b/c-m0.avro',
      length: 900,
      specId: 2,
      content: 0,
      sequenceNumber: null,
      minSequenceNumber: null,
      addedSnapshotId: null,
      addedFiles: 1,
      existingFiles: 0,
      deletedFiles: 0,
      addedRows: 1,
      existingRows: 0,
      deletedRows: 0,
      partitions: [
        { containsNull: false, containsNan: null, lowerBound: new Uint8Array([0, 255]), upperBound: new Uint8Array() },
        { containsNull: true, containsNan: false, lowerBound: null, upperBound: null },
      ],
    },
    increments: { files: 1, records: 1, size: 77, partitions: ['[[1000,3]]'] },
    watermark: 5,
    deadLetters: { checkpointId: 'c', file: 's3://b/c.parquet', count: 2, ranges: [['t', 3, 10, 15]] },
  },
};

test.each<[string, Pending]>([
  ['with everything', pending],
  [
    'without rows',
    {
      ...pending,
      checkpoint: {
        ...pending.checkpoint,
        ranges: [
          {
            topic: 't',
            partition: 0,
            start: 1,
            end: 1,
            epoch: 4,
            accounted: { rows: 0, deadLetters: 0, aborted: 0, control: 0, absent: 0 },
          },
        ],
        manifest: null,
        increments: { files: 0, records: 0, size: 0, partitions: [] },
        watermark: null,
        deadLetters: null,
      },
    },
  ],
])('a pending checkpoint %s', (_, value) => {
  const bytes = encodePending(value);
  expect(decodePending(bytes)).toEqual(value);
  const json = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
  expect(problems('pending.schema.json', json)).toEqual([]);
  for (const key of Object.keys(json)) {
    const { [key]: gone, ...broken } = json;
    expect(gone, key).not.toBeUndefined();
    expect(problems('pending.schema.json', broken), key).not.toEqual([]);
    expect(() => decodePending(Buffer.from(JSON.stringify(broken))), key).toThrow(SyntaxError);
  }
});
