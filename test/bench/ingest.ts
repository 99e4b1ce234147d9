import { parseArgs } from 'node:util';
import { moved, readBaseline, writeBaseline } from './baselines.ts';
import { catchUp } from './catch-up.ts';
import { shortSpread, spreadOf } from './figures.ts';
import { machine, versions } from './machine.ts';
import { Quiet } from './quiet.ts';
import { workload } from './workloads.ts';
import type { Figures } from './baselines.ts';
import type { CatchUpResult } from './catch-up.ts';
import type { Spread } from './figures.ts';
import type { SinkRun } from './sink.ts';
import type { Scenario, Wish, Workload } from './workloads.ts';
import type { Format } from '../real/generator.ts';

export const ingestUsage = `npm run bench -- [--scenario ingest|wide-strings|nested|partitioned|small-topics] [--peer] [--steady]
    [--format avro|json|protobuf|json-schema] [--compression none|lz4|zstd|snappy|gzip] [--fields 10|100|300]
    [--records N] [--runs N] [--save] [--lock FILE] [--json]

Starts real servers (Kafka, S3, REST catalog, registry), loads generated records into a topic of 4 partitions and measures
\`tabletopic run --until-caught-up\` as a process of its own, from its start to its end. After each run PyIceberg checks
the rows against the generator's sums. Without --format: Avro, then JSON without schema.

  --peer     also Apache Iceberg's sink in Kafka Connect, in turn with ours on the same topics (Avro and JSON, one topic)
  --steady   6,000,000 records, one run: the rate between the first commit and the last but one
  --save     keep the figures as the baseline that later runs are compared with
  --lock     hold flock(1) on FILE: alone while measuring, shared while loading and checking

By scenario: wide-strings: a text of 1,000 bytes in each record; nested: a list of structs with lists; partitioned:
bucket(100, user_id); small-topics: 100 topics of one partition.`;

/** One line of the report. */
interface Line {
  readonly id: string;
  readonly workload: Workload;
  readonly sink: CatchUpResult['sink'];
  readonly bytesPerRecord: number;
  readonly figures: Figures;
  readonly runs: readonly SinkRun[];
}

