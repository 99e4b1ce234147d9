import { describe, expect, test } from 'vitest';
import { historySince } from '../../src/commit/history.ts';
import { lookupStatement, offsetsKeys } from '../../src/commit/lookup.ts';
import { CHECKPOINTS, OFFSETS, OFFSETS_PREV, checkpointProperty } from '../../src/commit/statement.ts';
import type { Snapshot, TableMetadata } from '../../src/iceberg/metadata.ts';

interface S {
  id: number;
  parent?: number;
  own?: string;
  prev?: string;
  seq?: number;
  checkpoints?: string[];
}

/** A statement that names the snapshot it is about, as in a property or in `…prev`. */
const about = (id: number, value: string): string => JSON.stringify({ v: 1, snapshot: String(id), topics: {}, value });

function table(
  snapshots: readonly S[],
  head: number | null,
  more: { property?: string; refs?: Record<string, number>; last?: number; partial?: boolean; branch?: string } = {},
): { metadata: TableMetadata; partial: boolean } {
  const list = snapshots.map(({ id, parent, own, prev, seq, checkpoints }): Snapshot => ({
    'snapshot-id': BigInt(id),
    ...(parent === undefined ? {} : { 'parent-snapshot-id': BigInt(parent) }),
    'sequence-number': seq ?? id,
    'timestamp-ms': 0,
    summary: {
      ...(own === undefined ? {} : { [OFFSETS]: own }),
      ...(prev === undefined ? {} : { [OFFSETS_PREV]: prev }),
      ...(checkpoints === undefined ? {} : { [CHECKPOINTS]: JSON.stringify(checkpoints) }),
    },
  }));
  const refs = Object.fromEntries(
    Object.entries({ ...(head === null ? {} : { main: head }), ...more.refs }).map(([name, id]) => [
      name,
      { 'snapshot-id': BigInt(id), type: 'branch' as const },
    ]),
  );
  return {
    partial: more.partial ?? false,
    metadata: {
      'last-sequence-number': more.last ?? Math.max(0, ...list.map((snapshot) => snapshot['sequence-number']!)),
      snapshots: list,
      refs,
      properties: more.property === undefined ? {} : { [checkpointProperty('main')]: more.property },
    } as unknown as TableMetadata,
  };
}

const look = (...args: Parameters<typeof table>) => lookupStatement(table(...args), 'main', offsetsKeys);

describe('the statement at the head', () => {
  test('is the head’s own', () => {
    expect(
      look(
        [
          { id: 1, own: 'a' },
          { id: 2, parent: 1, own: 'b' },
        ],
        2,
      ),
    ).toEqual({ kind: 'found', text: 'b', about: 2n, anchored: true });
  });

  test('is that of the newest ancestor that has one: snapshots of others are walked over', () => {
    expect(
      look(
        [
          { id: 1, own: 'a' },
          { id: 2, parent: 1 },
          { id: 3, parent: 2 },
        ],
        3,
      ),
    ).toEqual({ kind: 'found', text: 'a', about: 1n, anchored: false });
  });

  test('after a rollback is the older one', () => {
    expect(
      look(
        [
          { id: 1, own: 'a' },
          { id: 2, parent: 1, own: 'b' },
        ],
        1,
        { property: about(2, 'b') },
      ),
    ).toMatchObject({ text: 'a', about: 1n });
  });

  test('of a table that never held offsets is none', () => {
    expect(look([], null)).toEqual({ kind: 'never', held: false });
    expect(look([{ id: 1 }, { id: 2, parent: 1 }], 2)).toEqual({ kind: 'never', held: false });
  });

  test('a replaced table is told from one that never held any', () => {
    expect(look([{ id: 1, own: 'a' }, { id: 2 }], 2, { property: about(1, 'a') })).toEqual({
      kind: 'never',
      held: true,
    });
    expect(look([], null, { property: about(1, 'a') })).toEqual({ kind: 'never', held: true });
  });
});

