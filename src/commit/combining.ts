import { isOutlived } from './combine.ts';
import { PendingStore } from './pending-store.ts';
import { CHECKPOINTS } from './statement.ts';
import type { Logger } from 'pino';
import type { LoadedTable } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { TableState } from './commit.ts';
import type { Known } from './known.ts';
import type { Pending } from './pending.ts';
import type { Listed } from './pending-store.ts';
import type { Prepared } from './prepare.ts';

export interface CombiningOptions {
  readonly branch: string;
  readonly io: (table: LoadedTable) => FileIO;
  readonly ports: Ports;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
}

/** Checkpoints in a row that met nobody (no conflict, none carried), after which a committer takes itself to be alone. */
export const CALM_CHECKPOINTS = 10;

/**
 * Wait between the offer of a checkpoint and its first attempt, ms, for each other that was met lately: time for others
 * to carry it, or to be carried. The more there are the longer: each commit carries more, and the catalog and whoever
 * waits for it have no more to do.
 */
const OFFER_WAIT_EACH = 60;
const LONGEST_OFFER_WAIT = 400;

/** The owner of the oldest object tries; the others wait for it so long, ms, to twice as long (drawn, so that not all try then). */
const PATIENCE = 800;

/** Between two looks whether the own checkpoint was carried, ms, to twice as long (drawn). */
const LOOK_AGAIN = 75;

/** An object that is older than the own one by so much, ms, is not waited for: its owner may be dead. */
const OVERDUE = 10_000;

/** Snapshots of others in a second that make a conflict likely. */
const BUSY = 3;

/** Part that is kept of the number of others, from one look to the next. */
const FADING = 0.75;

/** What lies in the store when a committer looks. */
export interface Lying {
  /** The own object was published and is not there any more: most probably another has carried it. */
  readonly ownIsGone: boolean;
  /** What others have published, as far as it can be read. */
  readonly others: () => Promise<readonly Pending[]>;
}

const nothing: Lying = { ownIsGone: false, others: () => Promise.resolve([]) };

/**
 * One committer's part in combining commits (DESIGN §2): from its first conflict on (or once it sees that others commit
 * several times a second), and until ten of its checkpoints in a row met nobody, it publishes each checkpoint before it
 * tries, and carries those of others. Alone it pays nothing.
 *
 * They take turns, the owner of the oldest object first: all at once, one would win, and the catalog would be busy with
 * refusing the rest. Turns are only manners: what may be committed is decided by the swap. Nobody only waits for others:
 * after a bounded wait each tries by itself (TRACES B4). Every failure here leaves plain compare-and-swap with jitter.
 *
 * Breaks: test/commit/combining.sim.test.ts, "a lone instance writes no pending object", "A3: once published".
 */
export class Combining {
  readonly #options: CombiningOptions;
  readonly #store: PendingStore;
  /** Checkpoints since the last that met others; null: none ever did. */
  #calm: number | null = null;
  /** The checkpoint that met a conflict. */
  #disturbed: string | null = null;
  /** Id of the own checkpoint whose object is in the store. */
  #stored: string | null = null;
  /** The newest state that was seen between commits, and when (monotonic, ms). */
  #last: { readonly sequenceNumber: number; readonly at: number } | null = null;
  /** How many others were met: the most of late, fading. */
  #others = 0;

  constructor(options: CombiningOptions) {
    this.#options = options;
    this.#store = new PendingStore(options.ports, options.logger);
  }

  /** Whether others were met lately. */
  get active(): boolean {
    return this.#calm !== null && this.#calm < CALM_CHECKPOINTS;
  }

  /** A state of the table that was just seen. */
  seen({ lastSequenceNumber }: TableState): void {
    this.#last = { sequenceNumber: lastSequenceNumber, at: this.#options.ports.clock.monotonic() };
  }

