import { InvalidArgumentError } from 'commander';
import type { Config, TablePlan } from '../config/config.ts';
import { parseSize } from '../config/units.ts';
import { ExitCode, TabletopicError } from '../errors.ts';
import { createLogger } from '../ops/logger.ts';
import { BoundedSource } from '../source/bounded-source.ts';
import type { OffsetQuery, Source, TopicDescription } from '../source/source.ts';
import { connectSource, plansFor } from './connected.ts';
import type { CliContext } from './context.ts';
import { parseTime } from './moment.ts';
import { Progress } from './progress.ts';
import { handleSignals } from './run.ts';

/** An offset in every partition, or a time (ms). */
export type BackfillBound = { readonly offset: number } | { readonly timestamp: number };

export interface BackfillOptions {
  readonly config: string;
  readonly json: boolean;
  readonly topic: string;
  readonly into: string;
  readonly from?: BackfillBound;
  readonly to?: BackfillBound;
  /** Bytes a second. */
  readonly rate?: number;
}

interface PartitionRange {
  readonly partition: number;
  /** Offsets [from, to). */
  readonly from: number;
  readonly to: number;
}

/**
 * `tabletopic backfill`: reads a range of a topic again into a table of its own, next to the live ones, by the ordinary
 * path: the same decoding, dead letters and offsets in the snapshots, so that it goes on where it was stopped, and
 * `verify` proves it. Joins no group and writes no group's offsets.
 */
export async function backfillCommand(options: BackfillOptions, context: CliContext): Promise<number> {
  const { output, ports } = context;
  const config = context.loadConfig(options.config, context.env);
  const progress = new Progress(output, ports.clock);
  const logger = createLogger(config.log, (line) => progress.above(line));
  const { source: looking } = await connectSource(config, context, logger);
  let plan: TablePlan;
  let ranges: PartitionRange[];
  try {
    const [topic] = await looking.describeTopics([options.topic]);
    if (!topic)
      throw new TabletopicError('KAFKA_TOPIC_MISSING', `Topic ${options.topic} does not exist.`, {
        where: { topic: options.topic },
      });
    plan = planOf(config, options);
    ranges = await rangesOf(looking, topic, options);
  } finally {
    await looking.close();
  }
  const kafka = context.connect.source(config, ports, logger, 'all');
  const ends = new Map(ranges.map(({ partition, to }) => [partition, to]));
  const source = new BoundedSource(
    kafka,
    { end: ({ partition }) => ends.get(partition) ?? 0, rate: options.rate ?? null },
    ports,
  );
  const service = await context.createService(backfillConfig(config, plan, options, ranges), {
    ports,
    logger,
    untilCaughtUp: true,
    source,
  });
  const ended = new AbortController();
  const showing = progress.follow(() => service.snapshot(), logger, ended.signal);
  const removeHandler = handleSignals(service, context);
  try {
    const { exit } = await service.run();
    const { uptimeSeconds, tables } = service.snapshot();
    const { rows = 0, deadLetters = 0 } = tables[0] ?? {};
    const result = {
      exit,
      topic: options.topic,
      table: options.into,
      partitions: ranges,
      rows,
      deadLetters,
      seconds: uptimeSeconds,
    };
    output.stdout(options.json ? `${JSON.stringify(result)}\n` : backfillText(result));
    return exit;
  } finally {
    removeHandler();
    ended.abort();
    await showing;
  }
}

/** Digits are an offset, anything else a time. */
export function parseBound(text: string): BackfillBound {
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) };
  try {
    return { timestamp: parseTime(text) };
  } catch {
    throw new InvalidArgumentError('Write an offset, or a time as 2026-01-31T00:00:00Z.');
  }
}

export function parseRate(text: string): number {
  const bytes = parseSize(text);
  if (bytes === null || bytes < 1) throw new InvalidArgumentError('Write bytes a second with a unit, as 10MiB.');
  return bytes;
}

/** The rule that feeds a live table from the topic says how its records are decoded. */
function planOf(config: Config, { topic, into }: BackfillOptions): TablePlan {
  const { plans } = plansFor(config, [{ name: topic }], false);
  const plan = plans.find(({ topics }) => topics.includes(topic));
  if (!plan)
    throw new TabletopicError('USAGE', `No rule of the configuration reads topic ${topic}.`, {
      hint: 'Its records are decoded as the rule of its live table says: add one.',
      where: { topic },
    });
  const live = plansFor(config, [{ name: topic }], true).plans.map(({ namespace, name }) =>
    [...namespace, name].join('.'),
  );
  if (live.includes(into))
    throw new TabletopicError('USAGE', `${into} is written by the service itself: name a table of its own.`, {
      hint: 'To read records again into the live table, put it back: `tabletopic rollback`.',
      where: { table: into },
    });
  return plan;
}

/** Where each partition's range begins and ends, within what the log holds. */
async function rangesOf(
  source: Source,
  topic: TopicDescription,
  { from, to }: BackfillOptions,
): Promise<PartitionRange[]> {
  const partitions = topic.partitions.map(({ partition }) => partition);
  const list = (at: OffsetQuery): Promise<number[]> =>
    source.listOffsets(partitions.map((partition) => ({ topic: topic.name, partition, at })));
  const [starts, ends] = [await list('earliest'), await list('latest')];
  const resolve = async (bound: BackfillBound | undefined, none: readonly number[]): Promise<readonly number[]> => {
    if (bound === undefined) return none;
    return 'timestamp' in bound ? list({ timestamp: bound.timestamp }) : partitions.map(() => bound.offset);
  };
  const [first, last] = [await resolve(from, starts), await resolve(to, ends)];
  const inside = (offset: number, i: number): number => Math.min(ends[i]!, Math.max(starts[i]!, offset));
  return partitions.map((partition, i) => {
    const start = inside(first[i]!, i);
    return { partition, from: start, to: Math.max(start, inside(last[i]!, i)) };
  });
}

/** One table, no group, and no port that the service beside it has. */
function backfillConfig(
  config: Config,
  { rule }: TablePlan,
  { topic, into }: BackfillOptions,
  ranges: readonly PartitionRange[],
): Config {
  const offsets = Object.fromEntries(ranges.map(({ partition, from }) => [String(partition), from]));
  return {
    ...config,
    kafka: { ...config.kafka, instanceId: null },
    http: null,
    tables: [
      {
        ...rule,
        topic,
        topicPattern: null,
        table: into,
        branch: 'main',
        location: null,
        deadLetterTopic: null,
        startFrom: { offsets },
      },
    ],
  };
}

function backfillText({
  exit,
  topic,
  table,
  partitions,
  rows,
  deadLetters,
}: {
  exit: number;
  topic: string;
  table: string;
  partitions: readonly PartitionRange[];
  rows: number;
  deadLetters: number;
}): string {
  const lines = [
    exit === ExitCode.done
      ? `${table} holds the range of ${topic}: ${rows} rows and ${deadLetters} dead letters now`
      : `${table} does not hold the range of ${topic} yet: ${rows} rows now; the same command goes on where it stopped`,
    ...partitions.map(({ partition, from, to }) => `    ${topic}[${partition}] offsets ${from} to ${to}`),
  ];
  return `${lines.join('\n')}\n`;
}
