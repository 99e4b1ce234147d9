import { TabletopicError, asTabletopicError } from '../errors.ts';
import { encodeDeadLetterList, isEmptyList, noDeadLetters } from './dead-letter-list.ts';
import type { Logger } from 'pino';
import type { Ports } from '../ports.ts';
import type { DeadLetterList } from './dead-letter-list.ts';
import type { DeadLetterProjection, ProjectionResult } from './projection.ts';

/** Longest that `close` tries again what has failed, ms. */
const LAST_TRY = 5000;

export interface ProjectionLoopOptions {
  /** The table whose dead letters they are, for the log. */
  readonly table: string;
  readonly projection: Pick<DeadLetterProjection, 'run'>;
  /** ms; 0: no timer. */
  readonly interval: number;
  readonly ports: Ports;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  readonly onProjected: (result: ProjectionResult) => void;
  readonly onFailed: (error: TabletopicError) => void;
}

/**
 * Runs the projection after each commit that has dead letters and on a timer, one run at a time, apart from commits: a
 * projection that fails is behind, and stops nothing else. It is tried again at the next occasion.
 */
export class ProjectionLoop {
  readonly #options: ProjectionLoopOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  #again = false;
  #timer: Promise<void> | null = null;
  /** The list for which a run was last asked: a failed one is tried again by the timer only. */
  #kicked = textOf(noDeadLetters);
  /** Whether the dead-letter table may hold something. */
  #empty = false;
  #seen: DeadLetterList = noDeadLetters;
  /** The last run failed, or was ended by `close`. */
  #behind = false;

  constructor(options: ProjectionLoopOptions) {
    this.#options = options;
  }

  /** Told of every state of the table that is loaded. */
  seen(list: DeadLetterList): void {
    this.#seen = list;
    this.#timer ??= this.#options.interval > 0 ? this.#tick() : null;
    const text = textOf(list);
    if (text === this.#kicked) return;
    this.#kicked = text;
    this.kick();
  }

  kick(): void {
    if (this.#closing.signal.aborted) return;
    this.#again = this.#running !== null;
    this.#running ??= this.#runs();
  }

  /**
   * Ends the timer; what was asked for is still tried, and once more where that failed, so that a drained service leaves
   * nothing behind: after a backfill there is nobody who would come back to it.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    await this.#timer;
    if (!this.#behind) return;
    const bound = new AbortController();
    const ended = new AbortController();
    const late = this.#options.ports.clock.sleep(LAST_TRY, ended.signal).then(
      () => bound.abort(),
      () => undefined,
    );
    await this.#run(bound.signal);
    ended.abort();
    await late;
  }

  async #runs(): Promise<void> {
    do {
      this.#again = false;
      await this.#run(this.#closing.signal);
    } while (this.#again);
    this.#running = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { table, projection, logger, onProjected, onFailed } = this.#options;
    this.#behind = true;
    try {
      const result = await projection.run(signal);
      this.#behind = false;
      this.#empty = isEmptyList(result.list);
      if (result.added + result.removed > 0)
        logger.info({ table, added: result.added, removed: result.removed }, 'dead-letter table written');
      onProjected(result);
    } catch (thrown) {
      // Closed while it waited between two attempts.
      if (signal.aborted && !(thrown instanceof TabletopicError)) return;
      const error = asTabletopicError(thrown);
      logger.warn(
        { code: error.code, hint: error.hint, ...error.where, table },
        `not all dead letters are written where they are to be, tried again: ${error.message}`,
      );
      onFailed(error);
    }
  }

  async #tick(): Promise<void> {
    const {
      interval,
      ports: { clock },
    } = this.#options;
    for (;;) {
      try {
        await clock.sleep(interval, this.#closing.signal);
      } catch {
        return;
      }
      // Nothing in the list and nothing in the table the last time: nobody else could have written there.
      if (!(this.#empty && isEmptyList(this.#seen))) this.kick();
    }
  }
}

function textOf(list: DeadLetterList): string {
  return JSON.stringify(encodeDeadLetterList(list));
}
