import { createHash } from 'node:crypto';
import type { Scheduler } from './scheduler.ts';

/** What happened in a run, a line each: for people, and to see that two runs are the same. */
export class Trace {
  readonly lines: string[] = [];
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  add(who: string, what: string): void {
    this.lines.push(`${(this.#scheduler.now / 1000).toFixed(3).padStart(9)} ${who.padEnd(6)} ${what}`);
  }

  get hash(): string {
    return createHash('sha256').update(this.lines.join('\n')).digest('hex').slice(0, 16);
  }
}
