import type { Ids } from '../../ports.ts';
import { BrokerError } from './error-codes.ts';
import { PartitionLog } from './partition-log.ts';

export interface BrokerTopic {
  readonly name: string;
  /** UUID; another one when the topic is deleted and created again (KIP-516). */
  readonly id: string;
  readonly partitions: PartitionLog[];
}

/** The topics of the embedded broker. */
export class Topics {
  readonly #byName = new Map<string, BrokerTopic>();
  readonly #ids: Ids;
  readonly #retentionBytes: number;

  /** @param retentionBytes for each partition. */
  constructor(ids: Ids, retentionBytes: number) {
    this.#ids = ids;
    this.#retentionBytes = retentionBytes;
  }

  all(): BrokerTopic[] {
    return [...this.#byName.values()];
  }

  get(name: string): BrokerTopic | undefined {
    return this.#byName.get(name);
  }

  byId(id: string): BrokerTopic | undefined {
    return this.all().find((topic) => topic.id === id);
  }

  /** @throws BrokerError UNKNOWN_TOPIC_OR_PARTITION */
  partition(topic: string, partition: number): PartitionLog {
    const log = this.#byName.get(topic)?.partitions[partition];
    if (!log) throw new BrokerError('UNKNOWN_TOPIC_OR_PARTITION');
    return log;
  }

  /** @throws BrokerError TOPIC_ALREADY_EXISTS, INVALID_TOPIC, INVALID_PARTITIONS */
  create(name: string, partitions: number): BrokerTopic {
    this.check(name, partitions);
    const topic: BrokerTopic = { name, id: this.#ids.uuid(), partitions: [] };
    for (let i = 0; i < partitions; i++) topic.partitions.push(new PartitionLog(this.#retentionBytes));
    this.#byName.set(name, topic);
    return topic;
  }

  /** Whether `create` would succeed. @throws BrokerError */
  check(name: string, partitions: number): void {
    if (!/^[a-zA-Z0-9._-]{1,249}$/.test(name) || name === '.' || name === '..')
      throw new BrokerError('INVALID_TOPIC', `topic name ${name} is invalid`);
    if (!(partitions > 0)) throw new BrokerError('INVALID_PARTITIONS', `${partitions} partitions`);
    if (this.#byName.has(name)) throw new BrokerError('TOPIC_ALREADY_EXISTS', `topic ${name} already exists`);
  }

  /** Adds partitions up to `count`. @throws BrokerError UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS */
  grow(name: string, count: number, validateOnly = false): void {
    const topic = this.#byName.get(name);
    if (!topic) throw new BrokerError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${name} does not exist`);
    if (count <= topic.partitions.length)
      throw new BrokerError('INVALID_PARTITIONS', `topic ${name} has ${topic.partitions.length} partitions already`);
    if (validateOnly) return;
    while (topic.partitions.length < count) topic.partitions.push(new PartitionLog(this.#retentionBytes));
  }

  /** @throws BrokerError UNKNOWN_TOPIC_OR_PARTITION */
  delete(name: string): BrokerTopic {
    const topic = this.#byName.get(name);
    if (!topic) throw new BrokerError('UNKNOWN_TOPIC_OR_PARTITION');
    this.#byName.delete(name);
    return topic;
  }
}
