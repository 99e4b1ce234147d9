import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sample } from './figures.ts';

/** Clock ticks a second in /proc (`getconf CLK_TCK`), 100 on every Linux that Node runs on. */
const TICKS = 100;

/** User and system time of a process so far, all its threads. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Looks at a process from its start to its end, by what the kernel says of it. */
export class ProcessWatch {
  /** Wall clock at the start, ms. */
  readonly startedAt: number = Date.now();
  readonly samples: Sample[] = [];
  peakMiB = 0;
  readonly #pid: number;
  readonly #started = performance.now();
  readonly #every: number;
  #endedAt: number | null = null;
  readonly #running: Promise<void>;

  /** `every`: milliseconds between two looks. */
  constructor(pid: number, every = 20) {
    this.#pid = pid;
    this.#every = every;
    this.#running = this.#look();
  }

  get cpuSeconds(): number {
    return this.samples.at(-1)?.cpuSeconds ?? 0;
  }

  /** Seconds since the start, of a watch that has ended until then. */
  get seconds(): number {
    return ((this.#endedAt ?? performance.now()) - this.#started) / 1000;
  }

  async end(): Promise<void> {
    this.#endedAt ??= performance.now();
    await this.#running;
  }

  async #look(): Promise<void> {
    while (this.#endedAt === null) {
      try {
        const cpuSeconds = cpuOf(this.#pid);
        const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
        const kiB = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
        // Of a process that has just ended, the memory is gone before its times are.
        const residentMiB = kiB('VmRSS') / 1024 || (this.samples.at(-1)?.residentMiB ?? 0);
        this.peakMiB = Math.max(this.peakMiB, kiB('VmHWM') / 1024);
        this.samples.push({ at: this.seconds, cpuSeconds, residentMiB });
      } catch {
        // Gone between two looks: what was seen last stands, at most one look old.
      }
      await sleep(this.#every);
    }
  }
}
