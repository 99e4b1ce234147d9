import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ServiceFiles, ServiceProcess, sources } from '../end-to-end/service-process.ts';
import type { Format, Load } from '../real/generator.ts';
import { startStack } from '../real/stack.ts';
import { machine } from './machine.ts';
import { stageNames, stagesOf } from './stages.ts';
import type { CpuProfile } from './stages.ts';

const usage = `npm run bench -- --profile [--format avro|json|protobuf|json-schema] [--compression none|zstd|…] [--records N] [--keep DIR] [--json]

Catches up with a loaded topic under V8's sampling profiler and shows what the main thread and the workers do. The profiles
(for Chrome's developer tools) stay in the folder of --keep. Threads of V8 itself (compiling, collecting) are not in them. It
runs from the sources, whose files name the stages: the bundle that users run starts in half of the time.`;

async function profile(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      format: { type: 'string', default: 'avro' },
      compression: { type: 'string', default: 'none' },
      records: { type: 'string', default: '2000000' },
      keep: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (options.help) return console.log(usage);
  const dir = options.keep ?? mkdtempSync(join(tmpdir(), 'tabletopic-profile-'));
  const stack = await startStack({ kafka: true, s3: true, catalog: true, registry: true });
  const files = new ServiceFiles(stack);
  try {
    const format = options.format as Format;
    const compression = options.compression as NonNullable<Load['compression']>;
    await stack.load({ topic: 'bench.profile', n: Number(options.records), partitions: 4, format, compression });
    const config = files.write('profile', [{ topic: 'bench.profile' }], {
      http: 'off',
      defaults: { commitInterval: '10s' },
    });
    // Worker threads write profiles of their own.
    const env = { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${dir}` };
    await new ServiceProcess(['run', '-c', config, '--until-caught-up'], env, sources).ends();
    const [main, ...workers] = readdirSync(dir)
      .filter((name) => name.endsWith('.cpuprofile'))
      .sort((a, b) => threadOf(a) - threadOf(b))
      .map((name) => stagesOf(JSON.parse(readFileSync(join(dir, name), 'utf8')) as CpuProfile));
    if (!main) throw new Error('the service wrote no profile');
    const rows = stageNames.map((stage) => ({
      stage,
      mainMs: Math.round(main.get(stage) ?? 0),
      workersMs: Math.round(workers.reduce((sum, worker) => sum + (worker.get(stage) ?? 0), 0)),
    }));
    if (options.json)
      return console.log(JSON.stringify({ machine: machine(), ...options, workers: workers.length, rows }));
    console.log(machine());
    const busy = rows.reduce((sum, row) => sum + (row.stage === 'idle' ? 0 : row.mainMs + row.workersMs), 0);
    console.log(`${'stage'.padEnd(22)}  main ms  workers ms  share of what is busy`);
    for (const { stage, mainMs, workersMs } of rows) {
      const share = stage === 'idle' ? '' : `${((100 * (mainMs + workersMs)) / busy).toFixed(1)} %`;
      console.log(
        `${stage.padEnd(22)} ${String(mainMs).padStart(8)} ${String(workersMs).padStart(11)} ${share.padStart(10)}`,
      );
    }
  } finally {
    if (options.keep === undefined) rmSync(dir, { recursive: true });
    files.remove();
    await stack.stop();
  }
}

/** Of `CPU.<date>.<time>.<pid>.<thread>.<n>.cpuprofile`; the main thread is 0. */
function threadOf(name: string): number {
  return Number(name.split('.').at(-3));
}

await profile();
