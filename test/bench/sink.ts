import { perSecond, steadyOf } from './figures.ts';
import type { Commit, Sample, Steady } from './figures.ts';
import type { TableFigures } from './table.ts';
import type { ProcessWatch } from './watch.ts';
import type { Format } from '../real/generator.ts';

/** Topics that are loaded, and the tables that shall hold them. */
export interface Job {
  readonly topics: readonly string[];
  /** What a table is called after the name of its topic. */
  readonly suffix: string;
  readonly format: Format;
  /** In all topics. */
  readonly records: number;
  /** Between two commits. */
  readonly intervalMs: number;
  /** A partition spec as tabletopic's file writes it. */
  readonly partitionBy?: readonly string[];
}

/** One run of a process that fills a table, from its start. */
export interface SinkRun {
  readonly seconds: number;
  /** User and system time of the whole process. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly files: number;
  readonly bytes: number;
  readonly commits: readonly Commit[];
  readonly steady: Steady | null;
  readonly perSecond: readonly (Sample & { readonly rows: number })[];
}

/** A program under measurement. */
export interface Sink {
  readonly name: 'tabletopic' | 'connect';
  run(job: Job): Promise<SinkRun>;
}

/** What a run came to: `watch` has ended. */
export function runOf(watch: ProcessWatch, table: TableFigures): SinkRun {
  const commits = table.commits.map(({ atMs, rows }) => ({ at: (atMs - watch.startedAt) / 1000, rows }));
  return {
    seconds: watch.seconds,
    cpuSeconds: watch.cpuSeconds,
    peakMiB: watch.peakMiB,
    files: table.files,
    bytes: table.bytes,
    commits,
    steady: steadyOf(commits, watch.samples),
    perSecond: perSecond(watch.samples, commits),
  };
}
