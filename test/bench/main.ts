import { parseArgs } from 'node:util';
import { machine } from './machine.ts';
import { ingest } from './ingest.ts';
import type { IngestRun } from './ingest.ts';
import type { Format } from '../real/generator.ts';

const usage = `npm run bench -- [--format avro|json|protobuf|json-schema] [--compression none|lz4|zstd|snappy|gzip] [--records N] [--runs N] [--json]

Starts real servers (Kafka, S3, REST catalog, registry), loads generated records into a topic of 4 partitions and measures
\`tabletopic run --until-caught-up\` as a process of its own, from its start to its end. After each run PyIceberg checks
the rows against the generator's sums. Without --format: Avro, then JSON without schema.`;

const { values: options } = parseArgs({
  options: {
    format: { type: 'string' },
    compression: { type: 'string', default: 'none' },
    records: { type: 'string', default: '2000000' },
    runs: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  console.log(usage);
  process.exit(0);
}

const formats = options.format === undefined ? (['avro', 'json'] as const) : [options.format as Format];
const results = await ingest({
  formats,
  compression: options.compression as 'none',
  records: Number(options.records),
  runs: Number(options.runs),
  say: (line) => process.stderr.write(`${line}\n`),
});

if (options.json) console.log(JSON.stringify({ machine: machine(), results }));
else {
  console.log(machine());
  console.log('format      compression      rows/s           CPU s            rows per CPU s   peak MiB');
  for (const { format, compression, records, runs } of results) {
    const of = (value: (run: IngestRun) => number): string => spread(runs.map(value)).padEnd(16);
    console.log(
      `${format.padEnd(11)} ${compression.padEnd(16)} ${of((run) => records / run.seconds)} ${of((run) => run.cpuSeconds)} ${of((run) => records / run.cpuSeconds)} ${of((run) => run.peakMiB)}`,
    );
  }
}

/** Median, and minimum to maximum. */
function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const round = (value: number): string =>
    value >= 10_000 ? `${Math.round(value / 1000)}k` : value.toFixed(value < 100 ? 1 : 0);
  return `${round(sorted[sorted.length >> 1]!)} (${round(sorted[0]!)}–${round(sorted.at(-1)!)})`;
}
