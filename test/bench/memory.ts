import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ServiceFiles } from '../end-to-end/service-process.ts';
import { sums } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import { startStack } from '../real/stack.ts';
import { checkRows } from './check.ts';
import { perSecond, trendOf } from './figures.ts';
import { FlowingTopic } from './flowing-topic.ts';
import { machine, versions } from './machine.ts';
import { tableFigures } from './table.ts';
import { ProcessWatch } from './watch.ts';
import type { Format } from '../real/generator.ts';

const usage = `npm run bench -- --scenario memory [--format avro|json|protobuf|json-schema] [--records N | --rate N --minutes N]
    [--slice N] [--interval DURATION] [--json]

Resident memory of \`tabletopic run\` with one topic of 4 partitions, over many records. Real servers; a loader beside it keeps
--slice to twice as many records ahead (2,000,000), and what the table holds is removed from the topic, so that the disk stays
small. Printed: the peak, the mean of each tenth of the time, and the trend over the last four fifths of it.

  --records N            so many as fast as it goes; 50,000,000; a commit each 10 s
  --rate N --minutes N   so many a second (20,000) for so long (20), a commit each second

DuckDB checks the rows against the generator's sums at the end. Nothing is asserted of the memory.`;

const { values: options } = parseArgs({
  options: {
    format: { type: 'string', default: 'avro' },
    records: { type: 'string', default: '50000000' },
    rate: { type: 'string' },
    minutes: { type: 'string' },
    slice: { type: 'string', default: '2000000' },
    interval: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const TOPIC = 'bench.flow';
const TENTHS = 10;
const format = options.format as Format;
const steady = options.rate !== undefined || options.minutes !== undefined;
const rate = steady ? Number(options.rate ?? 20_000) : 0;
const records = steady ? rate * 60 * Number(options.minutes ?? 20) : Number(options.records);

if (options.help) console.log(usage);
else await memory();

async function memory(): Promise<void> {
  const measured = versions();
  // Otherwise the broker looks for segments to remove every five minutes.
  const kafka = { config: { 'log.retention.check.interval.ms': '2000' } };
  // A thousand snapshots and more: the catalog's usual heap was too small for 700.
  const stack = await startStack({ kafka, catalog: { heapMiB: 2048 }, registry: true });
  const files = new ServiceFiles(stack);
  try {
    const flow = new FlowingTopic(stack, {
      topic: TOPIC,
      table: TOPIC,
      format,
      records,
      rate,
      slice: Number(options.slice),
    });
    await flow.create();
    const config = files.write('memory', [{ topic: TOPIC }], {
      defaults: { commitInterval: options.interval ?? (steady ? '1s' : '10s') },
    });
    const service = files.run(config);
    const watch = new ProcessWatch(service.child.pid!, 100);
    const done = async (): Promise<number> => (await tableFigures(stack.catalog, [TOPIC])).rows;
    try {
      await flow.run(async () => {
        const { text } = await service.get('/metrics').catch(() => ({ text: '' }));
        return Number(/^tabletopic_records_read_total\S* (\d+)/m.exec(text)?.[1] ?? 0);
      });
      while ((await done()) < records) {
        if (service.child.exitCode !== null) throw new Error(`the service ended\n${service.log}`);
        await sleep(500);
      }
    } finally {
      await watch.end();
      await service.kill('SIGTERM');
    }
    const written = await tableFigures(stack.catalog, [TOPIC]);
    await checkRows(stack, TOPIC, await sums({ n: records, format }), { shape: {} }, readers.duckdb);
    const commits = written.commits.map(({ atMs, rows }) => ({ at: (atMs - watch.startedAt) / 1000, rows }));
    const figures = {
      format,
      records,
      rate: steady ? rate : null,
      seconds: watch.seconds,
      cpuSeconds: watch.cpuSeconds,
      rowsPerSecond: records / watch.seconds,
      commits: commits.length,
      peakMiB: watch.peakMiB,
      tenthsMiB: tenths(watch),
      trendMiBPerMinute: trendOf(watch.samples, watch.seconds / 5) * 60,
    };
    if (options.json)
      console.log(
        JSON.stringify({
          machine: machine(),
          versions: measured,
          ...figures,
          perSecond: perSecond(watch.samples, commits),
        }),
      );
    else print(figures, measured);
  } finally {
    await readers.close();
    files.remove();
    await stack.stop();
  }
}

/** Mean resident memory of each tenth of the time. */
function tenths({ samples, seconds }: ProcessWatch): number[] {
  return Array.from({ length: TENTHS }, (_, tenth) => {
    const within = samples.filter(({ at }) => Math.floor((at / seconds) * TENTHS) === tenth);
    return Math.round(within.reduce((sum, { residentMiB }) => sum + residentMiB, 0) / within.length);
  });
}

function print(
  figures: Readonly<Record<string, unknown>> & { readonly tenthsMiB: readonly number[] },
  measured: Readonly<Record<string, string>>,
): void {
  console.log(`${machine()}; tabletopic ${measured['tabletopic']}`);
  for (const [name, value] of Object.entries(figures))
    console.log(`${name.padEnd(18)} ${typeof value === 'number' ? Math.round(value * 10) / 10 : String(value)}`);
}
