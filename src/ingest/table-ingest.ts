import type { Logger } from 'pino';
import type { CommitResult, Committer, Cut, OffsetsMap, Receipt, TableState } from '../commit/commit.ts';
import type { TablePlan } from '../config/config.ts';
import { TabletopicError, asTabletopicError } from '../errors.ts';
import type { FromWorker, WorkerTableOptions } from '../pipeline/messages.ts';
import type { WorkerPool } from '../pipeline/pool.ts';
import type { Ports } from '../ports.ts';
import type { FetchedRecords, Lane, Source, TopicDescription, TopicPartition } from '../source/source.ts';
import { PendingCut, isEmpty, joinCuts, toCut } from './cuts.ts';
import type { CutContent } from './cuts.ts';
import type { IngestHooks } from './hooks.ts';
import { LaneTable } from './lane-table.ts';
import type { LaneState } from './lane-table.ts';
import { Layouts } from './layouts.ts';
import type { LayoutSource } from './layouts.ts';
import { Mutex } from './mutex.ts';
import { checkPosition, firstOffsets } from './positions.ts';
import { withRetry } from './retry.ts';
import { Uploads } from './uploads.ts';
import { Wake } from './wake.ts';

export interface TableIngestOptions {
  readonly id: number;
  readonly plan: TablePlan;
  readonly name: string;
  readonly committer: Committer;
  readonly layoutSource: LayoutSource;
  /** Opens the uploads once the table's location is known. */
  readonly openUploads: (state: TableState, hooks: ConstructorParameters<typeof Uploads>[2]) => Uploads;
  readonly source: Source;
  readonly pool: WorkerPool;
  readonly topics: () => readonly TopicDescription[];
  readonly clusterId: string;
  readonly isolation: 'read_committed' | 'read_uncommitted';
  readonly maxBatchBytes: number;
  readonly ports: Ports;
  readonly logger: Logger;
  readonly hooks: IngestHooks;
}

type TableMessage = Exclude<FromWorker, { type: 'released' }>;

/** How often an owner without new records compares its positions with the table's, at least (ms). */
const IDLE_CHECK = 10_000;
/** Bytes of dead letters in one worker that are committed without waiting for the interval. */
const DEAD_LETTERS_DUE = 8 << 20;
/** How long offsets that are neither rows nor dead letters may wait for a commit of their own (ms). */
const EMPTY_COMMIT_SPACING = 60_000;

/**
 * The life of one table on the main thread: assignment, cut, commit, reset.
 *
 * Invariants:
 * - a lane starts where the table stands, and only a receipt moves what is taken as committed (invariants 1, 6);
 * - assignment, cut with its commit, and reset never overlap (one mutex), so a checkpoint is of one history;
 * - whatever goes wrong with the open checkpoint, it is dropped whole and its ranges are read again (invariant 2);
 * - an error of this table stops this table only (invariant 9).
 */
export class TableIngest {
  readonly id: number;
  readonly name: string;
  readonly plan: TablePlan;
  readonly lanes: LaneTable;
  state: 'starting' | 'running' | 'stopped' | 'closed' = 'starting';
  /** Why the table stopped, or what it waits for at the moment; wall clock (ms) since when. */
  problem: TabletopicError | null = null;
  problemSince = 0;
  lastCommit: { at: number; snapshotId: bigint } | null = null;
  heldBytes = 0;
  rowsCommitted = 0;
  deadLettersCommitted = 0;
  readonly #o: TableIngestOptions;
  readonly #log: Logger;
  readonly #layouts: Layouts;
  readonly #mutex = new Mutex();
  readonly #wake = new Wake();
  readonly #abort = new AbortController();
  readonly #held = new Map<number, number>();
  #uploads: Uploads | null = null;
  #cut: PendingCut | null = null;
  #cutCount = 0;
  /** Ranges without rows that wait to be committed with the next ones. */
  #carry: CutContent | null = null;
  #resetCount = 0;
  /** Workers that have not yet confirmed the last reset: their ended files are of the dropped checkpoint. */
  readonly #resetting = new Map<number, number>();
  #resetsInRow = 0;
  #lastCheck = 0;
  #loop: Promise<void> | null = null;
  /** Commit what there is as soon as the lanes stand at these offsets (`--until-caught-up`). */
  #targets: ReadonlyMap<string, readonly number[]> | null = null;

