import type { OffsetsMap, TableState } from '../commit/commit.ts';
import type { TablePlan } from '../config/config.ts';
import type { TopicRoutes } from '../config/route.ts';
import type { TabletopicError } from '../errors.ts';
import type { TopicPartition } from '../source/source.ts';
import type { LaneState } from './lane-table.ts';
import { checkPosition } from './positions.ts';
import type { TableContext } from './table-context.ts';

const LONGEST_WAIT = 10_000;
const FIRST_WAIT = 200;

/**
 * Starts, restarts and ends the lanes of one table.
 *
 * Invariant 1: a lane starts where the table stands, never where the group does.
 *
 * Breaks: test/sim/invariants.sim.test.ts, "goes on where the table stands", "a rollback while nothing new comes".
 */
export class LaneControl {
  readonly #context: TableContext;
  readonly #found: (state: TableState) => void;
  #resets = 0;
  #failuresInRow = 0;
  /** Workers that have not confirmed the last reset: the files that they ended are of the dropped checkpoint. */
  readonly #resetting = new Map<number, number>();
  /** When the positions were last compared with the table's (monotonic clock, ms). */
  comparedAt = 0;

  /** @param found told of a table that exists, before anything of it is read. */
  constructor(context: TableContext, found: (state: TableState) => void) {
    this.#context = context;
    this.#found = found;
  }

