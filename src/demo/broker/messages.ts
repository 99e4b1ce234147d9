import { parseDefinition } from './message-codec.ts';

/**
 * The requests that the broker answers, as in Kafka's message definitions (clients/src/main/resources/common/message).
 * Exactly these versions are announced. Tagged fields are skipped when read and never written.
 */
export interface ApiDefinition {
  readonly name: string;
  readonly key: number;
  readonly min: number;
  readonly max: number;
  /** First version with compact lengths and tagged fields (KIP-482). */
  readonly flexible: number;
  readonly request: ReturnType<typeof parseDefinition>;
  readonly response: ReturnType<typeof parseDefinition>;
}

function api(name: string, key: number, min: number, max: number, flexible: number, request: string, response: string): ApiDefinition {
  return { name, key, min, max, flexible, request: parseDefinition(request), response: parseDefinition(response) };
}

const offsetFetchTopics = (indent: string): string => `
  ${indent}name string
  ${indent}partitions []
  ${indent}  partitionIndex int32
  ${indent}  committedOffset int64
  ${indent}  committedLeaderEpoch int32 5+
  ${indent}  metadata string
  ${indent}  errorCode int16`;

const topicErrors = `
  throttleTimeMs int32 1+
  topics []
    name string
    partitions []
      partitionIndex int32
      errorCode int16`;

