import type { TableState } from '../commit/commit.ts';
import { TabletopicError, asTabletopicError } from '../errors.ts';
import { answeredQuestions, routeQuestion, workerOptions } from '../pipeline/messages.ts';
import type { FromWorker } from '../pipeline/messages.ts';
import type { FetchedRecords, Lane, TopicPartition } from '../source/source.ts';
import { Checkpoints } from './checkpoints.ts';
import type { GrowingPlan } from './growing-plan.ts';
import { LaneControl } from './lane-control.ts';
import type { LaneState, LaneTable } from './lane-table.ts';
import { Layouts } from './layouts.ts';
import { Serial } from '../commit/serial.ts';
import { PausedTopics } from './paused-topics.ts';
import type { PausedTopic } from './paused-topics.ts';
import { TableContext } from './table-context.ts';
import type { TableIngestOptions } from './table-context.ts';
import { Wake } from './wake.ts';

type TableMessage = Exclude<FromWorker, { type: 'released' }>;

/** How often an owner without new records compares its positions with the table's, at least (ms). */
const IDLE_CHECK = 10_000;
/** Bytes of dead letters in one worker that are committed without waiting for the interval. */
const DEAD_LETTERS_DUE = 8 << 20;

/**
 * The life of one table on the main thread: assignment, cut, commit, reset.
 *
 * Invariants:
 * - load, assignment, cut with its commit, and reset never overlap (one mutex), so a checkpoint is of one history;
 * - whatever goes wrong with the open checkpoint, it is dropped whole and its ranges are read again (invariant 2);
 * - an error of this table stops this table only (invariant 9).
 *
 * Breaks: test/sim/invariants.sim.test.ts, "a partition that is revoked", "a table that stops".
 */
export class TableIngest {
  readonly id: number;
  readonly name: string;
  readonly plan: GrowingPlan;
  state: 'starting' | 'running' | 'stopped' | 'closed' = 'starting';
  /** Bytes of columns, encoded pages and dead letters in the workers. */
  heldBytes = 0;
  readonly #context: TableContext;
  readonly #layouts: Layouts;
  readonly #control: LaneControl;
  readonly #checkpoints: Checkpoints;
  readonly #mutex = new Serial();
  readonly #wake = new Wake();
  readonly #held = new Map<number, number>();
  readonly #paused: PausedTopics;
  #loop: Promise<void> | null = null;
  /** Commit what there is as soon as the lanes stand at these offsets (`--until-caught-up`). */
  #targets: ReadonlyMap<string, readonly number[]> | null = null;

