import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { OFFSETS, decodeStatement } from '../../src/commit/statement.ts';
import { RestCatalog } from '../../src/iceberg/rest.ts';
import { createFileIO } from '../../src/io/file-io-factory.ts';
import { systemPorts } from '../../src/ports.ts';
import { ServiceFiles, ServiceProcess } from '../end-to-end/service-process.ts';
import { startStack } from '../real/stack.ts';
import type { Stack } from '../real/stack.ts';
import { short, shortSpread, spreadOf } from './figures.ts';
import { CATALOG_HEAP_MIB, TOPIC, grow } from './growth-table.ts';
import { machine, versions } from './machine.ts';
import { headOf } from './table.ts';
import { ProcessWatch } from './watch.ts';

const usage = `npm run bench -- --scenario growth-ingest [--records N] [--rounds N] [--snapshots N] [--files N] [--partitions N] [--json]

\`tabletopic run --until-caught-up\` of a topic of 1,000 partitions into a table of 2,000 snapshots and 100,000 files, and of the
same records into one without a past, by turns: rows a second, by wall time and by CPU, and the requests of each run.`;

const names = ['empty', 'grown'] as const;
const GiB = 2 ** 30;

/** One run of the service. */
interface Run {
  readonly table: (typeof names)[number];
  readonly rows: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly commits: number;
  /** Of data files. */
  readonly bytes: number;
  /** Requests that left the process, by server and method. */
  readonly requests: Readonly<Record<string, number>>;
}