export const apis: readonly ApiDefinition[] = [
  // Versions below 3 carry message formats v0 and v1. Kafka itself announces 0, for clients that derive features from it (KAFKA-18659); they are refused.
  api('Produce', 0, 3, 9, 9, `
    transactionalId string
    acks int16
    timeoutMs int32
    topicData []
      name string
      partitionData []
        index int32
        records bytes`, `
    responses []
      name string
      partitionResponses []
        index int32
        errorCode int16
        baseOffset int64
        logAppendTimeMs int64
        logStartOffset int64 5+
        recordErrors [] 8+
          batchIndex int32
          batchIndexErrorMessage string
        errorMessage string 8+
    throttleTimeMs int32`),
  api('Fetch', 1, 4, 12, 12, `
    replicaId int32
    maxWaitMs int32
    minBytes int32
    maxBytes int32
    isolationLevel int8
    sessionId int32 7+
    sessionEpoch int32 7+
    topics []
      topic string
      partitions []
        partition int32
        currentLeaderEpoch int32 9+
        fetchOffset int64
        lastFetchedEpoch int32 12+
        logStartOffset int64 5+
        partitionMaxBytes int32
    forgottenTopicsData [] 7+
      topic string
      partitions []int32
    rackId string 11+`, `
    throttleTimeMs int32
    errorCode int16 7+
    sessionId int32 7+
    responses []
      topic string
      partitions []
        partitionIndex int32
        errorCode int16
        highWatermark int64
        lastStableOffset int64
        logStartOffset int64 5+
        abortedTransactions []
          producerId bigint
          firstOffset int64
        preferredReadReplica int32 11+
        records bytes`),
  api('ListOffsets', 2, 1, 9, 6, `
    replicaId int32
    isolationLevel int8 2+
    topics []
      name string
      partitions []
        partitionIndex int32
        currentLeaderEpoch int32 4+
        timestamp int64`, `
    throttleTimeMs int32 2+
    topics []
      name string
      partitions []
        partitionIndex int32
        errorCode int16
        timestamp int64
        offset int64
        leaderEpoch int32 4+`),
  api('Metadata', 3, 0, 12, 9, `
    topics []
      topicId uuid 10+
      name string
    allowAutoTopicCreation bool 4+
    includeClusterAuthorizedOperations bool 8-10
    includeTopicAuthorizedOperations bool 8+`, `
    throttleTimeMs int32 3+
    brokers []
      nodeId int32
      host string
      port int32
      rack string 1+
    clusterId string 2+
    controllerId int32 1+
    topics []
      errorCode int16
      name string
      topicId uuid 10+
      isInternal bool 1+
      partitions []
        errorCode int16
        partitionIndex int32
        leaderId int32
        leaderEpoch int32 7+
        replicaNodes []int32
        isrNodes []int32
        offlineReplicas []int32 5+
      topicAuthorizedOperations int32 8+
    clusterAuthorizedOperations int32 8-10`),
  api('OffsetCommit', 8, 2, 9, 8, `
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
        committedMetadata string`, topicErrors.replace('1+', '3+')),
  api('OffsetFetch', 9, 1, 9, 6, `
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
    requireStable bool 7+`, `
  throttleTimeMs int32 3+
  topics [] 0-7${offsetFetchTopics('  ')}
  errorCode int16 2-7
  groups [] 8+
    groupId string
    topics []${offsetFetchTopics('    ')}
    errorCode int16`),
  api('FindCoordinator', 10, 0, 5, 3, `
    key string 0-3
    keyType int8 1+
    coordinatorKeys []string 4+`, `
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
      errorMessage string`),
  api('JoinGroup', 11, 0, 9, 6, `
    groupId string
    sessionTimeoutMs int32
    rebalanceTimeoutMs int32 1+
    memberId string
    groupInstanceId string 5+
    protocolType string
    protocols []
      name string
      metadata bytes
    reason string 8+`, `
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
      metadata bytes`),
  api('Heartbeat', 12, 0, 4, 4, `
    groupId string
    generationId int32
    memberId string
    groupInstanceId string 3+`, `
    throttleTimeMs int32 1+
    errorCode int16`),
  api('LeaveGroup', 13, 0, 5, 4, `
    groupId string
    memberId string 0-2
    members [] 3+
      memberId string
      groupInstanceId string
      reason string 5+`, `
    throttleTimeMs int32 1+
    errorCode int16
    members [] 3+
      memberId string
      groupInstanceId string
      errorCode int16`),
  api('SyncGroup', 14, 0, 5, 4, `
    groupId string
    generationId int32
    memberId string
    groupInstanceId string 3+
    protocolType string 5+
    protocolName string 5+
    assignments []
      memberId string
      assignment bytes`, `
    throttleTimeMs int32 1+
    errorCode int16
    protocolType string 5+
    protocolName string 5+
    assignment bytes`),
  api('DescribeGroups', 15, 0, 5, 5, `
    groups []string
    includeAuthorizedOperations bool 3+`, `
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
      authorizedOperations int32 3+`),
  api('ListGroups', 16, 0, 4, 3, `
    statesFilter []string 4+`, `
    throttleTimeMs int32 1+
    errorCode int16
    groups []
      groupId string
      protocolType string
      groupState string 4+`),
  api('ApiVersions', 18, 0, 3, 3, `
    clientSoftwareName string 3+
    clientSoftwareVersion string 3+`, `
    errorCode int16
    apiKeys []
      apiKey int16
      minVersion int16
      maxVersion int16
    throttleTimeMs int32 1+`),
  api('CreateTopics', 19, 0, 7, 5, `
    topics []
      name string
      numPartitions int32
      replicationFactor int16
      assignments []
        partitionIndex int32
        brokerIds []int32
      configs []
        name string
        value string
    timeoutMs int32
    validateOnly bool 1+`, `
    throttleTimeMs int32 2+
    topics []
      name string
      topicId uuid 7+
      errorCode int16
      errorMessage string 1+
      numPartitions int32 5+
      replicationFactor int16 5+
      configs [] 5+
        name string
        value string
        readOnly bool
        configSource int8
        isSensitive bool`),
  api('DeleteTopics', 20, 0, 6, 4, `
    topics [] 6+
      name string
      topicId uuid
    topicNames []string 0-5
    timeoutMs int32`, `
    throttleTimeMs int32 1+
    responses []
      name string
      topicId uuid 6+
      errorCode int16
      errorMessage string 5+`),
  api('DeleteRecords', 21, 0, 2, 2, `
    topics []
      name string
      partitions []
        partitionIndex int32
        offset int64
    timeoutMs int32`, `
    throttleTimeMs int32
    topics []
      name string
      partitions []
        partitionIndex int32
        lowWatermark int64
        errorCode int16`),
  api('InitProducerId', 22, 0, 4, 2, `
    transactionalId string
    transactionTimeoutMs int32
    producerId bigint 3+
    producerEpoch int16 3+`, `
    throttleTimeMs int32
    errorCode int16
    producerId bigint
    producerEpoch int16`),
  api('OffsetForLeaderEpoch', 23, 0, 4, 4, `
    replicaId int32 3+
    topics []
      topic string
      partitions []
        partition int32
        currentLeaderEpoch int32 2+
        leaderEpoch int32`, `
    throttleTimeMs int32 2+
    topics []
      topic string
      partitions []
        errorCode int16
        partition int32
        leaderEpoch int32 1+
        endOffset int64`),
  api('AddPartitionsToTxn', 24, 0, 3, 3, `
    transactionalId string
    producerId bigint
    producerEpoch int16
    topics []
      name string
      partitions []int32`, `
    throttleTimeMs int32
    results []
      name string
      results []
        partitionIndex int32
        errorCode int16`),
  api('AddOffsetsToTxn', 25, 0, 3, 3, `
    transactionalId string
    producerId bigint
    producerEpoch int16
    groupId string`, `
    throttleTimeMs int32
    errorCode int16`),
  api('EndTxn', 26, 0, 3, 3, `
    transactionalId string
    producerId bigint
    producerEpoch int16
    committed bool`, `
    throttleTimeMs int32
    errorCode int16`),
  api('TxnOffsetCommit', 28, 0, 3, 3, `
    transactionalId string
    groupId string
    producerId bigint
    producerEpoch int16
    generationId int32 3+
    memberId string 3+
    groupInstanceId string 3+
    topics []
      name string
      partitions []
        partitionIndex int32
        committedOffset int64
        committedLeaderEpoch int32 2+
        committedMetadata string`, topicErrors.replace('1+', '0+')),
  api('DescribeConfigs', 32, 1, 4, 4, `
    resources []
      resourceType int8
      resourceName string
      configurationKeys []string
    includeSynonyms bool
    includeDocumentation bool 3+`, `
    throttleTimeMs int32
    results []
      errorCode int16
      errorMessage string
      resourceType int8
      resourceName string
      configs []
        name string
        value string
        readOnly bool
        configSource int8
        isSensitive bool
        synonyms []
          name string
          value string
          source int8
        configType int8 3+
        documentation string 3+`),
  api('CreatePartitions', 37, 0, 3, 2, `
    topics []
      name string
      count int32
      assignments []
        brokerIds []int32
    timeoutMs int32
    validateOnly bool`, `
    throttleTimeMs int32
    results []
      name string
      errorCode int16
      errorMessage string`),
  api('DeleteGroups', 42, 0, 2, 2, `
    groupsNames []string`, `
    throttleTimeMs int32
    results []
      groupId string
      errorCode int16`),
];

/** Announced for Produce, see above. */
export const PRODUCE_ANNOUNCED_MIN = 0;
