import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { ServiceStatus, TableStatus } from './status.ts';
import type { Telemetry } from './telemetry.ts';

export interface Prometheus extends Telemetry {
  readonly contentType: string;
  /** The text of `/metrics`; gauges are read from the status now. */
  render(): Promise<string>;
}

/** `Telemetry` as Prometheus metrics `tabletopic_*`, with the unit in the name; and those of the process, if asked for. */
export function createPrometheus(status: () => ServiceStatus, ofProcess = true): Prometheus {
  const registry = new Registry();
  if (ofProcess) collectDefaultMetrics({ register: registry });
  const counter = (name: string, help: string, labelNames: readonly string[]): Counter =>
    new Counter({ name: `tabletopic_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const records = counter('records_read_total', 'Records read from Kafka.', ['topic']);
  const digitsCut = counter(
    'digits_cut_total',
    'Values of which digits beyond microseconds were cut (nanos: micros).',
    ['table'],
  );
  const ignored = counter(
    'dropped_column_values_total',
    'Values of columns that were dropped from the table and are not written (onDropped: ignore), nulls included.',
    ['table'],
  );
  const bytes = counter('bytes_read_total', 'Bytes of record batches read from Kafka.', ['topic']);
  const rows = counter('rows_committed_total', 'Rows committed to the table.', ['table']);
  const files = counter('files_committed_total', 'Data files committed to the table.', ['table']);
  const fileBytes = counter('file_bytes_committed_total', 'Bytes of data files committed to the table.', ['table']);
  const deadLetters = counter('dead_letters_total', 'Records committed as dead letters, by error code.', [
    'table',
    'code',
  ]);
  const attempts = counter('commit_attempts_total', 'Commit attempts by outcome.', ['table', 'outcome']);
  const dropped = counter(
    'checkpoints_dropped_total',
    'Checkpoints that were not committed; their records are read again.',
    ['table'],
  );
  const retries = counter('retries_total', 'Requests that failed and were tried again.', ['dependency', 'code']);
  const rebalances = counter('rebalances_total', 'Changes of the assigned partitions.', []);
  const seconds = new Histogram({
    name: 'tabletopic_commit_seconds',
    help: 'Time of a commit: manifest, attempts at the catalog, waits between them.',
    labelNames: ['table'],
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    registers: [registry],
  });
  const updateGauges = statusGauges(registry);
  return {
    contentType: registry.contentType,
    render() {
      updateGauges(status());
      return registry.metrics();
    },
    digitsCut: (table, values) => digitsCut.inc({ table }, values),
    ignored: (table, values) => ignored.inc({ table }, values),
    recordsRead(topic, count, size) {
      records.inc({ topic }, count);
      bytes.inc({ topic }, size);
    },
    committed(table, rowCount, fileCount, size, duration) {
      seconds.observe({ table }, duration);
      rows.inc({ table }, rowCount);
      files.inc({ table }, fileCount);
      fileBytes.inc({ table }, size);
    },
    deadLetters: (table, code, count) => deadLetters.inc({ table, code }, count),
    commitAttempt: (table, outcome) => attempts.inc({ table, outcome }),
    checkpointDropped: (table) => dropped.inc({ table }),
    retried: (dependency, code) => retries.inc({ dependency, code }),
    rebalanced: () => rebalances.inc(),
  };
}

/** Gauges of the status; a value that is not known is absent, not zero. */
function statusGauges(registry: Registry): (status: ServiceStatus) => void {
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `tabletopic_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const ready = gauge('ready', '1 when the service is ready.');
  const up = gauge('dependency_up', '1 when the dependency answers.', ['dependency']);
  const uptime = gauge('uptime_seconds', 'Since the start.');
  const memory = gauge('memory_budget_bytes', 'Limit on buffered bytes.');
  const serviceBuffer = gauge('buffered_bytes', 'Records, columns and encoded files held, in all.');
  const lag = gauge(
    'lag_records',
    'Records in the topic that the table does not hold, in the partitions of this instance.',
    ['table', 'topic'],
  );
  const perTable: readonly (readonly [Gauge, (table: TableStatus, now: number) => number | null])[] = [
    [
      gauge('lag_seconds', 'Age of the oldest record that the table does not hold.', ['table']),
      (table) => table.lagSeconds,
    ],
    [
      gauge('freshness_seconds', 'Since the newest snapshot of the table.', ['table']),
      (table) => table.freshnessSeconds,
    ],
    [
      gauge('seconds_since_commit', 'Since the last commit of this instance.', ['table']),
      (table, now) => (table.lastCommit === null ? null : Math.max(0, (now - table.lastCommit) / 1000)),
    ],
    [
      gauge('uncommitted_seconds', 'Age of the oldest record that is read and not committed.', ['table']),
      (table, now) => (table.uncommittedSince === null ? 0 : Math.max(0, (now - table.uncommittedSince) / 1000)),
    ],
    [
      gauge('watermark_timestamp_seconds', 'The table is complete up to this record time.', ['table']),
      (table) => (table.watermark === null ? null : table.watermark / 1000),
    ],
    [
      gauge('table_buffered_bytes', 'Records, columns and encoded files held for the table.', ['table']),
      (table) => table.bufferBytes,
    ],
    [
      gauge('table_stopped', '1 when the table waits for a person.', ['table']),
      (table) => (table.state === 'stopped' ? 1 : 0),
    ],
    [
      gauge('topics_paused', 'Topics paused for the table because too many of their records are dead letters.', [
        'table',
      ]),
      (table) => table.paused.length,
    ],
    [
      gauge('schema_changes_waiting', 'Schema changes that wait for approval, with partitions behind them.', ['table']),
      (table) => table.waiting.length,
    ],
    [
      gauge('commit_interval_seconds', 'Configured commit interval.', ['table']),
      (table) => table.commitIntervalSeconds,
    ],
  ];
  return (status) => {
    ready.set(status.ready ? 1 : 0);
    uptime.set(status.uptimeSeconds);
    memory.set(status.memoryBytes);
    serviceBuffer.set(status.bufferBytes);
    up.reset();
    for (const dependency of status.dependencies) up.set({ dependency: dependency.name }, dependency.up ? 1 : 0);
    lag.reset();
    for (const [metric] of perTable) metric.reset();
    for (const table of status.tables) {
      for (const partition of table.partitions)
        if (partition.lag !== null) lag.inc({ table: table.table, topic: partition.topic }, partition.lag);
      for (const [metric, value] of perTable) {
        const current = value(table, status.now);
        if (current !== null) metric.set({ table: table.table }, current);
      }
    }
  };
}
