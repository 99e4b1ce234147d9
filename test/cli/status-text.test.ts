import { expect, test } from 'vitest';
import { statusText } from '../../src/cli/status-text.ts';
import type { TableReport } from '../../src/cli/status.ts';

const report: TableReport = {
  table: 'shop.orders',
  catalog: 'lake',
  topics: ['orders'],
  exists: true,
  partitions: [],
  lagRecords: 0,
  freshnessSeconds: 5,
  watermark: 1_700_000_000_000,
  lastCommit: 1_700_000_001_000,
  snapshotId: '12',
  schemaId: 3,
  columns: 1,
  rows: 4000,
  files: 1,
  bytes: 8400,
  deadLetters: 2,
  waiting: [],
  metadataLocation: null,
  error: null,
};

test('what a table holds, small and large', () => {
  expect(statusText([report])).toContain('rows 4,000 in 1 file (8.2 KiB), dead letters 2');
  expect(statusText([report])).toContain('schema 3 with 1 column\n');
  expect(statusText([{ ...report, files: 20, bytes: 3 * 2 ** 30, columns: 2 }])).toContain('in 20 files (3.0 GiB)');
});

test('a table that has no snapshot yet is not a row of dashes', () => {
  const text = statusText([{ ...report, snapshotId: null, rows: null, files: null, bytes: null }]);
  expect(text).toContain('nothing is committed to it yet');
  expect(text).not.toContain('–');
});
