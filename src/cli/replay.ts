import { InvalidArgumentError } from 'commander';
import { createCommitter } from '../commit/committer.ts';
import type { Committer } from '../commit/commit.ts';
import { identText } from '../iceberg/catalog.ts';
import { DryCommitter } from '../ingest/dry-committer.ts';
import { Replay, type ReplayProgress, type ReplaySelection } from '../ingest/replay.ts';
import { RegistryLayouts, tableLayouts } from '../ingest/registry-layouts.ts';
import { Redecode } from '../ingest/redecode.ts';
import { routedSource } from '../ingest/route-schema.ts';
import { fileLocation } from '../ingest/table-parts.ts';
import { Uploads } from '../ingest/uploads.ts';
import { ExitCode, TabletopicError } from '../errors.ts';
import { MemoryFileIO } from '../io/memory.ts';
import { createLogger } from '../ops/logger.ts';
import { version } from '../version.ts';
import type { CliContext } from './context.ts';
import { parseTime } from './moment.ts';
import { type OneTableOptions, projectDeadLetters, withTable } from './one-table.ts';

export interface ReplayOptions extends OneTableOptions {
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly topic?: string;
  readonly code?: string;
  readonly offsets?: ReplaySelection['offsets'];
  readonly since?: number;
}

interface ReplayResult extends ReplayProgress {
  readonly table: string;
  readonly dryRun: boolean;
  readonly warnings: readonly string[];
}

/**
 * `tabletopic replay`: tries dead letters again, after a fix of a schema or of the configuration, into the main table.
 * The service may run meanwhile. Needs no broker: the records are in the source files of the list.
 */
export async function replayCommand(options: ReplayOptions, context: CliContext): Promise<number> {
  const result = await withTable(options, false, context, async ({ plan, target, config }): Promise<ReplayResult> => {
    const { address, io, ports } = target;
    const logger = createLogger({ ...config.log, level: 'warn' }, context.output.stderr);
    const stopped = new AbortController();
    const removeHandler = context.onSignal((signal) => {
      stopped.abort(
        new TabletopicError('USAGE', `stopped by ${signal}; what is committed stays, the rest is dead still`),
      );
    });
    const real = createCommitter({ ...address, io, topics: () => ({}), ports, logger, version, projectionInterval: 0 });
    const table = identText(plan);
    try {
      const state = await real.load();
      if (!state?.offsets)
        throw new TabletopicError('TABLE_NOT_FOUND', `${table} does not exist, or holds no offsets yet`, {
          where: { table },
        });
      const committer: Committer = options.dryRun ? new DryCommitter(real) : real;
      const registry = config.schemaRegistry
        ? new RegistryLayouts(config.schemaRegistry, ports, logger, () => undefined)
        : null;
      const store = options.dryRun ? new MemoryFileIO(ports.clock) : io(state.table);
      const redecode = new Redecode({
        plan,
        committer,
        layoutSource: routedSource(registry?.forTable(plan.rule) ?? tableLayouts(null, plan.rule), plan),
        openUploads: (hooks) =>
          new Uploads(store, (partition) => fileLocation(committer.state!, partition, ports.ids.uuid()), hooks),
        ports,
        logger,
        memory: config.memory / 4,
        signal: stopped.signal,
      });
      try {
        const { topic = null, code = null, since = null } = options;
        const replay = new Replay({ committer, redecode, io, ports, logger, dryRun: options.dryRun });
        const progress = await replay.run({ topic, code, since, offsets: options.offsets ?? null }, stopped.signal);
        const late = options.dryRun || address.branch !== 'main' ? [] : await projectDeadLetters(target);
        return { table, dryRun: options.dryRun, ...progress, warnings: late };
      } finally {
        await redecode.close();
      }
    } finally {
      removeHandler();
      await real.close();
    }
  });
  context.output.stdout(options.json ? `${JSON.stringify(result)}\n` : replayText(result));
  return ExitCode.done;
}

/** `--offsets`: `partition:from-to`, both included, or `partition:offset`. */
export function parseReplayOffsets(text: string): NonNullable<ReplaySelection['offsets']> {
  const [, partition, from, to = from] = /^(\d{1,9}):(\d{1,15})(?:-(\d{1,15}))?$/.exec(text) ?? [];
  if (partition === undefined || Number(to) < Number(from))
    throw new InvalidArgumentError('Write partition:from-to, as 0:1200-1350, or partition:offset.');
  return { partition: Number(partition), from: Number(from), to: Number(to) };
}

/** `--since`: a time. */
export function parseSince(text: string): number {
  return parseTime(text);
}

function replayText({ table, dryRun, selected, replayed, failed, snapshots, warnings }: ReplayResult): string {
  const would = dryRun ? 'would become rows' : 'are rows now';
  const lines = [
    selected === 0
      ? `${table}: no dead letter is chosen; nothing was changed`
      : `${table}: of ${selected} dead letters ${replayed} ${would}${dryRun ? '; nothing was changed' : ''}`,
    ...(snapshots.length > 0 ? [`    in snapshot${snapshots.length === 1 ? '' : 's'} ${snapshots.join(', ')}`] : []),
    ...failed.map(
      ({ code, count, reason, example }) =>
        `    ${count} stay${count === 1 ? 's' : ''} dead: ${code}, as ${example.topic}[${example.partition}] offset ${example.offset}: ${reason}`,
    ),
    ...warnings.map((warning) => `    WARNING ${warning}`),
  ];
  return `${lines.join('\n')}\n`;
}
