import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRecordsBatch } from '../../node_modules/@platformatic/kafka/dist/protocol/records.js';
import { encodeBatch, encodeMarker, sealBatch } from '../../src/source/batch-encoder.ts';
import type { BatchToEncode, RecordToEncode } from '../../src/source/batch-encoder.ts';
import { TabletopicError } from '../../src/errors.ts';
import { BatchReader } from '../../src/source/batch-reader.ts';
import type { AbortedTransaction } from '../../src/source/batch-reader.ts';
import type { Isolation } from '../../src/source/source.ts';

const require = createRequire(import.meta.url);

interface Read {
  offset: number;
  timestamp: number;
  key: string | null;
  value: string | null;
  headers: [string, string | null][];
}

/** Everything that a reader yields, by a slow walk of its own over the positions. */
function drain(reader: BatchReader): Read[] {
  const out: Read[] = [];
  while (reader.next()) {
    const p = reader.positions;
    const text = (at: number, length: number): string | null =>
      length < 0 ? null : Buffer.from(p.bytes.subarray(at, at + length)).toString('latin1');
    for (let i = 0; i < p.count; i++) {
      const headers: [string, string | null][] = [];
      let at = p.headersStart[i]!;
      const varint = (): number => {
        let raw = 0;
        for (let shift = 0; ; shift += 7) {
          const byte = p.bytes[at++]!;
          raw += (byte & 0x7f) * 2 ** shift;
          if (byte < 128) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
        }
      };
      for (let h = 0; h < p.headersCount[i]!; h++) {
        const keyLength = varint();
        const key = text(at, keyLength)!;
        at += keyLength;
        const valueLength = varint();
        headers.push([key, text(at, valueLength)]);
        at += Math.max(0, valueLength);
      }
      out.push({
        offset: p.offsets[i]!,
        timestamp: p.timestamps[i]!,
        key: text(p.keyStart[i]!, p.keyLength[i]!),
        value: text(p.valueStart[i]!, p.valueLength[i]!),
        headers,
      });
    }
    const { records, aborted, control, absent } = reader.counts;
    expect(records).toBe(out.length);
    expect(records + aborted + control + absent).toBe(reader.nextOffset - opened.get(reader)!);
  }
  const { records, aborted, control, absent } = reader.counts;
  expect(records).toBe(out.length);
  expect(records + aborted + control + absent).toBe(reader.nextOffset - opened.get(reader)!);
  return out;
}

const opened = new WeakMap<BatchReader, number>();

function open(reader: BatchReader, bytes: Uint8Array, from: number, aborted: AbortedTransaction[] = []): BatchReader {
  opened.set(reader, from);
  reader.open(bytes, from, aborted);
  return reader;
}

function reader(isolation: Isolation = 'read_committed'): BatchReader {
  return new BatchReader({ isolation, maxBatchBytes: 16 << 20 });
}

const seen = (record: RecordToEncode, logAppendTime?: number): Read => ({
  offset: record.offset,
  timestamp: logAppendTime ?? record.timestamp,
  key: record.key === null ? null : Buffer.from(record.key).toString('latin1'),
  value: record.value === null ? null : Buffer.from(record.value).toString('latin1'),
  headers: (record.headers ?? []).map(([key, value]) => [
    key,
    value === null ? null : Buffer.from(value).toString('latin1'),
  ]),
});

const row = (offset: number, value = `v${offset}`): RecordToEncode => ({
  offset,
  timestamp: 1_700_000_000_000 + offset,
  key: null,
  value: Buffer.from(value),
});
const batchOf = (from: number, to: number, more: Partial<BatchToEncode> = {}): Buffer =>
  encodeBatch({ baseOffset: from, records: Array.from({ length: to - from }, (_, i) => row(from + i)), ...more });
const offsets = (records: Read[]): number[] => records.map((record) => record.offset);