/** The scenarios that make tables of loaded topics. */
export async function ingest(scenario: Scenario, args: readonly string[]): Promise<void> {
  const { values: options } = parseArgs({
    args: [...args],
    options: {
      format: { type: 'string' },
      compression: { type: 'string', default: 'none' },
      fields: { type: 'string', default: '10' },
      records: { type: 'string' },
      runs: { type: 'string' },
      peer: { type: 'boolean', default: false },
      steady: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      lock: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const { steady, peer } = options;
  const measured = versions();
  const formats = options.format === undefined ? (['avro', 'json'] as const) : [options.format as Format];
  if (peer && (scenario === 'small-topics' || formats.some((format) => format !== 'avro' && format !== 'json')))
    throw new Error('--peer is for Avro and JSON, and for one topic');
  const wish: Omit<Wish, 'format'> = {
    scenario,
    compression: options.compression as 'none',
    fields: Number(options.fields),
    records: Number(options.records ?? (steady ? 6e6 : Number.NaN)) || undefined,
  };
  const results = await catchUp({
    workloads: formats.map((format) => workload({ ...wish, format })),
    runs: Number(options.runs ?? (steady ? 1 : 3)),
    peer,
    // Ours has more to show of a steady state when it commits more often; it costs it something.
    intervalMs: { tabletopic: steady ? 2000 : 10_000, connect: 10_000 },
    quiet: new Quiet(options.lock),
    say: (line) => process.stderr.write(`${line}\n`),
  });
  const lines = results.map((result) => lineOf(result, steady));
  if (options.json)
    console.log(JSON.stringify({ machine: machine(), versions: measured, ratios: ratiosOf(lines), results: lines }));
  else print(lines, measured);
  if (options.save)
    for (const { id, figures } of lines) writeBaseline(id, { machine: machine(), versions: measured, figures });
}

/** Figures of one run. */
const figuresOf: Readonly<Record<string, (run: SinkRun, records: number) => number | undefined>> = {
  rowsPerSecond: ({ seconds }, records) => records / seconds,
  cpuSeconds: ({ cpuSeconds }) => cpuSeconds,
  rowsPerCpuSecond: ({ cpuSeconds }, records) => records / cpuSeconds,
  peakMiB: ({ peakMiB }) => peakMiB,
  // Not where there are fewer than three commits.
  steadyRowsPerSecond: ({ steady }) => steady?.rowsPerSecond,
  steadyRowsPerCpuSecond: ({ steady }) => steady?.rowsPerCpuSecond,
};

/** Spreads of what `value` gives for each run; a figure that a run does not have is left out. */
function spreads(runs: number, value: (figure: string, run: number) => number | undefined): Figures {
  const figures: Record<string, Spread> = {};
  for (const figure of Object.keys(figuresOf)) {
    const values = Array.from({ length: runs }, (_, run) => value(figure, run)).filter((one) => one !== undefined);
    if (values.length > 0) figures[figure] = spreadOf(values);
  }
  return figures;
}

function lineOf({ workload: of, bytesPerRecord, sink, runs }: CatchUpResult, steady: boolean): Line {
  return {
    id: [of.id, ...(steady ? ['steady'] : []), ...(sink === 'connect' ? ['connect'] : [])].join('-'),
    workload: of,
    sink,
    bytesPerRecord,
    figures: spreads(runs.length, (figure, run) =>
      steady || !figure.startsWith('steady') ? figuresOf[figure]!(runs[run]!, of.records) : undefined,
    ),
    runs,
  };
}

/** How many times the peer's rates ours are, round by round. */
function ratiosOf(lines: readonly Line[]): readonly { readonly id: string; readonly ratios: Figures }[] {
  return lines.flatMap(({ id, sink, workload: { id: workloadId, records }, figures, runs }) => {
    const peer = lines.find((line) => line.sink === 'connect' && line.workload.id === workloadId);
    if (sink === 'connect' || peer === undefined) return [];
    const ratios = spreads(runs.length, (figure, run) => {
      const of = figuresOf[figure]!;
      const ratio = of(runs[run]!, records)! / of(peer.runs[run]!, records)!;
      return figure in figures && /rowsPer/i.test(figure) && Number.isFinite(ratio) ? ratio : undefined;
    });
    return [{ id, ratios }];
  });
}

const titles: Readonly<Record<string, string>> = {
  rowsPerSecond: 'rows/s',
  cpuSeconds: 'CPU s',
  rowsPerCpuSecond: 'rows per CPU s',
  peakMiB: 'peak MiB',
  steadyRowsPerSecond: 'steady rows/s',
  steadyRowsPerCpuSecond: 'steady per CPU s',
};

function print(lines: readonly Line[], measured: Readonly<Record<string, string>>): void {
  console.log(machine());
  console.log(
    Object.entries(measured)
      .map(([what, version]) => `${what}: ${version}`)
      .join('; '),
  );
  const width = Math.max(...lines.map(({ id }) => id.length)) + 2;
  const figures = Object.keys(lines[0]!.figures);
  console.log(''.padEnd(width) + figures.map((figure) => titles[figure]!.padEnd(20)).join(''));
  for (const line of lines)
    console.log(
      line.id.padEnd(width) +
        figures.map((figure) => (line.figures[figure] ? shortSpread(line.figures[figure]) : '–').padEnd(20)).join(''),
    );
  for (const { id, ratios } of ratiosOf(lines)) {
    const each = Object.entries(ratios).map(([figure, ratio]) => `${titles[figure]} × ${shortSpread(ratio)}`);
    console.log(`${id}: against Kafka Connect ${each.join(', ')}`);
  }
  for (const { id, figures: is } of lines) compare(id, is);
}

/** Says what moved against the baseline. */
function compare(id: string, is: Figures): void {
  const baseline = readBaseline(id);
  if (baseline === null) return console.log(`${id}: no baseline (--save keeps one)`);
  const from = `${baseline.versions['tabletopic']}${baseline.machine === machine() ? '' : ', another machine'}`;
  const changes = moved(baseline.figures, is).map(
    ({ figure, was, percent }) =>
      `${titles[figure]} ${percent > 0 ? '+' : ''}${percent.toFixed(0)} % (was ${shortSpread(was)})`,
  );
  console.log(`${id}, against the baseline (${from}): ${changes.length === 0 ? 'nothing moved' : changes.join(', ')}`);
}
