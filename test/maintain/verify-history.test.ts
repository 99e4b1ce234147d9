import { describe, expect, test } from 'vitest';
import { encodeReplayed } from '../../src/commit/replayed.ts';
import { verifyHistory } from '../../src/maintain/verify-history.ts';
import { type SnapshotSpec, tableOf } from './table.ts';

const good: readonly SnapshotSpec[] = [
  {},
  {
    ranges: [
      [0, 0, 10],
      [1, 0, 5, { deadLetters: 1, control: 1 }],
    ],
  },
  { ranges: [[1, 5, 8, { aborted: 2 }]] },
  { ranges: [[0, 10, 20, { absent: 3 }]] },
];

function verify(
  specs: readonly SnapshotSpec[],
  options?: Parameters<typeof tableOf>[1],
): ReturnType<typeof verifyHistory> {
  return verifyHistory(tableOf(specs, options), 'main');
}

test('a history that joins, with everything accounted', () => {
  const history = verify(good);
  expect(history).toMatchObject({
    complete: true,
    snapshots: 4,
    duplicates: [],
    missing: [],
    problems: [],
    others: [],
  });
  expect(history.partitions).toEqual([
    {
      topic: 't',
      partition: 0,
      from: 0,
      next: 20,
      rows: 17,
      elsewhere: 0,
      replayed: 0,
      deadLetters: 0,
      aborted: 0,
      control: 0,
      absent: 3,
    },
    {
      topic: 't',
      partition: 1,
      from: 0,
      next: 8,
      rows: 4,
      elsewhere: 0,
      replayed: 0,
      deadLetters: 1,
      aborted: 2,
      control: 1,
      absent: 0,
    },
  ]);
});

test('a table that begins elsewhere than at 0', () => {
  expect(
    verify(
      [
        {},
        {
          ranges: [
            [0, 100, 110],
            [1, 7, 9],
          ],
        },
      ],
      { first: [100, 7] },
    ),
  ).toMatchObject({ duplicates: [], missing: [], problems: [] });
});

