import type { Clock } from '../../ports.ts';

/** Node fires longer timers at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls back once after `ms` milliseconds of the clock; returns how to cancel it. */
export function after(clock: Clock, ms: number, callback: () => void): () => void {
  const abort = new AbortController();
  clock.sleep(Math.min(ms, MAX_TIMER_MS), abort.signal).then(
    () => { if (!abort.signal.aborted) callback(); },
    () => { /* cancelled */ },
  );
  return () => abort.abort();
}
