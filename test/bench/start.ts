import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceFiles } from '../end-to-end/service-process.ts';
import { startStack } from '../real/stack.ts';

export interface StartOptions {
  readonly runs: number;
  readonly say: (line: string) => void;
}

export interface StartRun {
  /** From the start of the process until its HTTP server answers, s. */
  readonly answers: number;
  /** Until the status counts a record that was read, s. */
  readonly firstRecord: number;
  /** Processor time of the process until then, s. */
  readonly cpuSeconds: number;
}

export interface StartResult {
  readonly runs: readonly StartRun[];
  /** Packages that an installation without development tools and without the packaged Node has. */
  readonly dependencies: { readonly direct: number; readonly all: number; readonly bytes: number };
  readonly sourceBytes: number;
}

const root = join(import.meta.dirname, '..', '..');
const TOPIC = 'bench.start';
const RECORDS = 1000;
/** Clock ticks a second in /proc (`getconf CLK_TCK`), 100 on every Linux that Node runs on. */
const TICKS = 100;

/** The scenario `start`: a service whose table exists, from the start of the process to its first record. */
export async function start({ runs, say }: StartOptions): Promise<StartResult> {
  const stack = await startStack({ kafka: true, catalog: true });
  const files = new ServiceFiles(stack);
  const done: StartRun[] = [];
  try {
    await stack.load({ topic: TOPIC, n: RECORDS, partitions: 4, format: 'json' });
    // The first run makes the table and warms the cache of compiled code; no run commits what it reads.
    for (let run = -1; run < runs; run++) {
      const config = files.write(`start-${run}`, [{ topic: TOPIC, table: TOPIC }], {
        defaults: { commitInterval: '60s', inferTime: '100ms' },
      });
      const began = performance.now();
      const service = files.run(config);
      await service.get('/status');
      const answers = (performance.now() - began) / 1000;
      while ((await service.status()).recordsRead === 0) await sleep(5);
      const firstRecord = (performance.now() - began) / 1000;
      const cpuSeconds = cpuOf(service.child.pid!);
      await service.kill('SIGKILL');
      if (run >= 0) done.push({ answers, firstRecord, cpuSeconds });
      say(JSON.stringify({ run, answers, firstRecord, cpuSeconds }));
    }
  } finally {
    files.remove();
    await stack.stop();
  }
  return { runs: done, dependencies: dependencies(), sourceBytes: bytesOf(join(root, 'src')) };
}

interface Locked {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function dependencies(): StartResult['dependencies'] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>;
  };
  const all = Object.entries(lock.packages).filter(
    ([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true,
  );
  const bytes = all.reduce((sum, [path]) => sum + bytesOf(join(root, path), false), 0);
  return { direct: Object.keys(lock.packages['']!.dependencies ?? {}).length, all: all.length, bytes };
}

/** Of a folder's files; of a package without those that it has of its own below it, which are counted by themselves. */
function bytesOf(folder: string, nested = true): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return !nested && entry.name === 'node_modules' ? sum : sum + bytesOf(path, nested);
    return sum + (entry.isFile() ? statSync(path).size : 0);
  }, 0);
}

function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The figures as text. */
export function startText({ runs, dependencies: { direct, all, bytes }, sourceBytes }: StartResult): string {
  const of = (value: (run: StartRun) => number): string => {
    const sorted = runs.map(value).sort((a, b) => a - b);
    return `${sorted[sorted.length >> 1]!.toFixed(2)} (${sorted[0]!.toFixed(2)}–${sorted.at(-1)!.toFixed(2)})`;
  };
  return [
    `HTTP answers, s            ${of(({ answers }) => answers)}`,
    `first record read, s       ${of(({ firstRecord }) => firstRecord)}`,
    `CPU until then, s          ${of(({ cpuSeconds }) => cpuSeconds)}`,
    `dependencies               ${direct} direct, ${all} in all, ${(bytes / 2 ** 20).toFixed(1)} MiB`,
    `own sources                ${(sourceBytes / 2 ** 20).toFixed(1)} MiB`,
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  console.log(startText(await start({ runs: 5, say: (line) => process.stderr.write(`${line}\n`) })));
}
