import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { stringify } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import { startRegistry } from '../../src/demo/registry.ts';
import { ServiceFiles } from '../end-to-end/service-process.ts';
import { load } from '../real/generator.ts';
import type { Format } from '../real/generator.ts';
import { startStack } from '../real/stack.ts';
import type { Stack } from '../real/stack.ts';
import { shortSpread, spreadOf } from './figures.ts';
import { machine, versions } from './machine.ts';
import { record } from './recorded-source.ts';
import type { RecordedRun } from './scaling-run.ts';
import { ProcessWatch } from './watch.ts';

const usage = `npm run bench -- --scenario scaling [--format avro|json|protobuf|json-schema] [--records N] [--runs N] [--json]

First one instance with two workers and two instances with one worker each, by turns, on a topic of 4 partitions of a real
Kafka. Then the servers are stopped, and the service runs on the fetch responses that were recorded, with an SQLite catalog
and files in a local folder, with one worker and two, by turns: what of the CPU time is the main thread's, which is serial.`;

interface Figures {
  readonly what: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Part of the CPU seconds that the main thread took; null: several processes. */
  readonly mainSeconds: number | null;
  readonly peakMiB: number;
}

async function scaling(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      format: { type: 'string', default: 'avro' },
      records: { type: 'string', default: '2000000' },
      runs: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (options.help) return console.log(usage);
  const records = Number(options.records);
  const folder = mkdtempSync(join(tmpdir(), 'tabletopic-scaling-'));
  // The records carry ids of this registry, which is there when the servers are not.
  const registry = await startRegistry();
  const runs: Figures[] = [];
  const took = (figures: Figures): void => {
    process.stderr.write(`${JSON.stringify(figures)}\n`);
    runs.push(figures);
  };
  try {
    const bench = new ScalingBench(folder, options.format as Format, records, registry.url);
    await bench.withServers(Number(options.runs), took);
    for (let round = 0; round < Number(options.runs); round++)
      for (const workers of [1, 2]) took(await bench.recorded(workers));
  } finally {
    await registry.stop();
    rmSync(folder, { recursive: true });
  }
  if (options.json)
    return console.log(JSON.stringify({ machine: machine(), versions: versions(), ...options, records, runs }));
  console.log(machine());
  console.log(`${'what'.padEnd(34)} ${'records/s'.padEnd(18)} ${'per CPU s'.padEnd(18)} main thread  peak MiB`);
  for (const what of new Set(runs.map((run) => run.what))) {
    const own = runs.filter((run) => run.what === what);
    const of = (value: (run: Figures) => number): string => shortSpread(spreadOf(own.map(value)));
    const main = own.some(({ mainSeconds }) => mainSeconds === null)
      ? ''
      : `${Math.round(100 * spreadOf(own.map(({ mainSeconds, cpuSeconds }) => mainSeconds! / cpuSeconds)).median)} %`;
    console.log(
      `${what.padEnd(34)} ${of(({ seconds }) => records / seconds).padEnd(18)} ${of(({ cpuSeconds }) => records / cpuSeconds).padEnd(18)} ${main.padEnd(12)} ${of(({ peakMiB }) => peakMiB)}`,
    );
  }
}

class ScalingBench {
  readonly #folder: string;
  readonly #format: Format;
  readonly #records: number;
  readonly #registryUrl: string;
  readonly #topic: string;
  #run = 0;

  constructor(folder: string, format: Format, records: number, registryUrl: string) {
    this.#folder = folder;
    this.#format = format;
    this.#records = records;
    this.#registryUrl = registryUrl;
    this.#topic = `bench.${format.replace('-', '_')}`;
  }

  async withServers(rounds: number, took: (figures: Figures) => void): Promise<void> {
    const stack = await startStack({ kafka: true, s3: true, catalog: true });
    const files = new ServiceFiles(stack);
    try {
      const { brokers } = stack.kafka;
      const [topic, format] = [this.#topic, this.#format];
      await load({ brokers, topic, n: this.#records, partitions: 4, format, registry: this.#registryUrl });
      for (let round = 0; round < rounds; round++)
        for (const instances of [1, 2]) took(await this.#instances(files, instances));
      await this.#keep(stack);
    } finally {
      files.remove();
      await stack.stop();
    }
  }

  async #instances(files: ServiceFiles, instances: number): Promise<Figures> {
    const table = `${this.#topic}_${this.#run++}`;
    const workers = 2 / instances;
    const config = files.write(`scaling-${this.#run}`, [{ topic: this.#topic, table }], {
      http: 'off',
      workers,
      schemaRegistry: { url: this.#registryUrl },
      defaults: { commitInterval: '10s' },
    });
    const running = Array.from({ length: instances }, () => files.run(config, '--until-caught-up'));
    const watches = running.map(({ child }) => new ProcessWatch(child.pid!));
    await Promise.all(
      running.map(async (service, i) => {
        await service.ends();
        await watches[i]!.end();
      }),
    );
    return {
      what: `${instances} × ${workers} workers, all servers`,
      seconds: Math.max(...watches.map(({ seconds }) => seconds)),
      cpuSeconds: watches.reduce((sum, watch) => sum + watch.cpuSeconds, 0),
      mainSeconds: null,
      peakMiB: Math.max(...watches.map(({ peakMiB }) => peakMiB)),
    };
  }

  async #keep({ kafka: { brokers } }: Stack): Promise<void> {
    const text = stringify({
      kafka: { brokers, groupId: 'recording' },
      catalogs: { lake: { type: 'sql', uri: 'sqlite::memory:', warehouse: `file:${this.#folder}` } },
      tables: [{ topic: this.#topic }],
    });
    const { kafka } = parseConfig(text, { env: {}, directory: this.#folder, file: 'recording' });
    await record(kafka, this.#topic, join(this.#folder, 'recording'));
  }

  async recorded(workers: number): Promise<Figures> {
    const dir = join(this.#folder, `run-${this.#run++}`);
    mkdirSync(dir);
    const config = join(dir, 'tabletopic.yaml');
    writeFileSync(
      config,
      stringify({
        kafka: { brokers: ['localhost:1'] },
        schemaRegistry: { url: this.#registryUrl },
        catalogs: { lake: { type: 'sql', uri: `sqlite:${dir}/catalog.db`, warehouse: `file:${dir}/warehouse` } },
        http: 'off',
        workers,
        defaults: { catalog: 'lake', commitInterval: '10s' },
        tables: [{ topic: this.#topic }],
      }),
    );
    const script = join(import.meta.dirname, 'scaling-run.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [script, join(this.#folder, 'recording'), config]);
    rmSync(dir, { recursive: true });
    const { exit, ...used } = JSON.parse(stdout) as RecordedRun;
    if (exit !== 0) throw new Error(`the service ended with ${exit}`);
    return { what: `${workers} worker${workers > 1 ? 's' : ''}, recorded, no servers`, ...used };
  }
}

await scaling();
