import type { Clock } from '../../ports.ts';

/** Node fires longer timers at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls back once after `ms` milliseconds of the clock; returns how to cancel it. */
export function after(clock: Clock, ms: number, callback: () => void): () => void {
  const abort = new AbortController();
  const wait = async (): Promise<void> => {
    try {
      await clock.sleep(Math.min(ms, MAX_TIMER_MS), abort.signal);
    } catch {
      return; // cancelled
    }
    if (!abort.signal.aborted) callback();
  };
  void wait();
  return () => abort.abort();
}
