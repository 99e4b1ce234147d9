import { systemPorts } from '../../../src/ports.ts';
import type { Ports } from '../../../src/ports.ts';

/** Ports whose time passes only by `advance`, which also lets everything run that was waiting for it. */
export function manualPorts(): Ports & { advance(ms: number): Promise<void> } {
  let now = 0;
  let sleepers: { at: number; wake: () => void }[] = [];
  return {
    ...systemPorts,
    clock: {
      now: () => now,
      monotonic: () => now,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          const sleeper = { at: now + ms, wake: resolve };
          sleepers.push(sleeper);
          signal?.addEventListener('abort', () => {
            sleepers = sleepers.filter((one) => one !== sleeper);
            reject(signal.reason as Error);
          });
        }),
    },
    async advance(ms: number): Promise<void> {
      const end = now + ms;
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        const due = sleepers.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        now = due.at;
        sleepers = sleepers.filter((one) => one !== due);
        due.wake();
      }
      now = end;
    },
  };
}
