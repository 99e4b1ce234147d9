import type { OffsetRange } from '../pipeline/ranges.ts';
import type { Lane, TopicPartition } from '../source/source.ts';

/** What the main thread knows of one lane. */
export class LaneState {
  readonly lane: Lane;
  /** Topic id when the lane was opened: what it read is of that topic, whatever bears the name later (TRACES A6). */
  readonly topicId: string;
  generation = 0;
  /** Where the table stands, as far as this process committed or loaded it. */
  committedNext: number;
  /** Where the worker stands: everything before is in the open checkpoint or in the table. */
  position: number;
  highWatermark = -1;
  /** Last stable offset (read_committed) or high watermark: the end that can be reached. */
  end = -1;
  /** Wall clock (ms) of the last answer about this partition. */
  fetchedAt = 0;
  /** Largest record timestamp (ms) up to `position`, or -1. */
  maxTimestamp = -1;
  /** Largest record timestamp (ms) that is committed, or -1. */
  committedTimestamp = -1;
  /** Record time (ms) of the first records that were decoded after `committedNext`, or -1. */
  openTimestamp = -1;
  /** When the first record after `committedNext` was decoded (wall clock, ms). */
  openSince = 0;
  /** The question whose answer the lane waits for in its worker; it is paused meanwhile. */
  waitsFor: string | null = null;

  constructor(lane: Lane, topicId: string, start: number) {
    this.lane = lane;
    this.topicId = topicId;
    this.committedNext = start;
    this.position = start;
  }

  observe(highWatermark: number, lastStableOffset: number, fetchedAt: number): void {
    this.highWatermark = highWatermark;
    this.end = lastStableOffset;
    this.fetchedAt = fetchedAt;
  }

  advance(next: number, maxTimestamp: number, now: number): void {
    if (this.position === this.committedNext) {
      this.openSince = now;
      this.openTimestamp = maxTimestamp;
    }
    this.position = next;
    this.maxTimestamp = Math.max(this.maxTimestamp, maxTimestamp);
  }

  committed(next: number, now: number): void {
    this.committedNext = next;
    this.committedTimestamp = this.maxTimestamp;
    this.openSince = now;
    this.openTimestamp = this.maxTimestamp;
  }

  restart(start: number, generation: number): void {
    this.generation = generation;
    this.committedNext = start;
    this.position = start;
    this.waitsFor = null;
  }
}

let lanes = 0;

const key = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** The lanes of one table. A partition stays with one worker, so that its order is kept. */
export class LaneTable {
  readonly #table: number;
  readonly #workers: number;
  readonly #byId = new Map<number, LaneState>();
  /** By `key`, as a partition has one lane at most; of thousands each is asked for at each commit. */
  readonly #byPartition = new Map<string, LaneState>();

  constructor(table: number, workers: number) {
    this.#table = table;
    this.#workers = workers;
  }

  add({ topic, partition }: TopicPartition, topicId: string, start: number): LaneState {
    const state = new LaneState(
      { id: ++lanes, topic, partition, worker: (this.#table + partition) % this.#workers },
      topicId,
      start,
    );
    this.#byId.set(state.lane.id, state);
    this.#byPartition.set(key(state.lane), state);
    return state;
  }

  get(id: number): LaneState | undefined {
    return this.#byId.get(id);
  }

  has(partition: TopicPartition): boolean {
    return this.#byPartition.has(key(partition));
  }

  remove(id: number): void {
    const state = this.#byId.get(id);
    if (state === undefined) return;
    this.#byId.delete(id);
    this.#byPartition.delete(key(state.lane));
  }

  all(): LaneState[] {
    return [...this.#byId.values()];
  }

  of(partitions: readonly TopicPartition[]): LaneState[] {
    return partitions.flatMap((partition) => this.#byPartition.get(key(partition)) ?? []);
  }

  /** Workers that own lanes of this table. */
  workers(): number[] {
    return [...new Set(this.all().map(({ lane }) => lane.worker))].sort((a, b) => a - b);
  }

  committed(range: OffsetRange, now: number): void {
    this.#byPartition.get(key(range))?.committed(range.end, now);
  }

  /** Every lane stands at or after its target, and something of it is not committed yet. */
  reached(targets: ReadonlyMap<string, readonly number[]>): boolean {
    const open = this.all();
    return (
      open.every(({ lane, position }) => position >= (targets.get(lane.topic)?.[lane.partition] ?? 0)) &&
      open.some(({ position, committedNext }) => position > committedNext)
    );
  }

  /**
   * Smallest over partitions of the largest record timestamp, a partition at its end counting with the fetch time
   * (DESIGN §2, `tabletopic.watermark`). Null unless this instance owns all `partitions` of the table's topics.
   */
  watermark(partitions: number): number | null {
    const open = this.all();
    if (open.length === 0 || open.length < partitions) return null;
    const marks = open.map((state) =>
      state.position >= state.end && state.end >= 0 ? state.fetchedAt : state.maxTimestamp,
    );
    const lowest = Math.min(...marks);
    return lowest > 0 ? lowest : null;
  }
}
