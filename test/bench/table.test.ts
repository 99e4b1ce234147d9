import { expect, it } from 'vitest';
import { together } from './table.ts';

const snapshot = (at: number, rows: number): Parameters<typeof together>[0][number][number] => ({
  'timestamp-ms': at,
  summary: { 'total-records': String(rows), 'total-data-files': '2', 'total-files-size': '50' },
});

it('the histories of tables are one, in the order of their commits', () => {
  expect(together([[snapshot(1, 0), snapshot(5, 100)], [snapshot(3, 7)], []])).toEqual({
    commits: [
      { atMs: 1, rows: 0 },
      { atMs: 3, rows: 7 },
      { atMs: 5, rows: 107 },
    ],
    rows: 107,
    files: 4,
    bytes: 100,
  });
});
