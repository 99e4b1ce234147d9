import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { readers } from '../real/readers.ts';
import { startStack } from '../real/stack.ts';
import { contend } from './contention-run.ts';
import { machine } from './machine.ts';
import type { ContentionFigures } from './contention-run.ts';

const usage = `npm run bench -- --scenario contention [--committers N] [--processes N] [--interval MS] [--seconds N] [--warmup S]
  [--slowest N] [--json]

Committers of one table, each with a partition, a catalog client, a store client and a process of its own (fewer processes
when asked for), cut a checkpoint of a few rows at each interval and commit it through a real REST catalog. The first
seconds, while servers and code are cold, do not count. PyIceberg counts all rows afterwards. Then one of them commits
alone for a while. Exit code 1 when a bar is missed: at most 2 attempts per checkpoint in the median and 4 at the most,
p99 from cut to committed below 2 s, every committer as far as its time allows, no row missing or twice, no pending object
left, and none written by the one that is alone. --slowest prints the requests of the slowest checkpoints.`;

const { values: options } = parseArgs({
  options: {
    committers: { type: 'string', default: '16' },
    processes: { type: 'string' },
    interval: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '120' },
    warmup: { type: 'string', default: '10' },
    slowest: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  console.log(usage);
  process.exit(0);
}

const COMMITTERS = Number(options.committers);
const PROCESSES = Math.min(COMMITTERS, Number(options.processes ?? COMMITTERS));
const INTERVAL = Number(options.interval);
const DURATION = Number(options.seconds) * 1000;
const WARM_UP = Number(options.warmup) * 1000;
/** How long one commits alone, ms. */
const ALONE = 15_000;

const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
const tenth = (value: number): number => Math.round(value * 10) / 10;

/** Seconds of processor time of a process so far. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function figuresOf({ took, each, all, carried, pendingObjects }: ContentionFigures, duration: number) {
  const ms = took.map((one) => one.ms).sort((a, b) => a - b);
  const attempts = took.map((one) => one.attempts).sort((a, b) => a - b);
  return {
    checkpoints: took.length,
    snapshots: carried.length,
    checkpointsPerSnapshot: { mean: tenth(all / carried.length), max: Math.max(...carried) },
    attempts: { median: at(attempts, 0.5), p99: at(attempts, 0.99), max: attempts.at(-1)! },
    cutToCommittedMs: { p50: at(ms, 0.5), p90: at(ms, 0.9), p99: at(ms, 0.99), max: ms.at(-1)! },
    checkpointsOfOneCommitter: { min: Math.min(...each), max: Math.max(...each), due: Math.floor(duration / INTERVAL) },
    pendingObjects,
  };
}

const stack = await startStack({ catalog: true });
try {
  const pids = { catalog: stack.server('catalog').pid!, store: stack.server('s3').pid! };
  const servers = { catalog: 0, store: 0 };
  let load = 0;
  const run = await contend(stack, {
    namespace: 'bench',
    committers: COMMITTERS,
    processes: PROCESSES,
    interval: INTERVAL,
    duration: DURATION,
    warmUp: WARM_UP,
    mark: (when) => {
      const sign = when === 'begin' ? -1 : 1;
      servers.catalog += sign * cpuOf(pids.catalog);
      servers.store += sign * cpuOf(pids.store);
      load = loadavg()[0]!;
    },
  });
  const alone = await contend(stack, {
    namespace: 'alone',
    committers: 1,
    processes: 1,
    interval: INTERVAL,
    duration: ALONE,
    warmUp: 2000,
  });
  const figures = figuresOf(run, DURATION);
  const lone = figuresOf(alone, ALONE);
  const cpu = { committers: run.cpu, ...servers };
  const result = {
    committers: COMMITTERS,
    processes: PROCESSES,
    intervalMs: INTERVAL,
    seconds: DURATION / 1000,
    loadAverage: tenth(load),
    ...figures,
    cpuMsPerCheckpoint: Object.fromEntries(
      Object.entries(cpu).map(([name, seconds]) => [name, tenth((seconds * 1000) / run.all)]),
    ),
    alone: { ...lone.cutToCommittedMs, pendingObjects: alone.pendingObjects.written },
  };
  const { min, due } = figures.checkpointsOfOneCommitter;
  const missed = [
    ...(run.exact && alone.exact ? [] : ['rows are missing or twice']),
    ...(figures.attempts.median > 2 ? ['attempts in the median'] : []),
    ...(figures.attempts.max > 4 ? ['most attempts'] : []),
    ...(figures.cutToCommittedMs.p99 >= 2000 ? ['p99 from cut to committed'] : []),
    ...(min < 0.9 * due - 1 ? ['starvation'] : []),
    ...(run.pendingObjects.left === 0 ? [] : ['pending objects are left']),
    ...(alone.pendingObjects.written === 0 ? [] : ['a lone instance writes pending objects']),
  ];
  if (options.json) console.log(JSON.stringify({ machine: machine(), ...result, steps: run.steps, missed }));
  else {
    console.log(`${machine()}\n`, result, { missed });
    console.log('request               per checkpoint   mean ms   most ms');
    for (const [name, { count, ms, most }] of Object.entries(run.steps).sort((a, b) => b[1].ms - a[1].ms)) {
      const columns = [(count / run.all).toFixed(2).padStart(14), (ms / count).toFixed(1).padStart(9)];
      console.log(`${name.padEnd(21)} ${columns.join(' ')} ${most.toFixed(0).padStart(9)}`);
    }
    const slowest = run.took.toSorted((a, b) => b.ms - a.ms).slice(0, Number(options.slowest));
    for (const one of slowest) {
      const steps = one.steps.map((step) => `${step.from}+${step.ms} ${step.name}`).join(', ');
      const after = Math.round((one.at - run.from) / 1000);
      console.log(`${one.ms} ms, ${one.attempts} attempts, ${after} s after the start: ${steps}`);
    }
  }
  if (missed.length > 0) process.exitCode = 1;
} finally {
  await readers.close();
  await stack.stop();
}
