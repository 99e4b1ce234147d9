import { isOutlived } from './combine.ts';
import { PendingStore } from './pending-store.ts';
import type { Logger } from 'pino';
import type { LoadedTable } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { Known } from './known.ts';
import type { Pending } from './pending.ts';
import type { Prepared } from './prepare.ts';

export interface CombiningOptions {
  readonly branch: string;
  readonly io: (table: LoadedTable) => FileIO;
  readonly ports: Ports;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
}

/** Checkpoints in a row that met nobody (no conflict, none carried), after which a committer takes itself to be alone. */
export const CALM_CHECKPOINTS = 10;

/** Longest wait between the offer of a checkpoint and its first attempt, ms: time for another to carry it. */
const OFFER_WAIT = 150;

/** Among others, manifests may pile up to so many times more than the table's property says. */
const MOST_PATIENCE = 2;

/**
 * One committer's part in combining commits (DESIGN §2): from its first conflict on, and until ten of its checkpoints in a row
 * met nobody, it publishes each checkpoint before it tries, and carries those of others. Alone it pays nothing.
 *
 * Nobody only waits for others: after a bounded wait each tries by itself (TRACES B4). Every failure here leaves plain
 * compare-and-swap with jitter.
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

  constructor(options: CombiningOptions) {
    this.#options = options;
    this.#store = new PendingStore(options.ports, options.logger);
  }

  /** Whether others were met lately. */
  get active(): boolean {
    return this.#calm !== null && this.#calm < CALM_CHECKPOINTS;
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

  /** Gives others a moment to carry what was just offered; random, so that not all try at once. */
  async wait(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options.ports;
    await clock.sleep(random.next() * OFFER_WAIT, signal);
  }

  /**
   * How long manifests may pile up before this attempt merges them. Among others it is drawn anew each time: if all merged at
   * once, one would win and the work of the rest would be in everybody's way.
   */
  mergePatience(): number {
    return this.active ? 1 + MOST_PATIENCE * this.#options.ports.random.next() : 1;
  }

  /** What others have published; nothing where none were met lately. */
  async pending(own: Prepared, known: Known | null): Promise<readonly Pending[]> {
    if (!this.active || known === null) return [];
    const io = this.#options.io(known.table);
    if (!(await this.#store.isFit(io, known.table.metadata))) return [];
    return this.#store.list(io, known.table.metadata, own.id);
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

  /** The checkpoint is in the table or never will be. `alone`: it got in by itself, and carried no other. */
  ended({ id }: Prepared, known: Known, alone: boolean): void {
    if (this.active) this.#calm = alone && this.#disturbed !== id ? this.#calm! + 1 : 0;
    if (this.#stored !== id) return;
    this.#stored = null;
    this.#remove(known, [id]);
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
