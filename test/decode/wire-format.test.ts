import { describe, expect, test } from 'vitest';
import { INVALID_KEY, NULL_KEY, PLAIN_KEY, WireFormatReader, registryIdOf } from '../../src/decode/wire-format.ts';
import { RecordPositions } from '../../src/source/record-batch.ts';

type Header = readonly [string, readonly number[] | null];
interface Item {
  readonly value: readonly number[] | null;
  readonly headers?: readonly Header[];
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; rest > 127; rest >>>= 7) out.push((rest & 127) | 128);
  return [...out, rest];
}

function positionsOf(items: readonly Item[]): RecordPositions {
  const positions = new RecordPositions();
  positions.reserve(items.length);
  const bytes: number[] = [];
  items.forEach(({ value, headers = [] }, i) => {
    positions.valueStart[i] = positions.keyStart[i] = bytes.length;
    positions.valueLength[i] = positions.keyLength[i] = value?.length ?? -1;
    bytes.push(...(value ?? []));
    positions.headersStart[i] = bytes.length;
    positions.headersCount[i] = headers.length;
    for (const [name, content] of headers)
      bytes.push(...varint(name.length), ...Buffer.from(name), ...varint(content?.length ?? -1), ...(content ?? []));
  });
  positions.bytes = Uint8Array.from(bytes);
  positions.view = new DataView(positions.bytes.buffer);
  positions.count = items.length;
  return positions;
}

function runs(
  reader: WireFormatReader,
  items: readonly Item[],
): { runs: [number, number][]; payloads: (number[] | null)[] } {
  const positions = positionsOf(items);
  const found: [number, number][] = [];
  for (let from = 0; from < items.length;) {
    const { schemaId, end } = reader.nextRun(positions, from, items.length);
    found.push([schemaId, end]);
    from = end;
  }
  const payloads = items.map((_, i) =>
    positions.payloadLength[i]! < 0
      ? null
      : [
          ...positions.bytes.subarray(
            positions.payloadStart[i],
            positions.payloadStart[i]! + positions.payloadLength[i]!,
          ),
        ],
  );
  return { runs: found, payloads };
}

const prefixed = (id: number, ...payload: number[]): Item => ({ value: [0, 0, 0, id >> 8, id & 255, ...payload] });

describe('wire format', () => {
  test('runs of equal ids; nulls belong to any run', () => {
    expect(
      runs(new WireFormatReader('confluent'), [
        { value: null },
        prefixed(300, 1),
        prefixed(300),
        { value: null },
        prefixed(2, 7, 8),
        { value: null },
      ]),
    ).toEqual({
      runs: [
        [300, 4],
        [2, 6],
      ],
      payloads: [null, [1], [], null, [7, 8], null],
    });
    expect(runs(new WireFormatReader('confluent'), [{ value: null }, { value: null }]).runs).toEqual([[NULL_KEY, 2]]);
  });

  test('no id: invalid, or the bytes themselves', () => {
    const items: Item[] = [
      { value: [1, 0, 0, 0, 1] },
      { value: [0, 0, 0] },
      { value: [] },
      { value: [0, 0xff, 0, 0, 1] },
      prefixed(1),
    ];
    expect(runs(new WireFormatReader('confluent'), items).runs).toEqual([
      [INVALID_KEY, 4],
      [1, 5],
    ]);
    expect(runs(new WireFormatReader('auto'), items).runs).toEqual([
      [PLAIN_KEY, 4],
      [1, 5],
    ]);
    expect(runs(new WireFormatReader('plain'), items)).toEqual({
      runs: [[PLAIN_KEY, 5]],
      payloads: items.map(({ value }) => value),
    });
  });

  test('a header names the schema, and the whole value is the payload; the last such header counts', () => {
    const header = (id: number): Header => ['__value_schema_id', [0, 0, 0, 0, id]];
    const items: Item[] = [
      { value: [0, 0, 0, 0, 9], headers: [['other', null], header(4), ['x', [1]]] },
      { value: [5], headers: [header(3), header(4)] },
      {
        value: [0, 0, 0, 0, 9, 1],
        headers: [
          ['__key_schema_id', [0, 0, 0, 0, 8]],
          ['__value_schema_id', null],
        ],
      },
      { value: [5], headers: [['__value_schema_id', [0, 1]]] },
    ];
    expect(runs(new WireFormatReader('confluent'), items)).toEqual({
      runs: [
        [4, 2],
        [9, 3],
        [INVALID_KEY, 4],
      ],
      payloads: [[0, 0, 0, 0, 9], [5], [1], [5]],
    });
    expect(runs(new WireFormatReader('confluent', 'key'), [items[2]!]).runs).toEqual([[8, 1]]);
  });

  test('a GUID in the header has a key of its own', () => {
    const guid = (last: number): Header => [
      '__value_schema_id',
      [1, ...Array.from({ length: 15 }, (_, i) => i * 16), last],
    ];
    const reader = new WireFormatReader('confluent');
    const items = [1, 1, 2, 1].map((last): Item => ({ value: [6], headers: [guid(last)] }));
    const [[a], [b], [c]] = runs(reader, items).runs as [[number, number], [number, number], [number, number]];
    expect([a === c, a === b, a < INVALID_KEY]).toEqual([true, false, true]);
    expect(reader.guidOf(a)).toBe('00102030-4050-6070-8090-a0b0c0d0e001');
    expect(reader.guidOf(7)).toBe(null);
  });
});

