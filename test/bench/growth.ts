import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startStack } from '../real/stack.ts';
import { CATALOG_HEAP_MIB } from './growth-table.ts';
import { machine } from './machine.ts';
import type { ChildProcess } from 'node:child_process';
import type { Commit, Order, Totals } from './growth-committer.ts';
import type { Past } from './growth-table.ts';

export interface GrowthOptions extends Past {
  /** Commits on each of the two tables that count. */
  readonly commits: number;
  readonly say: (line: string) => void;
}

/** Milliseconds; of each list the median, the least and the most. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Commits on one table. */
export interface GrowthFigures {
  readonly table: 'empty' | 'grown';
  readonly cpuMs: Spread;
  /** Mean: single commits are short against a clock tick of /proc. */
  readonly catalogCpuMs: number;
  readonly storeCpuMs: number;
  readonly wallMs: Spread;
  /** Part of the wall time that is spent waiting for the catalog's answers, reading them included. */
  readonly catalogWallMs: Spread;
  /** The rest of it: our own and the store's. */
  readonly ownWallMs: Spread;
  /** Of the one commit after those in which manifests were merged; null where none came. */
  readonly mergeCpuMs: number | null;
  /** Requests by server and method as they left, per commit; then by what they are for. */
  readonly wire: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  /** Bytes written to and read from the store by us, per commit; the catalog's own metadata file not counted. */
  readonly storeBytes: number;
  /** Size of the newest metadata file, which the catalog writes and answers each commit with. */
  readonly metadataBytes: number;
}

export interface GrowthResult {
  readonly past: Past;
  readonly figures: readonly [empty: GrowthFigures, grown: GrowthFigures];
}

const WARM_UP = 10;
/** The commits after which manifests are merged come to at most this many more. */
const UNTIL_MERGE = 110;
/** Clock ticks a second in /proc (`getconf CLK_TCK`), 100 on every Linux that Node runs on. */
const TICK_MS = 10;

/** The scenario `growth`: commits on a table with a long past and on an empty one, by turns, each by a process of its own. */
export async function growth({ commits, say, ...past }: GrowthOptions): Promise<GrowthResult> {
  const stack = await startStack({ catalog: { heapMiB: CATALOG_HEAP_MIB } });
  const children: Child[] = [];
  try {
    const pids = { catalog: stack.server('catalog').pid!, store: stack.server('s3').pid! };
    const pasts = {
      empty: { snapshots: 0, files: 0, partitions: past.moving, moving: past.moving },
      grown: past,
    };
    const begun = performance.now();
    for (const name of ['empty', 'grown'] as const) {
      const order = { catalog: stack.catalog, s3: stack.s3, name, past: pasts[name] };
      const maker = new Child(name, pids);
      children.push(maker);
      await maker.ask({ make: order });
      // What making it has left on the heap is none of the commits' business.
      maker.kill();
      const child = new Child(name, pids);
      children.splice(-1, 1, child);
      await child.ask({ open: order });
    }
    say(`the past is made, ${Math.round((performance.now() - begun) / 1000)} s`);
    for (let turn = 0; turn < WARM_UP; turn++) for (const child of children) await child.ask('commit');
    for (const child of children) await child.ask('forget');
    for (let turn = 0; turn < commits; turn++) for (const child of children) await child.commit();
    const [empty, grown] = children;
    const figures: GrowthResult['figures'] = [await empty!.figures(), await grown!.figures()];
    say('the commits are measured; now on to one that merges manifests');
    return {
      past,
      figures: [
        { ...figures[0], mergeCpuMs: await empty!.untilMerge() },
        { ...figures[1], mergeCpuMs: await grown!.untilMerge() },
      ],
    };
  } finally {
    for (const child of children) child.kill();
    await stack.stop();
  }
}

/** The process that commits on one table. */
class Child {
  readonly #name: 'empty' | 'grown';
  readonly #pids: { readonly catalog: number; readonly store: number };
  readonly #process: ChildProcess;
  readonly #commits: Commit[] = [];
  readonly #servers = { catalog: 0, store: 0 };

  constructor(name: 'empty' | 'grown', pids: { readonly catalog: number; readonly store: number }) {
    this.#name = name;
    this.#pids = pids;
    this.#process = fork(join(import.meta.dirname, 'growth-committer.ts'), { stdio: 'inherit', execArgv: [] });
  }

  async ask<T>(order: Order): Promise<T> {
    const failed = new AbortController();
    const exited = once(this.#process, 'exit', failed).then(([code]) => {
      throw new Error(`the process that commits ended with ${String(code)}`);
    });
    exited.catch(() => undefined);
    const answer = once(this.#process, 'message', failed);
    this.#process.send(order);
    try {
      const [value] = (await Promise.race([answer, exited])) as [T];
      return value;
    } finally {
      failed.abort();
    }
  }

