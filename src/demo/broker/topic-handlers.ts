import { NODE_ID } from './context.ts';
import type { BrokerContext, Handler } from './context.ts';
import { BrokerError, KafkaError, orCode } from './error-codes.ts';
import type { Message } from './message-codec.ts';
import { apis, PRODUCE_ANNOUNCED_MIN } from './messages.ts';
import type { BrokerTopic } from './topics.ts';

/** Authorized operations when they are not asked for (KIP-430). */
const NOT_ASKED = -(2 ** 31);
const NO_TOPIC_ID = '00000000-0000-0000-0000-000000000000';
/** As many partitions as a topic gets when nobody says (`num.partitions`). */
const DEFAULT_PARTITIONS = 1;

/** Every version that is implemented, and no other. */
export function announcedVersions(): Message[] {
  return apis.map(({ key, name, min, max }) => ({
    apiKey: key,
    minVersion: name === 'Produce' ? PRODUCE_ANNOUNCED_MIN : min,
    maxVersion: max,
  }));
}

export const apiVersions: Handler<object> = () => ({ apiKeys: announcedVersions() });

interface MetadataRequest {
  readonly topics: readonly { readonly topicId?: string; readonly name: string | null }[] | null;
  readonly allowAutoTopicCreation?: boolean;
}

export const metadata: Handler<MetadataRequest> = (broker, request, { version }) => {
  const all = request.topics === null || (version === 0 && request.topics.length === 0);
  const mayCreate = broker.autoCreateTopics && request.allowAutoTopicCreation !== false;
  return {
    brokers: [{ nodeId: NODE_ID, host: broker.host, port: broker.port, rack: null }],
    clusterId: broker.clusterId,
    controllerId: NODE_ID,
    clusterAuthorizedOperations: NOT_ASKED,
    topics: all ? broker.topics.all().map(describe) : request.topics.map((asked) => find(broker, asked, mayCreate)),
  };
};

function find(
  broker: BrokerContext,
  asked: { readonly topicId?: string; readonly name: string | null },
  mayCreate: boolean,
): Message {
  if (asked.name === null) {
    const topic = broker.topics.byId(asked.topicId ?? NO_TOPIC_ID);
    return topic
      ? describe(topic)
      : {
          errorCode: KafkaError.UNKNOWN_TOPIC_ID,
          name: null,
          topicId: asked.topicId ?? NO_TOPIC_ID,
          topicAuthorizedOperations: NOT_ASKED,
        };
  }
  const { name } = asked;
  return {
    name,
    topicAuthorizedOperations: NOT_ASKED,
    ...orCode(
      () => {
        const topic =
          broker.topics.get(name) ?? (mayCreate ? broker.topics.create(name, DEFAULT_PARTITIONS) : undefined);
        if (!topic) throw new BrokerError('UNKNOWN_TOPIC_OR_PARTITION');
        return describe(topic);
      },
      () => ({ topicId: NO_TOPIC_ID }),
    ),
  };
}

function describe(topic: BrokerTopic): Message {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: false,
    topicAuthorizedOperations: NOT_ASKED,
    partitions: topic.partitions.map((log, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      leaderId: NODE_ID,
      leaderEpoch: log.leaderEpoch,
      replicaNodes: [NODE_ID],
      isrNodes: [NODE_ID],
    })),
  };
}

interface CreateTopicsRequest {
  readonly topics: readonly {
    readonly name: string;
    readonly numPartitions: number;
    readonly assignments: readonly unknown[];
  }[];
  readonly validateOnly?: boolean;
}

/** Topic configurations are accepted and have no effect. */
export const createTopics: Handler<CreateTopicsRequest> = (broker, request) => ({
  topics: request.topics.map(({ name, numPartitions, assignments }) => {
    const partitions =
      assignments.length > 0 ? assignments.length : numPartitions === -1 ? DEFAULT_PARTITIONS : numPartitions;
    return {
      name,
      numPartitions: partitions,
      replicationFactor: 1,
      ...withMessage(() => {
        if (request.validateOnly !== true) return { topicId: broker.topics.create(name, partitions).id };
        broker.topics.check(name, partitions);
        return {};
      }),
    };
  }),
});

interface DeleteTopicsRequest {
  readonly topics?: readonly { readonly name: string | null; readonly topicId: string }[];
  readonly topicNames?: readonly string[];
}

export const deleteTopics: Handler<DeleteTopicsRequest> = (broker, request) => {
  const names =
    request.topicNames ??
    (request.topics ?? []).map((asked) => asked.name ?? broker.topics.byId(asked.topicId)?.name ?? null);
  return {
    responses: names.map((name, i) => ({
      name,
      topicId: request.topics?.[i]?.topicId ?? NO_TOPIC_ID,
      ...withMessage(() => {
        if (name === null) throw new BrokerError('UNKNOWN_TOPIC_ID');
        return { topicId: broker.topics.delete(name).id };
      }),
    })),
  };
};

interface CreatePartitionsRequest {
  readonly topics: readonly { readonly name: string; readonly count: number }[];
  readonly validateOnly: boolean;
}

export const createPartitions: Handler<CreatePartitionsRequest> = (broker, request) => ({
  results: request.topics.map(({ name, count }) => ({
    name,
    ...withMessage(() => {
      broker.topics.grow(name, count, request.validateOnly);
      return {};
    }),
  })),
});

interface DescribeConfigsRequest {
  readonly resources: readonly { readonly resourceType: number; readonly resourceName: string }[];
}

/** Nothing can be configured; topic tools ask all the same. */
export const describeConfigs: Handler<DescribeConfigsRequest> = (_broker, request) => ({
  results: request.resources.map(({ resourceType, resourceName }) => ({
    errorCode: 0,
    errorMessage: null,
    resourceType,
    resourceName,
    configs: [],
  })),
});

function withMessage(body: () => Message): Message {
  try {
    return { errorCode: 0, errorMessage: null, ...body() };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { errorCode: error.code, errorMessage: error.message };
  }
}