  constructor(options: TableIngestOptions) {
    this.#o = options;
    this.id = options.id;
    this.name = options.name;
    this.plan = options.plan;
    this.#log = options.logger.child({ table: options.name });
    this.lanes = new LaneTable(options.id, options.pool.size);
    this.#layouts = new Layouts({
      plan: options.plan,
      committer: options.committer,
      source: options.layoutSource,
      ports: options.ports,
      signal: this.#abort.signal,
      guard: (task) => void this.#guard(task),
      retry: <T>(what: string, attempt: () => Promise<T>) => this.#retry(what, attempt),
      created: (state) => this.#created(state),
      firstOffsets: () => this.#firstOffsets(),
      send: (worker, layout, schemas) => options.pool.post(worker, { type: 'layout', table: this.id, layout, schemas }),
      workers: options.pool.size,
    });
  }

  get tableState(): TableState | null {
    return this.#o.committer.state;
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
    const { rule } = this.plan;
    for (let worker = 0; worker < this.#o.pool.size; worker++) {
      this.#o.pool.post(worker, { type: 'table', table: this.id, options: workerOptions(rule), isolation: this.#o.isolation, maxBatchBytes: this.#o.maxBatchBytes });
    }
    await this.#guard(async () => {
      const state = await this.#retry('load the table', () => this.#o.committer.load());
      if (state) {
        this.#opened(state);
        await this.#retry('record first offsets', async () => this.#o.committer.ensureOffsets(await this.#firstOffsets()));
      } else if (rule.startFrom !== 'earliest') await this.#layouts.ensure();
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
        const next = offsets ? offsets[topic]?.next[partition] : this.lanes.of([{ topic, partition }])[0]?.committedNext;
        return next === undefined ? target === 0 : next >= target;
      }),
    );
  }

  assign(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#exclusive(async () => {
      if (this.stopped) return;
      await this.#ensurePartitions(partitions);
      for (const partition of partitions) await this.#addLane(partition);
    });
  }

  /** Cuts and commits what the partitions' lanes hold, then lets go of them. */
  revoke(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#exclusive(async () => {
      const lanes = this.lanes.of(partitions);
      for (const { lane } of lanes) this.#o.source.removeLane(lane);
      if (lanes.length > 0) await this.#cutAndCommit({ closing: lanes, flushEmpty: true });
    });
  }

  lost(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#exclusive(async () => {
      const lanes = this.lanes.of(partitions);
      if (lanes.length === 0) return;
      for (const { lane } of lanes) this.#o.source.removeLane(lane);
      this.#closeLanes(lanes);
      await this.#reset('the session was lost');
    });
  }

  fetched(records: FetchedRecords): void {
    const known = this.lanes.get(records.lane.id);
    if (!known || known.generation !== records.generation) {
      this.#o.source.release(records.byteLength);
      return;
    }
    known.observe(records.highWatermark, records.lastStableOffset, records.fetchedAt);
    known.fetched = records.nextOffset;
    const { buffer, byteOffset, byteLength, nextOffset, aborted, generation } = records;
    this.#o.pool.post(records.lane.worker, { type: 'records', table: this.id, lane: records.lane.id, generation, buffer, byteOffset, byteLength, nextOffset, aborted }, [buffer]);
  }

  idle(lane: Lane, highWatermark: number, lastStableOffset: number, fetchedAt: number): void {
    this.lanes.get(lane.id)?.observe(highWatermark, lastStableOffset, fetchedAt);
  }

  /** A lane cannot go on. Retention gaps follow `onMissingOffsets`; everything else stops the table. */
  laneError(lane: Lane, error: TabletopicError): void {
    const known = this.lanes.get(lane.id);
    if (!known) return;
    const logStart = error.where['logStart'];
    if (error.code === 'KAFKA_OFFSETS_DELETED' && this.plan.rule.onMissingOffsets === 'skip' && typeof logStart === 'number') {
      this.#log.warn({ topic: lane.topic, partition: lane.partition, to: logStart }, 'retention deleted records before they were read: the gap is recorded');
      known.generation = this.#o.source.seek(lane, logStart);
      this.#o.pool.post(lane.worker, { type: 'skip', table: this.id, lane: lane.id, generation: known.generation, to: logStart, reason: 'retention' });
      return;
    }
    void this.#stopWith(error);
  }

  fromWorker(worker: number, message: TableMessage): void {
    switch (message.type) {
      case 'file': case 'part': case 'file-end': case 'file-abort':
        if (this.#uploads) this.#uploads.handle(worker, message);
        else if (message.type === 'part') this.#o.pool.post(worker, { type: 'uploaded', bytes: message.bytes.byteLength });
        return;
      case 'position': {
        const lane = this.lanes.get(message.lane);
        if (lane?.generation !== message.generation) return;
        lane.advance(message.next, message.maxTimestamp, this.#o.ports.clock.now());
        this.#o.hooks.records(lane.lane.topic, message.records, message.bytes);
        if (this.#targets && this.lanes.reached(this.#targets)) this.#wake.now();
        return;
      }
      case 'cut-done':
        if (this.#cut?.id === message.cut) this.#cut.answer(worker, message, this.#uploads?.take(worker) ?? []);
        return;
      case 'reset-done':
        if (this.#resetting.get(worker) !== message.reset) return;
        this.#resetting.delete(worker);
        if (this.#uploads) void this.#uploads.discard(this.#uploads.take(worker));
        return;
      case 'held':
        this.#held.set(worker, message.bytes);
        if (message.deadLetterBytes >= DEAD_LETTERS_DUE) this.#wake.now();
        this.heldBytes = [...this.#held.values()].reduce((sum, bytes) => sum + bytes, 0);
        return;
      case 'failed':
        void this.#stopWith(new TabletopicError(message.code, message.message, { where: { ...message.where, table: this.name } }));
        return;
      case 'need-layout': case 'need-schema': case 'need-fields': case 'sample':
        void this.#guard(() => this.#layouts.question(worker, message));
    }
  }

  /** Compares with the table now (`--until-caught-up`, status). */
  async refresh(): Promise<void> {
    if (!this.stopped && this.tableState) await this.#exclusive(() => this.#compare());
  }

  /** Commits what is there and ends. Within the caller's bound; what is not committed is read again next time. */
  async drain(): Promise<void> {
    if (this.state === 'running') {
      await this.#exclusive(async () => {
        for (const { lane } of this.lanes.all()) this.#o.source.removeLane(lane);
        await this.#cutAndCommit({ closing: this.lanes.all(), flushEmpty: true });
      });
    }
    await this.close();
  }

  async close(): Promise<void> {
    if (this.state !== 'stopped') this.state = 'closed';
    this.#abort.abort(new TabletopicError('INTERNAL', 'the table is closed'));
    this.#wake.now();
    await this.#loop;
    await this.#release();
    await this.#o.committer.close();
  }

  async #run(): Promise<void> {
    const { clock } = this.#o.ports;
    const interval = this.plan.rule.commitInterval;
    let due = clock.monotonic() + interval;
    while (!this.stopped) {
      await this.#wake.wait(clock, due - clock.monotonic(), this.#abort.signal);
      if (this.stopped) return;
      due = clock.monotonic() + interval;
      await this.#exclusive(() => this.#cutAndCommit({ closing: [], flushEmpty: false }));
    }
  }

  async #cutAndCommit(options: { closing: readonly LaneState[]; flushEmpty: boolean }): Promise<void> {
    const content = await this.#takeCut(options.closing);
    if (!content) return;
    const now = this.#o.ports.clock.monotonic();
    const joined = joinCuts(this.#carry, content);
    this.#carry = null;
    if (joined.ranges.length === 0) {
      if (now - this.#lastCheck >= Math.max(IDLE_CHECK, this.plan.rule.commitInterval)) await this.#compare();
      return;
    }
    const spaced = this.lastCommit !== null && this.#o.ports.clock.now() - this.lastCommit.at < EMPTY_COMMIT_SPACING;
    if (isEmpty(joined) && spaced && !options.flushEmpty && !this.#targets) {
      this.#carry = joined;
      return;
    }
    await this.#commit(joined);
  }

  async #takeCut(closing: readonly LaneState[]): Promise<CutContent | null> {
    const workers = this.lanes.workers();
    const cut = new PendingCut(++this.#cutCount, workers);
    this.#cut = cut;
    for (const worker of workers) this.#o.pool.post(worker, { type: 'cut', table: this.id, cut: cut.id });
    this.#closeLanes(closing);
    const content = await cut.done;
    if (this.#cut === cut) this.#cut = null;
    return content;
  }

  async #commit(content: CutContent): Promise<void> {
    const started = this.#o.ports.clock.monotonic();
    let result: CommitResult;
    let cut: Cut;
    try {
      const { schemaId, specId } = await this.#layouts.ids();
      cut = await toCut(content, schemaId, specId, this.lanes.watermark(this.#allPartitions()));
      const prepared = await this.#retry('write the manifest', () => this.#o.committer.prepare(cut));
      result = await this.#retry('commit', () => this.#o.committer.commit(prepared));
    } catch (thrown) {
      const error = asTabletopicError(thrown);
      if (error.policy !== 'retry' || this.stopped) throw error;
      await this.#reset(error.message, error);
      return;
    }
    if (result.kind === 'dropped') {
      this.#o.hooks.dropped();
      await this.#reset(result.reason);
      return;
    }
    this.#committed(result.receipt, cut, this.#o.ports.clock.monotonic() - started);
  }

  #committed(receipt: Receipt, cut: Cut, took: number): void {
    const now = this.#o.ports.clock.now();
    this.#resetsInRow = 0;
    this.#setProblem(null);
    this.#lastCheck = this.#o.ports.clock.monotonic();
    this.lastCommit = { at: now, snapshotId: receipt.snapshotId };
    let rows = 0;
    for (const range of receipt.ranges) {
      rows += range.accounted.rows;
      this.deadLettersCommitted += range.accounted.deadLetters;
      this.lanes.committed(range, now);
    }
    this.rowsCommitted += rows;
    const deadLetters = new Map<string, number>();
    for (const { code } of cut.deadLetters) deadLetters.set(code, (deadLetters.get(code) ?? 0) + 1);
    this.#o.hooks.committed({ rows, files: cut.files.length, bytes: cut.files.reduce((sum, file) => sum + file.metrics.fileSize, 0), seconds: took / 1000, deadLetters });
    this.#log.info({ snapshot: String(receipt.snapshotId), rows, deadLetters: cut.deadLetters.length, files: cut.files.length, ms: Math.round(took) }, 'committed');
    const metadata = `table=${this.name} snapshot=${receipt.snapshotId}`;
    void this.#o.source.commitOffsets(
      receipt.ranges.map((range) => ({ topic: range.topic, partition: range.partition, offset: range.end, leaderEpoch: range.epoch, metadata })),
    );
  }

  /** Drops the open checkpoint and goes on where the table stands. */
  async #reset(reason: string, error: TabletopicError | null = null): Promise<void> {
    this.#log.warn({ reason }, 'the open checkpoint is dropped; its offsets are read again');
    this.#carry = null;
    const lanes = this.lanes.all();
    for (const { lane } of lanes) this.#o.source.pause(lane);
    const dropped = this.#cut?.cancel() ?? [];
    this.#cut = null;
    if (this.#uploads) void this.#uploads.discard(dropped);
    if (error) {
      this.#setProblem(error);
      await this.#o.ports.clock.sleep(Math.min(10_000, 200 * 2 ** this.#resetsInRow++), this.#abort.signal);
    }
    const state = await this.#retry('load the table', () => (this.tableState ? this.#o.committer.refresh() : this.#o.committer.load()));
    const offsets = state?.offsets ?? (await this.#firstOffsets());
    const reset = ++this.#resetCount;
    const byWorker = new Map<number, { lane: number; start: number; generation: number }[]>();
    for (let worker = 0; worker < this.#o.pool.size; worker++) byWorker.set(worker, []);
    for (const known of lanes) {
      const start = offsets[known.lane.topic]?.next[known.lane.partition] ?? 0;
      await this.#retry('check offsets', () => checkPosition(this.#o.source, known.lane, start, epochOf(offsets, known.lane), this.plan.rule.onMissingOffsets));
      known.restart(start, this.#o.source.seek(known.lane, start));
      byWorker.get(known.lane.worker)!.push({ lane: known.lane.id, start, generation: known.generation });
      this.#o.source.resume(known.lane);
    }
    for (const [worker, restarted] of byWorker) {
      this.#resetting.set(worker, reset);
      this.#o.pool.post(worker, { type: 'reset', table: this.id, reset, lanes: restarted });
    }
  }

  /** An owner notices a rollback without new records: its positions are compared with the table's (TRACES B1). */
  async #compare(): Promise<void> {
    this.#lastCheck = this.#o.ports.clock.monotonic();
    if (!this.tableState) return;
    const { offsets } = await this.#retry('load the table', () => this.#o.committer.refresh());
    if (!offsets) return;
    const moved = this.lanes.all().find(({ lane, committedNext }) => (offsets[lane.topic]?.next[lane.partition] ?? 0) !== committedNext);
    if (moved) {
      await this.#reset(`the table stands at another offset of ${moved.lane.topic}-${moved.lane.partition} than was committed here: rolled back, or written by another owner`);
    } else this.#setProblem(null);
  }

  /** The table is there: files have a place, and lanes that were started before must start where it stands. */
  #created(state: TableState): void {
    this.#opened(state);
    const { offsets } = state;
    if (!offsets) return;
    const elsewhere = this.lanes.all().some(({ lane, committedNext }) => (offsets[lane.topic]?.next[lane.partition] ?? 0) !== committedNext);
    if (elsewhere) void this.#exclusive(() => this.#reset('another instance created the table'));
  }

  #opened(state: TableState): void {
    this.#uploads ??= this.#o.openUploads(state, {
      taken: (worker, bytes) => this.#o.pool.post(worker, { type: 'uploaded', bytes }),
      failed: (error) => this.#uploadFailed(asTabletopicError(error)),
    });
  }

  #uploadFailed(error: TabletopicError): void {
    if (this.stopped || this.problem === error) return;
    this.#setProblem(error);
    // A cut that waits for this file fails by itself; without one the open checkpoint is dropped here.
    if (!this.#cut) void this.#exclusive(() => (error.policy === 'retry' ? this.#reset(error.message, error) : this.#stopNow(error)));
  }

  async #ensurePartitions(partitions: readonly TopicPartition[]): Promise<void> {
    const offsets = this.tableState?.offsets;
    if (!offsets || partitions.every(({ topic, partition }) => offsets[topic]?.next[partition] !== undefined)) return;
    await this.#retry('record first offsets', async () => this.#o.committer.ensureOffsets(await this.#firstOffsets()));
  }

  async #addLane(partition: TopicPartition): Promise<void> {
    if (this.lanes.has(partition)) return;
    const offsets = this.tableState?.offsets ?? (await this.#firstOffsets());
    const start = offsets[partition.topic]?.next[partition.partition] ?? 0;
    const from = await this.#retry('check offsets', () =>
      checkPosition(this.#o.source, partition, start, epochOf(offsets, partition), this.plan.rule.onMissingOffsets),
    );
    const known = this.lanes.add(partition, start);
    const { lane } = known;
    this.#o.pool.post(lane.worker, { type: 'lane', table: this.id, lane: lane.id, topic: lane.topic, partition: lane.partition, start, generation: 0 });
    this.#o.source.addLane(lane, from);
    if (from > start) this.#o.pool.post(lane.worker, { type: 'skip', table: this.id, lane: lane.id, generation: 0, to: from, reason: 'retention' });
  }

  #firstOffsets(): Promise<OffsetsMap> {
    return this.#retry('look up first offsets', () =>
      firstOffsets(this.#o.source, this.#o.topics().filter((topic) => this.plan.topics.includes(topic.name)), this.#o.clusterId, this.plan.rule.startFrom),
    );
  }

  #allPartitions(): number {
    return this.#o.topics().filter((topic) => this.plan.topics.includes(topic.name)).reduce((sum, topic) => sum + topic.partitions.length, 0);
  }

  #closeLanes(lanes: readonly LaneState[]): void {
    for (const { lane } of lanes) {
      this.#o.pool.post(lane.worker, { type: 'close-lane', table: this.id, lane: lane.id });
      this.lanes.remove(lane.id);
    }
  }

  #retry<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    return withRetry({ ports: this.#o.ports, logger: this.#log, signal: this.#abort.signal, what, onState: (error) => this.#setProblem(error) }, attempt);
  }

  #setProblem(error: TabletopicError | null): void {
    if (this.problem?.code === error?.code) return;
    this.problem = error;
    this.problemSince = this.#o.ports.clock.now();
    this.#o.hooks.problem(error);
  }

  #exclusive(task: () => Promise<void>): Promise<void> {
    return this.#mutex.run(() => this.#guard(task));
  }

  async #guard(task: () => Promise<void>): Promise<void> {
    try {
      if (this.state !== 'closed') await task();
    } catch (thrown) {
      if (this.#abort.signal.aborted) return;
      await this.#stopNow(asTabletopicError(thrown));
    }
  }

  #stopWith(error: TabletopicError): Promise<void> {
    return this.#exclusive(() => this.#stopNow(error));
  }

  async #stopNow(error: TabletopicError): Promise<void> {
    if (this.stopped) return;
    this.state = 'stopped';
    this.#setProblem(error);
    this.#log.error({ code: error.code, hint: error.hint, ...error.where, err: error.code === 'INTERNAL' ? error : undefined }, `the table stops: ${error.message}`);
    this.#abort.abort(error);
    this.#cut?.cancel();
    await this.#release();
    this.#o.hooks.stopped(error);
  }

  async #release(): Promise<void> {
    for (const { lane } of this.lanes.all()) this.#o.source.removeLane(lane);
    this.#closeLanes(this.lanes.all());
    for (let worker = 0; worker < this.#o.pool.size; worker++) this.#o.pool.post(worker, { type: 'close-table', table: this.id });
    await this.#uploads?.close();
    this.#uploads = null;
  }
}

function epochOf(offsets: OffsetsMap, { topic, partition }: TopicPartition): number {
  return offsets[topic]?.epoch[partition] ?? -1;
}

function workerOptions(rule: TablePlan["rule"]): WorkerTableOptions {
  const { compression, compressionLevel, inferRecords, key, metadataColumns, nanos, numbers, onBadRecord, rowGroupSize, targetFileSize, timeOfDay, unions, value } = rule;
  return { compression, compressionLevel, inferRecords, key, metadataColumns, nanos, numbers, onBadRecord, rowGroupSize, targetFileSize, timeOfDay, unions, value };
}
