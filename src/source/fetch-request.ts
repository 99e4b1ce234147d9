import type { FetchRequest } from './fetch-codec.ts';
import type { LaneState } from './lanes.ts';

/** What a request asks for a lane, and under which generation: an answer counts only if that still holds. */
export interface Asked {
  readonly state: LaneState;
  readonly generation: number;
  readonly offset: number;
  /** First of the request: the broker gives it at least one batch if there is any (KIP-74). */
  readonly first: boolean;
}

export interface FetchLimits {
  readonly maxBytes: number;
  readonly partitionBytes: number;
  readonly maxWait: number;
  readonly readCommitted: boolean;
}

/**
 * Which of the lanes go into the next request, in which order. A lane that must be asked alone is; otherwise who waited
 * longest comes first, since the broker fills a response in the order of the request.
 */
export function chooseLanes(ready: readonly LaneState[]): LaneState[] {
  const alone = ready.find((s) => s.alone);
  return alone === undefined ? [...ready].sort((a, b) => a.servedAt - b.servedAt || a.lane.id - b.lane.id) : [alone];
}

/**
 * How long the broker may gather records that trickle in, ms, and from how many bytes on it need not. Without it a caught-up
 * reader asks as often as producers send, hundreds of times a second, for a few records each.
 */
const GATHER = { maxWait: 20, minBytes: 64 * 1024 } as const;

/** Bytes that a request for these lanes may bring. */
export function wantedBytes(lanes: readonly LaneState[], limits: FetchLimits): number {
  const sum = lanes.reduce((bytes, s) => bytes + Math.max(limits.partitionBytes, s.atLeastBytes), 0);
  const largest = lanes.reduce((bytes, s) => Math.max(bytes, s.atLeastBytes), 0);
  return Math.max(Math.min(sum, limits.maxBytes), largest);
}

export function buildRequest(
  lanes: readonly LaneState[],
  { granted, flowing }: { readonly granted: number; readonly flowing: boolean },
  limits: FetchLimits,
  epochOf: (state: LaneState) => number,
): { request: FetchRequest; asked: Asked[] } {
  const asked = lanes.map((state, i) => ({
    state,
    generation: state.generation,
    offset: state.position,
    first: i === 0,
  }));
  const partitions = lanes.map((state) => ({
    topic: state.lane.topic,
    topicId: state.topicId,
    partition: state.lane.partition,
    currentLeaderEpoch: epochOf(state),
    offset: state.position,
    lastFetchedEpoch: state.fetchedEpoch,
    maxBytes: Math.min(Math.max(limits.partitionBytes, state.atLeastBytes), granted),
  }));
  const single = lanes.length === 1 && lanes[0]!.alone;
  // Alone, the others wait meanwhile, and the question is what is there now: no long poll.
  const wait = flowing
    ? { ...GATHER, maxWait: Math.min(GATHER.maxWait, limits.maxWait) }
    : { maxWait: limits.maxWait, minBytes: 1 };
  const request = {
    ...(single ? { maxWait: 0, minBytes: 1 } : wait),
    maxBytes: granted,
    readCommitted: limits.readCommitted,
    partitions,
  };
  return { request, asked };
}
