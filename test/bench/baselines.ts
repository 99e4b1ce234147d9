import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Spread } from './figures.ts';

/** What a run came to, by the name of a figure. */
export type Figures = Readonly<Record<string, Spread>>;

export interface Baseline {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly figures: Figures;
}

/** A figure that is not where it was. */
export interface Moved {
  readonly figure: string;
  readonly was: Spread;
  readonly is: Spread;
  /** Of the median, in percent of what it was. */
  readonly percent: number;
}

/** Less than so many percent is noise. */
const NOISE = 5;
const dir = join(import.meta.dirname, 'baselines');

/** Figures whose median is outside what the baseline had from its least to its most, and by more than noise. */
export function moved(was: Figures, is: Figures): Moved[] {
  return Object.entries(is).flatMap(([figure, now]) => {
    const before = was[figure];
    if (before === undefined) return [];
    const percent = (now.median / before.median - 1) * 100;
    const within = now.median >= before.min && now.median <= before.max;
    return within || Math.abs(percent) < NOISE ? [] : [{ figure, was: before, is: now, percent }];
  });
}

/** Null where there is none yet. `id`: of the workload and the program. */
export function readBaseline(id: string): Baseline | null {
  try {
    return JSON.parse(readFileSync(join(dir, `${id}.json`), 'utf8')) as Baseline;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export function writeBaseline(id: string, baseline: Baseline): void {
  mkdirSync(dir, { recursive: true });
  const rounded = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(4)) : value;
  writeFileSync(join(dir, `${id}.json`), `${JSON.stringify(baseline, rounded, 2)}\n`);
}
