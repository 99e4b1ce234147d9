import { ServiceFiles } from '../end-to-end/service-process.ts';
import { installConnect } from '../real/connect.ts';
import { sums } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import { startStack } from '../real/stack.ts';
import { checkRows } from './check.ts';
import { Ours } from './ours.ts';
import { Peer } from './peer.ts';
import { topicsOf } from './workloads.ts';
import type { Stack } from '../real/stack.ts';
import type { Quiet } from './quiet.ts';
import type { Sink, SinkRun } from './sink.ts';
import type { Workload } from './workloads.ts';

export interface CatchUp {
  readonly workloads: readonly Workload[];
  readonly runs: number;
  /** Also Kafka Connect, in turn with ours. */
  readonly peer: boolean;
  /** Between two commits. */
  readonly intervalMs: Readonly<Record<Sink['name'], number>>;
  readonly quiet: Quiet;
  readonly say: (line: string) => void;
}

export interface CatchUpResult {
  readonly workload: Workload;
  /** Of the values of a record in the mean. */
  readonly bytesPerRecord: number;
  readonly sink: Sink['name'];
  readonly runs: readonly SinkRun[];
}

/** Loads each workload's topics, and has each program make tables of them, by turns. Each run writes tables of its own. */
export async function catchUp(options: CatchUp): Promise<CatchUpResult[]> {
  const { quiet, peer } = options;
  if (peer) await installConnect();
  const stack = await quiet.around(() => startStack({ kafka: true, s3: true, catalog: true, registry: true }));
  const files = new ServiceFiles(stack);
  const sinks: readonly Sink[] = [new Ours(stack, files), ...(peer ? [new Peer(stack)] : [])];
  const results: CatchUpResult[] = [];
  try {
    for (const workload of options.workloads) results.push(...(await measure(stack, sinks, workload, options)));
  } finally {
    await readers.close();
    files.remove();
    await stack.stop();
  }
  return results;
}

async function measure(
  stack: Stack,
  sinks: readonly Sink[],
  workload: Workload,
  { runs, intervalMs, quiet, say }: CatchUp,
): Promise<CatchUpResult[]> {
  const { format, compression, records, partitionsPerTopic: partitions, shape, partitionBy } = workload;
  const topics = topicsOf(workload);
  const each = { n: records / topics.length, format, ...shape };
  let bytes = 0;
  const expected = await quiet.around(async () => {
    for (const topic of topics) bytes += (await stack.load({ topic, partitions, compression, ...each })).value_bytes;
    return await sums(each);
  });
  const bytesPerRecord = Math.round((bytes / records) * 10) / 10;
  say(`${workload.id}: ${records} records loaded, ${bytesPerRecord} bytes each`);
  const done = sinks.map(({ name }) => ({ workload, bytesPerRecord, sink: name, runs: [] as SinkRun[] }));
  for (let run = 0; run < runs; run++) {
    const suffix = (sink: Sink): string => `_${sink.name}_${run}`;
    // Side by side in time: what else the machine does falls on both.
    const round = await quiet.measured(async () => {
      const ran: SinkRun[] = [];
      for (const sink of sinks) {
        const job = { topics, suffix: suffix(sink), format, records, intervalMs: intervalMs[sink.name] };
        ran.push(await sink.run({ ...job, ...(partitionBy && { partitionBy }) }));
      }
      return ran;
    });
    await quiet.around(async () => {
      for (const sink of sinks)
        for (const topic of topics) await checkRows(stack, `${topic}${suffix(sink)}`, expected, workload);
    });
    for (const [i, one] of round.entries()) {
      const { seconds, cpuSeconds, peakMiB } = one;
      done[i]!.runs.push(one);
      const figures = JSON.stringify({ seconds, cpuSeconds, peakMiB });
      say(`${workload.id}, ${sinks[i]!.name}, run ${run + 1} of ${runs}: ${figures}, rows and sums right`);
    }
  }
  return done;
}