describe('the message index of Protobuf', () => {
  const id = (n: number, ...rest: number[]): number[] => [0, 0, 0, 0, n, ...rest];
  const named = (reader: WireFormatReader, items: readonly Item[]): unknown[] => {
    const { runs: found, payloads } = runs(reader, items);
    let from = 0;
    return found.flatMap(([key, end]) =>
      payloads.slice(from, (from = end)).map((payload) => [registryIdOf(key), reader.indexOf(key), payload]),
    );
  };

  test('stands between id and payload, in zigzag varints, 0 for the first message', () => {
    const reader = new WireFormatReader('confluent', 'value', true);
    const items = [id(7, 0, 9), id(7, 2, 0, 9), id(7, 2, 2, 9), id(7, 4, 2, 0, 9), id(8, 4, 2, 200, 1), id(7, 0)];
    expect(
      named(
        reader,
        items.map((value) => ({ value })),
      ),
    ).toEqual([
      [7, [0], [9]],
      [7, [0], [9]],
      [7, [1], [9]],
      [7, [1, 0], [9]],
      [8, [1, 100], []],
      [7, [0], []],
    ]);
  });

  test('messages of one schema are runs of their own, and a null belongs to any', () => {
    const reader = new WireFormatReader('confluent', 'value', true);
    const items = [id(7, 0), null, id(7, 2, 0), id(7, 2, 2)].map((value) => ({ value }));
    expect(runs(reader, items).runs.map(([, end]) => end)).toEqual([3, 4]);
  });

  test.each([
    ['none', []],
    ['cut short', [4, 2]],
    ['negative', [2, 1]],
    ['a negative count', [1]],
    ['deeper than any schema', [80, ...Array<number>(40).fill(0)]],
  ])('%s: invalid', (_, rest) => {
    const reader = new WireFormatReader('confluent', 'value', true);
    // What follows in the buffer is another record's.
    expect(reader.nextRun(positionsOf([{ value: id(7, ...rest) }, { value: [0, 0, 0, 0] }]), 0, 1).schemaId).toBe(
      INVALID_KEY,
    );
  });

  test('behind the id or GUID in a header; without one it is the first message', () => {
    const header = (...content: number[]): Item => ({ value: [9], headers: [['__value_schema_id', content]] });
    const guid = [1, ...Array.from({ length: 16 }, (_, i) => i)];
    const items = [
      header(...id(7, 4, 2, 2)),
      header(...id(7)),
      header(...guid, 2, 4),
      header(...guid),
      header(...guid, 0),
    ];
    const reader = new WireFormatReader('confluent', 'value', true);
    const keys = runs(reader, items).runs.map(([key]) => key);
    expect(keys.map((key) => reader.indexOf(key))).toEqual([[1, 1], [0], [2], [0]]);
    expect(keys.map((key) => reader.guidOf(key))).toEqual([
      null,
      null,
      '00010203-0405-0607-0809-0a0b0c0d0e0f',
      '00010203-0405-0607-0809-0a0b0c0d0e0f',
    ]);
    const bad = positionsOf([header(...id(7, 2, 2, 9))]);
    expect(reader.nextRun(bad, 0, 1).schemaId).toBe(INVALID_KEY);
  });

  test('is read of other formats only once a schema is known to be Protobuf', () => {
    const reader = new WireFormatReader('auto');
    const items = [id(7, 2, 2, 9), id(8, 2, 2, 9)].map((value) => ({ value }));
    expect(named(reader, items)).toEqual([
      [7, null, [2, 2, 9]],
      [8, null, [2, 2, 9]],
    ]);
    reader.index(7);
    expect(named(reader, items)).toEqual([
      [7, [1], [9]],
      [8, null, [2, 2, 9]],
    ]);
  });

  test('different indexes are bounded', () => {
    const reader = new WireFormatReader('confluent', 'value', true);
    const items = Array.from({ length: 5000 }, (_, i) => ({ value: id(7, 2, ...varint(i)) }));
    const { runs: found } = runs(reader, items);
    expect(found.filter(([key]) => key !== INVALID_KEY)).toHaveLength(4096);
  });
});