describe('after an expiry of the snapshot with the key', () => {
  test('the property counts where the walk breaks at exactly its snapshot', () => {
    expect(look([{ id: 2, parent: 1 }], 2, { property: about(1, 'a') })).toEqual({
      kind: 'found',
      text: about(1, 'a'),
      about: 1n,
      anchored: false,
    });
  });

  test('the property counts about a foreign snapshot that is still an ancestor', () => {
    expect(
      look(
        [
          { id: 2, parent: 1 },
          { id: 3, parent: 2 },
        ],
        3,
        { property: about(2, 'a') },
      ),
    ).toMatchObject({ about: 2n, anchored: false });
    expect(look([{ id: 2, parent: 1 }], 2, { property: about(2, 'a') })).toMatchObject({ about: 2n, anchored: true });
  });

  test('the statement of a child about its parent counts', () => {
    expect(
      look(
        [
          { id: 2, parent: 1, own: 'b', prev: about(1, 'a') },
          { id: 3, parent: 1 },
        ],
        3,
      ),
    ).toMatchObject({ text: about(1, 'a'), about: 1n });
  });

  test('a child’s statement that names another snapshot than its parent does not', () => {
    expect(
      look(
        [
          { id: 2, parent: 1, own: 'b', prev: about(7, 'a') },
          { id: 3, parent: 1 },
        ],
        3,
      ).kind,
    ).toBe('ambiguous');
  });

  test('A1: the property about a rolled back snapshot never counts, whether that snapshot still exists or not', () => {
    // S0 [0,1), S1 [1,2); rollback to S0; foreign S2 on S0; expiry of S0, later of S1.
    const s2: S = { id: 12, parent: 10 };
    const s1: S = { id: 11, parent: 10, own: 'two' };
    expect(look([s1, s2], 12, { property: about(11, 'two') })).toEqual({ kind: 'ambiguous', head: 12n, missing: 10n });
    expect(look([s2], 12, { property: about(11, 'two') })).toEqual({ kind: 'ambiguous', head: 12n, missing: 10n });
    // With S1's own statement about its parent the answer is S0's, not S1's.
    expect(look([{ ...s1, prev: about(10, 'one') }, s2], 12, { property: about(11, 'two') })).toMatchObject({
      text: about(10, 'one'),
    });
  });

  test('a walk that breaks elsewhere is ambiguous, and so is a cycle', () => {
    expect(look([{ id: 3, parent: 2 }], 3, { property: about(1, 'a') })).toEqual({
      kind: 'ambiguous',
      head: 3n,
      missing: 2n,
    });
    expect(
      look(
        [
          { id: 3, parent: 2 },
          { id: 2, parent: 3 },
        ],
        3,
      ).kind,
    ).toBe('ambiguous');
  });
});

describe('with only the snapshots that refs name', () => {
  test('the head decides alone, or all must be loaded', () => {
    expect(look([{ id: 9, parent: 8, own: 'a' }], 9, { partial: true }).kind).toBe('found');
    expect(look([{ id: 9, parent: 8 }], 9, { partial: true }).kind).toBe('partial');
    expect(look([{ id: 9, parent: 8 }], 9, { partial: true, property: about(9, 'a') }).kind).toBe('found');
  });

  test('a parent that was not loaded is not a missing one', () => {
    expect(look([{ id: 9, parent: 8 }], 9, { partial: true, property: about(8, 'a') }).kind).toBe('partial');
  });
});

describe('the history since the cut', () => {
  const history = (since: number, ...args: Parameters<typeof table>) =>
    historySince(table(...args), 'main', since, 'me').kind;

  test('is intact while every snapshot since is an ancestor or of another ref', () => {
    expect(history(1, [{ id: 1 }], 1)).toBe('intact');
    expect(history(1, [{ id: 1 }, { id: 2, parent: 1 }, { id: 3, parent: 2 }], 3)).toBe('intact');
    expect(history(1, [{ id: 1 }, { id: 2, parent: 1 }, { id: 3, parent: 1 }], 2, { refs: { other: 3 } })).toBe(
      'intact',
    );
  });

  test('holds the checkpoint: that is the receipt', () => {
    expect(history(1, [{ id: 1 }, { id: 2, parent: 1, checkpoints: ['x', 'me'] }, { id: 3, parent: 2 }], 3)).toBe(
      'committed',
    );
  });

  test('A2: is stale after a rollback, while the rolled back snapshot exists and after its expiry', () => {
    expect(history(1, [{ id: 1 }, { id: 2, parent: 1 }], 1)).toBe('stale');
    expect(history(1, [{ id: 1 }, { id: 2, parent: 1, checkpoints: ['me'] }], 1)).toBe('stale');
    expect(history(1, [{ id: 1 }], 1, { last: 2 })).toBe('stale');
    expect(history(1, [{ id: 1 }, { id: 3, parent: 1 }], 3)).toBe('stale');
  });

  test('is stale where another ref holds the checkpoint, or the sequence went back', () => {
    expect(
      history(1, [{ id: 1 }, { id: 2, parent: 1, checkpoints: ['me'] }, { id: 3, parent: 1 }], 3, {
        refs: { other: 2 },
      }),
    ).toBe('stale');
    expect(history(5, [{ id: 1 }], 1)).toBe('stale');
  });

  test('wants all snapshots where those of refs leave a hole', () => {
    expect(history(1, [{ id: 3, parent: 2 }], 3, { partial: true })).toBe('partial');
    expect(history(2, [{ id: 3, parent: 2 }], 3, { partial: true })).toBe('intact');
  });
});
