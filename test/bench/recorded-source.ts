import { closeSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { KafkaConfig } from '../../src/config/config.ts';
import { systemPorts } from '../../src/ports.ts';
import { ByteBudget } from '../../src/source/budget.ts';
import { createKafkaSource } from '../../src/source/kafka-source.ts';
import type {
  Lane,
  OffsetQuery,
  Source,
  SourceHandlers,
  TopicDescription,
  TopicPartition,
} from '../../src/source/source.ts';

interface Response {
  readonly fetchOffset: number;
  readonly nextOffset: number;
  readonly leaderEpoch: number;
  /** Where its bytes stand in the file of the partition. */
  readonly position: number;
  readonly length: number;
}

export interface Recording {
  readonly clusterId: string;
  readonly topic: TopicDescription;
  readonly partitions: readonly { readonly end: number; readonly responses: readonly Response[] }[];
}

const logger = pino({ level: 'silent' });

/** Reads a topic to its end as the service would, and keeps what each fetch brought in files of the folder. */
export async function record(kafka: KafkaConfig, name: string, dir: string): Promise<Recording> {
  mkdirSync(dir, { recursive: true });
  const source = createKafkaSource(kafka, systemPorts, logger, 'all');
  const { clusterId } = await source.connect();
  const [topic] = await source.describeTopics([name]);
  if (!topic) throw new Error(`there is no topic ${name}`);
  const ends = await source.listOffsets(
    topic.partitions.map(({ partition }) => ({ topic: name, partition, at: 'latest' })),
  );
  const partitions = ends.map((end) => ({ end, responses: [] as Response[] }));
  const files = ends.map((_, p) => openSync(join(dir, `${p}.batches`), 'w'));
  const lanes = ends.map((_, partition): Lane => ({ id: partition, worker: 0, topic: name, partition }));
  await new Promise<void>((resolve, reject) => {
    let left = ends.length;
    source.setBudget(256 << 20);
    void source.subscribe([name], [], {
      onAssigned: async () => {
        for (const lane of lanes) source.addLane(lane, 0);
      },
      onRevoked: async () => undefined,
      onLost: async () => undefined,
      onFetched: ({ lane: { partition }, buffer, byteOffset, byteLength, fetchOffset, nextOffset, leaderEpoch }) => {
        const { responses, end } = partitions[partition]!;
        const last = responses.at(-1);
        const position = last ? last.position + last.length : 0;
        writeSync(files[partition]!, new Uint8Array(buffer, byteOffset, byteLength));
        responses.push({ fetchOffset, nextOffset, leaderEpoch, position, length: byteLength });
        source.release(byteLength);
        if (nextOffset < end || (last && last.nextOffset >= end)) return;
        source.pause(lanes[partition]!);
        if (--left === 0) resolve();
      },
      onIdle: () => undefined,
      onLaneError: (_lane, error) => reject(error),
      onTopics: () => undefined,
      onHealth: () => undefined,
    });
  });
  await source.close();
  files.forEach((file) => closeSync(file));
  const recording = { clusterId, topic, partitions };
  writeFileSync(join(dir, 'recording.json'), JSON.stringify(recording));
  return recording;
}

/**
 * Gives what was recorded again, one response at a time for each lane and within the budget, as fast as it is taken: the
 * whole service runs on it without a broker. A response is read from its file, as it would be from a socket.
 */
export class RecordedSource implements Source {
  readonly #dir: string;
  readonly #recording: Recording;
  readonly #budget = new ByteBudget(systemPorts.clock);
  readonly #closing = new AbortController();
  readonly #lanes = new Map<number, { offset: number; generation: number; paused: boolean }>();
  #handlers: SourceHandlers | null = null;

  constructor(dir: string) {
    this.#dir = dir;
    this.#recording = JSON.parse(readFileSync(join(dir, 'recording.json'), 'utf8')) as Recording;
  }

  connect(): Promise<{ readonly clusterId: string }> {
    return Promise.resolve(this.#recording);
  }

  describeTopics(): Promise<TopicDescription[]> {
    return Promise.resolve([this.#recording.topic]);
  }

  listOffsets(queries: readonly (TopicPartition & { readonly at: OffsetQuery })[]): Promise<number[]> {
    return Promise.resolve(
      queries.map(({ partition, at }) => (at === 'latest' ? this.#recording.partitions[partition]!.end : 0)),
    );
  }

  endOffsetForEpoch(): Promise<number> {
    return Promise.resolve(-1);
  }

  async subscribe(_names: readonly string[], _patterns: readonly RegExp[], handlers: SourceHandlers): Promise<void> {
    this.#handlers = handlers;
    const { topic } = this.#recording;
    handlers.onTopics([topic]);
    await handlers.onAssigned(topic.partitions.map(({ partition }) => ({ topic: topic.name, partition })));
  }

  addLane(lane: Lane, offset: number): void {
    this.#lanes.set(lane.id, { offset, generation: 0, paused: false });
    void this.#feed(lane);
  }

  removeLane(lane: Lane): void {
    this.#lanes.delete(lane.id);
  }

  seek(lane: Lane, offset: number): number {
    const state = this.#lanes.get(lane.id)!;
    state.offset = offset;
    return ++state.generation;
  }

  pause(lane: Lane): void {
    this.#lanes.get(lane.id)!.paused = true;
  }

  resume(lane: Lane): void {
    this.#lanes.get(lane.id)!.paused = false;
  }

  setBudget(bytes: number): void {
    this.#budget.setLimit(bytes);
  }

  release(bytes: number): void {
    this.#budget.release(bytes);
  }

  commitOffsets(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  async #feed(lane: Lane): Promise<void> {
    const { signal } = this.#closing;
    const { end, responses } = this.#recording.partitions[lane.partition]!;
    const file = openSync(join(this.#dir, `${lane.partition}.batches`), 'r');
    const state = this.#lanes.get(lane.id)!;
    while (!signal.aborted && this.#lanes.get(lane.id) === state && state.offset < end) {
      const response = responses.find(({ nextOffset }) => nextOffset > state.offset)!;
      const granted = state.paused ? 0 : await this.#budget.reserve(response.length, signal);
      if (granted < response.length) {
        this.#budget.settle(granted, 0);
        await systemPorts.clock.sleep(5);
        continue;
      }
      const buffer = new ArrayBuffer(response.length);
      readSync(file, new Uint8Array(buffer), { position: response.position });
      this.#budget.settle(response.length, response.length);
      state.offset = response.nextOffset;
      this.#handlers!.onFetched({
        ...response,
        lane,
        generation: state.generation,
        buffer,
        byteOffset: 0,
        byteLength: response.length,
        highWatermark: end,
        lastStableOffset: end,
        logStartOffset: 0,
        aborted: [],
        fetchedAt: Date.now(),
      });
      await new Promise(setImmediate);
    }
    closeSync(file);
    if (!signal.aborted) this.#handlers!.onIdle(lane, state.offset, end, end, Date.now());
  }
}
