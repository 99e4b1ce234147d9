import { Reader, Writer } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { createFetchRequest, type FetchResponse, parseFetchResponse } from '../../src/source/fetch-codec.ts';
import { FrameCursor } from '../../src/source/frame-cursor.ts';

/** A response written with the library's writer, by the layout of the Kafka protocol guide. */
function response(): Buffer {
  const w = Writer.create().appendInt32(0).appendInt16(0).appendInt32(0);
  w.appendArray(
    [
      ['orders', 2],
      ['ÿ', 1],
    ] as [string, number][],
    (v, [topic, count]) => {
      v.appendString(topic).appendArray(
        Array.from({ length: count }, (_, i) => i),
        (u, partition) => {
          u.appendInt32(partition)
            .appendInt16(0)
            .appendInt64(2n ** 40n)
            .appendInt64(7n)
            .appendInt64(1n);
          u.appendArray(
            partition === 1
              ? [
                  [9n, 5n],
                  [8n, 3n],
                ]
              : null,
            (x, [producer, first]: bigint[]) => x.appendInt64(producer!).appendInt64(first!),
          );
          u.appendInt32(-1).appendBytes(Buffer.from(`records of ${topic} ${partition}`));
          if (partition === 0) u.appendTaggedFields();
          else {
            // Tag 0, diverging epoch: epoch and end offset, 13 bytes with its own empty tags; and a tag that nobody knows.
            u.appendUnsignedVarInt(2)
              .appendUnsignedVarInt(0)
              .appendUnsignedVarInt(13)
              .appendInt32(4)
              .appendInt64(6n)
              .appendTaggedFields();
            u.appendUnsignedVarInt(9).appendUnsignedVarInt(3).append(Buffer.from('abc'));
          }
        },
        true,
        false,
      );
    },
  );
  return w.appendTaggedFields().buffer;
}

/** Reads a frame that arrives in chunks, all of them in the same memory. */
function parse(chunks: readonly Buffer[], length: number, byId = false): FetchResponse {
  const cursor = new FrameCursor();
  cursor.frame(length);
  const parsing = parseFetchResponse(cursor, byId);
  const memory = Buffer.alloc(Math.max(0, ...chunks.map((chunk) => chunk.length)));
  let wanted = 0;
  for (const chunk of [Buffer.alloc(0), ...chunks]) {
    chunk.copy(memory);
    cursor.push(memory.subarray(0, chunk.length));
    while (cursor.has(wanted)) {
      const { done, value } = parsing.next();
      if (done === true) return value;
      wanted = value;
    }
    cursor.keep();
    memory.fill(0xee);
  }
  throw new Error('the parser waits for more than there is');
}

const whole = (bytes: Buffer, byId = false): FetchResponse => parse([bytes], bytes.length, byId);

const text = (records: ArrayBuffer): string => Buffer.from(records).toString();

test('a response reads the same however it was cut into chunks', () => {
  const bytes = response();
  for (const size of [1, 2, 3, 7, 16, 1000]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    const { partitions, errorCode, throttled } = parse(chunks, bytes.length);
    expect([errorCode, throttled]).toEqual([0, false]);
    expect(partitions.map((p) => [p.topic, p.partition, text(p.records)])).toEqual([
      ['orders', 0, 'records of orders 0'],
      ['orders', 1, 'records of orders 1'],
      ['ÿ', 0, 'records of ÿ 0'],
    ]);
    expect(partitions[0]).toMatchObject({
      highWatermark: 2 ** 40,
      lastStableOffset: 7,
      logStartOffset: 1,
      aborted: [],
      diverging: null,
    });
    expect(partitions[1]).toMatchObject({
      diverging: { epoch: 4, endOffset: 6 },
      aborted: [
        { producerId: 8n, firstOffset: 3 },
        { producerId: 9n, firstOffset: 5 },
      ],
    });
    // Each has a buffer of its own, which can be transferred.
    expect(structuredClone(partitions[0]!.records, { transfer: [partitions[0]!.records] }).byteLength).toBe(19);
    expect(partitions[1]!.records.byteLength).toBe('records of orders 1'.length);
  }
});

test('a response that ends early is an error, never a wrong answer', () => {
  const bytes = response();
  for (let length = 0; length < bytes.length; length++)
    expect(() => whole(bytes.subarray(0, length))).toThrow(RangeError);
});

test('an offset that a number cannot hold exactly is refused', () => {
  const read = (value: bigint): number => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    const cursor = new FrameCursor();
    cursor.frame(8);
    cursor.push(bytes);
    return cursor.offset();
  };
  expect(() => read(2n ** 53n)).toThrow(RangeError);
  expect(read(2n ** 53n - 1n)).toBe(2 ** 53 - 1);
  expect(read(-1n)).toBe(-1);
});

test('by topic ids, a response is read and a request written with ids in the place of names', () => {
  const id = '01020304-0506-4708-890a-0b0c0d0e0f10';
  const w = Writer.create().appendInt32(0).appendInt16(0).appendInt32(0);
  w.appendArray([id], (v, topicId) => {
    v.appendUUID(topicId).appendArray([], () => {});
  });
  const empty = whole(w.appendTaggedFields().buffer, true);
  expect(empty.partitions).toEqual([]);
  const partition = {
    topic: 't',
    topicId: id,
    partition: 0,
    currentLeaderEpoch: 0,
    offset: 0,
    lastFetchedEpoch: -1,
    maxBytes: 1,
  };
  const other = { ...partition, topicId: id.replace('01', 'ff'), partition: 1 };
  const r = Reader.from(
    createFetchRequest(
      { maxWait: 0, minBytes: 1, maxBytes: 1, readCommitted: false, partitions: [partition, other] },
      true,
    ).buffer,
  );
  r.skip(25);
  const topics = r.readArray((t) => [t.readUUID(), t.readArray((p) => p.skip(32)).length]);
  expect(topics).toEqual([
    [id, 1],
    [other.topicId, 1],
  ]);
});

test('a request names the partitions in the given order, with what the leader checks', () => {
  const partition = (topic: string, n: number) => ({
    topic,
    topicId: null,
    partition: n,
    currentLeaderEpoch: 3,
    offset: 2 ** 33,
    lastFetchedEpoch: 2,
    maxBytes: 77,
  });
  const writer = createFetchRequest({
    maxWait: 500,
    minBytes: 1,
    maxBytes: 1000,
    readCommitted: true,
    partitions: [partition('b', 1), partition('b', 0), partition('a', 5), partition('b', 2)],
  });
  const r = Reader.from(writer.buffer);
  expect([
    r.readInt32(),
    r.readInt32(),
    r.readInt32(),
    r.readInt32(),
    r.readInt8(),
    r.readInt32(),
    r.readInt32(),
  ]).toEqual([-1, 500, 1, 1000, 1, 0, -1]);
  const topics = r.readArray((t) => ({
    topic: t.readString(),
    partitions: t.readArray((p) => [
      p.readInt32(),
      p.readInt32(),
      Number(p.readInt64()),
      p.readInt32(),
      Number(p.readInt64()),
      p.readInt32(),
    ]),
  }));
  expect(topics.map((t) => [t.topic, t.partitions.map((p) => p[0])])).toEqual([
    ['b', [1, 0]],
    ['a', [5]],
    ['b', [2]],
  ]);
  expect(topics[0]!.partitions[0]).toEqual([1, 3, 2 ** 33, 2, -1, 77]);
});
