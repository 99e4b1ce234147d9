import { NODE_ID } from './context.ts';
import type { BrokerContext, Handler } from './context.ts';
import { BrokerError, KafkaError, orCode } from './error-codes.ts';
import { partitionKey } from './groups.ts';
import type { JoinRequest } from './group.ts';
import type { Message } from './message-codec.ts';

interface FindCoordinatorRequest {
  readonly key?: string;
  readonly coordinatorKeys?: readonly string[];
}

export const findCoordinator: Handler<FindCoordinatorRequest> = (broker, request) => {
  const node = { errorCode: 0, errorMessage: null, nodeId: NODE_ID, host: broker.host, port: broker.port };
  return { ...node, coordinators: (request.coordinatorKeys ?? []).map((key) => ({ key, ...node })) };
};

type JoinGroupRequest = Omit<JoinRequest, 'rebalanceTimeoutMs' | 'groupInstanceId' | 'clientId'> & {
  readonly groupId: string;
  readonly rebalanceTimeoutMs?: number;
  readonly groupInstanceId?: string | null;
};

/** Shortest and longest session (`group.min.session.timeout.ms`, `group.max.session.timeout.ms`). */
const MIN_SESSION_MS = 100;
const MAX_SESSION_MS = 1_800_000;

export const joinGroup: Handler<JoinGroupRequest> = async (broker, request, { version, clientId }) => {
  try {
    if (request.groupId === '') throw new BrokerError('INVALID_GROUP_ID');
    if (request.sessionTimeoutMs < MIN_SESSION_MS || request.sessionTimeoutMs > MAX_SESSION_MS)
      throw new BrokerError('INVALID_SESSION_TIMEOUT');
    const joined = await broker.groups.group(request.groupId).join({
      ...request,
      clientId,
      groupInstanceId: request.groupInstanceId ?? null,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs ?? request.sessionTimeoutMs,
      // The metadata outlives the request that it is a view of.
      protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
      requireMemberId: version >= 4,
      supportsSkipping: version >= 9,
    });
    return { ...joined };
  } catch (error) {
    return {
      generationId: -1,
      protocolName: '',
      leader: '',
      memberId: request.memberId,
      members: [],
      errorCode: codeOf(error),
    };
  }
};

interface SyncGroupRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId?: string | null;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
}

export const syncGroup: Handler<SyncGroupRequest> = async (broker, request) => {
  try {
    const group = groupOf(broker, request.groupId);
    const assignment = await group.sync(
      request.memberId,
      request.groupInstanceId ?? null,
      request.generationId,
      request.assignments,
    );
    return { errorCode: 0, protocolType: group.protocolType, protocolName: group.protocol, assignment };
  } catch (error) {
    return { errorCode: codeOf(error), assignment: Buffer.alloc(0) };
  }
};

interface HeartbeatRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId?: string | null;
}

export const heartbeat: Handler<HeartbeatRequest> = (broker, request) =>
  orCode(
    () => {
      groupOf(broker, request.groupId).heartbeat(
        request.memberId,
        request.groupInstanceId ?? null,
        request.generationId,
      );
      return {};
    },
    () => ({}),
  );

interface LeaveGroupRequest {
  readonly groupId: string;
  readonly memberId?: string;
  readonly members?: readonly { readonly memberId: string; readonly groupInstanceId: string | null }[];
}

export const leaveGroup: Handler<LeaveGroupRequest> = (broker, request) => {
  const leave = (memberId: string, instanceId: string | null): Message =>
    orCode(
      () => {
        groupOf(broker, request.groupId).leave(memberId, instanceId);
        return {};
      },
      () => ({}),
    );
  if (request.memberId !== undefined) return leave(request.memberId, null);
  return {
    errorCode: 0,
    members: (request.members ?? []).map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      ...leave(memberId, groupInstanceId),
    })),
  };
};

export interface CommitTopics {
  readonly name: string;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly committedOffset: number;
    readonly committedLeaderEpoch?: number;
    readonly committedMetadata: string | null;
  }[];
}

interface OffsetCommitRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId?: string | null;
  readonly topics: readonly CommitTopics[];
}

