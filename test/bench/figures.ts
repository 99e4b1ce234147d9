/** Median, smallest and largest of several runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Of an even number the upper of the two in the middle. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error('no runs');
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)! };
}

/** A number as tables show it: thousands as k, small ones with a decimal place. */
export function short(value: number): string {
  return value >= 10_000 ? `${Math.round(value / 1000)}k` : value.toFixed(value < 100 ? 1 : 0);
}

/** `median (min–max)`. */
export function shortSpread({ median, min, max }: Spread): string {
  return `${short(median)} (${short(min)}–${short(max)})`;
}

/** What a process had used up at a time. */
export interface Sample {
  /** Seconds since the process was started. */
  readonly at: number;
  /** User and system time so far. */
  readonly cpuSeconds: number;
  readonly residentMiB: number;
}

/** Rows that were readable, and since when. */
export interface Commit {
  /** Seconds since the process was started. */
  readonly at: number;
  /** All rows of the table. */
  readonly rows: number;
}

/** Processor time at a moment, between the two samples around it. */
export function cpuAt(samples: readonly Sample[], at: number): number {
  const after = samples.findIndex((sample) => sample.at >= at);
  if (after < 0) return samples.at(-1)?.cpuSeconds ?? 0;
  const right = samples[after]!;
  const left = samples[after - 1] ?? { at: 0, cpuSeconds: 0 };
  if (right.at === left.at) return right.cpuSeconds;
  const part = (at - left.at) / (right.at - left.at);
  return left.cpuSeconds + part * (right.cpuSeconds - left.cpuSeconds);
}

/** What a process does once it runs: start, first compilation and the wait for the last commit are left out. */
export interface Steady {
  readonly seconds: number;
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly rowsPerCpuSecond: number;
}

/**
 * From the first commit that has rows to the last but one: the last waits for the interval to end with nothing left to do.
 * Null where there are fewer than three such commits.
 */
export function steadyOf(commits: readonly Commit[], samples: readonly Sample[]): Steady | null {
  const grown = commits.filter(({ rows }, i) => rows > (commits[i - 1]?.rows ?? 0));
  const first = grown[0];
  const last = grown.at(-2);
  if (grown.length < 3 || first === undefined || last === undefined) return null;
  const rows = last.rows - first.rows;
  const seconds = last.at - first.at;
  const cpu = cpuAt(samples, last.at) - cpuAt(samples, first.at);
  return { seconds, rows, rowsPerSecond: rows / seconds, rowsPerCpuSecond: rows / cpu };
}

/** One sample for each second, the first at or after it, with the rows that were readable then. */
export function perSecond(
  samples: readonly Sample[],
  commits: readonly Commit[],
): readonly (Sample & { readonly rows: number })[] {
  const out: (Sample & { rows: number })[] = [];
  for (const sample of samples) {
    if (sample.at < out.length) continue;
    out.push({ ...sample, rows: commits.findLast(({ at }) => at <= sample.at)?.rows ?? 0 });
  }
  return out;
}

/** By how much resident memory grows, MiB a second: the straight line through the samples from a time on, least squares. */
export function trendOf(samples: readonly Sample[], from: number): number {
  const counted = samples.filter(({ at }) => at >= from);
  const mean = (value: (sample: Sample) => number): number =>
    counted.reduce((sum, sample) => sum + value(sample), 0) / counted.length;
  const at = mean((sample) => sample.at);
  const memory = mean((sample) => sample.residentMiB);
  const along = mean((sample) => (sample.at - at) * (sample.residentMiB - memory));
  return along / mean((sample) => (sample.at - at) ** 2);
}
