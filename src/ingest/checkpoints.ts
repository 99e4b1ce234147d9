import type { CommitResult, Cut, Receipt, TopicIdentity } from '../commit/commit.ts';
import { momentOf } from '../commit/prepare.ts';
import type { Moment } from '../commit/prepare.ts';
import type { FromWorker } from '../pipeline/messages.ts';
import { PendingCut, isEmpty, joinCuts, toCut } from './cuts.ts';
import type { CutContent } from './cuts.ts';
import type { LaneControl } from './lane-control.ts';
import type { LaneState } from './lane-table.ts';
import type { Layouts } from './layouts.ts';
import type { TableContext } from './table-context.ts';

/** How long offsets that are neither rows nor dead letters may wait for a commit of their own (ms). */
const EMPTY_COMMIT_SPACING = 60_000;

/** What a turn did. */
export type Turn = 'committed' | 'nothing' | { readonly dropped: string };

/**
 * Cuts checkpoints and commits them. The caller never runs two turns at once.
 *
 * Invariants: only a receipt moves what counts as committed (6); whatever goes wrong with a checkpoint, it is dropped
 * whole, and the caller has its ranges read again (2).
 *
 * Breaks: test/sim/invariants.sim.test.ts, "Kafka’s offsets never run before the table’s".
 */
export class Checkpoints {
  readonly #context: TableContext;
  readonly #layouts: Layouts;
  readonly #lanes: LaneControl;
  #cut: PendingCut | null = null;
  #cuts = 0;
  /** Monotonic clock, ms: the wall clock may run back. */
  #committedAt = Number.NEGATIVE_INFINITY;
  /** Files of the open checkpoint were begun after this. */
  #openedAt: Moment;
  /** Ranges without rows that wait to be committed with the next ones. */
  #carry: CutContent | null = null;
  lastCommit: { readonly at: number; readonly snapshotId: bigint } | null = null;
  rows = 0;
  deadLetters = 0;

  constructor(context: TableContext, layouts: Layouts, lanes: LaneControl) {
    this.#context = context;
    this.#layouts = layouts;
    this.#lanes = lanes;
    this.#openedAt = momentOf(this.#context.options.ports);
  }

  get cutting(): boolean {
    return this.#cut !== null;
  }

  /** @param closing lanes that end with this cut. @param flush commits ranges without rows at once. */
  async turn(closing: readonly LaneState[], flush: boolean): Promise<Turn> {
    const opened = this.#openedAt;
    const content = await this.#takeCut(closing);
    if (!content) return 'nothing';
    const joined = joinCuts(this.#carry, content);
    this.#carry = null;
    if (joined.ranges.length === 0) return 'nothing';
    const { clock } = this.#context.options.ports;
    const spaced = clock.monotonic() - this.#committedAt < EMPTY_COMMIT_SPACING;
    if (isEmpty(joined) && spaced && !flush) {
      this.#carry = joined;
      return 'nothing';
    }
    return this.#commit(joined, opened);
  }

  answer(worker: number, message: Extract<FromWorker, { type: 'cut-done' }>): void {
    if (this.#cut?.id === message.cut) this.#cut.answer(worker, message, this.#context.uploads?.take(worker) ?? []);
  }

  /** Forgets the open cut and what waits: the lanes are about to be reset. */
  drop(): void {
    this.#carry = null;
    const files = this.#cut?.cancel() ?? [];
    this.#cut = null;
    this.#openedAt = momentOf(this.#context.options.ports);
    void this.#context.uploads?.discard(files);
  }

  async #takeCut(closing: readonly LaneState[]): Promise<CutContent | null> {
    const workers = this.#context.lanes.workers();
    const cut = new PendingCut(++this.#cuts, workers, this.#identities());
    this.#cut = cut;
    this.#openedAt = momentOf(this.#context.options.ports);
    for (const worker of workers) this.#context.post(worker, { type: 'cut', cut: cut.id });
    this.#lanes.close(closing);
    const content = await cut.done;
    if (this.#cut === cut) this.#cut = null;
    return content;
  }

  /** Of the topics that the lanes read, as they were when the lanes were opened. */
  #identities(): Record<string, TopicIdentity> {
    const cluster = this.#context.options.clusterId;
    return Object.fromEntries(
      this.#context.lanes.all().map(({ lane, topicId }) => [lane.topic, { id: topicId, cluster }]),
    );
  }

  async #commit(content: CutContent, opened: Moment): Promise<Turn> {
    const { options, lanes } = this.#context;
    const { committer, ports, hooks } = options;
    const started = ports.clock.monotonic();
    if (content.specIds.size > 1) {
      hooks.dropped();
      void this.#context.uploads?.discard(content.files);
      return { dropped: `its files follow the partition specs ${[...content.specIds].join(' and ')}` };
    }
    const { schemaId, specId } = await this.#layouts.ids();
    const cut = await toCut(content, opened, schemaId, specId, lanes.watermark(this.#context.partitions()));
    const prepared = await this.#context.retry('write the manifest', () => committer.prepare(cut));
    const result: CommitResult = await this.#context.retry('commit', () => committer.commit(prepared));
    if (result.kind === 'dropped') {
      hooks.dropped();
      return { dropped: result.reason };
    }
    this.#committed(result.receipt, cut, ports.clock.monotonic() - started);
    return 'committed';
  }

  #committed(receipt: Receipt, cut: Cut, took: number): void {
    const { options, lanes, log } = this.#context;
    const now = options.ports.clock.now();
    this.#lanes.succeeded();
    this.#context.setProblem(null);
    this.lastCommit = { at: now, snapshotId: receipt.snapshotId };
    this.#committedAt = options.ports.clock.monotonic();
    let rows = 0;
    for (const range of receipt.ranges) {
      rows += range.accounted.rows;
      lanes.committed(range, now);
    }
    this.rows += rows;
    this.deadLetters += cut.deadLetters.length;
    const byCode = new Map<string, number>();
    for (const { code } of cut.deadLetters) byCode.set(code, (byCode.get(code) ?? 0) + 1);
    const bytes = cut.files.reduce((sum, file) => sum + file.metrics.fileSize, 0);
    options.hooks.committed({ rows, files: cut.files.length, bytes, seconds: took / 1000, deadLetters: byCode });
    log.info(
      {
        snapshot: String(receipt.snapshotId),
        rows,
        deadLetters: cut.deadLetters.length,
        files: cut.files.length,
        ms: Math.round(took),
      },
      'committed',
    );
    const metadata = `table=${options.name} snapshot=${receipt.snapshotId}`;
    void options.source.commitOffsets(
      receipt.ranges.map(({ topic, partition, end, epoch }) => ({
        topic,
        partition,
        offset: end,
        leaderEpoch: epoch,
        metadata,
      })),
    );
  }
}
