import { parseArgs } from 'node:util';
import type { BackfillResult } from '../../src/cli/backfill.ts';
import { ServiceFiles, ServiceProcess } from '../end-to-end/service-process.ts';
import { startStack } from '../real/stack.ts';
import { writeBaseline } from './baselines.ts';
import { spreadOf } from './figures.ts';
import { FreshnessProbe } from './freshness-probe.ts';
import type { Freshness } from './freshness-probe.ts';
import { machine, versions } from './machine.ts';

const usage = `npm run bench -- --scenario freshness [--rate N] [--seconds N] [--old N] [--throttle BYTES]
    [--only alone|throttled|backfill|new-table]... [--save] [--json]

How fresh a live table stays beside work on old records. Real servers; a topic of 4 partitions with --old records; a table of
it that begins at its end, with a commit each second, into which --rate records a second come. Measured is the time from
just before a record is produced until a snapshot that holds it is loaded from the catalog (looked for every 20 ms):

  alone                      nothing beside it
  backfill, throttled        \`tabletopic backfill --rate THROTTLE\` reads the topic again in a process of its own
  backfill                   the same as fast as it goes
  new table, same service    a second table of the topic begins at its start, in the process of the live one

Each takes --seconds, or as long as the work beside it; --only leaves the others out. --save keeps the figures as the baseline. Nothing is asserted.`;

const { values: options } = parseArgs({
  options: {
    rate: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '30' },
    old: { type: 'string', default: '4000000' },
    throttle: { type: 'string', default: '10MiB' },
    only: { type: 'string', multiple: true },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  console.log(usage);
  process.exit(0);
}

interface Phase extends Freshness {
  readonly beside: string;
  /** Old records that were read meanwhile; null: none, or not known. */
  readonly oldRecords: number | null;
}

const TOPIC = 'bench.events';
const LIVE = 'bench.live';
const SECONDS = Number(options.seconds);
/** Before anything counts: caches, code, connections. */
const WARM_UP_SECONDS = 5;
const say = (line: string): boolean => process.stderr.write(`${line}\n`);

const wants = (phase: string): boolean => options.only?.includes(phase) ?? true;
// Hundreds of snapshots: the catalog's usual heap is too small for 700.
const stack = await startStack({ kafka: true, catalog: { heapMiB: 2048 } });
const files = new ServiceFiles(stack);
const phases: Phase[] = [];
try {
  const old = await stack.load({ topic: TOPIC, n: Number(options.old), partitions: 4, format: 'json' });
  say(`${old.records} old records loaded, ${Math.round(old.value_bytes / old.records)} bytes each`);
  const live = { topic: TOPIC, table: LIVE, startFrom: 'latest' };
  const settings = { defaults: { commitInterval: '1s', inferTime: '1s' } };
  const config = files.write('freshness', [live], settings);
  const probe = await FreshnessProbe.open(stack, TOPIC, LIVE, Number(options.rate));
  let service = files.run(config);
  /** Until the work beside it ends, at most so long. */
  const measure = async (beside: string, work: Promise<number | null>): Promise<void> => {
    const begun = probe.begin();
    const oldRecords = await Promise.race([work, probe.sleep(SECONDS * 1000).then(() => null)]);
    const phase = { beside, oldRecords, ...(await probe.end(begun)) };
    say(JSON.stringify(phase));
    phases.push(phase);
  };
  const warm = async (): Promise<void> => {
    await service.until('the table', ({ tables }) => (tables.find(({ table }) => table === LIVE)?.rows ?? 0) > 0);
    await probe.sleep(WARM_UP_SECONDS * 1000);
  };
  const backfill = async (into: string, ...args: readonly string[]): Promise<void> => {
    const to = String(Math.floor(old.records / 4));
    const fixed = ['-c', config, '--json', '--topic', TOPIC, '--into', into, '--to', to];
    const child = new ServiceProcess(['backfill', ...fixed, ...args]);
    const done = child.exited.then(() =>
      child.stdout === '' ? null : ((JSON.parse(child.stdout) as Partial<BackfillResult>).rows ?? null),
    );
    await measure(`backfill${args.length > 0 ? `, ${args.join(' ')}` : ''}`, done);
    await child.kill('SIGKILL');
  };
  const newTable = async (): Promise<void> => {
    service = files.run(files.write('freshness', [live, { topic: TOPIC, table: 'bench.second' }], settings));
    await service.until('the new table', ({ tables }) => tables.length === 2 && tables.every(({ rows }) => rows > 0));
    const caughtUp = service
      .until('caught up', ({ tables }) => tables.every(({ lagRecords }) => (lagRecords ?? 1e9) < 1e4), SECONDS * 2)
      .then(({ tables }) => tables.find(({ table }) => table === 'bench.second')!.rows)
      .catch(() => null);
    await measure('new table, same service', caughtUp);
    await service.kill('SIGKILL');
  };

  await warm();
  if (wants('alone')) await measure('alone', new Promise(() => undefined));
  if (wants('throttled')) await backfill('bench.throttled', '--rate', options.throttle);
  if (wants('backfill')) await backfill('bench.unthrottled');
  await service.kill('SIGTERM');
  if (wants('new-table')) await newTable();
  await probe.close();
} finally {
  files.remove();
  await stack.stop();
}

if (options.save)
  for (const { beside, p50, p99, max } of phases)
    writeBaseline(`freshness-${beside.replaceAll(/[^a-z]+/g, '-')}`, {
      machine: machine(),
      versions: versions(),
      figures: { p50: spreadOf([p50]), p99: spreadOf([p99]), max: spreadOf([max]) },
    });
if (options.json) console.log(JSON.stringify({ machine: machine(), phases }));
else {
  console.log(machine());
  console.log(`${options.rate} records a second, commits each second: seconds from produce to readable`);
  console.log('beside                              seconds   records       p50       p99       max');
  for (const { beside, seconds, records, p50, p99, max } of phases)
    console.log(
      [beside.padEnd(32), ...[seconds, records, p50, p99, max].map((value) => String(value).padStart(9))].join(' '),
    );
}