  /**
   * Whether other instances commit so often that a conflict is to be expected; then they are met without one. Of many that
   * begin at once, those that have had theirs would else lose to those that have not.
   */
  meets({ table, headSnapshotId, lastSequenceNumber }: Known): boolean {
    if (this.active || this.#last === null) return false;
    const { sequenceNumber, at } = this.#last;
    const seconds = (this.#options.ports.clock.monotonic() - at) / 1000;
    if (lastSequenceNumber - sequenceNumber < 2 || lastSequenceNumber - sequenceNumber < BUSY * seconds) return false;
    const head = table.metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === headSnapshotId);
    if (head?.summary?.[CHECKPOINTS] === undefined) return false;
    this.#calm = 0;
    return true;
  }

  conflict({ id }: Prepared): void {
    this.#calm = 0;
    this.#disturbed = id;
  }

  /**
   * Publishes the checkpoint where others were met lately; whether it lies there. One that must be derived again after a
   * conflict is not offered: only its owner can do that.
   */
  async offer(prepared: Prepared, known: Known | null): Promise<boolean> {
    if (!this.active || known === null || prepared.cut.derive !== undefined) return false;
    if (this.#stored === prepared.id) return true;
    const { branch, logger } = this.#options;
    const { metadata } = known.table;
    const io = this.#options.io(known.table);
    if (!(await this.#store.isFit(io, metadata))) return false;
    // From here on another may commit it, whatever becomes of the request (invariant 4).
    prepared.attempts.published = true;
    try {
      await this.#store.publish(io, metadata, { branch, preparedAt: prepared.preparedAt.wall, checkpoint: prepared });
    } catch (error) {
      logger.info({ checkpoint: prepared.id, err: error }, 'the checkpoint cannot be published: tried without');
      return false;
    }
    this.#stored = prepared.id;
    return true;
  }

  /** Milliseconds that give others a moment to offer theirs, or to carry what was just offered; 0 while alone. */
  get pace(): number {
    return this.active ? Math.min(LONGEST_OFFER_WAIT, OFFER_WAIT_EACH * this.#others) : 0;
  }

  /**
   * What lies there when it is this committer's turn to try: its object is the oldest, or is gone, or it has waited long
   * enough for those before it. So one tries and carries the rest, and nobody only waits for others (TRACES B4). Nothing,
   * and at once, where none were met lately. `first`: it has a reason to go before the others.
   */
  async turn(own: Prepared, known: Known | null, first: boolean, signal: AbortSignal): Promise<Lying> {
    const { clock, random } = this.#options.ports;
    const until = clock.monotonic() + (first ? 0 : PATIENCE * (1 + random.next()));
    for (;;) {
      const { behind, ...lying } = await this.#look(own, known);
      if (!behind || clock.monotonic() >= until) return lying;
      await clock.sleep(LOOK_AGAIN * (1 + random.next()), signal);
    }
  }

  async #look(own: Prepared, known: Known | null): Promise<Lying & { readonly behind?: boolean }> {
    if (!this.active || known === null) return nothing;
    const { metadata } = known.table;
    const io = this.#options.io(known.table);
    if (!(await this.#store.isFit(io, metadata))) return nothing;
    const listed = await this.#store.list(io, metadata, own.id);
    if (listed === null) return nothing;
    this.#others = Math.max(listed.others.length, this.#others * FADING);
    const ownIsGone = this.#stored === own.id && listed.own === null;
    if (ownIsGone) this.#stored = null;
    return {
      ownIsGone,
      behind: listed.own !== null && listed.others.some((other) => this.#isBefore(other, listed.own!)),
      others: () => (ownIsGone ? Promise.resolve([]) : this.#store.read(io, listed.others)),
    };
  }

  /** By the store's clock, which is the same for all; what is surely none of this branch's is not waited for. */
  #isBefore(other: Listed, own: Listed): boolean {
    const earlier = own.modified - other.modified;
    if (earlier < 0 || earlier > OVERDUE || (earlier === 0 && other.location > own.location)) return false;
    const read = this.#store.known(other.location);
    return read === undefined || read?.branch === this.#options.branch;
  }

  /** Removes, in the background, the objects that can never be committed again. */
  sweep(pending: readonly Pending[], known: Known): void {
    const now = this.#options.ports.clock.now();
    const outlived = pending.filter((candidate) => isOutlived(candidate, known, this.#options.branch, now));
    if (outlived.length > 0)
      this.#remove(
        known,
        outlived.map(({ checkpoint }) => checkpoint.id),
      );
  }

  /**
   * The checkpoint is in the table or never will be. `carried`: others that went along, where it got in by itself; null
   * where it did not. Objects of those that are in the table go at once: it tells their owners to look there.
   */
  ended({ id }: Prepared, known: Known, carried: readonly Checkpoint[] | null): void {
    if (this.active) this.#calm = carried?.length === 0 && this.#disturbed !== id ? this.#calm! + 1 : 0;
    const gone = (carried ?? []).map((checkpoint) => checkpoint.id);
    if (this.#stored === id) gone.push(id);
    this.#stored = null;
    if (gone.length > 0) this.#remove(known, gone);
  }

  settled(): Promise<void> {
    return this.#store.settled();
  }

  #remove(known: Known, ids: readonly string[]): void {
    const { metadata } = known.table;
    this.#store.remove(
      this.#options.io(known.table),
      ids.map((id) => PendingStore.location(metadata, id)),
    );
  }
}
