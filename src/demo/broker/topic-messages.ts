import { api } from './api-definition.ts';
import type { ApiDefinition } from './api-definition.ts';

/** Requests about topics and the broker itself, by Kafka's message definitions. */
export const topicApis: readonly ApiDefinition[] = [
  api(
    'ApiVersions',
    18,
    0,
    3,
    3,
    `
    clientSoftwareName string 3+
    clientSoftwareVersion string 3+`,
    `
    errorCode int16
    apiKeys []
      apiKey int16
      minVersion int16
      maxVersion int16
    throttleTimeMs int32 1+`,
  ),
  api(
    'Metadata',
    3,
    0,
    12,
    9,
    `
    topics []
      topicId uuid 10+
      name string
    allowAutoTopicCreation bool 4+
    includeClusterAuthorizedOperations bool 8-10
    includeTopicAuthorizedOperations bool 8+`,
    `
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
    clusterAuthorizedOperations int32 8-10`,
  ),
  api(
    'CreateTopics',
    19,
    0,
    7,
    5,
    `
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
    validateOnly bool 1+`,
    `
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
        isSensitive bool`,
  ),
  api(
    'DeleteTopics',
    20,
    0,
    6,
    4,
    `
    topics [] 6+
      name string
      topicId uuid
    topicNames []string 0-5
    timeoutMs int32`,
    `
    throttleTimeMs int32 1+
    responses []
      name string
      topicId uuid 6+
      errorCode int16
      errorMessage string 5+`,
  ),
  api(
    'DescribeConfigs',
    32,
    1,
    4,
    4,
    `
    resources []
      resourceType int8
      resourceName string
      configurationKeys []string
    includeSynonyms bool
    includeDocumentation bool 3+`,
    `
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
        documentation string 3+`,
  ),
  api(
    'CreatePartitions',
    37,
    0,
    3,
    2,
    `
    topics []
      name string
      count int32
      assignments []
        brokerIds []int32
    timeoutMs int32
    validateOnly bool`,
    `
    throttleTimeMs int32
    results []
      name string
      errorCode int16
      errorMessage string`,
  ),
];
