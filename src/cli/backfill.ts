import type { TablePlan } from '../config/config.ts';
import { ExitCode, TabletopicError } from '../errors.ts';
import { branchHead } from '../iceberg/ancestry.ts';
import { identText } from '../iceberg/catalog.ts';
import { type Publishing, publishingOf } from '../maintain/fork.ts';
import { createLogger } from '../ops/logger.ts';
import { BoundedSource } from '../source/bounded-source.ts';
import { backfillText, publishSteps } from './backfill-text.ts';
import {
  type BackfillOptions,
  type PartitionRange,
  backfillConfig,
  identOf,
  planOf,
  rangesOf,
  startOf,
} from './backfill-plan.ts';
import { Catalogs, connectSource } from './connected.ts';
import type { CliContext } from './context.ts';
import { Progress } from './progress.ts';
import { handleSignals } from './run.ts';

export interface BackfillResult {
  readonly exit: number;
  readonly topic: string;
  readonly table: string;
  readonly branch: string;
  readonly partitions: readonly PartitionRange[];
  /** Of this run. */
  readonly rows: number;
  readonly deadLetters: number;
  readonly seconds: number;
  /** In the table or branch, whoever wrote them; null: the catalog does not say. */
  readonly totalRows: number | null;
  /** Null on main. */
  readonly publish: Publishing | null;
}

/**
 * `tabletopic backfill`: reads a range of a topic again into a table of its own, or into a branch of the live one, next
 * to what the service writes, by the ordinary path: the same decoding, dead letters and offsets in the snapshots, so
 * that it goes on where it was stopped, and `verify` proves it. Joins no group and writes no group's offsets.
 */
export async function backfillCommand(options: BackfillOptions, context: CliContext): Promise<number> {
  const { output, ports } = context;
  const branch = options.branch ?? 'main';
  const config = context.loadConfig(options.config, context.env);
  const progress = new Progress(output, ports.clock);
  const logger = createLogger(config.log, (line) => progress.above(line));
  const plan: TablePlan = planOf(config, options);
  const ident = identOf(plan, options.into);
  const { source: looking } = await connectSource(config, context, logger);
  const catalogs = new Catalogs(config, context, logger);
  /** What the catalog says of the table now. */
  const look = async (): Promise<Pick<BackfillResult, 'publish' | 'totalRows'>> => {
    const table = await (await catalogs.get(plan.rule.catalog)).loadTable(ident, 'all');
    const publish = table ? publishingOf(table.metadata, branch) : { main: null, base: null, forward: true };
    const head = table?.metadata.snapshots?.find(
      (snapshot) => snapshot['snapshot-id'] === branchHead(table.metadata, branch),
    );
    const total = Number(head?.summary?.['total-records'] ?? Number.NaN);
    return { publish: branch === 'main' ? null : publish, totalRows: Number.isNaN(total) ? null : total };
  };
  try {
    let ranges: readonly PartitionRange[];
    try {
      const [topic] = await looking.describeTopics([options.topic]);
      if (!topic)
        throw new TabletopicError('KAFKA_TOPIC_MISSING', `Topic ${options.topic} does not exist.`, {
          where: { topic: options.topic },
        });
      const asked = await rangesOf(looking, topic, options);
      ranges = await startOf(await catalogs.get(plan.rule.catalog), ident, options, asked, ports);
    } finally {
      await looking.close();
    }
    const before = await look();
    if (before.publish) {
      const said = publishSteps(before.publish, options)
        .map((line) => line.trim())
        .join(' | ');
      if (before.publish.forward) logger.info(said);
      else logger.warn(said);
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
      only: identText(ident),
    });
    const ended = new AbortController();
    const showing = progress.follow(() => service.snapshot(), logger, ended.signal);
    const removeHandler = handleSignals(service, context);
    try {
      const { exit } = await service.run();
      const { uptimeSeconds, tables } = service.snapshot();
      const { rows = 0, deadLetters = 0 } = tables[0] ?? {};
      const result: BackfillResult = {
        exit,
        topic: options.topic,
        table: options.into,
        branch,
        partitions: ranges,
        rows,
        deadLetters,
        seconds: uptimeSeconds,
        // A run that failed may have lost the catalog.
        ...(exit === ExitCode.done ? await look() : { ...before, totalRows: null }),
      };
      output.stdout(options.json ? `${JSON.stringify(result)}\n` : backfillText(result, options));
      return exit;
    } finally {
      removeHandler();
      ended.abort();
      await showing;
    }
  } finally {
    await catalogs.close();
  }
}
