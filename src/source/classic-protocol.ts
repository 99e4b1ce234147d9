import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
} from '@platformatic/kafka';
import type { JoinedMember } from './assignor.ts';
import { groupByTopic } from './membership.ts';
import type { TopicPartition } from './source.ts';

/** What members tell each other inside the classic group protocol (ConsumerProtocolSubscription, -Assignment). */

/** As Java's CooperativeStickyAssignor calls itself, so that both kinds of members may share a group. */
export const assignorName = 'cooperative-sticky';

export function encodeSubscription(
  topics: readonly string[],
  owned: readonly TopicPartition[],
  generation: number,
): Buffer {
  // The generation stands twice: as a field since version 2, and where Java's assignor kept it before.
  const userData = Buffer.alloc(4);
  userData.writeInt32BE(generation);
  return encodeConsumerProtocolSubscription({
    version: 3,
    topics: [...topics],
    ownedPartitions: groupByTopic(owned),
    generationId: generation,
    userData,
    rackId: null,
  });
}

export function decodeMember(memberId: string, metadata: Buffer): JoinedMember {
  const { topics, ownedPartitions, generationId, userData } = decodeConsumerProtocolSubscription(metadata);
  const older = userData.length >= 4 ? userData.readInt32BE(0) : -1;
  return { memberId, topics, owned: flatten(ownedPartitions), generation: Math.max(generationId, older) };
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  return encodeConsumerProtocolAssignment({ version: 0, assignedPartitions: groupByTopic(partitions) });
}

export function decodeAssignment(bytes: Buffer): TopicPartition[] {
  return flatten(decodeConsumerProtocolAssignment(bytes).assignedPartitions);
}

function flatten(topics: readonly { topic: string; partitions: number[] }[]): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
}
