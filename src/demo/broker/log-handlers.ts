import type { Isolation } from '../../source/source.ts';
import type { BrokerContext, Handler } from './context.ts';
import { BrokerError, orCode } from './error-codes.ts';
import type { Message } from './message-codec.ts';
import type { PartitionLog } from './partition-log.ts';
import { readBatchHeader } from './stored-batch.ts';

interface TopicsOf<P> {
  readonly name: string;
  readonly partitions: readonly P[];
}

interface ProduceRequest {
  readonly transactionalId: string | null;
  readonly acks: number;
  readonly topicData: readonly {
    readonly name: string;
    readonly partitionData: readonly { readonly index: number; readonly records: Buffer | null }[];
  }[];
}

export const produce: Handler<ProduceRequest> = (broker, request) => {
  const responses = request.topicData.map(({ name, partitionData }) => ({
    name,
    partitionResponses: partitionData.map(({ index, records }) => ({
      index,
      logAppendTimeMs: -1,
      ...orCode(
        () => {
          const log = broker.topics.partition(name, index);
          if (!records || records.length < 61) throw new BrokerError('CORRUPT_MESSAGE');
          if (records[16] === 2 && readBatchHeader(records).transactional)
            broker.transactions.checkProduce(request.transactionalId, log);
          return { baseOffset: log.appendProduced(records), logStartOffset: log.logStart };
        },
        () => ({ baseOffset: -1, logStartOffset: -1 }),
      ),
    })),
  }));
  return request.acks === 0 ? null : { responses };
};

interface FetchPartition {
  readonly partition: number;
  readonly currentLeaderEpoch?: number;
  readonly fetchOffset: number;
  readonly partitionMaxBytes: number;
}

interface FetchRequest {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly FetchPartition[] }[];
}

/** Waits until `minBytes` are there, an error is, or the time is over. Sessions (KIP-227) are declined: session id 0. */
export const fetch: Handler<FetchRequest> = async (broker, request, { signal }) => {
  const isolation = isolationOf(request.isolationLevel);
  const deadline = broker.ports.clock.monotonic() + request.maxWaitMs;
  for (;;) {
    const left = deadline - broker.ports.clock.monotonic();
    if (left <= 0 || signal.aborted || enough(broker, request, isolation)) break;
    await changeOf(broker, request, left, signal);
  }
  let budget = request.maxBytes;
  let any = false;
  const responses = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((asked) => {
      const answer = readPartition(broker, topic, asked, isolation, Math.min(budget, asked.partitionMaxBytes), !any);
      const size = answer.records.reduce((sum, piece) => sum + piece.length, 0);
      any ||= size > 0;
      budget = Math.max(0, budget - size);
      return answer;
    }),
  }));
  return { responses };
};

function readPartition(
  broker: BrokerContext,
  topic: string,
  asked: FetchPartition,
  isolation: Isolation,
  maxBytes: number,
  first: boolean,
): Message & { records: Buffer[] } {
  const log = broker.topics.get(topic)?.partitions[asked.partition];
  const state = {
    partitionIndex: asked.partition,
    highWatermark: log?.end ?? -1,
    lastStableOffset: log?.lastStableOffset ?? -1,
    logStartOffset: log?.logStart ?? -1,
    preferredReadReplica: -1,
  };
  return {
    ...state,
    ...orCode(
      () => {
        const { batches, aborted } = leaderOf(broker, topic, asked).read(asked.fetchOffset, maxBytes, isolation);
        return {
          records: cut(batches, maxBytes, first),
          abortedTransactions: isolation === 'read_committed' ? aborted : null,
        };
      },
      () => ({ records: [] as Buffer[], abortedTransactions: null }),
    ),
  };
}

/** Like Kafka, the answer ends at the limit, within a batch if need be; only the first batch of a response is always whole. */
function cut(batches: readonly Buffer[], maxBytes: number, first: boolean): Buffer[] {
  const pieces: Buffer[] = [];
  let left = first && batches[0] ? Math.max(maxBytes, batches[0].length) : maxBytes;
  for (const batch of batches) {
    if (left <= 0) break;
    pieces.push(batch.subarray(0, left));
    left -= batch.length;
  }
  return pieces;
}

function enough(broker: BrokerContext, request: FetchRequest, isolation: Isolation): boolean {
  let size = 0;
  for (const { topic, partitions } of request.topics) {
    for (const asked of partitions) {
      const { errorCode, bytes } = orCode(
        () => {
          const log = leaderOf(broker, topic, asked);
          if (asked.fetchOffset < log.logStart || asked.fetchOffset > log.end)
            throw new BrokerError('OFFSET_OUT_OF_RANGE');
          return { bytes: log.available(asked.fetchOffset, isolation, request.minBytes) };
        },
        () => ({ bytes: 0 }),
      );
      size += bytes;
      if (errorCode !== 0 || size >= request.minBytes) return true;
    }
  }
  return false;
}

