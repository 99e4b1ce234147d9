import type { TabletopicError } from '../errors.ts';

/**
 * Contract of the Kafka side. Offsets are JavaScript numbers: exact up to 2^53, which the client checks.
 */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface TopicDescription {
  readonly name: string;
  /** UUID in the canonical hyphenated form (KIP-516). */
  readonly id: string;
  readonly partitions: readonly { readonly partition: number; readonly leaderEpoch: number }[];
}

export type Isolation = 'read_committed' | 'read_uncommitted';

/** Where in a partition: the log start, its end, or the first record at or after a time (ms). */
export type OffsetQuery = 'earliest' | 'latest' | { readonly timestamp: number };

/**
 * One reader of one partition for one table. A partition that feeds several tables has a lane for each, so that tables
 * advance, stop and catch up independently of each other.
 */
export interface Lane extends TopicPartition {
  /** Unique in the process; the worker's key for it. */
  readonly id: number;
  /** Index of the worker that owns the lane: a fetch response holds lanes of one worker only. */
  readonly worker: number;
}

/** What one fetch brought for one lane. The buffer is owned by the receiver, which may transfer it. */
export interface FetchedRecords {
  readonly lane: Lane;
  /** Incremented by every `seek`; what was asked for before the seek is not delivered after it. */
  readonly generation: number;
  /** Record batches as Kafka sent them (KIP-98 format v2); the last one is whole. May start before `fetchOffset`. */
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly fetchOffset: number;
  /** First offset after the last whole batch (or after offsets known to be absent): where the next fetch starts. */
  readonly nextOffset: number;
  /** Records from here on are not wanted, though the buffer may hold some; left out: all are. */
  readonly endOffset?: number;
  readonly highWatermark: number;
  /** Equal to the high watermark under read_uncommitted. */
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  /** Leader epoch of the last batch, or -1. */
  readonly leaderEpoch: number;
  /** Aborted transactions of the range (read_committed), by first offset. */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[];
  /** Wall clock of the answer, ms. */
  readonly fetchedAt: number;
}

export interface SourceHandlers {
  /** Partitions newly assigned to this member. Fetching starts with `addLane`. */
  onAssigned(partitions: readonly TopicPartition[]): Promise<void>;
  /** Awaited (within the bound) before the revocation is acknowledged: cut and commit here. */
  onRevoked(partitions: readonly TopicPartition[]): Promise<void>;
  /** The session is gone and others own the partitions already: give up without committing. */
  onLost(partitions: readonly TopicPartition[]): Promise<void>;
  /** Records of a lane, in offset order. */
  onFetched(records: FetchedRecords): void;
  /** At the end of the partition: nothing new at `offset` (also carries the watermarks). At most once a second per lane. */
  onIdle(lane: Lane, offset: number, highWatermark: number, lastStableOffset: number, fetchedAt: number): void;
  /** A lane cannot go on (`KAFKA_OFFSETS_DELETED`, `KAFKA_LOG_TRUNCATED`, `KAFKA_TOPIC_MISSING` …); it is paused. */
  onLaneError(lane: Lane, error: TabletopicError): void;
  /** Topics that match the subscription appeared, vanished or gained partitions. */
  onTopics(topics: readonly TopicDescription[]): void;
  /** Connected or not: readiness and the log. */
  onHealth(state: { readonly connected: boolean; readonly error?: TabletopicError }): void;
}

/** The broker seen by one process: metadata, offsets, membership, fetching. */
export interface Source {
  /** Connects and reads the cluster id; retries while no broker answers (told to `onHealth`, which is heard until `subscribe`), rejects on `KAFKA_AUTH`. */
  connect(signal?: AbortSignal, onHealth?: SourceHandlers['onHealth']): Promise<{ readonly clusterId: string }>;
  /** Descriptions of the named topics and of those matching a pattern. A named topic that is missing is left out. */
  describeTopics(names: readonly string[], patterns?: readonly RegExp[]): Promise<TopicDescription[]>;
  /** One offset per query; `timestamp` beyond the end gives the end. Under read_committed, `latest` is the last stable offset. */
  listOffsets(queries: readonly (TopicPartition & { readonly at: OffsetQuery })[]): Promise<number[]>;
  /** KIP-320: end offset of `leaderEpoch` in the partition's log, or -1 where unknown. */
  endOffsetForEpoch(partition: TopicPartition, leaderEpoch: number): Promise<number>;
  /** Joins the group and keeps membership until `close`. Topics found later by the patterns are added by the source. */
  subscribe(names: readonly string[], patterns: readonly RegExp[], handlers: SourceHandlers): Promise<void>;
  addLane(lane: Lane, offset: number): void;
  removeLane(lane: Lane): void;
  /** Continues at `offset` with a new generation, which is returned. Clears a lane error. */
  seek(lane: Lane, offset: number): number;
  /** Fetching of these lanes stops (what is under way is still delivered) or goes on. */
  pause(lane: Lane): void;
  resume(lane: Lane): void;
  /** Bytes that may be fetched and not yet given back by `release`; fetching waits while they are used up. */
  setBudget(bytes: number): void;
  release(bytes: number): void;
  /** Mirrors committed table offsets to the group, for lag tools. Failures are logged, never thrown. */
  commitOffsets(
    offsets: readonly (TopicPartition & {
      readonly offset: number;
      readonly leaderEpoch: number;
      readonly metadata: string;
    })[],
  ): Promise<void>;
  /** Leaves (or, a static member about to restart, does not leave) the group and closes the connections. */
  close(options?: { readonly leave?: boolean }): Promise<void>;
}
