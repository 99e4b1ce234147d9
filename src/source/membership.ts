import type pino from 'pino';
import type { KafkaConfig } from '../config/config.ts';
import type { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import type { Coordinator } from './coordinator.ts';
import type { ClusterMetadata } from './metadata.ts';
import type { TopicPartition } from './source.ts';

/**
 * Contract of group membership, for both protocols.
 *
 * Maintained invariants: a partition is owned from the call of `onAssign` to the end of `onRevoke` or `onLost`; a
 * revocation is acknowledged only after `onRevoke` has resolved or its bound (`revokeTimeout`, for each of the calls)
 * has passed, and heartbeats go on meanwhile; the calls do not overlap, unless one outlasts its bound. A group cannot fence a member that was paused for longer than its session (the table does).
 */
export interface Membership {
  /** Joins and stays until `close`. */
  start(): void;
  /** The topics of the subscription, or their partitions, changed. */
  topicsChanged(): void;
  /** Writes offsets to the group. Rejects when the coordinator refuses them. */
  commit(offsets: readonly GroupOffset[]): Promise<void>;
  /** Ends in bounded time. With `leave` the group hands the partitions on at once; without, when the session ends. */
  close(options: { readonly leave: boolean }): Promise<void>;
}

export type GroupOffset = TopicPartition & {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
};

export interface MembershipHandlers {
  onAssign(partitions: readonly TopicPartition[]): Promise<void>;
  onRevoke(partitions: readonly TopicPartition[]): Promise<void>;
  onLost(partitions: readonly TopicPartition[]): Promise<void>;
  /** The member cannot go on (fenced, refused): it has given up its partitions and will not join again. */
  onFatal(error: TabletopicError): void;
}

/** What both protocols work with. */
export interface MembershipOptions {
  readonly config: KafkaConfig;
  readonly coordinator: Coordinator;
  readonly metadata: ClusterMetadata;
  readonly ports: Ports;
  readonly logger: pino.Logger;
  readonly handlers: MembershipHandlers;
  /** Names of the topics that the subscription means now. */
  readonly topics: () => readonly string[];
  /** Topics that the group reads and this member perhaps does not: the leader assigns them too, so it watches them. */
  readonly watch: (topics: readonly string[]) => void;
}

/** The member as the coordinator knows it; sent with offset commits, so that a fenced member's commit is refused. */
export interface MemberIdentity {
  readonly memberId: string;
  /** Generation (classic) or member epoch (KIP-848); -1 outside of a group. */
  readonly generation: number;
}

export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}\u0000${partition}`;
}

/** The partitions of `left` that are not in `right`. */
export function without(left: readonly TopicPartition[], right: readonly TopicPartition[]): TopicPartition[] {
  const keys = new Set(right.map(partitionKey));
  return left.filter((p) => !keys.has(partitionKey(p)));
}

/** Partitions gathered by topic, both in order. */
export function groupByTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  return [...Map.groupBy(partitions, (p) => p.topic)]
    .map(([topic, list]) => ({ topic, partitions: list.map((p) => p.partition).sort((a, b) => a - b) }))
    .sort((a, b) => (a.topic < b.topic ? -1 : 1));
}
