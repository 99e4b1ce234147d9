import type { LaneState } from '../ingest/lane-table.ts';
import type { TableIngest } from '../ingest/table-ingest.ts';
import { version } from '../version.ts';
import type { DependencyStatus, PartitionStatus, ServiceFacts, TableState, TableStatus } from './status.ts';
import type { Throughput } from './throughput.ts';

export interface FactsInput {
  readonly now: number;
  readonly startedAt: number;
  readonly starting: boolean;
  readonly draining: boolean;
  readonly throughput: Throughput;
  readonly memoryBytes: number;
  readonly dependencies: readonly DependencyStatus[];
  readonly tables: readonly TableIngest[];
  readonly missingTopics: readonly string[];
}

/** What the service knows at this moment; nothing is asked of any server. */
export function serviceFacts({ now, startedAt, throughput, tables, ...rest }: FactsInput): ServiceFacts {
  return {
    ...rest,
    version,
    now,
    startedAt,
    uptimeSeconds: (now - startedAt) / 1000,
    recordsRead: throughput.records,
    bytesRead: throughput.bytes,
    recordsPerSecond: throughput.rate,
    bufferBytes: tables.reduce((sum, table) => sum + table.heldBytes, 0),
    tables: tables.map((table) => tableStatus(table, now)),
  };
}

function tableStatus(table: TableIngest, now: number): TableStatus {
  const lanes = table.lanes.all();
  const partitions = lanes.map(partitionStatus);
  const head = table.tableState?.table.metadata;
  const snapshot = head?.snapshots?.find((candidate) => candidate['snapshot-id'] === table.tableState?.headSnapshotId);
  const error = table.problem;
  return {
    table: table.name,
    catalog: table.plan.rule.catalog,
    topics: table.plan.topics,
    state: stateOf(table, lanes),
    error: error && { code: error.code, message: error.message, hint: error.hint, at: table.problemSince },
    rows: table.rowsCommitted,
    deadLetters: table.deadLettersCommitted,
    partitions,
    lagRecords: partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0),
    lagSeconds: lagSeconds(lanes, now),
    freshnessSeconds: snapshot ? Math.max(0, (now - snapshot['timestamp-ms']) / 1000) : null,
    watermark:
      snapshot?.summary?.['tabletopic.watermark'] === undefined
        ? null
        : Number(snapshot.summary['tabletopic.watermark']),
    lastCommit: table.lastCommit?.at ?? null,
    lastSnapshotId: table.tableState?.headSnapshotId?.toString() ?? null,
    schemaId: head?.['current-schema-id'] ?? null,
    commitIntervalSeconds: table.plan.rule.commitInterval / 1000,
    uncommittedSince: table.uncommittedSince,
    bufferBytes: table.heldBytes,
    paused: table.paused,
    waiting: table.waiting,
  };
}

function stateOf(table: TableIngest, lanes: readonly LaneState[]): TableState {
  if (table.state === 'starting') return 'starting';
  if (table.stopped) return 'stopped';
  if (table.problem) return 'retrying';
  if (lanes.length === 0) return 'idle';
  return lanes.every(({ committedNext, end }) => end >= 0 && committedNext >= end) ? 'caught-up' : 'reading';
}

function partitionStatus({ lane, committedNext, end }: LaneState): PartitionStatus {
  return {
    topic: lane.topic,
    partition: lane.partition,
    next: committedNext,
    end: end < 0 ? null : end,
    lag: end < 0 ? null : Math.max(0, end - committedNext),
  };
}

/** Age of the oldest uncommitted record, as the record times of what was read first after each commit have it. */
function lagSeconds(lanes: readonly LaneState[], now: number): number | null {
  if (lanes.some(({ end }) => end < 0)) return null;
  const behind = lanes.filter(({ committedNext, end }) => committedNext < end);
  if (behind.length === 0) return 0;
  // A topic that was idle for hours is not hours behind when its next record comes.
  const ages = behind.map((lane) =>
    lane.position > lane.committedNext ? lane.openTimestamp : lane.committedTimestamp,
  );
  const oldest = Math.min(...ages);
  return oldest < 0 ? null : Math.max(0, (now - oldest) / 1000);
}
