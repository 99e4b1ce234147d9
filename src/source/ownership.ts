import type pino from 'pino';
import type { Ports } from '../ports.ts';
import { type MembershipHandlers, partitionKey, without } from './membership.ts';
import type { TopicPartition } from './source.ts';
import { within } from './waiting.ts';

/**
 * The partitions that this member owns, and the calls that tell the rest of the process about them.
 *
 * Invariant 2: the open checkpoint of a revoked partition is committed before that is acknowledged, within a bound.
 * Breaks: test/source/ownership.test.ts, "a revocation is acknowledged only after", "given up after its bound".
 */
export class Ownership {
  readonly #handlers: MembershipHandlers;
  readonly #revokeTimeout: number;
  readonly #ports: Ports;
  readonly #logger: pino.Logger;
  readonly #signal: AbortSignal;
  #owned: readonly TopicPartition[] = [];

  constructor(
    handlers: MembershipHandlers,
    revokeTimeout: number,
    ports: Ports,
    logger: pino.Logger,
    signal: AbortSignal,
  ) {
    this.#handlers = handlers;
    this.#revokeTimeout = revokeTimeout;
    this.#ports = ports;
    this.#logger = logger;
    this.#signal = signal;
  }

  get owned(): readonly TopicPartition[] {
    return this.#owned;
  }

  /**
   * Moves to the assignment: revokes first, then assigns. True when something was revoked, so that others wait for the
   * acknowledgement. `stillMember` is asked between the two: a member that was thrown out meanwhile gets nothing new.
   */
  async moveTo(assignment: readonly TopicPartition[], stillMember: () => boolean): Promise<boolean> {
    const revoked = without(this.#owned, assignment);
    if (revoked.length > 0) {
      this.#logger.info({ partitions: revoked.length }, 'partitions are revoked');
      await this.#bounded('onRevoke', this.#handlers.onRevoke(revoked));
      this.#owned = without(this.#owned, revoked);
    }
    const added = without(assignment, this.#owned);
    if (added.length > 0 && !this.#signal.aborted && stillMember()) {
      this.#logger.info({ partitions: added.length }, 'partitions are assigned');
      this.#owned = [...this.#owned, ...added].sort((a, b) => (partitionKey(a) < partitionKey(b) ? -1 : 1));
      await this.#bounded('onAssign', this.#handlers.onAssign(added));
    }
    return revoked.length > 0;
  }

  /** Gives everything up: others own it already. */
  async lose(reason: string): Promise<void> {
    const lost = this.#owned;
    this.#owned = [];
    if (lost.length === 0) return;
    this.#logger.warn({ partitions: lost.length, reason }, 'membership is lost');
    await this.#bounded('onLost', this.#handlers.onLost(lost));
  }

  async #bounded(name: string, call: Promise<void>): Promise<void> {
    // The bound is the invariant's: a member that waits for ever would be thrown out of the group with all it owns.
    const guarded = call.catch((err: unknown) => this.#logger.error({ err }, `${name} failed`));
    const done = await within(this.#ports.clock, this.#revokeTimeout, guarded, this.#signal);
    if (!done && !this.#signal.aborted)
      this.#logger.warn({ timeout: this.#revokeTimeout }, `${name} did not end in time; going on without it`);
  }
}
