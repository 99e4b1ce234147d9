import { type API, type Connection, Writer, createAPI, produceV9 } from '@platformatic/kafka';
import type pino from 'pino';
import type { KafkaConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { encodeBatch } from './batch-encoder.ts';
import { Connections } from './connection.ts';
import { kafkaError, partial } from './kafka-errors.ts';
import { ClusterMetadata } from './metadata.ts';
import { Backoff } from './waiting.ts';

export interface RecordToProduce {
  /** Records of the same lane go to the same partition, in order: lane modulo the topic's partitions. */
  readonly lane: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** In order; a name may come twice. */
  readonly headers: readonly (readonly [key: string, value: Uint8Array | null])[];
}

/** Most bytes of keys, values and headers in one batch, unless one record has more: below brokers' default of 1 MiB. */
const BATCH_BYTES = 512 * 1024;
/** Attempts of one batch, while partitions have no leader or it moves. */
const ATTEMPTS = 10;
const TOO_LARGE = new Set([10, 18]);

interface ProduceRequest {
  readonly topic: string;
  readonly partition: number;
  readonly timeout: number;
  readonly records: Buffer;
}

type ProduceResponse = ReturnType<typeof produceV9.parseResponse>;

/** Kafka's Produce API, version 9: our own batches, all replicas in sync. */
const produceApi: API<[ProduceRequest], ProduceResponse> = createAPI(
  0,
  9,
  ({ topic, partition, timeout, records }: ProduceRequest) =>
    Writer.create()
      .appendString(null)
      .appendInt16(-1) // acks: all in-sync replicas
      .appendInt32(timeout)
      .appendArray([topic], (w, name) => {
        w.appendString(name).appendArray([partition], (of, index) => {
          of.appendInt32(index)
            .appendUnsignedVarInt(records.length + 1)
            .append(records);
        });
      })
      .appendTaggedFields(),
  (id, key, version, reader) => produceV9.parseResponse(id, key, version, reader),
);

/**
 * Writes records to a topic that exists, each acknowledged by all replicas in sync. At least once: a batch whose answer
 * was lost is sent again.
 */
export class Producer {
  readonly #connections: Connections;
  readonly #metadata: ClusterMetadata;
  readonly #config: KafkaConfig;
  readonly #ports: Ports;

  constructor(config: KafkaConfig, ports: Ports, logger: pino.Logger) {
    this.#config = config;
    this.#ports = ports;
    this.#connections = new Connections(config, ports, logger);
    this.#metadata = new ClusterMetadata(this.#connections, config.metadataRefresh, ports, logger);
  }

  /**
   * Resolves when all are acknowledged. Rejects with `KAFKA_TOPIC_MISSING`, `KAFKA_AUTH`, `KAFKA_UNAVAILABLE`, or
   * `KAFKA_RECORD_TOO_LARGE`; some may have been written then.
   */
  async produce(topic: string, records: readonly RecordToProduce[], signal: AbortSignal): Promise<void> {
    if (records.length === 0) return;
    const partitions = await this.#partitionsOf(topic);
    for (const [partition, own] of Map.groupBy(records, ({ lane }) => lane % partitions))
      for (const batch of batchesOf(own)) await this.#send(topic, partition, batch, signal);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #partitionsOf(topic: string): Promise<number> {
    const { missing, refused } = await this.#metadata.request([topic]);
    const count = this.#metadata.topic(topic)?.partitions.length ?? 0;
    if (refused.has(topic))
      throw new TabletopicError('KAFKA_AUTH', `this user may not describe topic ${topic}`, { where: { topic } });
    if (missing.has(topic) || count === 0)
      throw new TabletopicError('KAFKA_TOPIC_MISSING', `topic ${topic} does not exist`, {
        where: { topic },
        hint: 'Create the topic: it is not created by the service.',
      });
    return count;
  }

  async #send(topic: string, partition: number, batch: readonly RecordToProduce[], signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(this.#ports, 100, 2000);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#attempt(topic, partition, batch);
        return;
      } catch (error) {
        const failure = kafkaError(error, `topic ${topic}`);
        if (failure.policy !== 'retry' || attempt === ATTEMPTS || !(await backoff.wait(signal))) throw failure;
        await this.#metadata.request([topic]).catch(() => undefined);
      }
    }
  }

  async #attempt(topic: string, partition: number, batch: readonly RecordToProduce[]): Promise<void> {
    const leader = this.#metadata.topic(topic)?.partitions[partition]?.leader ?? -1;
    if (leader < 0) throw new TabletopicError('KAFKA_UNAVAILABLE', `${topic}-${partition} has no leader`);
    const connection = await this.#connections.get(leader, 'produce');
    const now = this.#ports.clock.now();
    const records = encodeBatch({
      baseOffset: 0,
      // A topic keeps and refuses records by their time: the time of the dead one is in a header.
      records: batch.map(({ key, value, headers }, offset) => ({ offset, timestamp: now, key, value, headers })),
    });
    const answer = await this.#ask(connection, { topic, partition, timeout: this.#config.requestTimeout, records });
    const { errorCode, errorMessage } = answer.responses[0]!.partitionResponses[0]!;
    if (errorCode === 0) return;
    const where = { topic, partition };
    if (TOO_LARGE.has(errorCode))
      throw new TabletopicError(
        'KAFKA_RECORD_TOO_LARGE',
        `topic ${topic} refuses a record of ${records.length} bytes`,
        { where },
      );
    throw new TabletopicError(
      'KAFKA_UNAVAILABLE',
      `${topic}-${partition} answered with error ${errorCode}${errorMessage ? `: ${errorMessage}` : ''}`,
      { where },
    );
  }

  async #ask(connection: Connection, request: ProduceRequest): Promise<ProduceResponse> {
    try {
      return await partial(produceApi.async(connection, request));
    } catch (error) {
      this.#connections.drop(connection);
      throw error;
    }
  }
}

function* batchesOf(records: readonly RecordToProduce[]): Generator<readonly RecordToProduce[]> {
  let batch: RecordToProduce[] = [];
  let bytes = 0;
  for (const record of records) {
    const own = record.headers.reduce(
      (sum, [key, value]) => sum + key.length + (value?.length ?? 0),
      (record.key?.length ?? 0) + (record.value?.length ?? 0),
    );
    if (batch.length > 0 && bytes + own > BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += own;
  }
  if (batch.length > 0) yield batch;
}
