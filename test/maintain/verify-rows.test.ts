import { describe, expect, test } from 'vitest';
import { TabletopicError } from '../../src/errors.ts';
import type { DataFile } from '../../src/iceberg/manifest-types.ts';
import { verifyHistory } from '../../src/maintain/verify-history.ts';
import { verifyRows } from '../../src/maintain/verify-rows.ts';
import { verifyText } from '../../src/maintain/verify-text.ts';
import { type RowPosition, batchOf } from '../parquet/position-rows.ts';
import { type SnapshotSpec, tableOf } from './table.ts';

const specs: readonly SnapshotSpec[] = [
  {},
  {
    ranges: [
      [0, 0, 10],
      [1, 0, 5, { deadLetters: 2 }],
    ],
  },
  { ranges: [[0, 10, 20]] },
];

type Rows = readonly (RowPosition | null)[];

function span(partition: number, from: number, to: number): RowPosition[] {
  return Array.from({ length: to - from }, (_, i) => ({ topic: 't', partition, offset: from + i }));
}

/** The rows that the history has on record: of partition 1, offsets 1 and 3 were dead letters. */
const files: Record<string, Rows> = {
  a: [...span(0, 0, 10), ...span(1, 0, 1), ...span(1, 2, 3), ...span(1, 4, 5)],
  b: span(0, 10, 20),
};

function verify(
  stored: Record<string, Rows | 'lost'>,
  options: {
    specs?: readonly SnapshotSpec[];
    recordCounts?: Record<string, number>;
    deletes?: readonly DataFile[];
  } = {},
): ReturnType<typeof verifyRows> {
  const data = Object.entries(stored).map(
    ([location, rows]) =>
      ({
        location,
        content: 0,
        recordCount: options.recordCounts?.[location] ?? (rows === 'lost' ? files[location]!.length : rows.length),
      }) as DataFile,
  );
  return verifyRows(
    { data, deletes: options.deletes ?? [] },
    verifyHistory(tableOf(options.specs ?? specs), 'main'),
    async function* (file) {
      const rows = stored[file.location]!;
      if (rows === 'lost') throw new TabletopicError('STORAGE_NOT_FOUND', 'gone');
      // In two parts, as row groups come.
      yield batchOf(rows.slice(0, 3));
      yield batchOf(rows.slice(3));
      await Promise.resolve();
    },
  );
}

test('every row on record is there once', async () => {
  expect(await verify(files)).toEqual({ rows: 23, duplicates: [], missing: [], problems: [], others: [] });
});

describe('planted', () => {
  test('a row twice is named with its offset and file', async () => {
    const { duplicates } = await verify({ ...files, c: span(0, 4, 5) });
    expect(duplicates).toMatchObject([
      { topic: 't', partition: 0, from: 4, to: 5, count: 1, reason: expect.stringContaining('in c') as string },
    ]);
  });

  test('a row less is named', async () => {
    const { missing } = await verify({ ...files, b: files['b']!.filter((row) => row!.offset !== 13) });
    expect(missing).toMatchObject([
      { topic: 't', partition: 0, from: 10, to: 20, count: 1, reason: 'not there: 1 of offsets 13' },
    ]);
  });

  test('a row less where some offsets were never rows: the candidates are named', async () => {
    const { missing } = await verify({
      ...files,
      a: files['a']!.filter((row) => !(row!.partition === 1 && row!.offset === 4)),
    });
    expect(missing).toMatchObject([
      {
        partition: 1,
        from: 0,
        to: 5,
        count: 1,
        reason: 'not there: 1 (besides 2 that were never rows) of offsets 1, 3–4',
      },
    ]);
  });

  test('a lost file: its name, and the offsets that are gone with it', async () => {
    const { missing, problems } = await verify({ a: files['a']!, b: 'lost' });
    expect(problems).toEqual(['data file b with 10 rows is lost: the table names it and the store does not have it']);
    expect(missing).toMatchObject([{ partition: 0, from: 10, to: 20, count: 10 }]);
  });

  test('a file with fewer rows than its manifest says', async () => {
    expect((await verify(files, { recordCounts: { b: 11 } })).problems).toEqual([
      'data file b has 10 rows, and its manifest says 11',
    ]);
  });

  test('a row that is also a dead letter', async () => {
    expect((await verify({ ...files, c: span(1, 3, 4) })).problems).toEqual([
      't[1] offsets 0 to 4 have 4 rows, and 3 are on record',
    ]);
  });

  test.each([
    ['beyond the offsets', span(0, 20, 21)],
    ['of a topic that does not feed the table', [{ topic: 'u', partition: 0, offset: 0 }]],
    ['without a position', [null]],
  ])('a row %s', async (_, rows) => {
    expect((await verify({ ...files, c: rows })).problems).toHaveLength(1);
  });
});

describe('other writers', () => {
  test('rows that one removed are not missing; one more is', async () => {
    const removed: readonly SnapshotSpec[] = [...specs, { foreign: { operation: 'delete', 'deleted-records': '2' } }];
    const without = (...offsets: number[]): Rows => files['b']!.filter((row) => !offsets.includes(row!.offset));
    expect((await verify({ ...files, b: without(12, 13) }, { specs: removed })).missing).toEqual([]);
    expect((await verify({ ...files, b: without(12, 13, 14) }, { specs: removed })).missing).toMatchObject([
      { partition: 0, from: 10, to: 20 },
    ]);
  });

  test('rows that one added without a position are its own', async () => {
    const added: readonly SnapshotSpec[] = [...specs, { foreign: { operation: 'append', 'added-records': '1' } }];
    expect((await verify({ ...files, c: [null] }, { specs: added })).problems).toEqual([]);
  });

  test('compaction changes nothing', async () => {
    expect(await verify({ all: [...files['b']!, ...files['a']!] })).toMatchObject({
      rows: 23,
      duplicates: [],
      missing: [],
      problems: [],
    });
  });

  test('delete files are listed', async () => {
    const { others } = await verify(files, { deletes: [{ location: 'd', content: 1, recordCount: 4 } as DataFile] });
    expect(others).toEqual([{ snapshotId: 'd', operation: 'delete file', addedRows: 0, removedRows: 4 }]);
  });
});

test('the text names what is wrong', async () => {
  const history = verifyHistory(tableOf(specs), 'main');
  const rows = await verify({ ...files, b: files['b']!.filter((row) => row!.offset !== 13), c: span(0, 4, 5) });
  const text = verifyText({ table: 'shop.orders', branch: 'audit', level: 'deep', ok: false, ...history, ...rows });
  expect(text).toMatch(/^NOT OK {2}shop\.orders branch audit \(deep\): 23 rows/);
  expect(text).toContain('DUPLICATE t[0] offset 4:');
  expect(text).toContain('MISSING t[0] offsets 10 to 19: not there: 1 of offsets 13');
});
