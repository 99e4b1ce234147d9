import type { TablePlan } from '../config/config.ts';
import type { OffsetsMap } from '../commit/commit.ts';
import { deadLetterCount } from '../commit/dead-letter-list.ts';
import { type Known, loadKnown } from '../commit/known.ts';
import { snapshotsById } from '../commit/lookup.ts';
import { WATERMARK } from '../commit/statement.ts';
import { ExitCode, type TabletopicError, asTabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { type Snapshot, currentSchema } from '../iceberg/metadata.ts';
import { createLogger } from '../ops/logger.ts';
import { type WaitingChange, waitingChanges } from '../schema/waiting-change.ts';
import type { Source, TopicDescription } from '../source/source.ts';
import { Catalogs, connectSource, describeTopics, identOf, plansFor, selectPlans, worstExit } from './connected.ts';
import type { CliContext } from './context.ts';
import { type ErrorJson, errorJson, errorText } from './errors.ts';
import { statusText } from './status-text.ts';

/** A table as its catalog and the broker show it. Times are ms since the epoch; null where unknown or absent. */
export interface TableReport {
  readonly table: string;
  readonly catalog: string;
  readonly topics: readonly string[];
  readonly exists: boolean;
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly next: number | null;
    readonly end: number | null;
    readonly lag: number | null;
  }[];
  readonly lagRecords: number | null;
  readonly freshnessSeconds: number | null;
  readonly watermark: number | null;
  readonly lastCommit: number | null;
  readonly snapshotId: string | null;
  readonly schemaId: number | null;
  readonly columns: number | null;
  readonly rows: number | null;
  readonly files: number | null;
  readonly bytes: number | null;
  readonly deadLetters: number | null;
  /** Schema changes that wait for approval. */
  readonly waiting: readonly Omit<WaitingChange, 'writer'>[];
  readonly metadataLocation: string | null;
  readonly error: ErrorJson['error'] | null;
}

/** `tabletopic status`: what the tables say of themselves, with or without a running service. */
export async function statusCommand(
  options: { config: string; json: boolean; table?: string },
  context: CliContext,
): Promise<number> {
  const { output } = context;
  const config = context.loadConfig(options.config, context.env);
  const logger = createLogger({ ...config.log, level: 'error' }, output.stderr);
  const errors: TabletopicError[] = [];
  const broker = await connectSource(config, context, logger).catch((thrown: unknown) => {
    errors.push(asTabletopicError(thrown));
    return null;
  });
  const catalogs = new Catalogs(config, context, logger);
  const tables: TableReport[] = [];
  try {
    const topics = broker ? await describeTopics(config, broker.source) : [];
    for (const plan of selectPlans(plansFor(config, topics, true).plans, options.table)) {
      try {
        const known = await loadKnown(
          { catalog: await catalogs.get(plan.rule.catalog), ident: identOf(plan), branch: plan.rule.branch },
          'all',
        );
        tables.push(await report(plan, known, topics, broker?.source ?? null, context));
      } catch (thrown) {
        const error = asTabletopicError(thrown);
        errors.push(error);
        tables.push({ ...emptyReport(plan), error: errorJson(error).error });
      }
    }
  } finally {
    await broker?.source.close();
    await catalogs.close();
  }
  if (options.json)
    output.stdout(`${JSON.stringify({ tables, errors: errors.map((error) => errorJson(error).error) })}\n`);
  else {
    output.stdout(statusText(tables));
    for (const error of errors) output.stderr(errorText(error));
  }
  return errors.length === 0 ? ExitCode.done : worstExit(errors);
}

function emptyReport({ rule, namespace, name, topics }: TablePlan): TableReport {
  return {
    table: identText({ namespace, name }),
    catalog: rule.catalog,
    topics,
    exists: false,
    partitions: [],
    lagRecords: null,
    freshnessSeconds: null,
    watermark: null,
    lastCommit: null,
    snapshotId: null,
    schemaId: null,
    columns: null,
    rows: null,
    files: null,
    bytes: null,
    deadLetters: null,
    waiting: [],
    metadataLocation: null,
    error: null,
  };
}

async function report(
  plan: TablePlan,
  known: Known | null,
  topics: readonly TopicDescription[],
  source: Source | null,
  { ports }: CliContext,
): Promise<TableReport> {
  const partitions = await offsetsOf(plan, known?.offsets ?? null, topics, source);
  const lags = partitions.map(({ lag }) => lag);
  const lagRecords = source && lags.every((lag) => lag !== null) ? lags.reduce((sum, lag) => sum + lag, 0) : null;
  if (!known) return { ...emptyReport(plan), partitions, lagRecords };
  const { metadata, metadataLocation } = known.table;
  const snapshots = snapshotsById(metadata);
  const head = known.headSnapshotId === null ? undefined : snapshots.get(known.headSnapshotId);
  const total = (key: string): number | null => (head?.summary?.[key] === undefined ? null : Number(head.summary[key]));
  const schema = currentSchema(metadata);
  return {
    ...emptyReport(plan),
    exists: true,
    partitions,
    lagRecords,
    freshnessSeconds: head ? Math.max(0, (ports.clock.now() - head['timestamp-ms']) / 1000) : null,
    watermark: newestWatermark(snapshots, head),
    lastCommit: head?.['timestamp-ms'] ?? null,
    snapshotId: head ? String(head['snapshot-id']) : null,
    schemaId: schema['schema-id'],
    columns: schema.fields.length,
    rows: total('total-records'),
    files: total('total-data-files'),
    bytes: total('total-files-size'),
    deadLetters: deadLetterCount(known.deadLetters),
    waiting: waitingChanges(metadata.properties).map(({ id, schema: of, changes, since }) => ({
      id,
      schema: of,
      changes,
      since,
    })),
    metadataLocation,
  };
}

/** Next offsets from the table beside ends from the broker; what only one of them knows has null on the other side. */
async function offsetsOf(
  plan: TablePlan,
  offsets: OffsetsMap | null,
  topics: readonly TopicDescription[],
  source: Source | null,
): Promise<TableReport['partitions']> {
  const rows: { topic: string; partition: number; next: number | null; onBroker: boolean }[] = [];
  for (const topic of plan.topics) {
    const stated = offsets?.[topic]?.next ?? [];
    const onBroker = new Set(topics.find(({ name }) => name === topic)?.partitions.map(({ partition }) => partition));
    for (let partition = 0; partition < Math.max(stated.length, ...[...onBroker].map((p) => p + 1), 0); partition++) {
      rows.push({ topic, partition, next: stated[partition] ?? null, onBroker: onBroker.has(partition) });
    }
  }
  const asked = source ? rows.filter((row) => row.onBroker) : [];
  const ends =
    source && asked.length > 0
      ? await source.listOffsets(asked.map(({ topic, partition }) => ({ topic, partition, at: 'latest' as const })))
      : [];
  return rows.map((row) => {
    const { topic, partition, next } = row;
    const end = ends[asked.indexOf(row)] ?? null;
    return { topic, partition, next, end, lag: end === null || next === null ? null : Math.max(0, end - next) };
  });
}

function newestWatermark(snapshots: ReadonlyMap<bigint, Snapshot>, head: Snapshot | undefined): number | null {
  const seen = new Set<Snapshot>();
  for (
    let snapshot = head;
    snapshot && !seen.has(snapshot);
    snapshot = snapshots.get(snapshot['parent-snapshot-id'] ?? -1n)
  ) {
    seen.add(snapshot);
    const text = snapshot.summary?.[WATERMARK];
    if (text !== undefined) return Number(text);
  }
  return null;
}
