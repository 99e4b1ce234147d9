import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startStack } from '../real/stack.ts';
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
  /** Part of the wall time that is spent waiting for the catalog's answers, reading them included; ms, mean. */
  readonly catalogWallMs: number;
  /** Each kind of request to the store and the catalog, per commit. */
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
/** The catalog holds the metadata as text and as objects for each request; with 512 MiB it is at its garbage most of the time. */
const CATALOG_HEAP_MIB = 4096;
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
    return { past, figures: [await empty!.figures(), await grown!.figures()] };
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

  async figures(): Promise<GrowthFigures> {
    const { steps, storeBytes, metadataBytes } = await this.ask<Totals>('totals');
    const count = this.#commits.length;
    const catalog = Object.entries(steps).filter(([name]) => /^(load|commit)/.test(name));
    return {
      table: this.#name,
      cpuMs: spread(this.#commits.map((commit) => commit.cpuMs)),
      catalogCpuMs: this.#servers.catalog / count,
      storeCpuMs: this.#servers.store / count,
      wallMs: spread(this.#commits.map(({ wallMs }) => wallMs)),
      catalogWallMs: catalog.reduce((sum, [, { ms }]) => sum + ms, 0) / count,
      requests: Object.fromEntries(Object.entries(steps).map(([name, total]) => [name, total.count / count])),
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
  const rows: [string, (one: GrowthFigures) => string][] = [
    ['our CPU, ms', ({ cpuMs: cpu }) => spreadText(cpu)],
    ['wall, ms', ({ wallMs }) => spreadText(wallMs)],
    ['of it the catalog, ms', ({ catalogWallMs }) => catalogWallMs.toFixed(0)],
    ['catalog’s CPU, ms', ({ catalogCpuMs }) => catalogCpuMs.toFixed(0)],
    ['store’s CPU, ms', ({ storeCpuMs }) => storeCpuMs.toFixed(0)],
    ['store, KiB', ({ storeBytes }) => (storeBytes / 1024).toFixed(1)],
    ['metadata file, KiB', ({ metadataBytes }) => (metadataBytes / 1024).toFixed(0)],
    ...Array.from(
      new Set(figures.flatMap(({ requests }) => Object.keys(requests))),
      (name): [string, (one: GrowthFigures) => string] => [name, ({ requests }) => (requests[name] ?? 0).toFixed(2)],
    ),
  ];
  return [
    `a commit on a table of ${snapshots} snapshots, ${files} files, ${partitions} Kafka partitions, ${moving} of which go on in each commit`,
    ['per commit'.padEnd(26), ...figures.map(({ table }) => table.padStart(20))].join(' '),
    ...rows.map(([name, of]) => [name.padEnd(26), ...figures.map((one) => of(one).padStart(20))].join(' ')),
  ].join('\n');
}

function spreadText({ median, min, max }: Spread): string {
  return `${median.toFixed(1)} (${min.toFixed(1)}–${max.toFixed(1)})`;
}
