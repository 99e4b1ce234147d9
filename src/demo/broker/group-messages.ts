import { api, topicErrors } from './api-definition.ts';
import type { ApiDefinition } from './api-definition.ts';

const offsetFetchTopics = (indent: string): string => `
  ${indent}name string
  ${indent}partitions []
  ${indent}  partitionIndex int32
  ${indent}  committedOffset int64
  ${indent}  committedLeaderEpoch int32 5+
  ${indent}  metadata string
  ${indent}  errorCode int16`;

/** Requests about consumer groups, by Kafka's message definitions. */
export const groupApis: readonly ApiDefinition[] = [
  api(
    'FindCoordinator',
    10,
    0,
    5,
    3,
    `
    key string 0-3
    keyType int8 1+
    coordinatorKeys []string 4+`,
    `
    throttleTimeMs int32 1+
    errorCode int16 0-3
    errorMessage string 1-3
    nodeId int32 0-3
    host string 0-3
    port int32 0-3
    coordinators [] 4+
      key string
      nodeId int32
      host string
      port int32
      errorCode int16
      errorMessage string`,
  ),
  api(
    'JoinGroup',
    11,
    0,
    9,
    6,
    `
    groupId string
    sessionTimeoutMs int32
    rebalanceTimeoutMs int32 1+
    memberId string
    groupInstanceId string 5+
    protocolType string
    protocols []
      name string
      metadata bytes
    reason string 8+`,
    `
    throttleTimeMs int32 2+
    errorCode int16
    generationId int32
    protocolType string 7+
    protocolName string
    leader string
    skipAssignment bool 9+
    memberId string
    members []
      memberId string
      groupInstanceId string 5+
      metadata bytes`,
  ),
  api(
    'SyncGroup',
    14,
    0,
    5,
    4,
    `
    groupId string
    generationId int32
    memberId string
    groupInstanceId string 3+
    protocolType string 5+
    protocolName string 5+
    assignments []
      memberId string
      assignment bytes`,
    `
    throttleTimeMs int32 1+
    errorCode int16
    protocolType string 5+
    protocolName string 5+
    assignment bytes`,
  ),
  api(
    'Heartbeat',
    12,
    0,
    4,
    4,
    `
    groupId string
    generationId int32
    memberId string
    groupInstanceId string 3+`,
    `
    throttleTimeMs int32 1+
    errorCode int16`,
  ),
  api(
    'LeaveGroup',
    13,
    0,
    5,
    4,
    `
    groupId string
    memberId string 0-2
    members [] 3+
      memberId string
      groupInstanceId string
      reason string 5+`,
    `
    throttleTimeMs int32 1+
    errorCode int16
    members [] 3+
      memberId string
      groupInstanceId string
      errorCode int16`,
  ),
  api(
    'OffsetCommit',
    8,
    2,
    9,
    8,
    `
    groupId string
    generationId int32
    memberId string
    groupInstanceId string 7+
    retentionTimeMs int64 2-4
    topics []
      name string
      partitions []
        partitionIndex int32
        committedOffset int64
        committedLeaderEpoch int32 6+
        committedMetadata string`,
    topicErrors.replace('1+', '3+'),
  ),
  api(
    'OffsetFetch',
    9,
    1,
    9,
    6,
    `
    groupId string 0-7
    topics [] 0-7
      name string
      partitionIndexes []int32
    groups [] 8+
      groupId string
      memberId string 9+
      memberEpoch int32 9+
      topics []
        name string
        partitionIndexes []int32
    requireStable bool 7+`,
    `
  throttleTimeMs int32 3+
  topics [] 0-7${offsetFetchTopics('  ')}
  errorCode int16 2-7
  groups [] 8+
    groupId string
    topics []${offsetFetchTopics('    ')}
    errorCode int16`,
  ),
  api(
    'ListGroups',
    16,
    0,
    4,
    3,
    `
    statesFilter []string 4+`,
    `
    throttleTimeMs int32 1+
    errorCode int16
    groups []
      groupId string
      protocolType string
      groupState string 4+`,
  ),
  api(
    'DescribeGroups',
    15,
    0,
    5,
    5,
    `
    groups []string
    includeAuthorizedOperations bool 3+`,
    `
    throttleTimeMs int32 1+
    groups []
      errorCode int16
      groupId string
      groupState string
      protocolType string
      protocolData string
      members []
        memberId string
        groupInstanceId string 4+
        clientId string
        clientHost string
        memberMetadata bytes
        memberAssignment bytes
      authorizedOperations int32 3+`,
  ),
  api(
    'DeleteGroups',
    42,
    0,
    2,
    2,
    `
    groupsNames []string`,
    `
    throttleTimeMs int32
    results []
      groupId string
      errorCode int16`,
  ),
];
