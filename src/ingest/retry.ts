import type { Logger } from 'pino';
import { asTabletopicError } from '../errors.ts';
import type { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';

export interface RetryOptions {
  readonly ports: Ports;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** What is tried, for the log. */
  readonly what: string;
  /** Told of every failure, and of the success after failures (null). */
  readonly onState?: (error: TabletopicError | null) => void;
}

const FIRST_DELAY = 200;
const LAST_DELAY = 10_000;
/** A request that hangs is told long before it times out. */
const NOTICE_AFTER = 10_000;

/**
 * Tries again for as long as the error's policy is `retry`, with exponential backoff and full jitter; any other error
 * rejects at once. Rejects with the signal's reason when it aborts.
 */
export async function withRetry<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  const { ports, logger, signal, what, onState } = options;
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    const answered = new AbortController();
    void ports.clock.sleep(NOTICE_AFTER, AbortSignal.any([answered.signal, signal])).then(
      () => logger.warn({ what }, `${what}: no answer for ${NOTICE_AFTER / 1000} s`),
      () => undefined,
    );
    try {
      const result = await attempt().finally(() => answered.abort(null));
      if (failures > 0) {
        onState?.(null);
        logger.info({ what, failures }, `${what}: goes on`);
      }
      return result;
    } catch (thrown) {
      const error = asTabletopicError(thrown);
      if (error.policy !== 'retry' || signal.aborted) throw error;
      onState?.(error);
      const delay = Math.min(LAST_DELAY, FIRST_DELAY * 2 ** failures) * (0.5 + ports.random.next() / 2);
      logger.warn(
        { what, code: error.code, hint: error.hint, ...error.where, delay: Math.round(delay) },
        `${what}: ${error.message}; trying again`,
      );
      await ports.clock.sleep(delay, signal);
    }
  }
}
