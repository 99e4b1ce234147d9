import type { Lane } from './source.ts';

/**
 * Where a lane stands. Maintained invariants: `generation` changes with every seek, and what was asked for under another
 * generation is never delivered; a lane is part of at most one request at a time (`busy`); two lanes of one partition and
 * worker never share a slot, since a request can name a partition only once.
 */
export class LaneState {
  readonly lane: Lane;
  /** Index among the lanes of this partition and worker. */
  readonly slot: number;
  position: number;
  generation = 0;
  paused = false;
  /** Stopped by an error, until the next seek. */
  failed = false;
  busy = false;
  /** Leader epoch of the last batch before `position`, or -1. */
  fetchedEpoch = -1;
  /** When it was last given records, counted in requests: who waited longest comes first in a request. */
  servedAt = 0;
  /** Monotonic time of the last `onIdle`, ms. */
  idleAt = -Infinity;
  /** Ask for this partition alone: it got nothing although there should be something. */
  alone = false;
  /** Asks for at least so much: the size of a batch that did not fit. */
  atLeastBytes = 0;
  /** Not asked for before the metadata is newer than this version. */
  waitsAfterVersion = -1;
  /** Metadata refreshes in a row that did not know the topic. */
  missing = 0;
  /** Topic id when the lane was first seen in metadata. */
  topicId: string | null = null;

  constructor(lane: Lane, slot: number, position: number) {
    this.lane = lane;
    this.slot = slot;
    this.position = position;
  }

  seek(position: number): number {
    this.position = position;
    this.fetchedEpoch = -1;
    this.failed = false;
    this.alone = false;
    this.atLeastBytes = 0;
    this.waitsAfterVersion = -1;
    this.missing = 0;
    this.topicId = null;
    return ++this.generation;
  }
}

/** All lanes of the process. */
export class Lanes {
  readonly #byId = new Map<number, LaneState>();

  add(lane: Lane, position: number): LaneState {
    if (this.#byId.has(lane.id)) throw new RangeError(`lane ${lane.id} is there already`);
    const taken = new Set<number>();
    for (const s of this.#byId.values()) {
      if (s.lane.topic === lane.topic && s.lane.partition === lane.partition && s.lane.worker === lane.worker)
        taken.add(s.slot);
    }
    let slot = 0;
    while (taken.has(slot)) slot++;
    const state = new LaneState(lane, slot, position);
    this.#byId.set(lane.id, state);
    return state;
  }

  get(lane: Lane): LaneState {
    const state = this.#byId.get(lane.id);
    if (state === undefined) throw new RangeError(`lane ${lane.id} of ${lane.topic}/${lane.partition} was not added`);
    return state;
  }

  /** True while this very state is in use: a lane that was removed and added again has another. */
  holds(state: LaneState): boolean {
    return this.#byId.get(state.lane.id) === state;
  }

  remove(lane: Lane): void {
    this.#byId.delete(lane.id);
  }

  topics(): string[] {
    return [...new Set([...this.#byId.values()].map((s) => s.lane.topic))];
  }

  [Symbol.iterator](): Iterator<LaneState> {
    return this.#byId.values();
  }
}
