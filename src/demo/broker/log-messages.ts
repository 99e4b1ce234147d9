import { api } from './api-definition.ts';
import type { ApiDefinition } from './api-definition.ts';

/** Requests about partitions, by Kafka's message definitions. */
export const logApis: readonly ApiDefinition[] = [
  api(
    'Produce',
    0,
    3,
    9,
    9,
    `
    transactionalId string
    acks int16
    timeoutMs int32
    topicData []
      name string
      partitionData []
        index int32
        records bytes`,
    `
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
    throttleTimeMs int32`,
  ),
  api(
    'Fetch',
    1,
    4,
    12,
    12,
    `
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
    rackId string 11+`,
    `
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
        records bytes`,
  ),
  api(
    'ListOffsets',
    2,
    1,
    9,
    6,
    `
    replicaId int32
    isolationLevel int8 2+
    topics []
      name string
      partitions []
        partitionIndex int32
        currentLeaderEpoch int32 4+
        timestamp int64`,
    `
    throttleTimeMs int32 2+
    topics []
      name string
      partitions []
        partitionIndex int32
        errorCode int16
        timestamp int64
        offset int64
        leaderEpoch int32 4+`,
  ),
  api(
    'OffsetForLeaderEpoch',
    23,
    0,
    4,
    4,
    `
    replicaId int32 3+
    topics []
      topic string
      partitions []
        partition int32
        currentLeaderEpoch int32 2+
        leaderEpoch int32`,
    `
    throttleTimeMs int32 2+
    topics []
      topic string
      partitions []
        errorCode int16
        partition int32
        leaderEpoch int32 1+
        endOffset int64`,
  ),
  api(
    'DeleteRecords',
    21,
    0,
    2,
    2,
    `
    topics []
      name string
      partitions []
        partitionIndex int32
        offset int64
    timeoutMs int32`,
    `
    throttleTimeMs int32
    topics []
      name string
      partitions []
        partitionIndex int32
        lowWatermark int64
        errorCode int16`,
  ),
];