export const offsetCommit: Handler<OffsetCommitRequest> = (broker, request) => {
  const { errorCode } = orCode(
    () => {
      broker.groups
        .group(request.groupId)
        .checkCommit(request.memberId, request.groupInstanceId ?? null, request.generationId);
      return {};
    },
    () => ({}),
  );
  const offsets = broker.groups.offsets(request.groupId);
  return {
    topics: eachPartition(request.topics, (topic, one) => {
      if (errorCode !== 0) return errorCode;
      if (!broker.topics.get(topic)?.partitions[one.partitionIndex]) return KafkaError.UNKNOWN_TOPIC_OR_PARTITION;
      offsets.set(partitionKey(topic, one.partitionIndex), {
        offset: one.committedOffset,
        leaderEpoch: one.committedLeaderEpoch ?? -1,
        metadata: one.committedMetadata,
      });
      return 0;
    }),
  };
};

/** The response of a commit: an error code for each partition. */
export function eachPartition(
  topics: readonly CommitTopics[],
  commit: (topic: string, partition: CommitTopics['partitions'][number]) => number,
): Message[] {
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((one) => ({ partitionIndex: one.partitionIndex, errorCode: commit(name, one) })),
  }));
}

interface OffsetTopics {
  readonly name: string;
  readonly partitionIndexes: readonly number[];
}
interface OffsetFetchRequest {
  readonly groupId?: string;
  readonly topics?: readonly OffsetTopics[] | null;
  readonly groups?: readonly { readonly groupId: string; readonly topics: readonly OffsetTopics[] | null }[];
}

export const offsetFetch: Handler<OffsetFetchRequest> = (broker, request) => {
  if (request.groups === undefined)
    return { errorCode: 0, topics: fetchedOffsets(broker, request.groupId!, request.topics ?? null) };
  return {
    groups: request.groups.map(({ groupId, topics }) => ({
      groupId,
      errorCode: 0,
      topics: fetchedOffsets(broker, groupId, topics),
    })),
  };
};

function fetchedOffsets(broker: BrokerContext, groupId: string, topics: readonly OffsetTopics[] | null): Message[] {
  const offsets = broker.groups.offsets(groupId);
  const asked =
    topics ??
    [...Map.groupBy(offsets.keys(), (key) => key.slice(0, key.lastIndexOf('/')))].map(([name, keys]) => ({
      name,
      partitionIndexes: keys.map((key) => Number(key.slice(name.length + 1))),
    }));
  return asked.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => {
      const found = offsets.get(partitionKey(name, partitionIndex));
      return {
        partitionIndex,
        committedOffset: found?.offset ?? -1,
        committedLeaderEpoch: found?.leaderEpoch ?? -1,
        metadata: found?.metadata ?? '',
        errorCode: 0,
      };
    }),
  }));
}

export const listGroups: Handler<{ readonly statesFilter?: readonly string[] }> = (broker, request) => {
  const states = request.statesFilter ?? [];
  const groups = broker.groups.all().filter((group) => states.length === 0 || states.includes(group.state));
  return {
    errorCode: 0,
    groups: groups.map((group) => ({
      groupId: group.id,
      protocolType: group.protocolType ?? '',
      groupState: group.state,
    })),
  };
};

export const describeGroups: Handler<{ readonly groups: readonly string[] }> = (broker, request) => ({
  groups: request.groups.map((groupId) => {
    const group = broker.groups.find(groupId);
    const members = [...(group?.members.values() ?? [])].map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: '/127.0.0.1',
      memberMetadata: member.protocols.find((one) => one.name === group!.protocol)?.metadata ?? Buffer.alloc(0),
      memberAssignment: member.assignment,
    }));
    return {
      errorCode: 0,
      groupId,
      groupState: group?.state ?? 'Dead',
      protocolType: group?.protocolType ?? '',
      protocolData: group?.protocol ?? '',
      members,
      authorizedOperations: -(2 ** 31),
    };
  }),
});

export const deleteGroups: Handler<{ readonly groupsNames: readonly string[] }> = (broker, request) => ({
  results: request.groupsNames.map((groupId) => ({
    groupId,
    ...orCode(
      () => {
        const group = broker.groups.find(groupId);
        if (!group && broker.groups.offsets(groupId).size === 0) throw new BrokerError('GROUP_ID_NOT_FOUND');
        if (group && group.members.size > 0) throw new BrokerError('NON_EMPTY_GROUP');
        broker.groups.delete(groupId);
        return {};
      },
      () => ({}),
    ),
  })),
});

function groupOf(broker: BrokerContext, id: string): NonNullable<ReturnType<BrokerContext['groups']['find']>> {
  const group = broker.groups.find(id);
  if (!group) throw new BrokerError('UNKNOWN_MEMBER_ID');
  return group;
}

function codeOf(error: unknown): number {
  if (error instanceof BrokerError) return error.code;
  throw error;
}
