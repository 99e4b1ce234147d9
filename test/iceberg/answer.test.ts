import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../src/iceberg/json.ts';
import { parseHead } from '../../src/iceberg/rest/answer-head.ts';
import { parseWithRefs } from '../../src/iceberg/rest/answer.ts';

interface Answer {
  metadata: { refs?: Record<string, { 'snapshot-id': bigint }>; 'current-snapshot-id'?: bigint; snapshots?: unknown };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What is to come out: all of it read, then only what refs name kept, in their order. */
function oracle(text: string): unknown {
  const answer = parseJson(text) as Answer;
  const { metadata } = answer;
  if (!Array.isArray(metadata.snapshots)) return answer;
  const ids = [...Object.values(metadata.refs ?? {}).map((ref) => ref['snapshot-id']), metadata['current-snapshot-id']];
  const all = metadata.snapshots as { 'snapshot-id': bigint }[];
  metadata.snapshots = [...new Set(ids)].flatMap((id) => all.findLast((one) => one['snapshot-id'] === id) ?? []);
  return answer;
}

const id = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
/** Texts in which a careless reader would see the end of a string, or the list. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme', minLength: 40, maxLength: 90 }),
  fc.constantFrom('\\', '"', '\\"', ']', '}', '"snapshots":[', '"snapshots', '\\"snapshots\\":[{', 'metadata'),
  fc.array(fc.constantFrom('\\', '"'), { minLength: 40, maxLength: 60 }).map((parts) => parts.join('')),
);
const snapshot = fc.record({
  'snapshot-id': id,
  summary: fc.dictionary(text, text),
  'schema-id': fc.integer({ min: 0, max: 9 }),
});

describe('the answer of a catalog with the snapshots that refs name', () => {
  it('is what reading all of it and leaving out the others gives', () => {
    fc.assert(
      fc.property(
        fc.array(snapshot, { maxLength: 6 }),
        fc.array(fc.nat(9), { maxLength: 3 }),
        fc.dictionary(text, text),
        fc.constantFrom(undefined, 1),
        fc.boolean(),
        (snapshots, named, properties, space, chained) => {
          const linked = snapshots.map((one, i) =>
            chained && i > 0 ? { 'parent-snapshot-id': snapshots[i - 1]!['snapshot-id'], ...one } : one,
          );
          const refs = Object.fromEntries(
            named.flatMap((i, name) =>
              snapshots[i] === undefined ? [] : [[`r${name}`, { 'snapshot-id': snapshots[i]['snapshot-id'] }]],
            ),
          );
          const compact = stringifyJson({
            properties,
            'metadata-location': 's3://b/m.json',
            metadata: { properties, refs, 'current-snapshot-id': linked.at(-1)?.['snapshot-id'], snapshots: linked },
            config: properties,
          });
          const written = space === undefined ? compact : compact.replaceAll('"snapshot-id":', '"snapshot-id" :\n ');
          expect(parseWithRefs(bytesOf(written))).toEqual(oracle(written));
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    ['no snapshots', '{"metadata":{"refs":{"main":{"snapshot-id":1}}}}'],
    ['null for the list', '{"metadata":{"snapshots":null}}'],
    ['a list of another level', '{"metadata":{"properties":{"snapshots":[1]}},"snapshots":[{"snapshot-id":1}]}'],
    [
      'the list before the refs',
      '{"metadata":{"snapshots":[{"snapshot-id":12},{"snapshot-id":1}],"refs":{"a":{"snapshot-id":1}}}}',
    ],
    [
      'an id within another',
      '{"metadata":{"snapshots":[{"snapshot-id":1},{"snapshot-id":211}],"refs":{"a":{"snapshot-id":1}}}}',
    ],
    [
      'a ref to a snapshot that is gone',
      '{"metadata":{"snapshots":[{"snapshot-id":2}],"refs":{"a":{"snapshot-id":1}}}}',
    ],
    [
      'texts beyond ASCII',
      '{"metadata":{"location":"grün","snapshots":[{"snapshot-id":1,"summary":{"a":"ß€😀"}}],"refs":{"a":{"snapshot-id":1}}},"config":{"k":"é"}}',
    ],
  ])('holds for %s', (_, written) => {
    expect(parseWithRefs(bytesOf(written))).toEqual(oracle(written));
  });

  it.each(['', '<html>', '{"metadata":{"snapshots":[{"snapshot-id":1', '{"metadata":{"snapshots":[{}', '"abc', '[1,2'])(
    'refuses %s',
    (written) => {
      expect(() => parseWithRefs(bytesOf(written))).toThrow(SyntaxError);
    },
  );

  it.each([null, -1, undefined])('a table without snapshots says %s', (current) => {
    const answer = {
      metadata: { ...(current === undefined ? {} : { 'current-snapshot-id': current }), refs: {}, snapshots: [] },
    };
    const text = JSON.stringify(answer);
    expect(parseWithRefs(bytesOf(text))).toEqual(parseJson(text));
  });
});

describe('the answer to a commit from its first bytes', () => {
  const own = {
    'snapshot-id': 8271638172635172635n,
    'parent-snapshot-id': 11n,
    'timestamp-ms': 5,
    summary: { operation: 'append' },
  } as const;
  const updates = [{ action: 'add-snapshot', snapshot: own }] as const;
  const main = { main: { 'snapshot-id': own['snapshot-id'], type: 'branch' } };
  const before = {
    'format-version': 2,
    'table-uuid': 'u',
    location: 's3://b/t',
    'last-sequence-number': 7,
    'last-updated-ms': 5,
    'last-column-id': 1,
    'current-schema-id': 0,
    schemas: [{ type: 'struct', 'schema-id': 0, fields: [] }],
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: [] }],
    'last-partition-id': 999,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    properties: { 'a"snapshots":[': '1' },
    'current-snapshot-id': own['snapshot-id'],
    refs: main,
  };
  const after = { snapshots: [{ 'snapshot-id': 11n }, own], 'snapshot-log': [] };
  /** What the catalog has sent when the list has begun. */
  const first = (metadata: object): Uint8Array => {
    const text = stringifyJson({ 'metadata-location': 's3://b/m.json', metadata: { ...metadata, ...after } });
    return bytesOf(text.slice(0, text.lastIndexOf('"operation"')));
  };

  it('is that of a whole one with the snapshot that refs name, without what comes after the list', () => {
    expect(parseHead(first(before), updates)).toEqual({
      'metadata-location': 's3://b/m.json',
      metadata: { ...before, snapshots: [own] },
    });
  });

  it.each<[string, object]>([
    ['another has moved the branch since', { ...before, refs: { main: { 'snapshot-id': 12n, type: 'branch' } } }],
    ['another ref is there', { ...before, refs: { ...main, audit: { 'snapshot-id': 11n, type: 'branch' } } }],
    ['the current snapshot is another', { ...before, 'current-snapshot-id': 11n }],
    ['refs come later', { ...before, refs: undefined }],
    ['format v3 and its next row id comes later', { ...before, 'format-version': 3 }],
    ...Object.keys(before).map((key): [string, object] => [`${key} comes later`, { ...before, [key]: undefined }]),
  ])('asks for the rest where %s', (_, metadata) => {
    expect(parseHead(first(metadata), updates)).toBeNull();
  });

  it('asks for the rest where the request added no snapshot, or the list has not begun', () => {
    expect(parseHead(first(before), [])).toBeNull();
    const text = new TextDecoder().decode(first(before));
    expect(parseHead(bytesOf(text.slice(0, text.indexOf('"snapshots":[{'))), updates)).toBeNull();
  });
});
