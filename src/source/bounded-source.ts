import type { Ports } from '../ports.ts';
import type {
  FetchedRecords,
  Lane,
  OffsetQuery,
  Source,
  SourceHandlers,
  TopicDescription,
  TopicPartition,
} from './source.ts';

export interface Bounds {
  /** First offset that is not read any more, by topic and partition; a partition that is left out is read to its end. */
  readonly end: (partition: TopicPartition) => number;
  /** Fetched bytes a second; null: as fast as it goes. */
  readonly rate: number | null;
}

/** Least bytes that may be under way: one fetch. */
const leastBudget = 64 * 1024;

/**
 * A source that ends: partitions look as if their logs ended at the bounds, and bytes are fetched no faster than asked.
 *
 * The rate is kept by giving fetched bytes back to the budget at that rate: fetching waits for the budget.
 */
export class BoundedSource implements Source {
  readonly #source: Source;
  readonly #bounds: Bounds;
  readonly #ports: Ports;
  readonly #closing = new AbortController();
  /** When what was released so far is paid off (monotonic clock, ms). */
  #paidAt = 0;

  constructor(source: Source, bounds: Bounds, ports: Ports) {
    this.#source = source;
    this.#bounds = bounds;
    this.#ports = ports;
  }

  connect(signal?: AbortSignal, onHealth?: SourceHandlers['onHealth']): ReturnType<Source['connect']> {
    return this.#source.connect(signal, onHealth);
  }

  describeTopics(names: readonly string[], patterns?: readonly RegExp[]): Promise<TopicDescription[]> {
    return this.#source.describeTopics(names, patterns);
  }

  async listOffsets(queries: readonly (TopicPartition & { readonly at: OffsetQuery })[]): Promise<number[]> {
    const offsets = await this.#source.listOffsets(queries);
    return offsets.map((offset, i) =>
      queries[i]!.at === 'latest' ? Math.min(offset, this.#bounds.end(queries[i]!)) : offset,
    );
  }

  endOffsetForEpoch(partition: TopicPartition, leaderEpoch: number): Promise<number> {
    return this.#source.endOffsetForEpoch(partition, leaderEpoch);
  }

  subscribe(names: readonly string[], patterns: readonly RegExp[], handlers: SourceHandlers): Promise<void> {
    return this.#source.subscribe(names, patterns, {
      ...handlers,
      onFetched: (records) => this.#fetched(records, handlers),
      onIdle: (lane, offset, highWatermark, lastStableOffset, fetchedAt) => {
        const end = this.#bounds.end(lane);
        handlers.onIdle(lane, offset, Math.min(highWatermark, end), Math.min(lastStableOffset, end), fetchedAt);
      },
    });
  }

  addLane(lane: Lane, offset: number): void {
    this.#source.addLane(lane, offset);
    if (offset >= this.#bounds.end(lane)) this.#source.pause(lane);
  }

  removeLane(lane: Lane): void {
    this.#source.removeLane(lane);
  }

  seek(lane: Lane, offset: number): number {
    return this.#source.seek(lane, offset);
  }

  pause(lane: Lane): void {
    this.#source.pause(lane);
  }

  /** A lane that stands at its bound is paused again by the first records that come. */
  resume(lane: Lane): void {
    this.#source.resume(lane);
  }

  setBudget(bytes: number): void {
    const { rate } = this.#bounds;
    this.#source.setBudget(rate === null ? bytes : Math.min(bytes, Math.max(rate, leastBudget)));
  }

  release(bytes: number): void {
    const { rate } = this.#bounds;
    if (rate === null) return this.#source.release(bytes);
    const now = this.#ports.clock.monotonic();
    this.#paidAt = Math.max(now, this.#paidAt) + (bytes / rate) * 1000;
    this.#ports.clock.sleep(this.#paidAt - now, this.#closing.signal).then(
      () => this.#source.release(bytes),
      () => undefined,
    );
  }

  commitOffsets(...args: Parameters<Source['commitOffsets']>): Promise<void> {
    return this.#source.commitOffsets(...args);
  }

  async close(options?: { readonly leave?: boolean }): Promise<void> {
    this.#closing.abort();
    await this.#source.close(options);
  }

  #fetched(records: FetchedRecords, handlers: SourceHandlers): void {
    const end = this.#bounds.end(records.lane);
    if (records.nextOffset >= end) this.#source.pause(records.lane);
    if (records.fetchOffset >= end) return this.release(records.byteLength);
    handlers.onFetched({
      ...records,
      endOffset: end,
      nextOffset: Math.min(records.nextOffset, end),
      highWatermark: Math.min(records.highWatermark, end),
      lastStableOffset: Math.min(records.lastStableOffset, end),
    });
  }
}