class GrowthIngest {
  readonly #stack: Stack;
  readonly #files: ServiceFiles;
  #loaded = 0;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.#files = new ServiceFiles(stack);
  }

  async load(records: number, partitions: number): Promise<void> {
    await this.#stack.load({ topic: TOPIC, start: this.#loaded, n: records, partitions, format: 'avro' });
    this.#loaded += records;
  }

  /** The past of a table that holds a little of the topic already: its offsets stay as they are. */
  async age(table: string, snapshots: number, files: number): Promise<void> {
    const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = this.#stack.s3;
    const io = createFileIO(
      { s3: { endpoint, region, pathStyle: true, accessKeyId, secretAccessKey } },
      systemPorts.ids,
    );
    const rest = new RestCatalog(
      'rest',
      { type: 'rest', ...this.#stack.catalog, requestTimeout: 120_000 },
      systemPorts,
    );
    await rest.connect();
    const head = await headOf(this.#stack.catalog, `bench.${table}`);
    const { offsets } = decodeStatement(head.summary[OFFSETS]!);
    await grow(
      rest,
      { namespace: ['bench'], name: table },
      io,
      { snapshots, files, partitions: 0, moving: 0 },
      offsets,
    );
    await rest.close();
    await io.close();
  }

  async run(table: Run['table']): Promise<Run> {
    const { catalog, s3 } = this.#stack;
    const name = `bench.${table}`;
    const before = await headOf(catalog, name).catch(() => null);
    const config = this.#files.write(table, [{ topic: TOPIC, table: name }], {
      http: 'off',
      defaults: { commitInterval: '10s' },
    });
    const sent = join(this.#files.dir, `${table}.requests.json`);
    const service = new ServiceProcess(['run', '-c', config, '--until-caught-up'], {
      NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'sent-requests.mjs')).href}`,
      SENT_REQUESTS: sent,
    });
    const watch = new ProcessWatch(service.child.pid!);
    try {
      await service.ends();
    } finally {
      service.child.kill('SIGKILL');
      await watch.end();
    }
    const head = await headOf(catalog, name);
    const more = (what: string): number =>
      Number(head.summary[what]) - (before === null ? 0 : Number(before.summary[what]));
    const servers: Record<string, string> = {
      [new URL(catalog.uri).origin]: 'catalog',
      [new URL(s3.endpoint).origin]: 'store',
    };
    const requests: Record<string, number> = {};
    for (const [request, count] of Object.entries(JSON.parse(readFileSync(sent, 'utf8')) as Record<string, number>)) {
      const [origin, method] = request.split(' ') as [string, string];
      if (origin in servers) requests[`${method} to the ${servers[origin]!}`] = count;
    }
    return {
      table,
      rows: more('total-records'),
      seconds: watch.seconds,
      cpuSeconds: watch.cpuSeconds,
      commits: head['sequence-number'] - (before?.['sequence-number'] ?? 0),
      bytes: more('total-files-size'),
      requests,
    };
  }

  remove(): void {
    this.#files.remove();
  }
}

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '2' },
    snapshots: { type: 'string', default: '2000' },
    files: { type: 'string', default: '100000' },
    partitions: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(usage);
else await main();

async function main(): Promise<void> {
  const [records, rounds, partitions] = [Number(values.records), Number(values.rounds), Number(values.partitions)];
  const stack = await startStack({ kafka: true, registry: true, catalog: { heapMiB: CATALOG_HEAP_MIB } });
  const bench = new GrowthIngest(stack);
  const runs: Run[] = [];
  try {
    await bench.load(partitions, partitions);
    for (const table of names) await bench.run(table);
    await bench.age('grown', Number(values.snapshots), Number(values.files));
    process.stderr.write('the past is made\n');
    for (let round = 0; round < rounds; round++) {
      await bench.load(records, partitions);
      for (const table of names) {
        const run = await bench.run(table);
        process.stderr.write(`${JSON.stringify(run)}\n`);
        if (run.rows !== records) throw new Error(`${run.rows} rows instead of ${records} in ${table}`);
        runs.push(run);
      }
    }
  } finally {
    bench.remove();
    await stack.stop();
  }
  if (values.json)
    console.log(JSON.stringify({ machine: machine(), versions: versions(), ...values, records, rounds, runs }));
  else print(runs);
}

function print(runs: readonly Run[]): void {
  const of = (table: Run['table'], value: (run: Run) => number): number[] =>
    runs.filter((run) => run.table === table).map(value);
  const line = (what: string, value: (run: Run) => number): void =>
    console.log(
      [what.padEnd(34), ...names.map((table) => shortSpread(spreadOf(of(table, value))).padStart(24))].join(' '),
    );
  const sum = (value: (run: Run) => number): number => runs.reduce((total, run) => total + value(run), 0);
  console.log(machine());
  console.log([''.padEnd(34), ...names.map((table) => table.padStart(24))].join(' '));
  line('rows/s', ({ rows, seconds }) => rows / seconds);
  line('rows per CPU s', ({ rows, cpuSeconds }) => rows / cpuSeconds);
  line('commits', ({ commits }) => commits);
  const ratios = (value: (run: Run) => number): string => {
    const [empty, grown] = [of('empty', value), of('grown', value)];
    return grown.map((rate, round) => (rate / empty[round]!).toFixed(2)).join(', ');
  };
  console.log(
    `grown to empty, round by round: rows/s ${ratios(({ rows, seconds }) => rows / seconds)}, rows per CPU s ${ratios(({ rows, cpuSeconds }) => rows / cpuSeconds)}`,
  );
  console.log(
    `requests of all runs: ${sum(({ commits }) => commits)} commits, ${sum(({ rows }) => rows)} rows, ${(sum(({ bytes }) => bytes) / GiB).toFixed(3)} GiB`,
  );
  for (const name of new Set(runs.flatMap(({ requests }) => Object.keys(requests)))) {
    const count = sum(({ requests }) => requests[name] ?? 0);
    const per = (unit: number): string => short(count / unit).padStart(8);
    console.log(
      `${name.padEnd(34)} ${String(count).padStart(6)}, per commit ${per(sum(({ commits }) => commits))}, per GiB ${per(sum(({ bytes }) => bytes) / GiB)}, per 1,000,000 rows ${per(sum(({ rows }) => rows) / 1e6)}`,
    );
  }
}