describe('planted', () => {
  test('a hole between two snapshots', () => {
    expect(verify([...good.slice(0, 3), { ranges: [[0, 12, 20]] }]).missing).toMatchObject([
      { topic: 't', partition: 0, from: 10, to: 12, count: 2 },
    ]);
  });

  test('an overlap of two snapshots', () => {
    expect(verify([...good.slice(0, 3), { ranges: [[0, 8, 20]] }]).duplicates).toMatchObject([
      { topic: 't', partition: 0, from: 8, to: 10, count: 2 },
    ]);
  });

  test('offsets that go on without a range', () => {
    expect(verify([...good, { next: [25, 8] }]).missing).toMatchObject([{ partition: 0, from: 20, to: 25 }]);
  });

  test('a replay of what no snapshot accounts for, or of more than is dead', () => {
    const replayed = (rows: number, checkpointId: string): Record<string, string> => ({
      'tabletopic.replayed': encodeReplayed([{ checkpointId, topic: 't', partition: 1, start: 0, end: 8, rows }]),
    });
    const dead = { ranges: [[1, 0, 8, { deadLetters: 1 }]], summary: { 'tabletopic.checkpoints': '["c"]' } } as const;
    expect(verify([{}, dead, { summary: replayed(1, 'other') }]).problems).toContainEqual(
      'snapshot 3 replays 1 dead letters of t[1] offsets 0 to 7, which no earlier snapshot accounts for',
    );
    expect(verify([{}, dead, { summary: replayed(2, 'c') }]).problems).toContainEqual(
      'snapshot 3 replays 2 dead letters of t[1] offsets 0 to 7, of which 1 are dead',
    );
    // Rows and list of that snapshot say nothing of it.
    expect(verify([{}, dead, { summary: replayed(1, 'c') }]).problems).toEqual([
      'snapshot 3 accounts for 1 rows and added 0',
      'snapshot 3 accounts for -1 dead letters and lists 0',
      'the head has 7 rows in all, and its history adds up to 8',
    ]);
  });

  test('offsets that go back', () => {
    expect(verify([...good, { next: [20, 6] }]).duplicates).toMatchObject([{ partition: 1, from: 6, to: 8 }]);
  });

  test('a first range that does not begin at the first offset', () => {
    expect(verify([{}, { ranges: [[0, 3, 10]] }]).missing).toMatchObject([{ partition: 0, from: 0, to: 3 }]);
  });

  test.each([
    ['fewer rows added than accounted', { 'added-records': '9' }, /accounts for 10 rows and added 9/],
    [
      'a list that cannot be read',
      { 'tabletopic.accounted': '{"v":1,"topics":{"t":3}}' },
      /tabletopic\.accounted cannot be read/,
    ],
    ['offsets that cannot be read', { 'tabletopic.offsets': '{' }, /tabletopic\.offsets cannot be read/],
    ['a total that does not add up', { 'total-records': '11' }, /11 rows in all, and its history adds up to 10/],
    [
      'another map for the parent than the parent has',
      {
        'tabletopic.offsets.prev': JSON.stringify({
          v: 1,
          snapshot: '1',
          topics: { t: { id: 'topic', cluster: 'cluster', first: [0, 0], next: [4, 0], epoch: [0, 0], gaps: [] } },
        }),
      },
      /states other offsets for its parent/,
    ],
  ])('%s', (_, summary, message) => {
    expect(verify([{}, { ranges: [[0, 0, 10]], summary }]).problems.join('\n')).toMatch(message);
  });

  test('a list of replayed dead letters that cannot be read is named once', () => {
    const summary = { 'tabletopic.replayed': '{' };
    expect(verify([{}, { ranges: [[0, 0, 10]], summary }]).problems).toEqual([
      expect.stringMatching(/^snapshot 2: tabletopic\.replayed cannot be read: /),
    ]);
  });

  test('dead letters that no list names', () => {
    const table = tableOf([{}, { ranges: [[0, 0, 10, { deadLetters: 2 }]] }]);
    const summary = table.metadata.snapshots![1]!.summary as Record<string, string>;
    summary['tabletopic.offsets'] = summary['tabletopic.offsets']!.replace('"count":2', '"count":1');
    expect(verifyHistory(table, 'main').problems).toEqual(['snapshot 2 accounts for 2 dead letters and lists 1']);
  });
});

describe('other writers', () => {
  test('rows that their delete files take out are listed, and leave the total as it is', () => {
    const summary = { operation: 'delete', 'added-position-deletes': '3', 'added-equality-deletes': '1' };
    const history = verify([...good.slice(0, 2), { foreign: summary }, ...good.slice(2)]);
    expect(history).toMatchObject({
      problems: [],
      others: [{ snapshotId: '3', operation: 'delete', addedRows: 0, removedRows: 0, deletes: 4 }],
    });
  });

  test('their snapshots are walked over and listed', () => {
    const history = verify([
      ...good.slice(0, 2),
      { foreign: { operation: 'delete', 'deleted-records': '3' } },
      ...good.slice(2),
    ]);
    expect(history).toMatchObject({
      duplicates: [],
      missing: [],
      problems: [],
      others: [{ snapshotId: '3', operation: 'delete', addedRows: 0, removedRows: 3 }],
    });
  });

  test('a branch that was never ours says so', () => {
    expect(verify([{ foreign: { operation: 'append', 'added-records': '3' } }]).problems).toHaveLength(1);
  });
});

test('expired snapshots: what is left is verified from the parent’s offsets on', () => {
  const history = verify(good, { expired: 2 });
  expect(history).toMatchObject({ complete: false, snapshots: 2, duplicates: [], missing: [], problems: [] });
  expect(history.partitions.map(({ partition, from, next }) => [partition, from, next])).toEqual([
    [0, 10, 20],
    [1, 5, 8],
  ]);
  expect(verify([...good.slice(0, 3), { ranges: [[0, 12, 20]] }], { expired: 2 }).missing).toMatchObject([
    { partition: 0, from: 10, to: 12 },
  ]);
});