/** Resolves when one of the partitions changes, after `ms`, or when the connection closes. */
async function changeOf(broker: BrokerContext, request: FetchRequest, ms: number, signal: AbortSignal): Promise<void> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  const listening = request.topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition }) => broker.topics.get(topic)?.partitions[partition]?.onChange(stop)),
  );
  signal.addEventListener('abort', stop);
  try {
    await broker.ports.clock.sleep(ms, abort.signal);
  } catch {
    // Something changed: the caller looks.
  } finally {
    signal.removeEventListener('abort', stop);
    for (const end of listening) end?.();
  }
}

/** The partition, when the client's leader epoch is the current one (KIP-320). @throws BrokerError */
function leaderOf(
  broker: BrokerContext,
  topic: string,
  { partition, currentLeaderEpoch = -1 }: { partition: number; currentLeaderEpoch?: number },
): PartitionLog {
  const log = broker.topics.partition(topic, partition);
  if (currentLeaderEpoch >= 0 && currentLeaderEpoch < log.leaderEpoch) throw new BrokerError('FENCED_LEADER_EPOCH');
  if (currentLeaderEpoch > log.leaderEpoch) throw new BrokerError('UNKNOWN_LEADER_EPOCH');
  return log;
}

function isolationOf(level: number | undefined): Isolation {
  return level === 1 ? 'read_committed' : 'read_uncommitted';
}

interface ListOffsetsRequest {
  readonly isolationLevel?: number;
  readonly topics: readonly TopicsOf<{
    readonly partitionIndex: number;
    readonly currentLeaderEpoch?: number;
    readonly timestamp: number;
  }>[];
}

const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;
const LATEST_TIERED = -5;

export const listOffsets: Handler<ListOffsetsRequest> = (broker, request) => ({
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((asked) => ({
      partitionIndex: asked.partitionIndex,
      ...orCode(
        () => {
          const log = leaderOf(broker, name, {
            partition: asked.partitionIndex,
            ...(asked.currentLeaderEpoch === undefined ? {} : { currentLeaderEpoch: asked.currentLeaderEpoch }),
          });
          return offsetAt(log, asked.timestamp, isolationOf(request.isolationLevel));
        },
        () => ({ timestamp: -1, offset: -1, leaderEpoch: -1 }),
      ),
    })),
  })),
});

function offsetAt(
  log: PartitionLog,
  timestamp: number,
  isolation: Isolation,
): { timestamp: number; offset: number; leaderEpoch: number } {
  const bound = isolation === 'read_committed' ? log.lastStableOffset : log.end;
  const none = { timestamp: -1, offset: -1, leaderEpoch: -1 };
  switch (timestamp) {
    case LATEST:
      return { timestamp: -1, offset: bound, leaderEpoch: log.leaderEpoch };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { timestamp: -1, offset: log.logStart, leaderEpoch: log.epochAt(log.logStart) };
    case LATEST_TIERED:
      return none;
    case MAX_TIMESTAMP: {
      const max = log.maxTimestamp;
      return max < 0 ? none : (log.offsetForTimestamp(max) ?? none);
    }
    default: {
      const found = log.offsetForTimestamp(timestamp);
      return found && found.offset < bound ? found : none;
    }
  }
}

interface EpochRequest {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly currentLeaderEpoch?: number;
      readonly leaderEpoch: number;
    }[];
  }[];
}

export const offsetForLeaderEpoch: Handler<EpochRequest> = (broker, request) => ({
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((asked) => ({
      partition: asked.partition,
      ...orCode(
        () => leaderOf(broker, topic, asked).endOffsetForEpoch(asked.leaderEpoch),
        () => ({ leaderEpoch: -1, endOffset: -1 }),
      ),
    })),
  })),
});

interface DeleteRecordsRequest {
  readonly topics: readonly TopicsOf<{ readonly partitionIndex: number; readonly offset: number }>[];
}

export const deleteRecords: Handler<DeleteRecordsRequest> = (broker, request) => ({
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, offset }) => ({
      partitionIndex,
      ...orCode(
        () => ({ lowWatermark: broker.topics.partition(name, partitionIndex).deleteRecords(offset) }),
        () => ({ lowWatermark: -1 }),
      ),
    })),
  })),
});