  async commit(): Promise<void> {
    const { catalog, store } = this.#pids;
    const before = { catalog: cpuMs(catalog), store: cpuMs(store) };
    this.#commits.push(await this.ask<Commit>('commit'));
    this.#servers.catalog += cpuMs(catalog) - before.catalog;
    this.#servers.store += cpuMs(store) - before.store;
  }

  /** Commits until one merges manifests; its CPU, ms. */
  async untilMerge(): Promise<number | null> {
    for (let turn = 0; turn < UNTIL_MERGE; turn++) {
      const { merged, cpuMs: cpu } = await this.ask<Commit>('commit');
      if (merged) return cpu;
    }
    return null;
  }

  async figures(): Promise<GrowthFigures> {
    const { steps, wire, storeBytes, metadataBytes } = await this.ask<Totals>('totals');
    const count = this.#commits.length;
    const perCommit = (totals: [string, number][]): Record<string, number> =>
      Object.fromEntries(totals.map(([name, total]) => [name, total / count]));
    return {
      table: this.#name,
      cpuMs: spread(this.#commits.map((commit) => commit.cpuMs)),
      catalogCpuMs: this.#servers.catalog / count,
      storeCpuMs: this.#servers.store / count,
      wallMs: spread(this.#commits.map(({ wallMs }) => wallMs)),
      catalogWallMs: spread(this.#commits.map(({ catalogWallMs }) => catalogWallMs)),
      ownWallMs: spread(this.#commits.map(({ wallMs, catalogWallMs }) => wallMs - catalogWallMs)),
      mergeCpuMs: null,
      wire: perCommit(Object.entries(wire)),
      requests: perCommit(Object.entries(steps).map(([name, total]) => [name, total.count])),
      storeBytes: storeBytes / count,
      metadataBytes,
    };
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

/** Processor time of a process so far, ms. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)! };
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      snapshots: { type: 'string', default: '2000' },
      files: { type: 'string', default: '100000' },
      partitions: { type: 'string', default: '1000' },
      moving: { type: 'string', default: '4' },
      commits: { type: 'string', default: '30' },
      json: { type: 'boolean', default: false },
    },
  });
  const result = await growth({
    snapshots: Number(values.snapshots),
    files: Number(values.files),
    partitions: Number(values.partitions),
    moving: Number(values.moving),
    commits: Number(values.commits),
    say: (line) => process.stderr.write(`${line}\n`),
  });
  if (values.json) console.log(JSON.stringify({ machine: machine(), ...result }));
  else console.log(`${machine()}\n${growthText(result)}`);
}

/** The figures as a table. */
export function growthText({ past, figures }: GrowthResult): string {
  const { snapshots, files, partitions, moving } = past;
  const counts = (of: (one: GrowthFigures) => Readonly<Record<string, number>>): typeof rows =>
    Array.from(new Set(figures.flatMap((one) => Object.keys(of(one)))), (name) => [
      name,
      (one) => (of(one)[name] ?? 0).toFixed(2),
    ]);
  const rows: [string, (one: GrowthFigures) => string][] = [
    ['our CPU, ms', ({ cpuMs: cpu }) => spreadText(cpu)],
    ['wall, ms', ({ wallMs }) => spreadText(wallMs)],
    ['of it the catalog, ms', ({ catalogWallMs }) => spreadText(catalogWallMs)],
    ['wall without it, ms', ({ ownWallMs }) => spreadText(ownWallMs)],
    ['our CPU with a merge, ms', ({ mergeCpuMs }) => mergeCpuMs?.toFixed(0) ?? 'none'],
    ['catalog’s CPU, ms', ({ catalogCpuMs }) => catalogCpuMs.toFixed(0)],
    ['store’s CPU, ms', ({ storeCpuMs }) => storeCpuMs.toFixed(0)],
    ['store, KiB', ({ storeBytes }) => (storeBytes / 1024).toFixed(1)],
    ['metadata file, KiB', ({ metadataBytes }) => (metadataBytes / 1024).toFixed(0)],
    ...counts(({ wire }) => wire),
    ...counts(({ requests }) => requests),
  ];
  const [empty, grown] = figures;
  const ratio = (of: (one: GrowthFigures) => number): string => (of(grown) / of(empty)).toFixed(2);
  const sent = ({ wire }: GrowthFigures): number => Object.values(wire).reduce((sum, count) => sum + count, 0);
  return [
    `a commit on a table of ${snapshots} snapshots, ${files} files, ${partitions} Kafka partitions, ${moving} of which go on in each commit`,
    ['per commit'.padEnd(26), ...figures.map(({ table }) => table.padStart(20))].join(' '),
    ...rows.map(([name, of]) => [name.padEnd(26), ...figures.map((one) => of(one).padStart(20))].join(' ')),
    `grown to empty: our CPU ${ratio(({ cpuMs: { median } }) => median)}, wall without the catalog ${ratio(({ ownWallMs: { median } }) => median)}, requests ${ratio(sent)}`,
  ].join('\n');
}

function spreadText({ median, min, max }: Spread): string {
  return `${median.toFixed(1)} (${min.toFixed(1)}–${max.toFixed(1)})`;
}
