import { deepStrictEqual, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceFiles } from '../end-to-end/service-process.ts';
import { sums } from '../real/generator.ts';
import type { Format, Load } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import { startStack } from '../real/stack.ts';

export interface IngestOptions {
  readonly formats: readonly Format[];
  readonly compression: NonNullable<Load['compression']>;
  readonly records: number;
  readonly runs: number;
  readonly say: (line: string) => void;
}

/** One run of the service process, from its start to its end. */
export interface IngestRun {
  readonly seconds: number;
  /** User and system time of the whole process. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

export interface IngestResult {
  readonly format: Format;
  readonly compression: string;
  readonly records: number;
  readonly runs: readonly IngestRun[];
}

const PARTITIONS = 4;
/** Clock ticks a second in /proc (`getconf CLK_TCK`), 100 on every Linux that Node runs on. */
const TICKS = 100;

/** The scenario `ingest`: catch up with a loaded topic. Each run writes a table of its own. */
export async function ingest({ formats, compression, records, runs, say }: IngestOptions): Promise<IngestResult[]> {
  const stack = await startStack({ kafka: true, s3: true, catalog: true, registry: true });
  const files = new ServiceFiles(stack);
  const results: IngestResult[] = [];
  try {
    for (const format of formats) {
      const topic = `bench.${format.replace('-', '_')}`;
      const loaded = await stack.load({ topic, n: records, partitions: PARTITIONS, format, compression });
      say(`${records} ${format} records loaded, ${Math.round(loaded.value_bytes / records)} bytes each`);
      const expected = await sums({ n: records, format });
      const done: IngestRun[] = [];
      for (let run = 0; run < runs; run++) {
        const table = `${topic}_${run}`;
        const config = files.write(`bench-${format}-${run}`, [{ topic, table }], {
          http: 'off',
          defaults: { commitInterval: '10s' },
        });
        done.push(await measured(files, config));
        const reading = await readers.pyiceberg({
          catalog: { type: 'rest', uri: stack.catalog.uri, s3: stack.s3 },
          table,
          columns: ['id', 'quantity', 'amount', 'active'],
        });
        const { id, quantity, amount, active } = reading.columns;
        deepStrictEqual(
          [reading.rows, id?.sum, quantity?.sum, active?.sum],
          [expected.rows, expected.sum_id, expected.sum_quantity, expected.active],
        );
        ok(Math.abs(Number(amount?.sum) / expected.sum_amount - 1) < 1e-9, 'sum of amount');
        ok(
          reading.kafka?.every(({ count, distinct }) => count === distinct),
          'an offset is there twice',
        );
        say(`${format} run ${run + 1} of ${runs}: ${JSON.stringify(done.at(-1))}, rows and sums right`);
      }
      results.push({ format, compression, records, runs: done });
    }
  } finally {
    await readers.close();
    files.remove();
    await stack.stop();
  }
  return results;
}

async function measured(files: ServiceFiles, config: string): Promise<IngestRun> {
  const started = performance.now();
  const service = files.run(config, '--until-caught-up');
  const ended = new AbortController();
  let cpuSeconds = 0;
  let peakMiB = 0;
  const watching = (async () => {
    while (!ended.signal.aborted) {
      try {
        const stat = readFileSync(`/proc/${service.child.pid}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS;
        peakMiB =
          Number(
            /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${service.child.pid}/status`, 'utf8'))?.[1] ?? peakMiB * 1024,
          ) / 1024;
      } catch {
        // Gone between two looks: what was seen last stands, at most one look old.
      }
      await sleep(20);
    }
  })();
  await service.ends();
  const seconds = (performance.now() - started) / 1000;
  ended.abort();
  await watching;
  return { seconds, cpuSeconds, peakMiB };
}