describe('records', () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null });
  const header = fc.tuple(fc.string({ unit: fc.constantFrom('a', 'b', '_'), maxLength: 90 }), bytes);
  const batches = fc.array(
    fc.record({
      gap: fc.nat({ max: 3 }),
      tail: fc.nat({ max: 2 }),
      compression: fc.constantFrom(
        'none' as const,
        'gzip' as const,
        'snappy' as const,
        'lz4' as const,
        'zstd' as const,
      ),
      logAppendTime: fc.option(fc.constantFrom(0, 1_700_000_000_123), { nil: undefined }),
      records: fc.array(
        fc.record({
          hole: fc.nat({ max: 2 }),
          timestamp: fc.oneof(fc.constant(-1), fc.nat(), fc.integer({ min: 0, max: 2 ** 50 })),
          key: bytes,
          value: bytes,
          headers: fc.array(header, { maxLength: 3 }),
        }),
        { maxLength: 12 },
      ),
    }),
    { minLength: 1, maxLength: 6 },
  );

  test('come out as they were written, from any offset on', () => {
    fc.assert(
      fc.property(
        batches,
        fc.integer({ min: 0, max: 2 ** 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (plan, start, cut) => {
          let offset = start;
          const expected: Read[] = [];
          const buffers = plan.map((batch) => {
            offset += batch.gap;
            const baseOffset = offset;
            const records: RecordToEncode[] = batch.records.map((record) => ({
              ...record,
              offset: (offset += record.hole + 1) - 1,
            }));
            offset += batch.tail;
            if (offset === baseOffset) offset++;
            expected.push(...records.map((record) => seen(record, batch.logAppendTime)));
            return encodeBatch({
              baseOffset,
              lastOffset: offset - 1,
              records,
              compression: batch.compression,
              ...(batch.logAppendTime === undefined ? {} : { logAppendTime: batch.logAppendTime }),
            });
          });
          const all = Buffer.concat(buffers);
          const from = start + Math.floor(cut * (offset - start));
          const it = open(reader(), all, from);
          expect(drain(it)).toEqual(expected.filter((record) => record.offset >= from));
          expect(it.nextOffset).toBe(Math.max(offset, from));
          expect(it.counts.aborted + it.counts.control).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a changed byte is found, and any bytes end', () => {
    const good = Buffer.concat([
      batchOf(0, 5, { compression: 'zstd' }),
      batchOf(5, 9),
      encodeMarker(9, 7n, 0, false, 0),
    ]);
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Buffer.from(good);
        bytes[at] = bytes[at]! ^ flip;
        try {
          drain(open(reader(), bytes, 0));
        } catch (error) {
          expect(error).toBeInstanceOf(TabletopicError);
          expect((error as TabletopicError).code).toBe('KAFKA_CORRUPT_BATCH');
          return;
        }
        // Base offset and leader epoch stand outside of the checksum (KIP-98).
        const inBatch = [
          0,
          batchOf(0, 5, { compression: 'zstd' }).length,
          good.length - encodeMarker(9, 7n, 0, false, 0).length,
        ].findLast((start) => start <= at)!;
        const field = at - inBatch;
        expect(field < 8 || (field >= 12 && field < 16)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('what a batch was decompressed to is given back before the next one', () => {
    const large = (from: number): Buffer =>
      encodeBatch({ baseOffset: from, compression: 'zstd', records: [row(from, 'x'.repeat(100_000))] });
    const it = open(reader(), Buffer.concat([large(0), large(1)]), 0);
    const held: ArrayBufferLike[] = [];
    while (it.next()) {
      held.push(it.positions.bytes.buffer);
      expect(held.map((buffer) => (buffer as ArrayBuffer).detached)).toEqual(
        held.length === 1 ? [false] : [true, false],
      );
    }
    expect(held.map((buffer) => (buffer as ArrayBuffer).detached)).toEqual([true, true]);
  });

  test('damage under a right checksum gives an error, never a hang or a read outside', () => {
    const encodings = (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).map((compression) =>
      encodeBatch({
        baseOffset: 0,
        compression,
        records: [
          {
            ...row(0),
            headers: [
              ['trace', Buffer.from('x'.repeat(80))],
              ['n', null],
            ],
          },
          row(1, 'y'.repeat(300)),
          { ...row(2), value: null },
        ],
      }),
    );
    const it = reader();
    fc.assert(
      fc.property(
        fc.constantFrom(...encodings),
        fc.array(fc.tuple(fc.nat({ max: 500 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        (good, changes) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[21 + (at % (bytes.length - 21))] = value;
          sealBatch(bytes);
          try {
            opened.set(it, 0);
            it.open(bytes, 0, []);
            while (it.next()) {
              const p = it.positions;
              for (let i = 0; i < p.count; i++) {
                expect(p.keyStart[i]! + Math.max(0, p.keyLength[i]!)).toBeLessThanOrEqual(p.bytes.length);
                expect(p.valueStart[i]! + Math.max(0, p.valueLength[i]!)).toBeLessThanOrEqual(p.bytes.length);
              }
            }
          } catch (error) {
            if (!(error instanceof TabletopicError)) throw error;
            expect(error.code).toBe('KAFKA_CORRUPT_BATCH');
          }
        },
      ),
      { numRuns: 5000 },
    );
  });

  test('random bytes give an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        expect(() => drain(open(reader(), bytes, 0))).toThrow(TabletopicError);
      }),
    );
  });

  test('a batch over the limit is refused', () => {
    const big = encodeBatch({
      baseOffset: 0,
      compression: 'zstd',
      records: [{ offset: 0, timestamp: 0, key: null, value: Buffer.alloc(2_000_000) }],
    });
    const small = new BatchReader({ isolation: 'read_committed', maxBatchBytes: 1_000_000 });
    expect(() => drain(open(small, big, 0))).toThrow(/zstd data cannot be read/);
  });

  test.each([0, 1])('message format v%i is named', (magic) => {
    const bytes = Buffer.from(batchOf(0, 2));
    bytes[16] = magic;
    expect(() => drain(open(reader(), bytes, 0))).toThrow(`message format v${magic} is not supported`);
  });

  test('a batch that begins before the end of the last one is refused', () => {
    expect(() => drain(open(reader(), Buffer.concat([batchOf(0, 5), batchOf(4, 8)]), 0))).toThrow(/base offset 4/);
  });
});

describe('other encoders', () => {
  test('@platformatic/kafka', () => {
    for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const messages = Array.from({ length: 50 }, (_, i) => ({
        topic: 't',
        key: Buffer.from(`k${i}`),
        value: i % 7 === 0 ? null : Buffer.from('v'.repeat(i * 5)),
        headers: new Map([[Buffer.from('h'), Buffer.from(`${i}`)]]),
        timestamp: BigInt(1_700_000_000_000 + i * 1000),
      }));
      const bytes = (createRecordsBatch(messages as never, { compression } as never) as unknown as { buffer: Buffer })
        .buffer;
      expect(drain(open(reader(), bytes, 0))).toEqual(
        messages.map((message, i) => ({
          offset: i,
          timestamp: 1_700_000_000_000 + i * 1000,
          key: `k${i}`,
          value: message.value === null ? null : 'v'.repeat(i * 5),
          headers: [['h', `${i}`]],
        })),
      );
    }
  });

  test('kafkajs', async () => {
    const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
      RecordBatch: (batch: object) => Promise<{ buffer: Buffer }>;
    };
    const record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (record: object) => object;
    for (const compression of [0, 1]) {
      const records = Array.from({ length: 200 }, (_, i) =>
        record({
          offsetDelta: i,
          timestampDelta: i * 3,
          key: i % 3 === 0 ? null : `key-${i}`,
          value: `value-${i}`,
          headers: { source: 'test', many: ['a', 'b'] },
        }),
      );
      const { buffer } = await RecordBatch({
        compression,
        firstOffset: 1000,
        firstTimestamp: 1_690_000_000_000,
        maxTimestamp: 1_690_000_000_597,
        lastOffsetDelta: 199,
        records,
      });
      expect(drain(open(reader(), buffer, 1100))).toEqual(
        Array.from({ length: 100 }, (_, n) => n + 100).map((i) => ({
          offset: 1000 + i,
          timestamp: 1_690_000_000_000 + i * 3,
          key: i % 3 === 0 ? null : `key-${i}`,
          value: `value-${i}`,
          headers: [
            ['source', 'test'],
            ['many', 'a'],
            ['many', 'b'],
          ],
        })),
      );
    }
  });
});

describe('transactions', () => {
  const tx = (producer: bigint): Partial<BatchToEncode> => ({
    transactional: true,
    producerId: producer,
    producerEpoch: 0,
    baseSequence: 0,
  });
  // Producer 1 commits 0–2, aborts 4–6; 2, in between, commits; 3 has no transaction.
  const log = Buffer.concat([
    batchOf(0, 3, tx(1n)),
    encodeMarker(3, 1n, 0, true, 0),
    batchOf(4, 6, tx(1n)),
    batchOf(6, 8, tx(2n)),
    batchOf(8, 9),
    batchOf(9, 10, tx(1n)),
    encodeMarker(10, 1n, 0, false, 0),
    encodeMarker(11, 2n, 0, true, 0),
    batchOf(12, 14, tx(1n)),
    encodeMarker(14, 1n, 0, true, 0),
  ]);
  const aborted = [{ producerId: 1n, firstOffset: 4 }];

  test('aborted records and markers are counted, not given', () => {
    const it = open(reader(), log, 0, aborted);
    expect(offsets(drain(it))).toEqual([0, 1, 2, 6, 7, 8, 12, 13]);
    expect(it.counts).toEqual({ records: 8, aborted: 3, control: 4, absent: 0 });
    expect(it.nextOffset).toBe(15);
  });

  test('read_uncommitted gives them, without the markers', () => {
    const it = open(reader('read_uncommitted'), log, 0, []);
    expect(offsets(drain(it))).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9, 12, 13]);
    expect(it.counts).toEqual({ records: 11, aborted: 0, control: 4, absent: 0 });
  });

  test('from an offset within an aborted batch', () => {
    const it = open(reader(), log, 5, aborted);
    expect(offsets(drain(it))).toEqual([6, 7, 8, 12, 13]);
    expect(it.counts).toEqual({ records: 5, aborted: 2, control: 3, absent: 0 });
  });

  test('a response walked in pieces: the marker of the first piece holds for the second', () => {
    const split = log.length - batchOf(12, 14, tx(1n)).length - encodeMarker(14, 1n, 0, true, 0).length;
    const it = open(reader(), log.subarray(0, split), 0, aborted);
    drain(it);
    expect(offsets(drain(open(it, log.subarray(split), 12, aborted)))).toEqual([12, 13]);
  });

  test('a transaction over two responses, listed in both', () => {
    const split = Buffer.concat([batchOf(0, 3, tx(1n)), encodeMarker(3, 1n, 0, true, 0), batchOf(4, 6, tx(1n))]).length;
    const it = open(reader(), log.subarray(0, split), 0, aborted);
    expect(offsets(drain(it))).toEqual([0, 1, 2]);
    expect(offsets(drain(open(it, log.subarray(split), 6, aborted)))).toEqual([6, 7, 8, 12, 13]);
  });

  test('an aborted transaction whose marker was compacted away between two responses does not hide the next', () => {
    const it = open(reader(), batchOf(4, 6, tx(1n)), 4, aborted);
    expect(drain(it)).toEqual([]);
    const later = open(it, batchOf(20, 22, tx(1n)), 6, []);
    expect(offsets(drain(later))).toEqual([20, 21]);
    expect(later.counts.absent).toBe(14);
  });

  test('reading again from before the marker', () => {
    const it = open(reader(), log, 0, aborted);
    const first = drain(it);
    expect(drain(open(it, log, 0, aborted))).toEqual(first);
    it.reset();
    expect(drain(open(it, log, 0, aborted))).toEqual(first);
  });

  test('two aborted transactions of one producer with a committed one between', () => {
    const bytes = Buffer.concat([
      batchOf(0, 1, tx(5n)),
      encodeMarker(1, 5n, 0, false, 0),
      batchOf(2, 3, tx(5n)),
      encodeMarker(3, 5n, 0, true, 0),
      batchOf(4, 5, tx(5n)),
      encodeMarker(5, 5n, 0, false, 0),
    ]);
    const it = open(reader(), bytes, 0, [
      { producerId: 5n, firstOffset: 4 },
      { producerId: 5n, firstOffset: 0 },
    ]);
    expect(offsets(drain(it))).toEqual([2]);
    expect(it.counts).toEqual({ records: 1, aborted: 2, control: 3, absent: 0 });
  });

  test('a control batch emptied by compaction is absent', () => {
    const bytes = encodeBatch({
      baseOffset: 3,
      lastOffset: 3,
      records: [],
      control: true,
      transactional: true,
      producerId: 1n,
    });
    const it = open(reader(), bytes, 0, []);
    expect(drain(it)).toEqual([]);
    expect(it.counts).toEqual({ records: 0, aborted: 0, control: 0, absent: 4 });
  });
});
