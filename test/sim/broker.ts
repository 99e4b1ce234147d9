import { PartitionLog } from '../../src/demo/broker/partition-log.ts';
import type { TopicDescription } from '../../src/source/source.ts';
import type { SeededRandom } from './random.ts';
import { EPOCH } from './scheduler.ts';
import type { Scheduler } from './scheduler.ts';

/** What was produced at an offset, whatever became of it: the checker's side of the truth. */
export interface Produced {
  readonly value: Buffer;
  /** Never given twice; the row of the record carries it, with what else tells its columns. */
  readonly mark: string;
  state: 'open' | 'committed' | 'aborted';
  /** Taken from the log by retention, compaction or truncation: a reader may have seen it, or not. */
  removed: boolean;
}

export interface SimPartition {
  readonly log: PartitionLog;
  /** By offset, all that was ever written there, the newest last: truncation gives offsets twice. */
  readonly truth: Map<number, Produced[]>;
  /** Offset of the first record that an unclean election took, or infinity. */
  truncatedAt: number;
}

export interface SimTopic {
  readonly name: string;
  readonly id: string;
  readonly partitions: SimPartition[];
}

/** What producers write to a topic. */
export interface Values {
  /** `id` is never given twice. A value that cannot become a row is among them now and then. */
  next(random: SeededRandom, topic: string, id: string): Pick<Produced, 'value' | 'mark'>;
}

interface OpenTransaction {
  readonly producerId: bigint;
  readonly partition: SimPartition;
  readonly records: Produced[];
}

/** The cluster: topics, their logs, and producers that write to them. */
export class SimBroker {
  readonly clusterId = 'sim-cluster';
  readonly topics = new Map<string, SimTopic>();
  /** All that ever were, those that are gone too. */
  readonly incarnations: SimTopic[] = [];
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #values: Values;
  #producers = 0n;
  #records = 0;
  #open: OpenTransaction[] = [];

  constructor(scheduler: Scheduler, random: SeededRandom, values: Values) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#values = values;
  }

  create(name: string, partitions: number): SimTopic {
    const topic = { name, id: this.#random.uuid(), partitions: Array.from({ length: partitions }, newPartition) };
    this.topics.set(name, topic);
    this.incarnations.push(topic);
    return topic;
  }

  grow(topic: SimTopic): void {
    topic.partitions.push(newPartition());
  }

  describe(names: readonly string[], patterns: readonly RegExp[]): TopicDescription[] {
    return [...this.topics.values()]
      .filter(({ name }) => names.includes(name) || patterns.some((pattern) => pattern.test(name)))
      .map(({ name, id, partitions }) => ({
        name,
        id,
        partitions: partitions.map(({ log }, partition) => ({ partition, leaderEpoch: log.leaderEpoch })),
      }));
  }

  /** One batch somewhere; some belong to transactions that stay open for a while. */
  produce(): void {
    const topics = [...this.topics.values()];
    if (topics.length === 0) return;
    const topic = this.#random.pick(topics);
    const partition = this.#random.pick(topic.partitions);
    const open = this.#open.find((one) => one.partition === partition);
    if (open && this.#random.chance(0.5)) {
      this.#end(open, this.#random.chance(0.5));
      return;
    }
    const transactional = this.#random.chance(0.2);
    const produced = Array.from({ length: this.#random.between(1, 4) }, (): Produced => {
      const number = ++this.#records;
      const id = `${number % 3}-${topic.id.slice(0, 4)}-${number}`;
      return {
        ...this.#values.next(this.#random, topic.name, id),
        state: transactional ? 'open' : 'committed',
        removed: false,
      };
    });
    const producerId = transactional ? (open?.producerId ?? ++this.#producers) : -1n;
    const base = partition.log.append(
      produced.map(({ value, mark }) => ({
        timestamp: EPOCH + Math.round(this.#scheduler.now),
        key: Buffer.from(`k${this.#random.below(5)}`),
        value,
        headers: [['first', Buffer.from(mark.slice(0, 1))]] as const,
      })),
      transactional
        ? {
            producerId,
            producerEpoch: 0,
            baseSequence: -1,
            transactional: true,
            leaderEpoch: partition.log.leaderEpoch,
          }
        : { leaderEpoch: partition.log.leaderEpoch },
    );
    produced.forEach((record, i) => partition.truth.set(base + i, [...(partition.truth.get(base + i) ?? []), record]));
    if (!transactional) return;
    if (open) open.records.push(...produced);
    else this.#open.push({ producerId, partition, records: produced });
  }

  endTransactions(): void {
    for (const open of this.#open.slice()) this.#end(open, this.#random.chance(0.5));
  }

  #end(open: OpenTransaction, commit: boolean): void {
    this.#open = this.#open.filter((one) => one !== open);
    for (const record of open.records) record.state = commit ? 'committed' : 'aborted';
    open.partition.log.appendMarker(open.producerId, 0, commit, EPOCH + Math.round(this.#scheduler.now));
  }

  /** Retention: everything before `offset` goes. */
  deleteBefore(partition: SimPartition, offset: number): void {
    partition.log.deleteRecords(offset);
    for (const [at, records] of partition.truth) if (at < offset) for (const record of records) record.removed = true;
  }

  compact(partition: SimPartition): void {
    const { log, truth } = partition;
    const bound = log.lastStableOffset;
    const drop = new Set([...truth.keys()].filter((offset) => offset < bound && this.#random.chance(0.3)));
    for (const offset of drop) for (const record of truth.get(offset)!) record.removed = true;
    log.compact((offset) => !drop.has(offset));
  }

  /** An unclean election: the new leader never had the last records. Transactions that began there are gone too. */
  truncate(partition: SimPartition, to: number): void {
    const { log, truth } = partition;
    log.newLeader(to);
    partition.truncatedAt = Math.min(partition.truncatedAt, log.end);
    for (const [offset, records] of truth) if (offset >= log.end) for (const record of records) record.removed = true;
    this.#open = this.#open.filter((open) => {
      if (open.partition !== partition || open.records.some((record) => !record.removed)) return true;
      return false;
    });
  }

  deleteTopic(name: string): void {
    const topic = this.topics.get(name)!;
    this.topics.delete(name);
    this.#open = this.#open.filter((open) => !topic.partitions.includes(open.partition));
  }
}

function newPartition(): SimPartition {
  return { log: new PartitionLog(), truth: new Map(), truncatedAt: Number.POSITIVE_INFINITY };
}
