import { Writer } from '@platformatic/kafka';
import type { FrameCursor, Parsing } from './frame-cursor.ts';

/**
 * Kafka's Fetch API (KIP-74, KIP-98, KIP-320) without sessions: version 12, the last that names topics, and version 13,
 * the first that says their ids (KIP-516), so that a topic made anew under the same name is refused by the broker.
 */

export interface FetchPartition {
  readonly topic: string;
  /** Of the topic that is meant, or null where it is not known: then only version 12 can ask. */
  readonly topicId: string | null;
  readonly partition: number;
  /** -1: the leader does not check it. */
  readonly currentLeaderEpoch: number;
  readonly offset: number;
  /** Epoch of the last record before `offset`, or -1: the leader compares it with its log (diverging epoch). */
  readonly lastFetchedEpoch: number;
  readonly maxBytes: number;
}

export interface FetchRequest {
  /** Longest time that the broker waits for `minBytes`, ms; then it answers with what there is. */
  readonly maxWait: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly readCommitted: boolean;
  readonly partitions: readonly FetchPartition[];
}

export interface FetchedPartition {
  /** Name (version 12) or id (version 13). */
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
  /** Set when the log no longer holds what was read before `offset`: where the two histories part. */
  readonly diverging: { readonly epoch: number; readonly endOffset: number } | null;
  /** Record batches, the last of which may be cut off. A buffer of its own. */
  readonly records: ArrayBuffer;
}

export interface FetchResponse {
  readonly throttled: boolean;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

const noAborted: readonly never[] = [];

export const fetchKey = 1;

export function createFetchRequest(request: FetchRequest, byId = false): Writer {
  const writer = Writer.create()
    .appendInt32(-1) // replica id: a consumer
    .appendInt32(request.maxWait)
    .appendInt32(request.minBytes)
    .appendInt32(request.maxBytes)
    .appendInt8(request.readCommitted ? 1 : 0)
    .appendInt32(0) // session id and epoch 0, -1: no incremental session (KIP-227), every request is complete
    .appendInt32(-1);
  writer.appendArray(byTopic(request.partitions), (w, partitions) => {
    if (byId) w.appendUUID(partitions[0]!.topicId);
    else w.appendString(partitions[0]!.topic);
    w.appendArray(partitions, (v, p) => {
      v.appendInt32(p.partition)
        .appendInt32(p.currentLeaderEpoch)
        .appendInt64(BigInt(p.offset))
        .appendInt32(p.lastFetchedEpoch)
        .appendInt64(-1n) // log start offset: of followers only
        .appendInt32(p.maxBytes);
    });
  });
  return writer
    .appendArray([], () => {}) // forgotten topics: of sessions only
    .appendString('') // rack
    .appendTaggedFields();
}

/** Neighbours of one topic under one heading. The order is kept: the broker fills partitions in the order of the request. */
function byTopic(partitions: readonly FetchPartition[]): FetchPartition[][] {
  const groups: FetchPartition[][] = [];
  for (const p of partitions) {
    const last = groups.at(-1);
    if (last !== undefined && last[0]!.topic === p.topic && last[0]!.topicId === p.topicId) last.push(p);
    else groups.push([p]);
  }
  return groups;
}

/** Throws `RangeError` when the bytes are not a Fetch response. Errors of partitions are data, not exceptions. */
export function* parseFetchResponse(cursor: FrameCursor, byId = false): Parsing<FetchResponse> {
  yield 15;
  const throttled = cursor.int32() > 0;
  const errorCode = cursor.int16();
  cursor.int32(); // session id
  const partitions: FetchedPartition[] = [];
  for (let topics = cursor.varint() - 1; topics > 0; topics--) {
    yield 16;
    const topic = byId ? cursor.uuid() : yield* compactString(cursor);
    yield 5;
    for (let count = cursor.varint() - 1; count > 0; count--) partitions.push(yield* parsePartition(topic, cursor));
    yield* cursor.tagged();
  }
  yield* cursor.tagged();
  return { throttled, errorCode, partitions };
}

function* compactString(cursor: FrameCursor): Parsing<string> {
  const length = Math.max(0, cursor.varint() - 1);
  yield length;
  return cursor.text(length);
}

function* parsePartition(topic: string, cursor: FrameCursor): Parsing<FetchedPartition> {
  yield 35;
  const partition = cursor.int32();
  const errorCode = cursor.int16();
  const highWatermark = cursor.offset();
  const lastStableOffset = cursor.offset();
  const logStartOffset = cursor.offset();
  const aborted = yield* parseAborted(cursor);
  yield 9;
  cursor.int32(); // preferred read replica: needs a rack
  const size = cursor.varint() - 1;
  const records = size > 0 ? (yield* cursor.fill(size)).buffer : new ArrayBuffer(0);
  let diverging: FetchedPartition['diverging'] = null;
  // Of the two fields of a diverging epoch; tags of its own, which there are none of, are skipped with the rest.
  yield* cursor.tagged((tag, size) => {
    if (tag !== 0) return false;
    const after = cursor.left - size;
    diverging = { epoch: cursor.int32(), endOffset: cursor.offset() };
    cursor.skip(cursor.left - after);
    return true;
  });
  return { topic, partition, errorCode, highWatermark, lastStableOffset, logStartOffset, aborted, diverging, records };
}

function* parseAborted(cursor: FrameCursor): Parsing<FetchedPartition['aborted']> {
  const count = cursor.varint() - 1; // -1: null
  if (count <= 0) return noAborted;
  const aborted = [];
  for (let i = 0; i < count; i++) {
    yield 16;
    aborted.push({ producerId: cursor.int64(), firstOffset: cursor.offset() });
    yield* cursor.tagged();
  }
  return aborted.sort((a, b) => a.firstOffset - b.firstOffset);
}
