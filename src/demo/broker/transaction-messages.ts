import { api, topicErrors } from './api-definition.ts';
import type { ApiDefinition } from './api-definition.ts';

/** Requests about idempotent and transactional producers, by Kafka's message definitions. */
export const transactionApis: readonly ApiDefinition[] = [
  api(
    'InitProducerId',
    22,
    0,
    4,
    2,
    `
    transactionalId string
    transactionTimeoutMs int32
    producerId bigint 3+
    producerEpoch int16 3+`,
    `
    throttleTimeMs int32
    errorCode int16
    producerId bigint
    producerEpoch int16`,
  ),
  api(
    'AddPartitionsToTxn',
    24,
    0,
    3,
    3,
    `
    transactionalId string
    producerId bigint
    producerEpoch int16
    topics []
      name string
      partitions []int32`,
    `
    throttleTimeMs int32
    results []
      name string
      results []
        partitionIndex int32
        errorCode int16`,
  ),
  api(
    'AddOffsetsToTxn',
    25,
    0,
    3,
    3,
    `
    transactionalId string
    producerId bigint
    producerEpoch int16
    groupId string`,
    `
    throttleTimeMs int32
    errorCode int16`,
  ),
  api(
    'EndTxn',
    26,
    0,
    3,
    3,
    `
    transactionalId string
    producerId bigint
    producerEpoch int16
    committed bool`,
    `
    throttleTimeMs int32
    errorCode int16`,
  ),
  api(
    'TxnOffsetCommit',
    28,
    0,
    3,
    3,
    `
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
        committedMetadata string`,
    topicErrors.replace('1+', '0+'),
  ),
];