  async start(partitions: readonly TopicPartition[]): Promise<void> {
    // Others may have committed since this process last looked: where it saw the table then says nothing now.
    const offsets = await this.#offsetsOf(await this.#load(), partitions);
    for (const partition of partitions) if (!this.#context.lanes.has(partition)) await this.#open(partition, offsets);
  }

  /** Nothing more is read for these lanes; the workers keep what they have until the next cut or reset. */
  stopReading(lanes: readonly LaneState[]): void {
    for (const { lane } of lanes) this.#context.options.source.removeLane(lane);
  }

  /** The workers forget the lanes; what is open of them must have been cut, or be reset. */
  close(lanes: readonly LaneState[]): void {
    for (const { lane } of lanes) {
      this.#context.post(lane.worker, { type: 'close-lane', lane: lane.id });
      this.#context.lanes.remove(lane.id);
    }
  }

  /**
   * All that is open of the table is dropped; the lanes go on where the table stands. After an error that is tried
   * again, waits first, longer each time in a row.
   */
  async restart(error: TabletopicError | null): Promise<void> {
    const { options, lanes, abort } = this.#context;
    const { source, ports } = options;
    const all = lanes.all();
    for (const { lane } of all) source.pause(lane);
    if (error) await ports.clock.sleep(Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failuresInRow++), abort.signal);
    const state = await this.#load();
    const offsets = await this.#offsetsOf(
      state,
      all.map(({ lane }) => lane),
    );
    for (const { lane } of all) await this.#check(lane, nextOf(offsets, lane), offsets);
    // From here on nothing is waited for: records of the new generation must not reach a worker before its reset. It would
    // not know them, and what it then misses would count as absent.
    const reset = ++this.#resets;
    const restarted = new Map<number, { lane: number; start: number; generation: number }[]>();
    for (const known of all) {
      const { lane } = known;
      const start = nextOf(offsets, lane);
      known.restart(start, source.seek(lane, start));
      restarted.set(lane.worker, [
        ...(restarted.get(lane.worker) ?? []),
        { lane: lane.id, start, generation: known.generation },
      ]);
    }
    for (let worker = 0; worker < options.pool.size; worker++) {
      this.#resetting.set(worker, reset);
      this.#context.post(worker, { type: 'reset', reset, lanes: restarted.get(worker) ?? [] });
    }
    for (const { lane } of all) source.resume(lane);
  }

  /** The lane stands in its worker until the question is answered: more of it would only fill the budget of the others. */
  waits(id: number, generation: number, question: string): void {
    const known = this.#context.lanes.get(id);
    if (known?.generation !== generation) return;
    known.waitsFor = question;
    this.#context.options.source.pause(known.lane);
  }

  answered(worker: number, questions: readonly string[]): void {
    for (const known of this.#context.lanes.all()) {
      if (known.lane.worker !== worker || known.waitsFor === null || !questions.includes(known.waitsFor)) continue;
      known.waitsFor = null;
      this.#context.options.source.resume(known.lane);
    }
  }

  /**
   * The worker has read on: where it said that a lane waits after the answer was on its way, only this tells that it does
   * so no longer.
   */
  goesOn(id: number): void {
    const known = this.#context.lanes.get(id);
    if (!known || known.waitsFor === null) return;
    known.waitsFor = null;
    this.#context.options.source.resume(known.lane);
  }

  /** Lanes that stand until the question is answered, as `topic-partition`. */
  behind(question: string): string[] {
    return this.#context.lanes
      .all()
      .filter(({ waitsFor }) => waitsFor === question)
      .map(({ lane }) => `${lane.topic}-${lane.partition}`);
  }

  /** A commit went through: the next failure is the first in a row. */
  succeeded(): void {
    this.#failuresInRow = 0;
    this.comparedAt = this.#context.options.ports.clock.monotonic();
  }

  resetDone(worker: number, reset: number): void {
    if (this.#resetting.get(worker) !== reset) return;
    this.#resetting.delete(worker);
    const { uploads } = this.#context;
    if (uploads) void uploads.discard(uploads.take(worker));
  }

  /**
   * Loads the table and names a lane that does not stand where the table does: rolled back, or written by another owner
   * (TRACES B1: an idle owner must notice without new records). Null when all agree.
   */
  async moved(): Promise<TopicPartition | null> {
    const { options, lanes, state } = this.#context;
    this.comparedAt = options.ports.clock.monotonic();
    if (!state) return null;
    const { offsets } = await this.#context.retry('load the table', () => options.committer.refresh());
    return offsets
      ? (lanes.all().find(({ lane, committedNext }) => nextOf(offsets, lane) !== committedNext)?.lane ?? null)
      : null;
  }

  /**
   * The table's offsets with those of the partitions, which are recorded first where the table lacks them: they are new,
   * or a rollback took them back. A range of a partition without an offset is never committed.
   */
  async #offsetsOf(state: TableState | null, partitions: readonly TopicPartition[]): Promise<OffsetsMap> {
    const known = state?.offsets;
    if (known && partitions.every(({ topic, partition }) => known[topic]?.next[partition] !== undefined)) return known;
    const first = await this.#context.firstOffsets(partitions);
    if (!known) return first;
    const { committer } = this.#context.options;
    const ensured = await this.#context.retry('record first offsets', () => committer.ensureOffsets(first));
    return ensured.offsets ?? first;
  }

  async #load(): Promise<TableState | null> {
    const { committer } = this.#context.options;
    const load = (): Promise<TableState | null> => (this.#context.state ? committer.refresh() : committer.load());
    const state = await this.#context.retry('load the table', load);
    if (state) this.#found(state);
    return state;
  }

  async #open(partition: TopicPartition, offsets: OffsetsMap): Promise<void> {
    const { options, lanes } = this.#context;
    const start = nextOf(offsets, partition);
    const from = await this.#check(partition, start, offsets);
    // The table may have stopped meanwhile: nobody would close the lane any more.
    this.#context.abort.signal.throwIfAborted();
    const { lane } = lanes.add(partition, this.#context.identity(partition.topic)?.id ?? '', start);
    this.#context.post(lane.worker, {
      type: 'lane',
      lane: lane.id,
      topic: lane.topic,
      partition: lane.partition,
      start,
      generation: 0,
      ...routesOf(options.plan, lane.topic),
    });
    if (from > start)
      this.#context.post(lane.worker, { type: 'skip', lane: lane.id, generation: 0, to: from, reason: 'retention' });
    options.source.addLane(lane, from);
  }

  #check(partition: TopicPartition, start: number, offsets: OffsetsMap): Promise<number> {
    const { source, plan } = this.#context.options;
    const epoch = offsets[partition.topic]?.epoch[partition.partition] ?? -1;
    return this.#context.retry('check offsets', () =>
      checkPosition(source, partition, start, epoch, plan.rule.onMissingOffsets),
    );
  }
}

/** Of a lane of the topic. */
export function routesOf({ routes }: Pick<TablePlan, 'routes'>, topic: string): { readonly routes?: TopicRoutes } {
  const found = routes?.[topic];
  return found ? { routes: found } : {};
}

function nextOf(offsets: OffsetsMap, { topic, partition }: TopicPartition): number {
  return offsets[topic]?.next[partition] ?? 0;
}
