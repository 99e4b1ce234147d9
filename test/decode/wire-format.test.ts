import { describe, expect, test } from 'vitest';
import { INVALID_KEY, NULL_KEY, PLAIN_KEY, WireFormatReader } from '../../src/decode/wire-format.ts';
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
