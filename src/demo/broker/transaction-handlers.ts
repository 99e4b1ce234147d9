import type { Handler } from './context.ts';
import { orCode } from './error-codes.ts';
import { eachPartition } from './group-handlers.ts';
import type { CommitTopics } from './group-handlers.ts';
import { partitionKey } from './groups.ts';

interface Producer {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

interface InitProducerIdRequest {
  readonly transactionalId: string | null;
  readonly transactionTimeoutMs: number;
}

export const initProducerId: Handler<InitProducerIdRequest> = (broker, request) => ({
  errorCode: 0,
  ...broker.transactions.initProducerId(request.transactionalId, request.transactionTimeoutMs),
});

interface AddPartitionsRequest extends Producer {
  readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[];
}

export const addPartitionsToTxn: Handler<AddPartitionsRequest> = (broker, request) => ({
  results: request.topics.map(({ name, partitions }) => ({
    name,
    results: partitions.map((partitionIndex) => ({
      partitionIndex,
      ...orCode(
        () => {
          broker.transactions.addPartition(
            request.transactionalId,
            request.producerId,
            request.producerEpoch,
            broker.topics.partition(name, partitionIndex),
          );
          return {};
        },
        () => ({}),
      ),
    })),
  })),
});

export const addOffsetsToTxn: Handler<Producer & { readonly groupId: string }> = (broker, request) =>
  orCode(
    () => {
      broker.transactions.addGroup(request.transactionalId, request.producerId, request.producerEpoch, request.groupId);
      return {};
    },
    () => ({}),
  );

export const txnOffsetCommit: Handler<
  Producer & { readonly groupId: string; readonly topics: readonly CommitTopics[] }
> = (broker, request) => ({
  topics: eachPartition(
    request.topics,
    (topic, one) =>
      orCode(
        () => {
          broker.transactions.commitOffset(
            request.transactionalId,
            request.producerId,
            request.producerEpoch,
            request.groupId,
            partitionKey(topic, one.partitionIndex),
            {
              offset: one.committedOffset,
              leaderEpoch: one.committedLeaderEpoch ?? -1,
              metadata: one.committedMetadata,
            },
          );
          return {};
        },
        () => ({}),
      ).errorCode,
  ),
});

export const endTxn: Handler<Producer & { readonly committed: boolean }> = (broker, request) =>
  orCode(
    () => {
      broker.transactions.end(request.transactionalId, request.producerId, request.producerEpoch, request.committed);
      return {};
    },
    () => ({}),
  );