  constructor(options: TableIngestOptions) {
    this.id = options.id;
    this.name = options.name;
    this.plan = options.plan;
    const context = new TableContext(options);
    this.#context = context;
    this.#paused = new PausedTopics(context);
    this.#layouts = new Layouts({
      plan: options.plan,
      committer: options.committer,
      source: options.layoutSource,
      ports: options.ports,
      signal: context.abort.signal,
      guard: (task) => void this.#guard(task),
      retry: (what, attempt) => context.retry(what, attempt),
      created: (state) => this.#created(state),
      firstOffsets: () => context.firstOffsets(),
      send: (worker, layout, schemas, answered) => {
        const message = { layout, schemas, ...(answered === undefined ? {} : { answered }) };
        context.post(worker, { type: 'layout', ...message });
        this.#control.answered(worker, answeredQuestions(message));
      },
      sendRoute: (worker, key, schema) => {
        context.post(worker, { type: 'route-schema', key, schema });
        this.#control.answered(worker, [routeQuestion(key)]);
      },
      approval: { log: context.log, lanesBehind: (question) => this.#control.behind(question) },
    });
    this.#control = new LaneControl(context, (state) => this.#opened(state));
    this.#checkpoints = new Checkpoints(context, this.#layouts, this.#control);
  }

  get lanes(): LaneTable {
    return this.#context.lanes;
  }

  get tableState(): TableState | null {
    return this.#context.state;
  }

  get problem(): TabletopicError | null {
    return this.#context.problem;
  }

  get problemSince(): number {
    return this.#context.problemSince;
  }

  /** The newest commit of this instance (wall clock, ms). */
  get lastCommit(): Checkpoints['lastCommit'] {
    return this.#checkpoints.lastCommit;
  }

  get rowsCommitted(): number {
    return this.#checkpoints.rows;
  }

  get deadLettersCommitted(): number {
    return this.#checkpoints.deadLetters;
  }

  /** Topics of which too many records are dead letters: nothing more of them is read. */
  get paused(): readonly PausedTopic[] {
    return this.stopped ? [] : this.#paused.all();
  }

  /** Schema changes that wait for approval, with the partitions behind them. */
  get waiting(): Layouts['waiting'] {
    return this.stopped ? [] : this.#layouts.waiting;
  }

  /** When the oldest record that is decoded and not committed was decoded (wall clock, ms); null when there is none. */
  get uncommittedSince(): number | null {
    const since = this.lanes.all().flatMap((lane) => (lane.position > lane.committedNext ? lane.openSince : []));
    return since.length > 0 ? Math.min(...since) : null;
  }

  get stopped(): boolean {
    return this.state === 'stopped' || this.state === 'closed';
  }

  /** Loads the table (waiting for the catalog if need be) and begins to cut on time. */
  async start(): Promise<void> {
    const { committer, isolation, maxBatchBytes } = this.#context.options;
    this.#context.postAll({ type: 'table', options: workerOptions(this.plan.rule), isolation, maxBatchBytes });
    await this.#exclusive(async () => {
      await this.#context.options.ready;
      const state = await this.#context.retry('load the table', () => committer.load());
      if (state) {
        this.#opened(state);
        await this.#context.retry('record first offsets', async () =>
          committer.ensureOffsets(await this.#context.firstOffsets()),
        );
        await this.#layouts.addServiceColumns();
      } else if (this.plan.rule.startFrom !== 'earliest') await this.#layouts.ensure();
      if (this.state === 'starting') this.state = 'running';
    });
    this.#loop = this.#run();
  }

  setTargets(targets: ReadonlyMap<string, readonly number[]>): void {
    this.#targets = targets;
    this.#wake.now();
  }

  /** True when the table holds every offset below the targets. */
  holds(targets: ReadonlyMap<string, readonly number[]>): boolean {
    const offsets = this.tableState?.offsets;
    return this.plan.topics.every((topic) =>
      (targets.get(topic) ?? []).every((target, partition) => {
        // Before the table exists, a partition without records between its start and the target holds them all.
        const next = offsets
          ? offsets[topic]?.next[partition]
          : this.lanes.of([{ topic, partition }])[0]?.committedNext;
        return next === undefined ? target === 0 : next >= target;
      }),
    );
  }

  assign(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#exclusive(async () => {
      if (!this.stopped) await this.#control.start(partitions);
      this.#paused.pauseLanes();
    });
  }

  /** Cuts and commits what the partitions' lanes hold, then lets go of them. */
  revoke(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#exclusive(async () => {
      const lanes = this.lanes.of(partitions);
      this.#control.stopReading(lanes);
      if (lanes.length > 0) await this.#turn(lanes, true);
    });
  }

  lost(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#exclusive(async () => {
      const lanes = this.lanes.of(partitions);
      if (lanes.length === 0) return;
      this.#control.stopReading(lanes);
      this.#control.close(lanes);
      await this.#reset('the session was lost');
    });
  }

  fetched(records: FetchedRecords): void {
    const known = this.lanes.get(records.lane.id);
    if (known?.generation !== records.generation) {
      this.#context.options.source.release(records.byteLength);
      return;
    }
    known.observe(records.highWatermark, records.lastStableOffset, records.fetchedAt);
    const { lane, buffer, byteOffset, byteLength, nextOffset, endOffset, aborted, generation } = records;
    this.#context.post(
      lane.worker,
      {
        type: 'records',
        lane: lane.id,
        generation,
        buffer,
        byteOffset,
        byteLength,
        nextOffset,
        ...(endOffset === undefined ? {} : { endOffset }),
        aborted,
      },
      [buffer],
    );
  }

  idle(lane: Lane, highWatermark: number, lastStableOffset: number, fetchedAt: number): void {
    this.lanes.get(lane.id)?.observe(highWatermark, lastStableOffset, fetchedAt);
  }

  /** A lane cannot go on. Retention gaps follow `onMissingOffsets`; everything else stops the table. */
  laneError(lane: Lane, error: TabletopicError): void {
    const known = this.lanes.get(lane.id);
    if (!known) return;
    const { log, options } = this.#context;
    const logStart = error.where['logStart'];
    if (
      error.code === 'KAFKA_OFFSETS_DELETED' &&
      this.plan.rule.onMissingOffsets === 'skip' &&
      typeof logStart === 'number'
    ) {
      log.warn(
        { topic: lane.topic, partition: lane.partition, to: logStart },
        'retention deleted records before they were read: the gap is recorded',
      );
      known.generation = options.source.seek(lane, logStart);
      this.#context.post(lane.worker, {
        type: 'skip',
        lane: lane.id,
        generation: known.generation,
        to: logStart,
        reason: 'retention',
      });
    } else void this.#exclusive(() => this.#laneStops(lane, known.generation, error));
  }

  /**
   * Stops the table, unless the error is of a position where the table no longer stands: the lane was restarted or closed
   * meanwhile, or another owner went on with its partition.
   */
  async #laneStops(lane: Lane, generation: number, error: TabletopicError): Promise<void> {
    if (this.lanes.get(lane.id)?.generation !== generation) return;
    await this.#compare();
    if (this.lanes.get(lane.id)?.generation === generation) await this.#stop(error);
  }

  fromWorker(worker: number, message: TableMessage): void {
    switch (message.type) {
      case 'file':
      case 'part':
      case 'file-end':
      case 'file-abort':
        if (this.#context.uploads) this.#context.uploads.handle(worker, message);
        else if (message.type === 'part')
          this.#context.options.pool.post(worker, { type: 'uploaded', bytes: message.bytes.byteLength });
        return;
      case 'position': {
        const lane = this.lanes.get(message.lane);
        if (lane?.generation !== message.generation) return;
        this.#control.goesOn(message.lane);
        lane.advance(message.next, message.maxTimestamp, this.#context.options.ports.clock.now());
        this.#context.options.hooks.records(lane.lane.topic, message.records, message.bytes, message.digitsCut);
        if (message.ignored > 0) this.#context.options.hooks.ignored(message.ignored);
        if (this.#targets && this.lanes.reached(this.#targets)) this.#wake.now();
        return;
      }
      case 'waits':
        return this.#control.waits(message.lane, message.generation, message.question);
      case 'too-many-dead-letters':
        return this.#paused.pause(message);
      case 'cut-done':
        return this.#checkpoints.answer(worker, message);
      case 'reset-done':
        return this.#control.resetDone(worker, message.reset);
      case 'held':
        this.#held.set(worker, message.bytes);
        this.heldBytes = [...this.#held.values()].reduce((sum, bytes) => sum + bytes, 0);
        if (message.deadLetterBytes >= DEAD_LETTERS_DUE) this.#wake.now();
        return;
      case 'failed': {
        const error = new TabletopicError(message.code, message.message, {
          where: { ...message.where, table: this.name },
        });
        void this.#exclusive(() => this.#stop(error));
        return;
      }
      case 'need-layout':
      case 'need-schema':
      case 'need-fields':
      case 'sample':
        void this.#guard(() => this.#layouts.question(worker, message));
    }
  }

  /** True when every offset below the targets that the table does not hold waits for a person: for an approval, or paused. */
  waitsFor(targets: ReadonlyMap<string, readonly number[]>): boolean {
    const paused = this.lanes.all().filter(({ lane }) => this.#paused.has(lane.topic));
    const waiting = new Set([
      ...this.waiting.flatMap(({ partitions }) => partitions),
      ...paused.map(({ lane }) => `${lane.topic}-${lane.partition}`),
    ]);
    const behind = this.lanes
      .all()
      .filter(({ lane, committedNext }) => committedNext < (targets.get(lane.topic)?.[lane.partition] ?? 0));
    return behind.length > 0 && behind.every(({ lane }) => waiting.has(`${lane.topic}-${lane.partition}`));
  }

  /** Compares with the table now (`--until-caught-up`). */
  async refresh(): Promise<void> {
    if (!this.stopped && this.tableState) await this.#exclusive(() => this.#compare());
  }

  /** Commits what is there and ends. Within the caller's bound; what is not committed is read again next time. */
  async drain(): Promise<void> {
    // A table that still waits for its catalog has read nothing.
    if (this.state === 'running')
      await this.#exclusive(async () => {
        const lanes = this.lanes.all();
        this.#control.stopReading(lanes);
        await this.#turn(lanes, true);
      });
    await this.close();
  }

  async close(): Promise<void> {
    if (this.state !== 'stopped') this.state = 'closed';
    this.#context.abort.abort(new TabletopicError('INTERNAL', 'the table is closed'));
    this.#wake.now();
    await this.#loop;
    await this.#release();
    await this.#context.options.committer.close();
  }

  async #run(): Promise<void> {
    const { clock } = this.#context.options.ports;
    const interval = this.plan.rule.commitInterval;
    let due = clock.monotonic() + interval;
    while (!this.stopped) {
      await this.#wake.wait(clock, due - clock.monotonic(), this.#context.abort.signal);
      due = clock.monotonic() + interval;
      await this.#exclusive(() => this.#turn([], this.#targets !== null));
    }
  }

  async #turn(closing: readonly LaneState[], flush: boolean): Promise<void> {
    let turn: Awaited<ReturnType<Checkpoints['turn']>>;
    try {
      turn = await this.#checkpoints.turn(closing, flush);
    } catch (thrown) {
      const error = asTabletopicError(thrown);
      if (error.policy !== 'retry' || this.stopped) throw error;
      return this.#reset(error.message, error);
    }
    if (turn === 'committed') return;
    if (turn !== 'nothing') return this.#reset(turn.dropped);
    const { clock } = this.#context.options.ports;
    if (clock.monotonic() - this.#control.comparedAt >= Math.max(IDLE_CHECK, this.plan.rule.commitInterval))
      await this.#compare();
  }

  async #compare(): Promise<void> {
    const moved = await this.#control.moved();
    if (moved)
      await this.#reset(
        `the table stands at another offset of ${moved.topic}-${moved.partition} than was committed here: rolled back, or written by another owner`,
      );
    else this.#context.setProblem(null);
  }

  /** Drops the open checkpoint; its offsets are read again. */
  async #reset(reason: string, error: TabletopicError | null = null): Promise<void> {
    this.#context.log.warn({ reason }, 'the open checkpoint is dropped; its offsets are read again');
    if (error) this.#context.setProblem(error);
    this.#checkpoints.drop();
    // Others may have taken them out, and that may be why.
    if (this.tableState) await this.#layouts.addServiceColumns();
    this.#paused.clear();
    await this.#control.restart(error);
  }

  /** The table is there: files have a place, and lanes that were started before must start where it stands. */
  #created(state: TableState): void {
    this.#opened(state);
    void this.#exclusive(() => this.#compare());
  }

  #opened(state: TableState): void {
    const { options } = this.#context;
    this.#context.uploads ??= options.openUploads(state, {
      taken: (worker, bytes) => options.pool.post(worker, { type: 'uploaded', bytes }),
      failed: (error) => this.#uploadFailed(asTabletopicError(error)),
    });
  }

  #uploadFailed(error: TabletopicError): void {
    if (this.stopped || this.problem?.code === error.code) return;
    this.#context.setProblem(error);
    if (error.policy === 'retry') {
      const { code, hint, where } = error;
      this.#context.options.hooks.retried(error);
      this.#context.log.warn({ code, hint, ...where }, `upload: ${error.message}; the records are read again`);
    }
    // A cut that waits for this file fails by itself; without one the open checkpoint is dropped here.
    if (!this.#checkpoints.cutting)
      void this.#exclusive(() => (error.policy === 'retry' ? this.#reset(error.message, error) : this.#stop(error)));
  }

  #exclusive(task: () => Promise<void>): Promise<void> {
    return this.#mutex.run(() => this.#guard(task));
  }

  async #guard(task: () => Promise<void>): Promise<void> {
    try {
      if (!this.stopped) await task();
    } catch (thrown) {
      if (!this.#context.abort.signal.aborted) await this.#stop(asTabletopicError(thrown));
    }
  }

  async #stop(error: TabletopicError): Promise<void> {
    if (this.stopped) return;
    const { log, abort, options } = this.#context;
    this.state = 'stopped';
    this.#context.setProblem(error);
    log.error(
      { code: error.code, hint: error.hint, ...error.where, ...(error.code === 'INTERNAL' ? { err: error } : {}) },
      `the table stops: ${error.message}`,
    );
    abort.abort(error);
    this.#checkpoints.drop();
    await this.#release();
    options.hooks.stopped(error);
  }

  async #release(): Promise<void> {
    this.#control.stopReading(this.lanes.all());
    this.#control.close(this.lanes.all());
    this.#context.postAll({ type: 'close-table' });
    await this.#context.uploads?.close();
    this.#context.uploads = null;
  }
}
