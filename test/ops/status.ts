import type { ServiceFacts, TableStatus } from '../../src/ops/status.ts';

export const now = 1_800_000_000_000;

export function tableStatus(changes: Partial<TableStatus> = {}): TableStatus {
  return {
    table: 'shop.orders',
    catalog: 'lake',
    topics: ['shop.orders'],
    state: 'reading',
    error: null,
    rows: 100,
    deadLetters: 1,
    partitions: [
      { topic: 'shop.orders', partition: 0, next: 100, end: 150, lag: 50 },
      { topic: 'shop.orders', partition: 1, next: 7, end: 10, lag: 3 },
    ],
    lagRecords: 53,
    lagSeconds: 4,
    freshnessSeconds: 2,
    watermark: now - 5000,
    lastCommit: now - 2000,
    lastSnapshotId: '8271638172635172635',
    schemaId: 0,
    commitIntervalSeconds: 10,
    uncommittedSince: null,
    bufferBytes: 4096,
    paused: [],
    waiting: [],
    ...changes,
  };
}

export function facts(changes: Partial<ServiceFacts> = {}): ServiceFacts {
  return {
    version: '0.1.0',
    now,
    startedAt: now - 60_000,
    uptimeSeconds: 60,
    starting: false,
    draining: false,
    recordsRead: 153,
    bytesRead: 9000,
    recordsPerSecond: 12,
    bufferBytes: 8192,
    memoryBytes: 536_870_912,
    dependencies: [{ name: 'kafka', up: true, since: now - 60_000, error: null }],
    tables: [tableStatus()],
    missingTopics: [],
    ...changes,
  };
}
