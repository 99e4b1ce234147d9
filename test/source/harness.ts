import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import pino from 'pino';
import type { KafkaConfig } from '../../src/config/config.ts';
import type { TabletopicError } from '../../src/errors.ts';
import { systemPorts } from '../../src/ports.ts';
import { createKafkaSource } from '../../src/source/kafka-source.ts';
import type {
  FetchedRecords,
  Lane,
  Source,
  SourceHandlers,
  TopicDescription,
  TopicPartition,
} from '../../src/source/source.ts';

export function kafkaConfig(brokers: readonly string[], overrides: Partial<KafkaConfig> = {}): KafkaConfig {
  return {
    brokers,
    groupId: `group-${randomUUID()}`,
    clientId: 'tabletopic-test',
    instanceId: null,
    groupProtocol: 'classic',
    isolation: 'read_committed',
    sessionTimeout: 6000,
    rebalanceTimeout: 20_000,
    revokeTimeout: 10_000,
    metadataRefresh: 1000,
    fetchMaxBytes: 16 << 20,
    fetchPartitionBytes: 4 << 20,
    fetchMaxWait: 500,
    requestTimeout: 10_000,
    tls: null,
    sasl: null,
    ...overrides,
  };
}

export type Event = {
  readonly at: number;
  readonly what: 'assigned' | 'revoking' | 'revoked' | 'lost';
  readonly partitions: readonly string[];
};

let lanes = 0;

/** One process's source with handlers that write down what they are told and, unless told otherwise, read everything. */
export class Member implements SourceHandlers {
  readonly source: Source;
  readonly config: KafkaConfig;
  readonly events: Event[] = [];
  readonly owned = new Set<string>();
  readonly fetched = new Map<string, FetchedRecords[]>();
  readonly idle: { lane: Lane; offset: number; highWatermark: number; lastStableOffset: number }[] = [];
  readonly laneErrors: { lane: Lane; error: TabletopicError }[] = [];
  readonly health: { connected: boolean; error?: TabletopicError }[] = [];
  readonly byPartition = new Map<string, Lane>();
  readonly #messages: string[] = [];
  topics: readonly TopicDescription[] = [];
  /** Waited for in `onRevoked`. */
  revokeDelay = 0;
  /** Adds a lane from offset 0 for each assigned partition. */
  reads = true;
  autoRelease = true;

  constructor(config: KafkaConfig) {
    this.config = config;
    this.source = createKafkaSource(
      config,
      systemPorts,
      pino({ level: 'debug' }, { write: (line) => this.#log(line) }),
    );
  }

  #log(line: string): void {
    this.#messages.push((JSON.parse(line) as { msg: string }).msg);
    if (process.env['TEST_LOG'] !== undefined) process.stderr.write(line);
  }

  /** How often this message was logged. */
  logged(message: string): number {
    return this.#messages.filter((m) => m === message).length;
  }

  static async join(
    config: KafkaConfig,
    names: readonly string[],
    patterns: readonly RegExp[] = [],
    set: Partial<Pick<Member, 'revokeDelay' | 'reads'>> = {},
  ): Promise<Member> {
    const member = new Member(config);
    Object.assign(member, set);
    await member.source.connect();
    await member.source.subscribe(names, patterns, member);
    return member;
  }

  async onAssigned(partitions: readonly TopicPartition[]): Promise<void> {
    this.#note('assigned', partitions);
    for (const p of partitions) {
      this.owned.add(name(p));
      if (this.reads) this.source.addLane(this.#lane(p), 0);
    }
  }

  async onRevoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.#note('revoking', partitions);
    await sleep(this.revokeDelay);
    this.#drop(partitions);
    this.#note('revoked', partitions);
  }

  async onLost(partitions: readonly TopicPartition[]): Promise<void> {
    this.#drop(partitions);
    this.#note('lost', partitions);
  }

  onFetched(records: FetchedRecords): void {
    const key = name(records.lane);
    const list = this.fetched.get(key) ?? [];
    list.push(records);
    this.fetched.set(key, list);
    if (this.autoRelease) this.source.release(records.byteLength);
  }

  onIdle(lane: Lane, offset: number, highWatermark: number, lastStableOffset: number): void {
    this.idle.push({ lane, offset, highWatermark, lastStableOffset });
  }

  onLaneError(lane: Lane, error: TabletopicError): void {
    this.laneErrors.push({ lane, error });
  }

  onTopics(topics: readonly TopicDescription[]): void {
    this.topics = topics;
  }

  onHealth(state: { connected: boolean; error?: TabletopicError }): void {
    this.health.push(state);
  }

  /** Offset after the last record fetched of each partition. */
  reached(partition: string): number {
    return this.fetched.get(partition)?.at(-1)?.nextOffset ?? 0;
  }

  assignments(): number {
    return this.events.filter((e) => e.what === 'assigned').length;
  }

  async close(leave?: boolean): Promise<void> {
    await this.source.close(leave === undefined ? {} : { leave });
  }

  #lane(p: TopicPartition): Lane {
    const lane = { id: ++lanes, topic: p.topic, partition: p.partition, worker: p.partition % 2 };
    this.byPartition.set(name(p), lane);
    return lane;
  }

  #drop(partitions: readonly TopicPartition[]): void {
    for (const p of partitions) {
      this.owned.delete(name(p));
      const lane = this.byPartition.get(name(p));
      if (lane !== undefined) this.source.removeLane(lane);
      this.byPartition.delete(name(p));
    }
  }

  #note(what: Event['what'], partitions: readonly TopicPartition[]): void {
    this.events.push({ at: performance.now(), what, partitions: partitions.map(name).sort() });
  }
}

export function name(p: TopicPartition): string {
  return `${p.topic}/${p.partition}`;
}

/** Waits until the condition holds; fails with what the test says it waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain until ${what}`);
    await sleep(20);
  }
}

export function uniqueTopic(base: string): string {
  return `${base}-${randomUUID().slice(0, 8)}`;
}

/** Records through kafkajs, a client that is not ours. */
export async function produce(
  brokers: readonly string[],
  topic: string,
  partition: number,
  values: readonly (string | Buffer)[],
  compression: CompressionTypes = CompressionTypes.None,
): Promise<void> {
  const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  try {
    await producer.send({ topic, compression, messages: values.map((value) => ({ value, partition })) });
  } finally {
    await producer.disconnect();
  }
}

/** Walks record batches without our own code: offsets of first and last record, and the compression of each batch. */
export function batches(
  records: readonly FetchedRecords[],
): { first: number; last: number; codec: number; count: number }[] {
  const found = [];
  for (const r of records) {
    const bytes = Buffer.from(r.buffer, r.byteOffset, r.byteLength);
    for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
      const first = Number(bytes.readBigInt64BE(at));
      found.push({
        first,
        last: first + bytes.readInt32BE(at + 23),
        codec: bytes.readInt16BE(at + 21) & 7,
        count: bytes.readInt32BE(at + 57),
      });
    }
  }
  return found;
}
